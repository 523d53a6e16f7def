import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { answerTo, NotFound } from '../../lib/dashboard/answers.js'
import type { Api } from '../../lib/dashboard/api.js'
import { Parameters } from '../../lib/dashboard/parameters.js'
import { Store } from '../../lib/store/read.js'
import { StoreQueryError } from '../../lib/store/read-errors.js'
import { BUCKET_COUNT, bucketUpperNs } from '../../lib/totals/layout.js'
import { hex16, scratch, T0_MS, TestStore, traceIdOf } from '../store-read/fixture.js'

const MINUTE_MS = 60_000
const cleanups: (() => void)[] = []
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean()
})

function recorded(): { made: TestStore; ask: ReturnType<typeof asking> } {
  const folder = scratch(clean => cleanups.push(clean))
  const made = new TestStore(join(folder, 'calls.db'))
  cleanups.push(() => made.close())
  return { made, ask: asking(made, T0_MS + 3_600_000) }
}

function asking(made: TestStore, nowMs: number) {
  const store = new Store(made.path, { now: () => nowMs })
  cleanups.push(() => store.close())
  return <Address extends keyof Api>(
    address: Address,
    parameters: Readonly<Record<string, string | number>> = {},
  ): Api[Address] => {
    const texts = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]))
    // What the browser gets.
    return JSON.parse(JSON.stringify(answerTo(store, address, new Parameters(texts), '1.2.3')))
  }
}

/** An hour of two functions: what each minute has is different from what all others have. */
function fillHour(made: TestStore): void {
  for (let minute = 0; minute < 60; minute++) {
    const atMs = T0_MS + minute * MINUTE_MS
    const [few, many] = [1 + (minute % 3), 10 + minute]
    made.totals(atMs, 'Orders.place', {
      calls: few + many,
      errors: minute % 5,
      kept: few,
      sumMs: 2 * minute,
      maxMs: 500,
      buckets: { [100 + (minute % 50)]: few, [160]: many },
    })
    made.totals(atMs, 'Quotes.read', { calls: 3, sumMs: 1, maxMs: 2, buckets: { 90: 3 } })
  }
  made.process(2, '00112233445566ff', { ending: 'clean', lastSeenMs: T0_MS + 3_599_000 })
}

const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0)
const whole = { since: T0_MS, until: T0_MS + 3_600_000 }

describe('/api/session', () => {
  it('tells the span of the totals up to the last sign of life', () => {
    const { made, ask } = recorded()
    expect(ask('/api/session')).toMatchObject({
      recorded: null,
      isLive: false,
      version: '1.2.3',
      path: made.path,
    })
    fillHour(made)
    expect(ask('/api/session').recorded).toEqual({ sinceMs: T0_MS, untilMs: T0_MS + 3_599_001 })
  })
})

