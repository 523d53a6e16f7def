import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { configure, flush, health, monitor, shutdown } from 'callsight'
import { afterAll, describe, expect, it } from 'vitest'
import { SECRET_SPELLINGS } from './secret-spellings.js'

/*
 * Every secret through a real recorder, and then a search of every byte it has written: store, -wal, journals. The
 * recorder is alive all the time, so that nothing is tidied away before it is looked at.
 */
const folder = mkdtempSync(join(tmpdir(), 'callsight-secrets-'))
configure({
  store: { path: join(folder, 'calls.db') },
  errors: { fullPerSecond: Number.POSITIVE_INFINITY },
  limits: { depth: 6 },
})
afterAll(async () => {
  await shutdown()
  rmSync(folder, { recursive: true, force: true })
})

/** Stands at both ends and in the middle of every secret: a part of one that leaks is found as well. */
const MARK = 'Zq7xK'
const WHOLE = new RegExp(`${MARK}[0-9a-f]{8}${MARK}[0-9a-f]{8}${MARK}`)
const WHOLE_UNITS = 3 * MARK.length + 16
const form = new Map<string, string>()
const hide = (what: string): string => {
  const value = `${MARK}${randomBytes(4).toString('hex')}${MARK}${randomBytes(4).toString('hex')}${MARK}`
  form.set(value, what)
  return value
}

const record = monitor(function record(..._args: unknown[]): void {})
const answer = monitor(
  function answer(_id: number, result: unknown): unknown {
    return result
  },
  { capture: { args: false } },
)
const answerLate = monitor(async function answerLate(result: () => unknown): Promise<unknown> {
  return result()
})
const fail = monitor(function fail(make: () => unknown): never {
  throw make()
})
const failLate = monitor(async function failLate(make: () => unknown): Promise<never> {
  throw make()
})
const types = monitor(function types(..._args: unknown[]): void {}, {
  capture: { args: 'types', result: 'types' },
})
const positional = monitor(function positional(_id: number, _value: unknown): void {}, { redact: [1] })
const positionalFails = monitor(
  function positionalFails(_id: number, _value: unknown): never {
    throw new Error('fails with its arguments')
  },
  { redact: [1] },
)
const results = monitor(
  function results(value: () => unknown): unknown {
    return value()
  },
  { redact: [0] },
)

const headers = {
  set: monitor(function set(_name: string, _value: unknown): void {}),
  refuse: monitor(function refuse(name: string, _value: unknown): never {
    throw new Error(`${name} cannot be set`)
  }),
}

class Settings {
  readonly connection: object
  readonly #own: string
  constructor(name: string, value: string) {
    this.connection = Object.assign(
      new (class Pool {
        size = 5
      })(),
      { [name]: value },
    )
    this.#own = value
  }
  get all(): string {
    return this.#own
  }
}

const caught = (body: () => unknown): void => {
  try {
    body()
  } catch {
    // Recorded on its way here.
  }
}

/** All ways of one name; each with a value of its own, so that a leak names its way. */
const ways: Record<string, (name: string, secret: () => string) => unknown> = {
  object: (name, secret) => record({ id: 1, [name]: secret(), nested: [{ deep: { [name]: secret() } }] }),
  'object value that is an object': (name, secret) => record({ [name]: { a: secret(), list: [secret()] } }),
  'null prototype': (name, secret) =>
    record(Object.assign(Object.create(null) as object, { [name]: secret() })),
  Map: (name, secret) => record(new Map([[name, secret()]]), new Map([['x', new Map([[name, secret()]])]])),
  'header pairs': (name, secret) =>
    record(
      [
        ['accept', '*/*'],
        [name, secret()],
      ],
      ['host', 'x', name, secret()],
    ),
  'pair objects': (name, secret) =>
    record([
      { name, value: secret() },
      { key: name, value: secret() },
    ]),
  'URL parameters': (name, secret) =>
    record(
      new URLSearchParams([
        ['a', '1'],
        [name, secret()],
      ]),
    ),
  'query string': (name, secret) =>
    record(
      `https://example.com/a?x=1&${encodeURIComponent(name)}=${secret()}&y=2`,
      `a=1&${name}=${secret()}`,
    ),
  address: (name, secret) =>
    record(new URL(`https://u:${secret()}@example.com/a?${encodeURIComponent(name)}=${secret()}`)),
  'JSON text': (name, secret) => record(JSON.stringify({ id: 1, [name]: secret(), next: true })),
  'JSON text in JSON text': (name, secret) =>
    record(JSON.stringify({ body: JSON.stringify({ [name]: secret() }) })),
  text: (name, secret) => record(`login failed for ${name}: ${secret()}, retry`, `${name} = "${secret()}"`),
  'nested class': (name, secret) => record(new Settings(name, secret())),
  positional: (name, secret) => {
    headers.set(name, secret())
    caught(() => headers.refuse(name, secret()))
    positional(1, secret())
    positional(2, { free: secret() })
    caught(() => positionalFails(3, secret()))
    results(() => 'nothing')
  },
  'by type': (name, secret) => types({ [name]: secret() }, name, secret()),
  result: (name, secret) => answer(1, { [name]: secret() }),
  'late result': (name, secret) => answerLate(() => [{ [name]: secret() }]),
  'error message': (name, secret) => caught(() => fail(() => new Error(`bad ${name}=${secret()} given`))),
  'error with a late message': (name, secret) =>
    failLate(() => new TypeError(`bad ${name}: '${secret()}'`)).catch(() => {}),
  'error details': (name, secret) =>
    caught(() =>
      fail(() =>
        Object.assign(new Error('x'), { [name]: secret(), config: { headers: { [name]: secret() } } }),
      ),
    ),
  'error cause': (name, secret) =>
    caught(() =>
      fail(
        () =>
          new Error('x', { cause: Object.assign(new Error(`${name}=${secret()}`), { [name]: secret() }) }),
      ),
    ),
  'error cause that is no error': (name, secret) =>
    caught(() => fail(() => new Error('x', { cause: { [name]: secret() } }))),
  'aggregated errors': (name, secret) =>
    caught(() =>
      fail(
        () =>
          new AggregateError(
            [new Error(`${name}=${secret()}`), { [name]: secret() }],
            `all: ${name}=${secret()}`,
          ),
      ),
    ),
  'error stack': (name, secret) =>
    caught(() =>
      fail(() =>
        Object.assign(new Error('x'), { stack: `Error: ${name}=${secret()}\n    at ${name}=${secret()}` }),
      ),
    ),
  'error as an argument': (name, secret) =>
    record(
      Object.assign(new Error(`${name}: ${secret()}`, { cause: { [name]: secret() } }), {
        code: `${name}=${secret()}`,
      }),
    ),
  'thrown string': (name, secret) => caught(() => fail(() => `${name}=${secret()}`)),
  'thrown object': (name, secret) =>
    caught(() =>
      fail(() => ({ message: `${name}: ${secret()}`, [name]: secret(), a: { [name]: secret() } })),
    ),
  'thrown Map': (name, secret) => caught(() => fail(() => new Map([[name, secret()]]))),
}

