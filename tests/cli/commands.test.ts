import { spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FrameFlag } from '../../lib/queue/layout.js'
import { displayWidth } from '../../lib/wording/text.js'
import { hex16, OTHER_BOOT, scratch, T0_MS, TestStore, traceIdOf } from '../store-read/fixture.js'
import { callsight, NODE_ARGS } from './child.js'
import { onTerminal } from './terminal.js'

const EVIL = '\x1b[2J\x1b]0;owned\x07\u009b31m\u202e\r\n\u200b漢字'
const EVIL_KEY = JSON.stringify(EVIL).slice(1, -1)
const VIEWS = ['errors', 'calls', 'slow', 'top', 'tail', 'losses', 'stalls', 'crash', 'stats']
const cleanups: (() => void)[] = []
let home: string
let db: string
let evil: string
let root: number
let failed: number

beforeAll(() => {
  home = scratch(clean => cleanups.push(clean))
  const made = new TestStore((db = join(home, 'calls.db')))
  root = made.call({ atMs: T0_MS, fn: 'Orders.place', durationMs: 12.34, args: '[1]', result: '{"ok":true}' })
  failed = made.error({
    atMs: T0_MS + 2,
    fn: 'Http.post',
    trace: root,
    parent: root,
    durationMs: 3400,
    message: 'no answer',
    stack: 'TypeError: no answer\n    at Http.post (http.ts:1:2)',
    args: '[{"url":"x"}]',
    details: '{"cause":{"name":"ECONNRESET"}}',
  })
  made.error({ atMs: T0_MS + 3, error: 'RangeError', fn: 'Orders.cancel' })
  made.totals(T0_MS, 'Orders.place', { calls: 98_312, kept: 101, maxMs: 12.34 })
  made.drop(T0_MS, 'Orders.place', 'queue_full', 12)
  made.expired('calls', 1_204, T0_MS)
  made.stall({ atMs: T0_MS, seenMs: T0_MS + 900, endedMs: T0_MS + 950 })
  made.close()

  const hostile = new TestStore((evil = join(home, 'evil.db')))
  const id = hostile.error({
    atMs: T0_MS,
    fn: EVIL,
    error: EVIL,
    message: EVIL,
    stack: EVIL,
    args: EVIL,
    details: EVIL,
  })
  hostile.call({ atMs: T0_MS, fn: EVIL, args: EVIL, result: EVIL, trace: id, parent: id })
  hostile.call({ atMs: T0_MS, call: 77, trace: id, parent: 77 })
  hostile.remote(-5, EVIL, EVIL)
  const hidden = { cuts: `{"redacted":1,"${EVIL}":1}`, shape: JSON.stringify([EVIL, [EVIL, 3]]) }
  hostile.call({
    atMs: T0_MS,
    call: 80,
    trace: -5,
    fn: EVIL,
    ...hidden,
    args: `[{"${EVIL_KEY}":"[redacted]"}]`,
  })
  hostile.call({ atMs: T0_MS, call: 81, trace: -5, fn: EVIL, shape: EVIL, flags: FrameFlag.hindsight })
  hostile.error({ atMs: T0_MS, call: 82, trace: -5, ...hidden, message: `[redacted]${EVIL}` })
  hostile.error({ atMs: T0_MS, call: 83, trace: -5, cuts: EVIL, shape: EVIL })
  hostile.lane(1, 5, 0, { [EVIL]: 5 })
  hostile.run("UPDATE processes SET ending = 'lost', host = ?, node_version = ?", EVIL, EVIL)
  hostile.look(T0_MS, { open: 9, listed: 3 })
  hostile.look(-1e13, { open: -5, listed: 1e15, ring: 2 ** 40 })
  hostile.open({ atMs: T0_MS, fn: EVIL, args: EVIL, depth: -3 })
  hostile.open({ atMs: -1e13, fn: EVIL, shape: EVIL, depth: 1e12, timed: false })
  hostile.open({ atMs: T0_MS, ring: 77, trace: -5, depth: null })
  const stack = [[EVIL, -1, 1, 1, EVIL] as const, [EVIL, 9, 5, 5] as const]
  hostile.stall({ atMs: T0_MS, seenMs: T0_MS - 1_000, looks: -1, onCpu: 99, calls: stack })
  hostile.stall({ atMs: 4e15, seenMs: -4e15, looks: 0, onCpu: 0 })
  hostile.incident(T0_MS, 'store_gone', EVIL)
  hostile.incident(4e15, EVIL, EVIL, -4e15)
  hostile.second(T0_MS, EVIL, { calls: -1, errors: 5 })
  hostile.run('INSERT INTO in_flight SELECT 1, 5, 2, 404, 3, 1, 1, NULL, NULL, NULL, NULL')
  hostile.run('UPDATE processes SET script = ?, boot = ?', EVIL, EVIL)
  hostile.totals(T0_MS, EVIL, { calls: 1 })
  hostile.drop(T0_MS, EVIL, EVIL, 1)
  hostile.close()
})
afterAll(() => {
  for (const clean of cleanups) clean()
})