describe('/api/overview', () => {
  it('has series that add up to the totals, of each function and of all', () => {
    const { made, ask } = recorded()
    fillHour(made)
    for (const span of [
      whole,
      { since: T0_MS, until: T0_MS + 600_000 },
      { since: 0, until: T0_MS + 86_400_000 },
    ]) {
      const { functions, total, coverage, range } = ask('/api/overview', span)
      expect(functions.map(row => row.function)).toEqual(['Orders.place', 'Quotes.read'])
      for (const { series, calls, errors } of functions) {
        expect(sum(series.calls)).toBe(calls)
        expect(sum(series.errors)).toBe(errors)
        expect([series.startMs, series.stepMs]).toEqual([total.startMs, total.stepMs])
      }
      expect(sum(total.calls)).toBe(sum(functions.map(({ calls }) => calls)))
      expect(sum(total.calls)).toBe(coverage.calls)
      expect(sum(functions.map(({ shareOfTime }) => shareOfTime))).toBeCloseTo(1)
      expect(total.stepMs % MINUTE_MS).toBe(0)
      expect(total.calls.length).toBeLessThanOrEqual(120)
      expect(range.untilMs - range.sinceMs).toBe(total.stepMs * total.calls.length)
    }
  })

  it('says the same sums and percentiles as the command line', () => {
    const { made, ask } = recorded()
    fillHour(made)
    using store = new Store(made.path, {})
    const { functions } = ask('/api/overview', whole)
    expect(
      functions.map(row => [
        row.function,
        row.calls,
        row.errors,
        row.meanMs,
        row.p50Ms,
        row.p95Ms,
        row.p99Ms,
        row.maxMs,
      ]),
    ).toEqual(
      store
        .top({ since: new Date(T0_MS), until: new Date(T0_MS + 3_600_000) })
        .map(row => [
          row.function,
          row.calls,
          row.errors,
          row.mean_ms,
          row.p50_ms,
          row.p95_ms,
          row.p99_ms,
          row.max_ms,
        ]),
    )
  })

  it('has steps of one minute for an hour, with the percentiles of each', () => {
    const { made, ask } = recorded()
    fillHour(made)
    const { total } = ask('/api/overview', { ...whole, function: 'Orders.*' })
    expect(total.startMs).toBe(T0_MS)
    expect(total.stepMs).toBe(MINUTE_MS)
    expect(total.calls).toEqual(Array.from({ length: 60 }, (_, minute) => 11 + minute + (minute % 3)))
    expect(total.p95Ms).toEqual(new Array(60).fill(bucketUpperNs(160) / 1e6))
    const empty = ask('/api/overview', { since: T0_MS - 600_000, until: T0_MS }).total
    expect(empty.p50Ms).toEqual(new Array(10).fill(null))
  })

  it('counts the share of all time, also when some functions are asked for', () => {
    const { made, ask } = recorded()
    fillHour(made)
    const [all] = ask('/api/overview', whole).functions
    const [some] = ask('/api/overview', { ...whole, function: 'Orders.*' }).functions
    expect(some?.shareOfTime).toBeCloseTo(all?.shareOfTime ?? 0)
    expect(some?.shareOfTime).toBeLessThan(1)
  })

  it('is about the last hour of a finished recording unless told otherwise', () => {
    const { made } = recorded()
    fillHour(made)
    const later = asking(made, T0_MS + 30 * 86_400_000)
    const { functions, range } = later('/api/overview')
    expect(range.untilMs).toBe(T0_MS + 3_600_000)
    expect(functions[0]?.calls).toBe(later('/api/overview', whole).functions[0]?.calls)
  })

  it('divides by the seconds that were recorded, not by those asked for', () => {
    const { made, ask } = recorded()
    fillHour(made)
    const [row] = ask('/api/overview', { since: T0_MS - 10 * 3_600_000, until: T0_MS + 3_600_000 }).functions
    expect(row?.callsPerSecond).toBeCloseTo((row?.calls ?? 0) / 3599.001, 5)
  })

  it('divides what a short recording holds by the seconds it lasted, not by its minute', () => {
    const { made, ask } = recorded()
    made.run('DELETE FROM processes')
    made.process(2, '00112233445566ff', {
      startedMs: T0_MS + 54_000,
      ending: 'clean',
      lastSeenMs: T0_MS + 56_999,
    })
    made.totals(T0_MS, 'Orders.place', { calls: 60, process: 2 })
    expect(ask('/api/session').recorded).toEqual({ sinceMs: T0_MS + 54_000, untilMs: T0_MS + 57_000 })
    expect(ask('/api/overview', whole).functions[0]?.callsPerSecond).toBe(20)
  })

  it('has as many incidents as there were, also when several processes say the same', () => {
    const { made, ask } = recorded()
    fillHour(made)
    for (let i = 0; i < 12; i++) made.incident(T0_MS + i, 'tuned', `#${i} a`, T0_MS + 2_000)
    expect(ask('/api/overview', whole).incidents).toHaveLength(12)
  })

  it('lists incidents and stalls that touch the span', () => {
    const { made, ask } = recorded()
    fillHour(made)
    made.incident(T0_MS + 1_000, 'disk_full', 'no room', T0_MS + 2_000)
    made.stall({ atMs: T0_MS + 5_000, seenMs: T0_MS + 6_000, endedMs: T0_MS + 6_000 })
    expect(ask('/api/overview', whole)).toMatchObject({
      incidents: [{ kind: 'disk_full' }],
      stalls: [{ duration_ms: 1_000 }],
    })
    const before = ask('/api/overview', { since: T0_MS - 600_000, until: T0_MS })
    expect([before.incidents, before.stalls]).toEqual([[], []])
  })
})

