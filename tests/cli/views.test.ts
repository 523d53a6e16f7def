import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sparkline } from '../../lib/cli/sparkline.js'
import { displayWidth } from '../../lib/wording/text.js'
import { fingerprint } from '../../lib/writer/fingerprint.js'
import { hex16, OTHER_BOOT, scratch, T0_MS, TestStore, traceIdOf } from '../store-read/fixture.js'
import { callsight } from './child.js'
import { onTerminal } from './terminal.js'

const cleanups: (() => void)[] = []
const MINUTE = 60_000
/** What the listings of a terminal drop when it is narrow, in this order. */
const TOP_COLUMNS = ['TREND', 'MAX', 'MEAN', 'P50', 'P95', 'TIME']
let home: string
let db: string
let empty: string

beforeAll(() => {
  home = scratch(clean => cleanups.push(clean))
  const made = new TestStore((db = join(home, 'calls.db')))
  made.call({ atMs: T0_MS, fn: 'Orders.place', call: 1, durationMs: 40, args: '["tea"]', result: '7' })
  for (let i = 0; i < 6; i++)
    made.error({
      atMs: T0_MS + i * MINUTE,
      fn: 'Http.post',
      call: 10 + i,
      durationMs: 100 + i,
      message: `no answer in ${i} s`,
      args: `[${i}]`,
    })
  made.error({ atMs: T0_MS + 9 * MINUTE, fn: 'Orders.cancel', error: 'RangeError', call: 30 })
  made.totals(T0_MS, 'Http.post', { calls: 30, errors: 1, sumMs: 300, buckets: { 150: 30 }, maxMs: 106 })
  made.totals(T0_MS + 11 * MINUTE, 'Http.post', { calls: 90, sumMs: 300, buckets: { 150: 90 }, maxMs: 9 })
  made.totals(T0_MS, 'Orders.place', { calls: 1, sumMs: 200, maxMs: 40 })
  made.lane(0, 9, 4, { queue_full: 3 })
  made.lane(1, 7, 7, {})
  made.state({ openings: 2, opened_us: T0_MS * 1000, closed_us: (T0_MS + 500) * 1000 })
  made.run("UPDATE processes SET version = '0.1.0'")
  made.close()
  new TestStore((empty = join(home, 'empty.db'))).close()
})
afterAll(() => {
  for (const clean of cleanups) clean()
})

const on = (width: number, ...args: string[]) => onTerminal([...args, '--db', db], width)
const rowsOf = async (...args: string[]) => JSON.parse((await on(80, ...args, '--json')).out).rows

