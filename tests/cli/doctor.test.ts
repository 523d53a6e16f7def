import { chmodSync, copyFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { checkNode } from '../../lib/cli/checks.js'
import { OTHER_BOOT, scratch, T0_MS, TestStore } from '../store-read/fixture.js'
import { callsight } from './child.js'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean()
})

function newStore(fill: (made: TestStore) => void = () => {}): string {
  const path = join(
    scratch(clean => cleanups.push(clean)),
    'calls.db',
  )
  const made = new TestStore(path)
  for (let i = 0; i < 200; i++) made.call({ atMs: T0_MS + i, args: JSON.stringify('x'.repeat(100)) })
  fill(made)
  made.close()
  chmodSync(path, 0o600)
  return path
}

function doctor(path: string, env: object = {}) {
  const { code, out, err } = callsight(['doctor', '--db', path, '--json'], { env })
  const { rows } = JSON.parse(out) as { rows: { status: string; check: string; message: string }[] }
  return {
    code,
    err,
    rows,
    alarms: rows.filter(row => row.status !== 'ok').map(row => `${row.status} ${row.check}`),
  }
}

describe('doctor', () => {
  it('finds nothing in a healthy recording and leaves nothing beside it', () => {
    const path = newStore()
    const { code, rows, alarms } = doctor(path)
    expect([code, alarms]).toEqual([0, []])
    expect(rows.map(row => row.check)).toEqual(
      'node binding store integrity wal modes writing ends journals'.split(' '),
    )
    expect(readdirSync(dirname(path))).toEqual(['calls.db'])
  })

  it('survives a binding that crashes its process, and does not load it itself', () => {
    const hook = join(
      scratch(clean => cleanups.push(clean)),
      'crash.cjs',
    )
    writeFileSync(
      hook,
      `const Module = require('node:module')
       const load = Module._load
       Module._load = function (name, ...rest) {
         if (name === 'better-sqlite3') process.kill(process.pid, 'SIGKILL')
         return load.call(this, name, ...rest)
       }`,
    )
    const { code, rows } = doctor(newStore(), { NODE_OPTIONS: `--require ${hook}` })
    expect(code).toBe(1)
    expect(rows.at(-1)).toMatchObject({ status: 'fail', check: 'binding' })
    expect(rows.at(-1)?.message).toContain('crashed with SIGKILL')
  })

  it('tells a missing recording from a sick one by its exit code', () => {
    const path = newStore()
    rmSync(path)
    expect(doctor(path)).toMatchObject({ code: 2, alarms: ['fail store'] })
    expect(readdirSync(dirname(path))).toEqual([])
    writeFileSync(path, 'text '.repeat(1_000))
    expect(doctor(path)).toMatchObject({ code: 2, alarms: ['fail store'] })
  })

  it('finds damage', () => {
    const path = newStore()
    truncateSync(path, 4096 * 20)
    const { code, alarms } = doctor(path)
    expect(code).toBe(1)
    expect(alarms[0]).toMatch(/^fail (integrity|store)$/)
  })

  it.skipIf(process.platform === 'win32')('warns when others may read the recording', () => {
    const path = newStore()
    chmodSync(path, 0o640)
    expect(doctor(path)).toMatchObject({ code: 1, alarms: ['warn modes'] })
  })

  it('warns of unclean ends with what is not accounted for', () => {
    const path = newStore(made => {
      made.process(2, OTHER_BOOT, { ending: 'lost' })
      made.run(`INSERT INTO lanes VALUES (2, 1, 0, 10, 7, '{}', 7)`)
    })
    const { code, alarms, rows } = doctor(path)
    expect([code, alarms]).toEqual([1, ['warn ends']])
    expect(rows.find(row => row.check === 'ends')?.message).toContain('3 records not accounted for')
  })

  it('warns of journals nobody will deliver, not of those of a program that writes', () => {
    const path = newStore(made => made.process(2, OTHER_BOOT, { lastSeenMs: Date.now() }))
    writeFileSync(`${path}.errors-${OTHER_BOOT}-1-1`, 'live', { mode: 0o600 })
    expect(doctor(path)).toMatchObject({ code: 0, alarms: [] })
    writeFileSync(`${path}.errors-aaaaaaaaaaaaaaaa-1-1`, 'left', { mode: 0o600 })
    expect(doctor(path)).toMatchObject({ code: 1, alarms: ['warn journals'] })
  })

  it('warns of a write-ahead log that only grows', () => {
    const path = newStore()
    const made = new TestStore(join(dirname(path), 'other.db'))
    cleanups.push(() => made.close())
    made.db.exec('PRAGMA wal_autocheckpoint = 0')
    made.db.exec('CREATE TABLE filler AS SELECT zeroblob(70000000) AS b')
    chmodSync(made.path, 0o600)
    copyFileSync(made.path, path)
    copyFileSync(`${made.path}-wal`, `${path}-wal`)
    chmodSync(`${path}-wal`, 0o600)
    expect(doctor(path).alarms).toContain('warn wal')
  })
})