describe('/api/function', () => {
  it('has a heatmap whose cells add up to the calls, step by step', () => {
    const { made, ask } = recorded()
    fillHour(made)
    const { heatmap, latency, totals } = ask('/api/function', { ...whole, name: 'Orders.place' })
    expect(heatmap.counts.map(sum)).toEqual(latency.calls)
    expect(sum(heatmap.counts.map(sum))).toBe(totals.calls)
    for (const row of heatmap.counts) expect(row.length).toBe(heatmap.boundsMs.length - 1)
    expect([...heatmap.boundsMs].sort((a, b) => a - b)).toEqual(heatmap.boundsMs)
    // Minute 7: two short calls in bucket 107, seventeen in bucket 160.
    const cells = heatmap.counts[7]?.flatMap((count, row) => (count > 0 ? [[row, count]] : [])) ?? []
    expect(cells.map(([, count]) => count)).toEqual([2, 17])
    for (const [index, bucket] of [107, 160].entries()) {
      const [row = 0] = cells[index] ?? []
      expect(heatmap.boundsMs[row]).toBeLessThanOrEqual(bucketUpperNs(bucket - 1) / 1e6)
      expect(heatmap.boundsMs[row + 1]).toBeGreaterThanOrEqual(bucketUpperNs(bucket) / 1e6)
    }
  })

  it('keeps the longest and the shortest call in the heatmap, in few rows', () => {
    const { made, ask } = recorded()
    made.totals(T0_MS, 'Wide', { calls: 7, buckets: { 0: 3, [BUCKET_COUNT - 1]: 4 } })
    const { heatmap } = ask('/api/function', { ...whole, name: 'Wide' })
    expect(heatmap.boundsMs.length).toBeLessThanOrEqual(49)
    expect([heatmap.counts[0]?.[0], heatmap.counts[0]?.at(-1)]).toEqual([3, 4])
    expect([heatmap.boundsMs[0], heatmap.boundsMs.at(-1)]).toEqual([0, bucketUpperNs(BUCKET_COUNT - 1) / 1e6])
  })

  it('tells outcomes exactly, errors by class, the slowest and the failed calls of this function only', () => {
    const { made, ask } = recorded()
    fillHour(made)
    for (let i = 0; i < 30; i++) {
      const atMs = T0_MS + i * 1_000
      made.call({ atMs, durationMs: 1 + i })
      made.call({ atMs, durationMs: 900, fn: 'Quotes.read' })
      made.error({ atMs, durationMs: 0.5, error: i % 3 === 0 ? 'RangeError' : 'TypeError' })
      made.error({ atMs, fn: 'Quotes.read' })
    }
    const { outcomes, totals, slowest, failed } = ask('/api/function', { ...whole, name: 'Orders.place' })
    expect(outcomes.ok + outcomes.error).toBe(totals.calls)
    expect(outcomes.error).toBe(totals.errors)
    expect(outcomes.byError).toEqual([
      { error: 'TypeError', count: 20 },
      { error: 'RangeError', count: 10 },
    ])
    expect(slowest.map(row => row.duration_ms)).toEqual(Array.from({ length: 20 }, (_, i) => 30 - i))
    expect(failed.length).toBe(20)
    expect(new Set([...slowest, ...failed].map(row => row.function))).toEqual(new Set(['Orders.place']))
  })

  it('says that there is no such function', () => {
    const { made, ask } = recorded()
    fillHour(made)
    expect(() => ask('/api/function', { name: 'Orders.*' })).toThrow(NotFound)
    expect(() => ask('/api/function')).toThrow(StoreQueryError)
  })
})