describe('errors', () => {
  const group = fingerprint('Http.post', 'TypeError', 'no answer in 5 s')

  it('are groups of alike ones, with how many, since when, and when how many', async () => {
    const { code, out } = await on(200, 'errors')
    expect(code).toBe(0)
    expect(out.split('\n')).toEqual(
      [
        'COUNT  FIRST          LAST 11-20 UTC  TREND         FINGERPRINT       FUNCTION       ERROR: MESSAGE',
        `    1  10:09:00.000Z  10:09:00.000Z              █  ${fingerprint('Orders.cancel', 'RangeError', 'it broke')}  Orders.cancel  RangeError: it broke`,
        `    6  10:00:00.000Z  10:05:00.000Z   ████ ██       ${group}  Http.post      TypeError: no answer in 5 s`,
        'Complete: every error is recorded',
        '',
      ].map((line, i) =>
        i === 2
          ? expect.stringMatching(
              new RegExp(`^ {4}6 .*${group}  Http.post      TypeError: no answer in 5 s$`),
            )
          : line,
      ),
    )
    const [first] = await rowsOf('errors', '--sort', 'count')
    expect(first).toMatchObject({ fingerprint: group, count: 6, lastCallId: hex16(15) })
    expect(first.series.counts.reduce((sum: number, n: number) => sum + n, 0)).toBe(6)
  })

  it('of one group are listed with the call of each, and one is shown with what came before it', async () => {
    const listed = (await on(100, 'errors', group)).out
    expect(listed).toContain(`alike        6 errors, fingerprint ${group}`)
    for (let i = 0; i < 6; i++) expect(listed).toContain(hex16(10 + i))
    expect(listed).not.toContain(hex16(30))
    const [row] = await rowsOf('errors', group, '--limit', '2')
    expect(row.occurrences.map((error: { call_id: string }) => error.call_id)).toEqual([15, 14].map(hex16))

    const whole = (await on(140, 'errors', hex16(11))).out
    const [, before = ''] = whole.split('\nAlso before it in app.ts[101], newest first\n')
    expect(before).toMatch(new RegExp(`${hex16(10)}[^]*${hex16(1)} .*\\["tea"\\] → 7`))
    expect(before).not.toContain(hex16(12))
    const [error] = await rowsOf('errors', hex16(11))
    expect(error).toMatchObject({ call_id: hex16(11), trace: [{ call_id: hex16(11) }] })
    expect(error.before.map((call: { call_id: string }) => call.call_id)).toEqual([10, 1].map(hex16))
  })

  it('show each call once: what the trace of an error has is not among the calls before it', async () => {
    const path = join(home, 'once.db')
    const made = new TestStore(path)
    for (let i = 0; i < 30; i++) {
      made.call({ atMs: T0_MS + i * 10, fn: 'Before.it', call: 100 + i })
      made.call({ atMs: T0_MS + i * 10 + 1, fn: 'Same.trace', call: 1_000 + i, trace: 999, parent: 999 })
    }
    made.error({ atMs: T0_MS + 1_000, call: 999, trace: 999 })
    made.close()
    const { out } = await onTerminal(['errors', hex16(999), '--db', path], 140)
    for (let i = 0; i < 30; i++) expect(out.split(hex16(1_000 + i)), out).toHaveLength(2)
    // As many as without them.
    const before = Array.from({ length: 10 }, (_, i) => hex16(129 - i))
    const [, listed = ''] = out.split('\nAlso before it in ')
    expect(before.filter(id => listed.includes(id))).toEqual(before)
    const { out: json } = await onTerminal(['errors', hex16(999), '--json', '--db', path], 140)
    expect(JSON.parse(json).rows[0].before.map((row: { call_id: string }) => row.call_id)).toEqual(before)
  })

  it('have the chain of their causes told line by line, whatever it holds', async () => {
    const path = join(home, 'causes.db')
    const made = new TestStore(path)
    const cause = {
      '@class': 'Error',
      message: 'inner\u001b[2J',
      cause: { '@class': 'SyntaxError', message: 'odd' },
    }
    made.error({ atMs: T0_MS, call: 1, details: JSON.stringify({ orderId: 17, cause }) })
    for (const [i, details] of [
      '{"cause":null}',
      '[',
      '7',
      '{"cause":[]}',
      '{"cause":{"@class":1}}',
    ].entries())
      made.error({ atMs: T0_MS, call: 2 + i, details })
    made.close()
    const { out } = await onTerminal(['errors', '1', '--db', path], 100)
    expect(out).toContain('\nCaused by\n  Error: inner\\x1b[2J\n  SyntaxError: odd\n')
    for (let call = 2; call <= 6; call++) {
      const other = await onTerminal(['errors', String(call), '--db', path], 100)
      expect(other.code).toBe(0)
      expect(other.out).not.toContain('Caused by')
    }
  })

  it('are one by one with --list', async () => {
    expect((await rowsOf('errors', '--list')).length).toBe(7)
  })
})