describe('the supported versions of Node', () => {
  it.each([
    ['20.18.3', 'fail'],
    ['20.19.0', 'ok'],
    ['21.7.0', 'fail'],
    ['22.13.1', 'fail'],
    ['22.14.0', 'ok'],
    ['23.0.0', 'ok'],
    ['26.1.0', 'ok'],
    ['18.20.0', 'fail'],
  ])('%s is %s', (version, status) => {
    expect(checkNode(version).status).toBe(status)
  })
})

describe('doctor --secrets', () => {
  const made = () =>
    newStore(store => {
      store.call({
        atMs: T0_MS + 900,
        fn: 'Auth.login',
        args: '[{"password":"[redacted]","note":"call [redacted]"}]',
        result: '"[redacted]"',
        cuts: '{"redacted":3}',
      })
    })

  it('lists names and places with what was looked at, and is no check of health', () => {
    const path = made()
    // What makes `doctor` itself complain does not matter here.
    chmodSync(path, 0o644)
    const { code, out, err } = callsight(['doctor', '--secrets', '--db', path])
    expect([code, err]).toEqual([0, ''])
    expect(out).toBe(
      [
        'RECORDS  LAST                      FUNCTION    WHERE   HIDDEN',
        '      1  2026-11-20T10:00:00.900Z  Auth.login  args    0.password',
        '      1  2026-11-20T10:00:00.900Z  Auth.login  args    0.note (in text)',
        '      1  2026-11-20T10:00:00.900Z  Auth.login  result  (all of it)',
        'Complete: all 201 records looked at',
        'Complete: every call is recorded',
        '',
      ].join('\n'),
    )
  })

  it('takes a span and a function, and gives JSON', () => {
    const path = made()
    const json = (...args: string[]) =>
      JSON.parse(callsight(['doctor', '--secrets', '--json', '--db', path, ...args]).out)
    expect(json('--function', 'Auth.*')).toMatchObject({
      rows: [
        { function: 'Auth.login', place: 'args', name: '0.password', in_text: false, records: 1 },
        { place: 'args', name: '0.note', in_text: true },
        { place: 'result', name: '', in_text: false },
      ],
      looked_at: 1,
      not_looked_at: 0,
      coverage: { calls: 0 },
    })
    expect(json('--until', '2026-11-20T10:00:00.900Z')).toMatchObject({ rows: [], looked_at: 200 })
    expect(callsight(['doctor', '--secrets', '--function', 'No.*', '--db', path]).out).toMatch(
      /^Nothing was hidden\.\n/,
    )
  })

  it('says what is wrong: a span without --secrets, a bad span, no recording', () => {
    const path = made()
    for (const [args, why] of [
      [['doctor', '--since', '1h'], /belong to doctor --secrets/],
      [['doctor', '--function', 'x'], /belong to doctor --secrets/],
      [['doctor', '--secrets', '--since', 'soon'], /is not a time/],
    ] as const) {
      const { code, out, err } = callsight([...args, '--db', path])
      expect([code, out]).toEqual([2, ''])
      expect(err).toMatch(why)
    }
    expect(callsight(['doctor', '--secrets', '--db', `${path}.none`])).toMatchObject({ code: 2, out: '' })
  })
})
