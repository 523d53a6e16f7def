import { describe, expect, it, onTestFinished } from 'vitest'
import { hiddenInJson, hiddenInText } from '../../lib/store/hidden-names.js'
import { toBounds } from '../../lib/store/queries/filter.js'
import { readHiddenNames } from '../../lib/store/queries/hidden.js'
import { ReadFile } from '../../lib/store/read-file.js'
import { captureArguments, captureError, captureResult, newSite } from '../serialize/harness.js'
import { T0_MS } from './fixture.js'
import { newOpenedStore } from './new-store.js'

const newStore = () => newOpenedStore(T0_MS + 60_000)

const SECRET = 'hunter2-hunter2'
const CARD = '4111 1111 1111 1111'
const named = (json: string, isArguments = false) =>
  hiddenInJson(json, isArguments).map(({ name, inText }) => (inText ? `${name} (in text)` : name))

describe('the names of what capture has hidden', () => {
  it.each<[string, unknown[], string[], object?]>([
    ['a key', [1, { card: { number: 1, cvv: SECRET } }], ['1.card.cvv']],
    [
      'a key in the items of a list',
      [{ users: [{ password: SECRET }, { password: SECRET }] }],
      ['0.users.password'],
    ],
    ['a header object', [{ headers: { Authorization: SECRET, accept: 'x' } }], ['0.headers.Authorization']],
    ['a list of pairs', [{ headers: [['authorization', SECRET]] }], ['0.headers.authorization']],
    ['a flat list of headers', [['accept', 'x', 'cookie', SECRET]], ['0.cookie']],
    ['a named pair', [[{ name: 'password', value: SECRET }]], ['0.password']],
    ['the argument behind a secret name', ['authorization', SECRET], ['1.authorization']],
    ['an entry of a Map', [new Map([['password', SECRET]])], ['0.entries.password']],
    [
      'a class instance',
      [
        new (class Login {
          password = SECRET
        })(),
      ],
      ['0.password'],
    ],
    ['a position', [SECRET, 'x'], ['0'], { site: [0] }],
    ['a path of the call site', [{ order: { pin: SECRET } }], ['0.order.pin'], { site: ['0.order.pin'] }],
    ['a name of the call site', [{ a: { nickname: SECRET } }], ['0.a.nickname'], { site: ['nickname'] }],
    ['a part of a text', [{ note: `pay with ${CARD}` }], ['0.note (in text)']],
    ['a query string', [`https://x.test/?a=1&token=${SECRET}`], ['0 (in text)']],
    [
      'a key that is a secret itself',
      [{ [`password=${SECRET}`]: 1 }],
      ['0.password=[redacted] (in text)', '0.password=[redacted]'],
    ],
  ])('%s', (_, args, names, redaction = {}) => {
    const { text, cuts } = captureArguments(args, { site: newSite(redaction) })
    expect(cuts?.['redacted']).toBeGreaterThan(0)
    expect(text).not.toContain(SECRET)
    expect(named(text, true)).toEqual(names)
  })

  it('of a result begin at its top', () => {
    expect(named(captureResult({ session: { token: SECRET } }).text)).toEqual(['session'])
    expect(named(captureResult({ login: { accessToken: SECRET } }).text)).toEqual(['login.accessToken'])
    expect(hiddenInJson(captureResult(SECRET, { site: newSite({ site: [-1] }) }).text)).toEqual([
      { name: '', inText: false },
    ])
  })

  it('of an error stand in its message, stack and details', () => {
    const thrown = Object.assign(new Error(`bad token=${SECRET}`), { config: { apiKey: SECRET } })
    const { message, stack, details } = captureError(thrown).json as Record<string, unknown>
    expect(hiddenInText(message as string)).toEqual([{ name: '', inText: true }])
    expect(hiddenInText(stack as string)).toEqual([{ name: '', inText: true }])
    expect(named(JSON.stringify(details))).toEqual(['config.apiKey'])
  })

  it('never are values, though these stand where a name would', () => {
    const { text } = captureArguments([[['alice', CARD]], [{ name: 'bob', value: CARD }], 'carol', CARD])
    expect(named(text, true).join()).not.toMatch(/alice|bob|carol/)
    expect(named(text, true)).toEqual(['0', '1.value', '3'])
  })

  it('are not read out of anything but JSON as we write it', () => {
    expect(named('{"a":')).toEqual([])
    expect(named('{"a":"[redacted]')).toEqual([' (in text)'])
    expect(named('"plain"')).toEqual([])
    expect(hiddenInJson(null)).toEqual([])
    expect(named('{"__proto__":{"x":"[redacted]"}}')).toEqual(['__proto__.x'])
  })
})

const REDACTED = '{"redacted":1}'