describe('/api/why', () => {
  it('finds the argument that separates the slow calls, and refuses what it cannot explain', () => {
    const { made, ask } = recorded()
    fillHour(made)
    for (let i = 0; i < 400; i++) {
      const isSlow = i % 10 === 0
      made.call({
        // Far enough from one another that one slow moment is not the explanation.
        atMs: T0_MS + i * 8_000,
        durationMs: isSlow ? 400 : 2,
        args: JSON.stringify([isSlow ? 'XAUUSD' : 'EURUSD']),
        shape: '[["string",6]]',
      })
    }
    const why = ask('/api/why', { ...whole, name: 'Orders.place', min_duration: '100ms' })
    expect(why).toMatchObject({
      function: 'Orders.place',
      of: 'slow',
      thresholdMs: 100,
      lookedAt: 400,
      hits: 40,
    })
    expect(why.separations[0]?.condition).toContain('XAUUSD')
    expect(() => ask('/api/why', { ...whole, name: 'Orders.place', of: 'joy' })).toThrow(StoreQueryError)
    expect(() => ask('/api/why', whole)).toThrow(StoreQueryError)
  })
})

describe('errors', () => {
  function withErrors() {
    const { made, ask } = recorded()
    fillHour(made)
    const root = made.call({ atMs: T0_MS + 2_000, trace: 500, call: 500 })
    made.call({ atMs: T0_MS + 100, call: 400 })
    made.call({ atMs: T0_MS + 900, call: 502, trace: root, parent: root })
    const failed = made.error({
      atMs: T0_MS + 1_000,
      trace: root,
      call: 501,
      parent: root,
      message: 'refused 1',
      details: '{}',
    })
    made.error({ atMs: T0_MS + 60_000, message: 'refused 2' })
    return { ask, failed }
  }

  it('come in groups whose series add up to the count', () => {
    const { ask } = withErrors()
    const { groups, range } = ask('/api/errors', whole)
    expect(groups).toMatchObject([{ message: 'refused 2', count: 2, function: 'Orders.place' }])
    const [group] = groups
    expect(sum(group?.series.counts ?? [])).toBe(2)
    expect(group?.series).toMatchObject({ startMs: range.sinceMs, stepMs: MINUTE_MS })
    expect(group?.series.counts.slice(0, 2)).toEqual([1, 1])
    const alone = ask('/api/error-group', { ...whole, fingerprint: group?.fingerprint ?? '' })
    expect(alone.group).toEqual(group)
    expect(alone.occurrences.map(({ message }) => message)).toEqual(['refused 2', 'refused 1'])
    expect(() => ask('/api/error-group', { ...whole, fingerprint: '00' })).toThrow(NotFound)
    expect(ask('/api/errors', { ...whole, error: 'RangeError' }).groups).toEqual([])
  })

  it('one of them comes with its trace and with what its process did before', () => {
    const { ask, failed } = withErrors()
    const answer = ask('/api/error', { call: hex16(failed) })
    expect(answer.error).toMatchObject({ message: 'refused 1', details: '{}', call_id: hex16(501) })
    expect(answer.trace.map(row => row.call_id).sort()).toEqual([500, 501, 502].map(hex16))
    expect(answer.before.map(row => row.call_id)).toEqual([hex16(400)])
    expect(() => ask('/api/error', { call: 'abcdef' })).toThrow(NotFound)
  })
})