const NOBODY = 65_534

/** Modes mean nothing to root. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work()
  process.seteuid?.(NOBODY)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}

describe('an answer in a pipe', () => {
  it('is plain aligned text, newest first, that ends with what it does not contain', () => {
    const { code, out, err } = callsight(['errors', '--list', '--db', db])
    expect([code, err]).toEqual([0, ''])
    expect(out).toBe(
      [
        'AT                        CALL              FUNCTION       DURATION  ERROR: MESSAGE',
        `2026-11-20T10:00:00.003Z  ${hex16(3)}  Orders.cancel   1.00 ms  RangeError: it broke`,
        `2026-11-20T10:00:00.002Z  ${hex16(2)}  Http.post        3.40 s  TypeError: no answer`,
        'Complete: every error is recorded',
        '',
      ].join('\n'),
    )
    expect(callsight(['calls', '--db', db]).out).toMatch(
      /\nNot shown: 98,211 calls sampled out · 12 dropped \(queue_full\) · 1,204 expired before 2026-11-20T10:00Z\n$/,
    )
    expect(callsight(['top', '--db', db]).out).toMatch(
      /Orders\.place +98,312 [\s\S]*\nComplete: totals count every call, recorded or not, since 2026-11-20T10:00Z\n$/,
    )
  })

  it('is one JSON object of rows and coverage with --json', () => {
    for (const args of [
      ...VIEWS.filter(view => view !== 'crash').map(view => [view]),
      ['doctor'],
      ['trace', hex16(root)],
      ['errors', hex16(failed)],
      ['sql', 'SELECT 1 a'],
    ]) {
      const { out } = callsight([...args, '--db', db, '--json'])
      const answer: { rows: unknown[]; coverage: { sampledOut: number } } = JSON.parse(out)
      expect(Object.keys(answer), args[0]).toEqual(['rows', 'coverage'])
      expect(answer.rows.length, args[0]).toBeGreaterThan(0)
      expect(answer.coverage.sampledOut).toBe(98_211)
      expect(out.trimEnd()).not.toContain('\n')
    }
  })

  it('writes integers beyond 2^53, infinities and bytes exactly as JSON text', () => {
    const { out } = callsight([
      'sql',
      "SELECT 9223372036854775807 a, 9e999 b, x'0aff' c, 3 d",
      '--json',
      '--db',
      db,
    ])
    expect(JSON.parse(out).rows).toEqual([{ a: '9223372036854775807', b: 'Infinity', c: '0x0aff', d: 3 }])
  })

  it('says when sql was cut at the limit, and only then', () => {
    const three = 'SELECT 1 n UNION ALL SELECT 2 UNION ALL SELECT 3'
    expect(callsight(['sql', three, '--limit', '2', '--db', db]).out).toContain(
      'Not shown: rows beyond --limit 2 · ',
    )
    expect(callsight(['sql', three, '--limit', '3', '--db', db]).out).not.toContain('--limit')
    expect(JSON.parse(callsight(['sql', three, '--limit', '2', '--json', '--db', db]).out)).toMatchObject({
      truncated: true,
    })
  })

  it('fits COLUMNS when that is set', () => {
    const { out } = callsight(['calls', '--db', db], { env: { COLUMNS: '60' } })
    for (const line of out.split('\n').slice(0, -2)) expect(displayWidth(line)).toBeLessThanOrEqual(60)
  })

  it('ends quietly when the reader has seen enough', async () => {
    const made = new TestStore(join(home, 'many.db'))
    made.db.exec('BEGIN')
    for (let i = 0; i < 20_000; i++) made.call({ atMs: T0_MS + i, args: `["${'x'.repeat(50)}"]` })
    made.db.exec('COMMIT')
    made.close()
    const child = spawn(process.execPath, [...NODE_ARGS, 'calls', '--limit', '20000', '--db', made.path])
    let err = ''
    child.stderr.on('data', data => (err += data))
    child.stdout.once('data', () => child.stdout.destroy())
    const code = await new Promise(done => child.once('exit', done))
    expect([code, err]).toEqual([0, ''])
  })
})

describe('filters of the command line', () => {
  it.each([
    [['errors', '--error', 'RangeError'], 1],
    [['errors', '--function', 'Http.*'], 1],
    [['errors', '--function', 'Nobody'], 0],
    [['errors', '--limit', '1'], 1],
    [['errors', '--min-duration', '1s'], 1],
    [['errors', '--list', '--min-duration', '1s', '--function', 'Orders.*'], 0],
    [['errors', '--sort', 'count'], 2],
    [['calls', '--error', 'RangeError'], 1],
    [['slow', '--error', 'RangeError'], 1],
    [['slow', '--limit', '2'], 2],
    [['slow', '--outcome', 'ok'], 1],
    [['slow', '--until', '2026-11-20'], 0],
    [['tail', '--limit', '2'], 2],
    [['tail', '--error', 'RangeError'], 1],
    [['tail', '--error', 'RangeError', '--outcome', 'ok'], 0],
    [['tail', '--min-duration', '1s', '--function', 'Http.*'], 1],
    [['stats'], 1],
    [['errors', '--since', '2026-11-20T10:00:00.003Z'], 1],
    [['errors', '--until', '2026-11-20T10:00:00.003Z'], 1],
    [['calls', '--min-duration', '10ms'], 2],
    [['calls', '--min-duration', '10'], 2],
    [['calls', '--min-duration', '1s', '--outcome', 'ok'], 0],
    [['calls', '--outcome', 'error'], 2],
    [['top', '--sort', 'errors', '--function', 'Orders.*'], 1],
    [['losses', '--until', '2026-11-20'], 0],
  ] as [string[], number][])('%j gives %i rows', async (args, rows) => {
    const { code, out } = await onTerminalJson(args)
    expect(code).toBe(rows === 0 ? 3 : 0)
    expect(JSON.parse(out).rows.length).toBe(rows)
  })

  const onTerminalJson = (args: string[]) => onTerminal([...args, '--json', '--db', db], 80)

  it.each([
    ['--limit', '0'],
    ['--limit', '-1'],
    ['--limit', '1e3'],
    ['--limit', '10; DROP TABLE calls'],
    ['--limit', '99999999999999999999'],
    ['--limit', ''],
    ['--since', 'yesterday'],
    ['--since', ''],
    ['--since', '1e999m'],
    ['--since', '--5m'],
    ['--until', '2026-02-30T25:00Z'],
    ['--min-duration', 'fast'],
    ['--outcome', 'maybe'],
    ['--function', ''],
    ['--colour', 'x'],
    ['--sinc', '5m'],
    ['extra', 'x'],
  ])('refuse %s %j with exit code 2 and one line', async (...args) => {
    const { code, out, err } = await onTerminal(['calls', ...args, '--db', db], 80)
    expect([code, out]).toEqual([2, ''])
    expect(err.trimEnd().split('\n').length).toBe(1)
    expect(err).toMatch(/^(error|callsight): /)
    expect(err).toMatch(/Use |Did you mean|Allowed choices|is not a text of|See "callsight|Give it/)
  })

  it.each([
    [['erors'], "unknown command 'erors' (Did you mean errors?)"],
    [['qqq'], 'unknown command \'qqq\'. See "callsight --help".'],
    [['errors', '--since', '--db', 'x'], "option '--since' argument missing. Give it a value."],
    [['errors', '--since'], 'argument missing. See "callsight errors --help".'],
    [['errors', 'a', 'b'], 'Expected 1 argument but got 2. See "callsight errors --help".'],
    [['crash', 'x'], 'Expected 0 arguments but got 1. See "callsight crash --help".'],
    [['sql'], 'missing required argument \'query\'. See "callsight sql --help".'],
    [['errors', '--since', '5m', '--until', '10m'], 'Exchange them'],
    [['top', '--since', '2026-11-20', '--until', '2026-11-19'], 'Exchange them'],
    [['sql', 'SELECT * FROM recent_eror'], 'The views are recent_errors, recent_calls, '],
    [['errors', '--db', ''], '--db names no file.'],
    [['crash', '--process', '9'], 'No process 9 in '],
    [['crash', '--process', ''], 'process "" is not a text'],
  ])('answer %j with one line that says the fix', async (args, fix) => {
    const { code, out, err } = await onTerminal(args.includes('--db') ? args : [...args, '--db', db], 80)
    // Commander takes an option without its value for the last one.
    const missing = args.at(-1) === '--since' ? await onTerminal(args, 80) : { code, out, err }
    expect([missing.code, missing.out]).toEqual([2, ''])
    expect(missing.err).toContain(fix)
    expect(missing.err.trimEnd().split('\n')).toHaveLength(1)
  })

  it('refuse an unknown command, and a missing one with the help', async () => {
    expect(callsight(['erors']).code).toBe(2)
    const none = callsight([])
    expect(none.code).toBe(2)
    expect(none.err).toContain('Usage: callsight')
    expect(callsight(['trace', 'nonsense', '--db', db])).toMatchObject({ code: 2, out: '' })
    expect(callsight(['trace', 'abc', '--db', db]).err).toContain('Nothing of trace or call abc')
    expect(callsight(['errors', hex16(root), '--db', db]).err).toContain('No error with call id')
    expect(callsight(['sql', 'DELETE FROM calls', '--db', db])).toMatchObject({ code: 2, out: '' })
  })
})

describe('changes of what is recorded', () => {
  it('say when nothing was changed, and when no function has the name', async () => {
    const copy = join(home, 'tuned.db')
    copyFileSync(db, copy)
    expect(await callsight(['set', '--list', '--db', copy])).toMatchObject({
      code: 3,
      out: 'Nothing was changed.\n',
    })
    const known = await callsight(['set', 'Orders.*', '--sample', '1', '--db', copy])
    expect(known).toMatchObject({ code: 0, out: expect.not.stringContaining('No function') })
    const unknown = await callsight(['set', 'Oders.*', '--sample', '1', '--db', copy])
    expect(unknown).toMatchObject({ code: 0, out: expect.stringContaining('No function of this name') })
    expect(await callsight(['set', '--list', '--db', copy])).toMatchObject({ code: 0 })
  })
})

describe('a path that holds no recording', () => {
  it.each([...VIEWS.map(view => [view]), ['trace', '1'], ['sql', 'SELECT 1']])(
    'ends %s with 2 and a line that says the fix, and leaves nothing behind',
    async (...args) => {
      const place = join(
        scratch(clean => cleanups.push(clean)),
        'place',
      )
      mkdirSync(place)
      writeFileSync(join(place, 'text'), 'hello '.repeat(1_000))
      writeFileSync(join(place, 'zero'), '')
      symlinkSync('loop', join(place, 'loop'))
      const unwhole = new TestStore(join(place, 'unwhole'), { wal: false })
      for (const { name } of unwhole.db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .all() as {
        name: string
      }[])
        if (name !== 'sqlite_sequence') unwhole.db.exec(`DROP TABLE IF EXISTS ${name}`)
      unwhole.close()
      const paths = {
        missing: 'No recording at',
        'no/such/folder/calls.db': 'No recording at',
        'text/below': 'No recording at',
        text: 'Point --db',
        zero: 'Point --db',
        '.': 'Point --db',
        loop: 'Check that you may read',
        ...(args[1] === 'SELECT 1' ? {} : { unwhole: 'is not a whole one' }),
      }
      for (const [path, fix] of Object.entries(paths)) {
        const { code, out, err } = await onTerminal([...args, '--db', join(place, path)], 80)
        expect(code, path).toBe(2)
        expect(out, path).toBe('')
        expect(err, path).toContain(fix)
        expect(err.trimEnd().split('\n').length).toBe(1)
      }
      expect(readdirSync(place).sort()).toEqual(['loop', 'text', 'unwhole', 'zero'])
      expect(readFileSync(join(place, 'text'), 'utf8')).toBe('hello '.repeat(1_000))
    },
  )

  it.each([
    ['the file', 0o755, 0o000],
    ['its folder', 0o000, 0o644],
  ])('is one where %s may not be read', async (_, folderMode, fileMode) => {
    const folder = scratch(clean => cleanups.push(clean))
    const file = join(folder, 'calls.db')
    copyFileSync(db, file)
    chmodSync(file, fileMode)
    chmodSync(folder, folderMode)
    for (const view of VIEWS) {
      const { code, out, err } = await asNobody(() => onTerminal([view, '--db', file], 80))
      expect([code, out], view).toEqual([2, ''])
      expect(err, view).toContain('Check that you may read the file and its folder.')
      expect(err.trimEnd().split('\n')).toHaveLength(1)
    }
    chmodSync(folder, 0o700)
    expect(readdirSync(folder)).toEqual(['calls.db'])
  })

  it('is the default in an empty working directory, which stays empty', () => {
    const cwd = scratch(clean => cleanups.push(clean))
    const { code, out, err } = callsight(['errors'], { cwd })
    expect([code, out]).toEqual([2, ''])
    expect(err).toBe(
      `callsight: No recording at ${join(cwd, '.callsight/calls.db')}. Run your program with @monitor() first, or point --db (or CALLSIGHT_DB) at a calls.db.\n`,
    )
    expect(existsSync(join(cwd, '.callsight'))).toBe(false)
    // A recorder was here whose writer could not start: its errors are not lost, and the answer says where they are.
    mkdirSync(join(cwd, '.callsight'))
    writeFileSync(join(cwd, '.callsight/calls.db.errors-0123456789abcdef-0-1'), '')
    expect(callsight(['errors'], { cwd }).err).toMatch(
      /but 1 journal of errors beside it: .*callsight doctor/,
    )
    rmSync(join(cwd, '.callsight'), { recursive: true })
    expect(callsight(['errors'], { cwd, env: { CALLSIGHT_DB: db } }).code).toBe(0)
  })
})

describe('captured text', () => {
  const all = (): string[][] => [
    ...VIEWS.map(view => [view]),
    ['trace', '1'],
    ['errors', '--list'],
    ['errors', '1'],
    ['errors', hex16(82)],
    ['errors', hex16(83)],
    ['trace', hex16(80)],
    ['doctor', '--secrets'],
    ['sql', 'SELECT * FROM recent_errors'],
    ['sql', 'SELECT * FROM recent_calls'],
    ['sql', 'SELECT * FROM open_calls'],
    ['sql', 'SELECT * FROM recent_stalls'],
    ['crash', '--process', EVIL],
    ['sql', `SELECT 1 AS "${EVIL}"`],
    ['calls', '--since', EVIL],
    ['calls', '--db', `/nowhere/${EVIL}`],
    [EVIL],
    ['calls', `--${EVIL}`],
    ['sql', `SELECT ${EVIL}`],
  ]

  it('never sends a control, direction or invisible character to a pipe or terminal', async () => {
    for (const args of all()) {
      for (const form of [[], ['--json']]) {
        const full = [...args, ...form, ...(args.includes('--db') ? [] : ['--db', evil])]
        for (const width of [20, 80, 140]) {
          const { out, err } = await onTerminal(full, width)
          const printed = (out + err).replaceAll('\n', '')
          expect(printed, JSON.stringify(full)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
        }
      }
    }
    for (const args of [['errors'], ['doctor'], ['doctor', '--json']]) {
      const child = callsight([...args, '--db', evil])
      expect(child.out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      expect(child.out).toContain(args[1] === '--json' ? '\\u001b[2J' : '\\x1b[2J')
    }
  })

  it('that makes a trace its own parent is still shown, once', async () => {
    const { out } = await onTerminal(['trace', '1', '--db', evil], 140)
    expect(out.match(new RegExp(hex16(77), 'g'))?.length).toBe(1)
  })
})

describe('a terminal', () => {
  it.each([20, 40, 60, 80, 100, 119, 140, 200])('of %i columns holds every line', async width => {
    for (const file of [db, evil]) {
      for (const args of [
        ['errors'],
        ['errors', '--list'],
        ['calls'],
        ['slow'],
        ['tail'],
        ['stats'],
        ['top'],
        ['losses'],
        ['stalls'],
        ['crash'],
        ['crash', '--process', '101'],
        ['trace', '1'],
        ['doctor', '--secrets'],
        ['sql', 'SELECT * FROM recent_calls'],
      ]) {
        const { out } = await onTerminal([...args, '--db', file], width)
        for (const line of out.split('\n')) {
          // The id of a trace is there to be copied: it is never cut.
          if (!line.startsWith('Trace '))
            expect(displayWidth(line), `${args[0]}: ${line}`).toBeLessThanOrEqual(width)
        }
      }
    }
  })

  it('gets what doctor finds in lines that fit, and whole', async () => {
    const { out } = await onTerminal(['doctor', '--db', db], 60)
    for (const line of out.split('\n')) expect(displayWidth(line), line).toBeLessThanOrEqual(60)
    expect(out.replace(/\s+/g, ' ')).toMatch(/^ok node Node .* binding better-sqlite3 (loads|does not load)/)
  })

  it('gets colours when it wants them, a pipe none', async () => {
    expect((await onTerminal(['errors', '--db', db], 80, true)).out).toContain('<red>TypeError')
    expect(callsight(['errors', '--db', db], { env: { FORCE_COLOR: '1' } }).out).not.toContain('\x1b')
  })

  it('shows one error whole: message, arguments, stack, cause and the calls around it', async () => {
    const { out } = await onTerminal(['errors', hex16(failed), '--db', db], 80)
    for (const part of [
      'TypeError: no answer',
      'duration  3.40 s',
      `"url": "x"`,
      '  at Http.post (http.ts:1:2)',
      '"name": "ECONNRESET"',
      `Trace ${traceIdOf(root)}`,
      'Orders.place',
      '  Http.post',
    ]) {
      expect(out).toContain(part)
    }
  })
})

describe('calls of which the arguments are not there', () => {
  const seeded = () => {
    const made = new TestStore(
      join(
        scratch(clean => cleanups.push(clean)),
        'calls.db',
      ),
    )
    const shape = '[["array",500],["Order",5],"number"]'
    made.call({ atMs: T0_MS + 4, durationMs: 4, call: 1, shape, result: '7' })
    made.call({
      atMs: T0_MS + 3,
      durationMs: 1,
      call: 2,
      trace: 1,
      parent: 1,
      weight: 0,
      flags: FrameFlag.hindsight,
      fn: 'Db.q',
    })
    made.error({ atMs: T0_MS + 2, call: 3, trace: 1, parent: 2, shape, fn: 'Db.row' })
    made.error({ atMs: T0_MS + 2, call: 4, trace: 1, parent: 2, shape, args: '["x"]', fn: 'Db.row' })
    made.totals(T0_MS, 'Db.q', { calls: 100, kept: 1 })
    made.close()
    return made.path
  }

  it('are listed by type and size, or as kept in hindsight', async () => {
    const path = seeded()
    const { out } = await onTerminal(['calls', '--outcome', 'ok', '--db', path], 200, true)
    expect(out).toContain('(array 500, Order 5, number) → 7')
    expect(out).toMatch(/Db\.q.*<dim>\(hindsight: arguments not captured\)<\/dim>/)
    expect(out).toContain('Not shown: 99 calls sampled out')
    const { rows } = JSON.parse((await onTerminal(['calls', '--json', '--db', path], 80)).out)
    const byCall = Object.fromEntries(rows.map((row: { call_id: string }) => [Number(row.call_id), row]))
    expect(byCall).toMatchObject({
      1: { recorded: 'sampled', shape: '[["array",500],["Order",5],"number"]', weight: 1 },
      2: { recorded: 'hindsight', shape: null, weight: 0, cuts: null },
      3: { recorded: 'error' },
    })
  })

  it('are told apart in one error whole and in a trace', async () => {
    const path = seeded()
    const without = (await onTerminal(['errors', hex16(3), '--db', path], 140)).out
    expect(without).toContain('Arguments, by type and size only\n  array 500, Order 5, number\n')
    const having = (await onTerminal(['errors', hex16(4), '--db', path], 140)).out
    expect(having).toContain('"x"')
    expect(having.split('\nAlso before it')[0]).not.toContain('array 500')
    const trace = (await onTerminal(['trace', hex16(1), '--db', path], 140, true)).out
    expect(trace).toMatch(/<dim> {2}Db\.q {2}\(hindsight: arguments not captured\)<\/dim>/)
    expect(trace).not.toContain('PROCESS')
  })
})

describe('a trace of several programs', () => {
  const began = traceIdOf(1)
  const seeded = () => {
    const made = new TestStore(
      join(
        scratch(clean => cleanups.push(clean)),
        'calls.db',
      ),
    )
    made.process(2, OTHER_BOOT, { ended: true })
    made.call({ atMs: T0_MS + 9, durationMs: 9, call: 1, fn: 'Shop.buy' })
    made.call({ atMs: T0_MS + 8, durationMs: 7, call: 2, trace: 1, parent: 1, fn: 'Shop.pay' })
    made.remote(-3, began, hex16(2), 2)
    made.call({ atMs: T0_MS + 7, durationMs: 5, call: 3, trace: -3, process: 2, fn: 'Bank.charge' })
    // Of its own process, though the other one has a call with this id as well.
    made.call({ atMs: T0_MS + 6, durationMs: 3, call: 1, trace: -3, parent: 3, process: 2, fn: 'Bank.check' })
    made.call({ atMs: T0_MS + 5, durationMs: 1, call: 5, trace: -3, parent: 1, process: 2, fn: 'Bank.log' })
    made.close()
    return made.path
  }

  it('is one tree that says who made which call', async () => {
    const { out } = await onTerminal(['trace', began, '--db', seeded()], 140)
    const lines = out.split('\n').slice(1, -2)
    expect(out.match(/^Trace /gm)?.length).toBe(1)
    expect(
      lines.map(line => /app\.ts\[10\d\] {2}( *\S+)/.exec(line)?.[1] ?? line.match(/PROCESS/)?.[0]),
    ).toEqual([
      'PROCESS',
      'Shop.buy',
      '  Shop.pay',
      '    Bank.charge',
      '      Bank.check',
      '        Bank.log',
    ])
  })
})

describe('help', () => {
  it('has examples for every command, and the version is that of the package', async () => {
    for (const name of [...VIEWS, 'sql', 'trace', 'doctor', 'completion']) {
      const { code, out } = await onTerminal([name, '--help'], 80)
      expect(code).toBe(0)
      expect(out).toContain(`$ callsight ${name}`)
    }
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(callsight(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' })
  })
})