describe('top', () => {
  it('says which part of all time each function took, and how its calls went', async () => {
    const rows = await rowsOf('top')
    expect(rows.map((row: { function: string; share: number }) => [row.function, row.share])).toEqual([
      ['Http.post', 0.75],
      ['Orders.place', 0.25],
    ])
    expect(rows[0].series).toEqual({
      startMs: T0_MS,
      stepMs: MINUTE,
      calls: [30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 90],
    })
    const [, first] = (await on(140, 'top')).out.split('\n')
    expect(first).toMatch(/^Http\.post .* 75\.0 % .*▃ {10}█$/)
    // The part is of everything, not of what was asked for.
    expect((await rowsOf('top', '--function', 'Orders.*'))[0].share).toBe(0.25)
  })

  it('drops on a narrow terminal what says least, and never a figure of the rest', async () => {
    let dropped = 0
    for (let width = 140; width >= 40; width--) {
      const { out } = await on(width, 'top')
      const [header = '', ...lines] = out.split('\n')
      const missing = TOP_COLUMNS.filter(name => !header.split(/ +/).includes(name))
      expect(missing, `${width}`).toEqual(TOP_COLUMNS.slice(0, missing.length))
      expect(missing.length).toBeGreaterThanOrEqual(dropped)
      dropped = missing.length
      expect(header).toMatch(/^FUNCTION +CALLS +ERRORS .*P99/)
      for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width)
    }
    expect(dropped).toBe(TOP_COLUMNS.length)
  })
})

describe('slow', () => {
  it('lists the slowest calls beside the percentiles of all calls of their function', async () => {
    const rows = await rowsOf('slow', '--limit', '3')
    expect(rows.map((row: { duration_ms: number }) => row.duration_ms)).toEqual([105, 104, 103])
    const [total] = await rowsOf('top')
    expect(rows[0]).toMatchObject({ function: 'Http.post', p95_ms: total.p95_ms, p99_ms: total.p99_ms })
    expect((await on(80, 'slow')).out).toMatch(/^DURATION +P95 +P99 /)
  })
})

describe('stats', () => {
  it('tell of the recording itself', async () => {
    const [row] = await rowsOf('stats')
    expect(row).toMatchObject({
      path: db,
      versions: ['0.1.0'],
      oldestAt: '2026-11-20T10:00:00.000Z',
      newestAt: '2026-11-20T10:09:00.000Z',
      totalsSince: '2026-11-20T10:00:00.000Z',
      totalsUntil: '2026-11-20T10:12:00.000Z',
      rows: { calls: 1, errors: 7, functions: 3, totals: 3, stalls: 0, incidents: 0 },
      processes: { writing: 0, ended: 1, 'ended uncleanly': 0 },
      recordedShare: 1,
      lanes: {
        calls: { produced: 9, stored: 4, dropped: { queue_full: 3 }, waiting: 2 },
        errors: { produced: 7, stored: 7, dropped: {}, waiting: 0 },
      },
    })
    expect((await on(120, 'stats')).out).toContain(
      'calls       9 produced = 4 stored + 3 dropped (queue_full 3) + 2 waiting',
    )
    expect(row.recorders).toMatchObject([{ process: 'app.ts[101]', breaker: 'closed', openings: 2 }])
    const { out: whole } = await onTerminal(['stats', '--db', db], 1_000)
    expect(whole).toContain(
      'recorder    app.ts[101] as of 2026-11-20T10:00:01.000Z: breaker closed, opened 2 times, ' +
        "last at 2026-11-20T10:00:00.000Z until 2026-11-20T10:00:00.500Z; queue 0 B of 4.00 KiB, at most 25 % of a thread's; " +
        'CPU of the writer 20.0 ms (2.00 % of one processor); keeps 1 h 00 min, 1.00 MiB\n',
    )
    const nothing = await onTerminal(['stats', '--db', empty], 80)
    expect(nothing.out).not.toContain('recorder ')
    expect(nothing.code).toBe(0)
    expect(nothing.out).toContain('records     none')
  })
})