describe('/api/calls and /api/trace', () => {
  it('filter, limit and follow one trace', () => {
    const { made, ask } = recorded()
    for (let i = 0; i < 10; i++)
      made.call({ atMs: T0_MS + i, durationMs: 10 * i, fn: i % 2 ? 'A' : 'B', trace: 77 })
    made.error({ atMs: T0_MS + 20, durationMs: 500, fn: 'A' })
    const durations = (parameters: Record<string, string | number>) =>
      ask('/api/calls', { ...whole, ...parameters }).calls.map(row => row.duration_ms)
    expect(durations({ min_duration: '75ms' })).toEqual([500, 90, 80])
    expect(durations({ min_duration: 75, outcome: 'ok', function: 'A' })).toEqual([90])
    expect(durations({ limit: 2 })).toEqual([500, 90])
    expect(durations({ outcome: 'error' })).toEqual([500])
    expect(ask('/api/trace', { id: traceIdOf(77) }).calls.length).toBe(10)
    expect(ask('/api/trace', { id: hex16(999_999) }).calls).toEqual([])
  })

  it('refuse what makes no sense, in words', () => {
    const { ask } = recorded()
    const refusals: [keyof Api, Record<string, string | number>][] = [
      ['/api/calls', { limit: 0 }],
      ['/api/calls', { limit: 1_001 }],
      ['/api/calls', { limit: '1e3' }],
      ['/api/calls', { outcome: 'maybe' }],
      ['/api/calls', { min_duration: 'soon' }],
      ['/api/overview', { since: 'yesterday' }],
      ['/api/overview', { function: 'x'.repeat(2_000) }],
      ['/api/trace', { id: 'no id' }],
      ['/api/trace', {}],
      ['/api/tail', { after: 'not a cursor!' }],
      ['/api/tail', { after: 'zzzzzzzzzzzzz' }],
    ]
    for (const [address, parameters] of refusals)
      expect(() => ask(address, parameters), JSON.stringify([address, parameters])).toThrow(StoreQueryError)
    expect(() => ask('/api/toString' as keyof Api)).toThrow(NotFound)
    expect(() => ask('/api/__proto__' as keyof Api)).toThrow(NotFound)
  })
})