describe('hidden names of a store', () => {
  it('are counted by record, function and place, newest first', () => {
    const { made, store } = newStore()
    const login = '[{"password":"[redacted]","pin":"[redacted]"},{"password":"[redacted]"}]'
    made.call({ atMs: T0_MS, fn: 'A', args: login, result: '{"token":"[redacted]"}', cuts: REDACTED })
    made.call({
      atMs: T0_MS + 1,
      fn: 'A',
      args: '[{"password":"[redacted]"}]',
      cuts: '{"items":3,"redacted":1}',
    })
    made.error({
      atMs: T0_MS + 2,
      fn: 'B',
      args: '[{"password":"[redacted]"}]',
      error: 'E',
      message: 'key=[redacted]',
      stack: 'E: key=[redacted]\n  at x',
      details: '{"cause":{"cookie":"[redacted]"}}',
      cuts: REDACTED,
    })
    const row = (fn: string, place: string, name: string, records: number, ms: number, in_text = false) => ({
      function: fn,
      place,
      name,
      in_text,
      records,
      last_at: `2026-11-20T10:00:00.00${ms}Z`,
    })
    expect(store.hiddenNames()).toEqual({
      names: [
        row('B', 'args', '0.password', 1, 2),
        row('B', 'message', '', 1, 2, true),
        row('B', 'stack', '', 1, 2, true),
        row('B', 'details', 'cause.cookie', 1, 2),
        row('A', 'args', '0.password', 2, 1),
        row('A', 'args', '0.pin', 1, 0),
        row('A', 'args', '1.password', 1, 0),
        row('A', 'result', 'token', 1, 0),
      ],
      lookedAt: 3,
      notLookedAt: 0,
    })
    const some = (scope: object) => {
      const { names, lookedAt, notLookedAt } = store.hiddenNames(scope)
      return [names.map(({ name }) => name), lookedAt, notLookedAt]
    }
    expect(some({ function: 'A', since: new Date(T0_MS + 1) })).toEqual([['0.password'], 1, 0])
    expect(some({ until: new Date(T0_MS + 1), function: '?' })).toEqual([
      ['0.password', '0.pin', '1.password', 'token'],
      1,
      0,
    ])
    expect(some({ function: 'nobody' })).toEqual([[], 0, 0])
  })

  it('do not come from a text of the app that looks like ours', () => {
    const { made, store } = newStore()
    made.call({ atMs: T0_MS, args: '["[redacted]"]' })
    made.call({ atMs: T0_MS, args: '["[redacted]"]', cuts: '{"items":1}' })
    made.error({ atMs: T0_MS, message: '[redacted]', cuts: '{"string":1}' })
    expect(store.hiddenNames()).toEqual({ names: [], lookedAt: 3, notLookedAt: 0 })
  })

  it('are looked for in the newest records only, and the answer says in how many', () => {
    const { made } = newStore()
    made.db.exec('BEGIN')
    for (let i = 0; i < 2_500; i++) {
      const seed = { atMs: T0_MS + i, args: `[{"password${i}":"[redacted]"}]`, cuts: REDACTED }
      if (i % 3 === 0) made.error({ ...seed, fn: `F${i % 2}` })
      else made.call({ ...seed, fn: `F${i % 2}` })
    }
    made.db.exec('COMMIT')
    const file = ReadFile.open(made.path)
    onTestFinished(() => file.close())
    const look = (scope: object, limits: { records: number; names: number }) => {
      const found = readHiddenNames(file, toBounds(scope, T0_MS), limits)
      return [found.names.length, found.names[0]?.name, found.lookedAt, found.notLookedAt]
    }
    const all = { records: 1e9, names: 1e9 }
    expect(look({}, all)).toEqual([2_500, '0.password2499', 2_500, 0])
    expect(look({}, { ...all, records: 1_700 })).toEqual([1_700, '0.password2499', 1_700, 800])
    expect(look({ function: 'F0' }, { ...all, records: 1_100 })).toEqual([
      1_100,
      '0.password2498',
      1_100,
      150,
    ])
    // Names are bounded to the page.
    expect(look({}, { ...all, names: 1_600 })).toEqual([1_750, '0.password2499', 1_750, 750])
    expect(look({ since: new Date(T0_MS + 2_000) }, { ...all, records: 100 })).toEqual([
      100,
      '0.password2499',
      100,
      400,
    ])
  })

  it('of a hostile store take little room and never show a value', () => {
    const { made, store } = newStore()
    const deep = (open: string, close: string, levels: number) =>
      `[${open.repeat(levels)}"[redacted]${SECRET}"${close.repeat(levels)}]`
    const hostile = [
      deep('[', ']', 60_000),
      deep('{"k":', '}', 20_000),
      `["[redacted]${SECRET.repeat(800_000)}"]`,
      `{"broken":"[redacted]${SECRET}`,
      `[["${SECRET}","[redacted]"],{"name":"${SECRET}","value":"[redacted]"}]`,
    ]
    for (const [i, args] of hostile.entries())
      made.call({ atMs: T0_MS + i, fn: `F${i}`, args, result: args, cuts: REDACTED })
    made.error({ atMs: T0_MS + 9, message: hostile[2] ?? '', stack: hostile[2] ?? '', cuts: REDACTED })
    const { names, lookedAt } = store.hiddenNames()
    expect(lookedAt).toBe(6)
    const said = JSON.stringify(names)
    expect(said).not.toContain(SECRET)
    expect(said.length).toBeLessThan(10_000)
    expect(names.filter(({ place }) => place === 'args').map(({ in_text }) => in_text)).toEqual([
      false,
      false,
      true,
      true,
      true,
      true,
    ])
  })
})