interface Found {
  readonly secrets: string[]
  readonly bytes: Record<string, number>
}

/** Found before: what is written stays, and fails the test of its own way only. */
const known = new Set<string>()

/** Searches every byte of every file the recorder has. */
function search(control: string): Found & { readonly control: string[] } {
  const bytes: Record<string, number> = {}
  const secrets = new Set<string>()
  const withControl: string[] = []
  for (const file of readdirSync(folder)) {
    const content = readFileSync(join(folder, file))
    const kind = file.replace(/^calls\.db/, '').replace(/[0-9a-f]{8,}.*$/, '') || 'store'
    bytes[kind] = (bytes[kind] ?? 0) + content.length
    if (content.includes(control)) withControl.push(kind)
    for (let at = content.indexOf(MARK); at !== -1; at = content.indexOf(MARK, at + 1)) {
      const around = content.toString('latin1', Math.max(0, at - WHOLE_UNITS), at + WHOLE_UNITS)
      const what = form.get(WHOLE.exec(around)?.[0] ?? '') ?? `part of one: ${JSON.stringify(around)}`
      if (!known.has(what)) secrets.add(what)
    }
  }
  for (const what of secrets) known.add(what)
  return { secrets: [...secrets], bytes, control: withControl }
}

/** Values that were left out instead of being searched: then there would be nothing to find. */
function leftOut(): number {
  const db = new Database(join(folder, 'calls.db'), { readonly: true })
  try {
    const texts = ['args', 'result', 'details', 'message', 'stack', 'cuts']
    const rows = [
      ...db.prepare('SELECT args, result, cuts FROM calls').all(),
      ...db.prepare('SELECT args, details, message, stack, cuts FROM errors').all(),
    ] as Record<string, string | null>[]
    return rows.filter(row =>
      texts.some(text => /uncapturable|: (bytes|nodes|depth)\]/.test(row[text] ?? '')),
    ).length
  } finally {
    db.close()
  }
}

describe('secrets in what the recorder writes', () => {
  const names = SECRET_SPELLINGS
  it('of 200 names and more', () => {
    expect(names.length).toBeGreaterThanOrEqual(200)
    expect(new Set(names).size).toBe(names.length)
  })

  it.each(Object.keys(ways))('%s: none', async way => {
    const control = `control ${randomBytes(8).toString('hex')}`
    const write = ways[way] as (name: string, secret: () => string) => unknown
    for (const name of names) await write(name, () => hide(`${way} ${name}`))
    // Not secret: what was captured does arrive, in a call and in an error.
    record({ note: control })
    caught(() => fail(() => new Error(control)))
    // The journal before the writer has taken it over, then the store.
    const before = search(control)
    expect(before.secrets).toEqual([])
    const account = await flush()
    expect(account.balanced).toBe(true)
    expect(account.calls.dropped).toEqual({})
    const after = search(control)
    expect(after.secrets).toEqual([])
    expect(after.control.length).toBeGreaterThan(0)
    expect(leftOut()).toBe(0)
    expect(health().state).toBe('recording')
  })

  it('and the search would find one, in the write-ahead log and in the journal', async () => {
    const value = hide('shown on purpose')
    caught(() => fail(() => new Error(`nothing says that this is secret ${value}`)))
    const inJournal = search(value)
    expect(inJournal.secrets).toEqual(['shown on purpose'])
    expect(inJournal.control).toContain('.errors-')
    known.delete('shown on purpose')
    await flush()
    const { secrets, control, bytes } = search(value)
    expect(secrets).toEqual(['shown on purpose'])
    expect(control).toContain('-wal')
    expect(Object.keys(bytes)).toEqual(expect.arrayContaining(['store', '-wal', '.errors-']))
    form.delete(value)
  })
})