describe('/api/health', () => {
  it('balances the account of each process, and tells drops step by step', () => {
    const { made, ask } = recorded()
    fillHour(made)
    made.lane(0, 100, 60, { queue_full: 30, breaker_open: 4 })
    made.lane(0, 50, 50, {}, 1, 1)
    made.lane(1, 9, 7, { poison: 1 })
    made.drop(T0_MS + 5 * MINUTE_MS, 'Orders.place', 'queue_full', 20)
    made.drop(T0_MS + 5 * MINUTE_MS, 'Quotes.read', 'queue_full', 10)
    made.drop(T0_MS + 9 * MINUTE_MS, 'Orders.place', 'breaker_open', 4)
    made.call({ atMs: T0_MS + 1_234 })
    made.error({ atMs: T0_MS + 2_345 })
    const { processes, drops, oldest, file } = ask('/api/health', whole)
    const first = processes.find(({ process }) => process === 'app.ts[101]')
    expect(first?.lanes).toEqual([
      {
        lane: 'calls',
        produced: 150,
        stored: 110,
        dropped: { queue_full: 30, breaker_open: 4 },
        waiting: 6,
      },
      { lane: 'errors', produced: 9, stored: 7, dropped: { poison: 1 }, waiting: 1 },
    ])
    for (const { produced, stored, dropped, waiting } of processes.flatMap(({ lanes }) => lanes))
      expect(produced).toBe(stored + sum(Object.values(dropped)) + waiting)
    const { byReason, stepMs, startMs } = drops
    expect([startMs, stepMs]).toEqual([T0_MS, MINUTE_MS])
    expect(byReason.map(({ reason, counts }) => [reason, sum(counts)])).toEqual([
      ['breaker_open', 4],
      ['queue_full', 30],
    ])
    expect(byReason[1]?.counts[5]).toBe(30)
    expect(oldest).toEqual({
      call: '2026-11-20T10:00:01.234Z',
      error: '2026-11-20T10:00:02.345Z',
      total: '2026-11-20T10:00:00.000Z',
    })
    expect(file.storeBytes).toBeGreaterThan(0)
  })

  it('takes a writer for cut off while it says that the disk is full', () => {
    const { made, ask } = recorded()
    made.process(2, 'aa', { host: 'elsewhere', lastSeenMs: T0_MS + 3_599_000 })
    made.state({}, 1)
    made.state({}, 2)
    const states = () => ask('/api/health').processes.map(({ state, breaker }) => [state, breaker])
    expect(states()).toEqual([
      ['writing', 'closed'],
      ['ended', 'closed'],
    ])
    made.incident(T0_MS, 'disk_full', '', null, 2)
    made.incident(T0_MS, 'disk_full', '', null, 1)
    expect(states()).toEqual([
      ['writing', 'open'],
      ['ended', 'closed'],
    ])
  })

  it('tells the breaker, the queue, the cost and the limits as the writer last said', () => {
    const { made, ask } = recorded()
    made.process(2, 'aa', { host: 'elsewhere', lastSeenMs: T0_MS + 3_599_000 })
    made.state(
      {
        breaker: 2,
        openings: 2,
        opened_us: T0_MS * 1000,
        closed_us: (T0_MS + 500) * 1000,
        queue_bytes: 512,
        writer_cpu_ms: 250,
      },
      2,
    )
    const [first, other] = ask('/api/health').processes
    expect(first).toMatchObject({
      breaker: 'half-open',
      figures: {
        writtenAt: '2026-11-20T10:00:01.000Z',
        openings: 2,
        lastOpenedAt: '2026-11-20T10:00:00.000Z',
        lastClosedAt: '2026-11-20T10:00:00.500Z',
        queue: { usedBytes: 512, capacityBytes: 4096, highestBytes: 1024, highestShare: 0.25 },
        cost: { writerCpuMs: 250, writerCpuShare: 0.25 },
        batches: 3,
        sweeps: 1,
        limits: { retentionMs: 3_600_000, maxBytes: 1024 ** 2 },
      },
    })
    expect(other).toMatchObject({ breaker: 'unknown', figures: null })
    // An incident that goes on says more than what was said before it.
    made.incident(T0_MS, 'breaker_open', 'locked', null, 2)
    expect(ask('/api/health').processes[0]?.breaker).toBe('open')
  })

  it('does not call a breaker closed of which nothing was heard for long', () => {
    const { made } = recorded()
    made.process(2, 'aa', { host: hostname(), pid: process.pid, lastSeenMs: Date.now() })
    made.state({}, 2)
    const breakerAfter = (ms: number) =>
      asking(made, Date.now() + ms)('/api/health').processes.find(({ state }) => state === 'writing')?.breaker
    expect(breakerAfter(0)).toBe('closed')
    expect(breakerAfter(120_000)).toBe('unknown')
  })

  it.each([
    { breaker: 7 },
    { breaker: -1 },
    { openings: -1 },
    { openings: 'many' },
    { opened_us: '<img>' },
    { queue_bytes: Number.POSITIVE_INFINITY },
    { capacity_bytes: null },
    { highest_bytes: Buffer.from('x') },
    { writer_cpu_ms: -5 },
    { retention_ms: '6h' },
  ])('takes a row with a value that cannot be for none: %o', row => {
    const { made, ask } = recorded()
    made.db.exec('DROP TABLE recorder_states')
    // As somebody else may make it: without types.
    const columns =
      'process_id, written_us, breaker, openings, opened_us, closed_us, queue_bytes, capacity_bytes'
    made.db.exec(
      `CREATE TABLE recorder_states (${columns}, highest_bytes, highest_of_bytes, writer_cpu_ms, batches, sweeps, retention_ms, max_bytes)`,
    )
    made.state(row)
    expect(ask('/api/health').processes).toMatchObject([{ breaker: 'unknown', figures: null }])
    made.state({ highest_bytes: 1e15, highest_of_bytes: 1, written_us: 9e18, closed_us: 9e18 })
    expect(ask('/api/health').processes).toMatchObject([
      {
        breaker: 'closed',
        figures: { writtenAt: 'unknown', lastClosedAt: 'unknown', queue: { highestShare: 1 } },
      },
    ])
  })
})