describe('a trace', () => {
  it('is dated by its beginning, and says what made its first call elsewhere', async () => {
    const path = join(home, 'remote.db')
    const made = new TestStore(path)
    made.process(2, OTHER_BOOT, { ended: true })
    made.remote(-1, traceIdOf(5, OTHER_BOOT), hex16(77))
    made.call({ atMs: T0_MS + 900, durationMs: 900, call: 5, trace: -1, fn: 'Bank.charge' })
    made.close()
    const { out } = await onTerminal(['trace', traceIdOf(5, OTHER_BOOT), '--db', path], 100)
    expect(out).toContain(`Trace ${traceIdOf(5, OTHER_BOOT)}  began 2026-11-20T10:00:00.000Z\n`)
    expect(out).toMatch(
      new RegExp(`Bank\\.charge\n +called by ${hex16(77)}, which is not in this recording\n`),
    )
  })
})

describe('exit codes', () => {
  const views = ['errors', 'top', 'slow', 'calls', 'tail', 'losses', 'stalls', 'crash']

  it.each(views)('%s ends with 3 when there is nothing to answer, as a table and as JSON', async name => {
    for (const form of [[], ['--json']]) {
      const { code, err } = await onTerminal([name, ...form, '--db', empty], 80)
      expect([code, err]).toEqual([3, ''])
    }
  })

  it.each(views.filter(name => name !== 'tail'))('%s --fail-if-any turns that round', async name => {
    expect((await onTerminal([name, '--fail-if-any', '--db', empty], 80)).code).toBe(0)
  })

  it('--fail-if-any ends with 1 when there are rows, and prints them all the same', async () => {
    for (const form of [[], ['--json']]) {
      const { code, out } = await on(80, 'errors', '--error', 'RangeError', '--fail-if-any', ...form)
      expect(code).toBe(1)
      expect(out).toContain('RangeError')
    }
    expect((await on(80, 'errors', '--error', 'Other', '--fail-if-any')).code).toBe(0)
  })

  it('an id that nothing has ends with 3 and a line on the error output; with --json with no rows', async () => {
    for (const args of [
      ['trace', 'ffff'],
      ['errors', 'ffff'],
      ['errors', 'ffffffffffffffff'],
    ]) {
      expect(await on(80, ...args)).toMatchObject({
        code: 3,
        out: '',
        err: expect.stringMatching(/^callsight: .*\n$/),
      })
      const json = await on(80, ...args, '--json')
      expect(json.code).toBe(3)
      expect(JSON.parse(json.out).rows).toEqual([])
    }
  })

  it('stand in the help', async () => {
    const { out } = await onTerminal(['--help'], 80)
    expect(out).toMatch(/Exit codes:\n {2}0 {2}fine\n {2}1 .*--fail-if-any\n {2}2 .*\n {2}3 {2}no data/)
  })
})

describe('a sparkline', () => {
  it('shows each value by its part of the largest, and nothing as a blank', () => {
    expect(sparkline([0, 1, 4, 8], { isUtf8: true })).toBe(' ▁▄█')
    expect(sparkline([0, 1, 4, 8], { isUtf8: false })).toBe(' .=@')
    expect(sparkline([], { isUtf8: true })).toBe('')
    expect(sparkline([0, 0], { isUtf8: true })).toBe('  ')
    // Whatever a damaged file says.
    expect(sparkline([-1, Number.NaN, 1e300, 1], { isUtf8: true })).toHaveLength(4)
    expect(sparkline([Number.POSITIVE_INFINITY], { isUtf8: true })).toBe('')
  })

  it('is plain ASCII where the terminal is not UTF-8', () => {
    const env = (locale: string) => ({ LC_ALL: '', LC_CTYPE: '', LANG: locale, COLUMNS: '140' })
    expect(callsight(['top', '--db', db], { env: env('C.UTF-8') }).out).toContain('▃          █')
    const plain = callsight(['top', '--db', db], { env: env('C') }).out
    expect(plain).not.toContain('█')
    expect(plain).toContain('-          @')
  })
})
