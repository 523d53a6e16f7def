import { describe, expect, it } from 'vitest'
import { StoreQueryError } from '../../lib/store/read-errors.js'
import { BOOT, OTHER_BOOT, T0_MS, type TestStore } from './fixture.js'
import { newOpenedStore } from './new-store.js'

const MINUTE_MS = 60_000

const newStore = () => newOpenedStore(T0_MS + 60 * MINUTE_MS)

/** `minutes` of 1,000 calls from that minute on. */
function fill(
  made: TestStore,
  from: number,
  minutes: number,
  row: { errors?: number; bucket?: number; process?: number },
) {
  for (let minute = from; minute < from + minutes; minute++) {
    const { errors = 10, bucket = 120, process = 1 } = row
    made.totals(T0_MS + minute * MINUTE_MS, 'Orders.place', {
      calls: 1000,
      errors: errors + (minute % 2),
      maxMs: 1e6,
      buckets: { [bucket]: 900 + (minute % 3), 170: 100 - (minute % 3) },
      process,
    })
  }
}

describe('diff', () => {
  it('calls a function worse whose errors, median or tail went up, better where they went down', () => {
    const { made, store } = newStore()
    fill(made, 0, 10, {})
    fill(made, 10, 10, { errors: 60, bucket: 126 })
    const sides = { before: '10:00..10:10', after: '10:10..10:20' }
    const worse = store.diff({ a: sides.before, b: sides.after })
    expect(worse.verdict).toBe('worse')
    expect(worse.a).toEqual({
      label: '10:00..10:10',
      since: '2026-11-20T10:00:00.000Z',
      until: '2026-11-20T10:10:00.000Z',
      calls: 10_000,
      errors: 105,
    })
    const [row] = worse.functions
    expect(row).toMatchObject({ function: 'Orders.place', verdict: 'worse', basis: 'blocks' })
    expect(row?.errors).toMatchObject({ verdict: 'worse', isUnsteady: false })
    expect(row?.errors.ratio).toBeCloseTo(605 / 105, 9)
    expect(row?.p50).toMatchObject({ verdict: 'worse' })
    expect(row?.p95).toMatchObject({ verdict: 'no difference' })
    const better = store.diff({ a: sides.after, b: sides.before })
    expect(better).toMatchObject({ verdict: 'better', functions: [{ errors: { verdict: 'better' } }] })
    expect(better.functions[0]?.errors.pValue).toBeCloseTo(row?.errors.pValue ?? 0, 15)
  })

  it('needs a change that matters, however sure it is', () => {
    const { made, store } = newStore()
    fill(made, 0, 10, { errors: 100 })
    fill(made, 10, 10, { errors: 120, bucket: 121 })
    const [row] = store.diff({ a: '10:00..10:10', b: '10:10..10:20' }).functions
    expect(row?.errors.pValue).toBeLessThan(0.001)
    expect(row?.p50.pValue).toBeLessThan(0.001)
    expect(row?.p50.ratio).toBeCloseTo(1.111, 3)
    expect(row?.verdict).toBe('no difference')
  })

  it('calls unsteady what differs no more than one side within itself', () => {
    const { made, store } = newStore()
    fill(made, 0, 10, { errors: 0 })
    fill(made, 10, 8, { errors: 0 })
    fill(made, 18, 2, { errors: 900 })
    const [row] = store.diff({ a: '10:00..10:10', b: '10:10..10:20' }).functions
    expect(row).toMatchObject({
      verdict: 'no difference',
      errors: { isUnsteady: true, verdict: 'no difference' },
    })
  })

  it('compares nothing of too few calls', () => {
    const { made, store } = newStore()
    made.totals(T0_MS, 'rare', { calls: 99, errors: 0 })
    made.totals(T0_MS + MINUTE_MS, 'rare', { calls: 5_000, errors: 5_000 })
    made.totals(T0_MS, 'gone', { calls: 5_000 })
    const sides = { a: '10:00..10:01', b: '10:01..10:02' }
    const answer = store.diff(sides)
    expect(answer.verdict).toBe('too few calls')
    expect(answer.functions.map(({ verdict, basis }) => [verdict, basis])).toEqual([
      ['too few calls', null],
      ['too few calls', null],
    ])
    expect(answer.functions.find(row => row.function === 'gone')?.b).toBeNull()
    expect(store.diff({ ...sides, minCalls: 20 }).verdict).toBe('worse')
    expect(store.diff({ ...sides, function: 'gone' }).functions).toHaveLength(1)
    expect(store.diff({ ...sides, limit: 1 })).toMatchObject({
      leftOut: 1,
      functions: [{ function: 'rare' }],
    })
  })

  it('finds sides by process, script, start, version of Node and time', () => {
    const { made, store } = newStore()
    made.process(2, OTHER_BOOT, { ended: true })
    made.run(
      'UPDATE processes SET started_us = started_us + 1, node_version = ? WHERE process_id = 2',
      'v22.1.0',
    )
    fill(made, 0, 10, {})
    fill(made, 0, 10, { process: 2, errors: 90 })
    const pairs: [string, string][] = [
      ['previous', 'last'],
      ['101', '102'],
      ['app.ts[101]', OTHER_BOOT],
      [BOOT, 'node@22.1.0'],
    ]
    for (const [a, b] of pairs) {
      const answer = store.diff({ a, b })
      expect(answer.verdict, `${a} ${b}`).toBe('worse')
      expect(answer.a.calls).toBe(10_000)
    }
    expect(store.diff({ a: '-60m..-55m', b: '-55m..' })).toMatchObject({
      a: { calls: 10_000 },
      b: { calls: 10_000 },
    })
    expect(
      store.diff({ a: { process: '101', since: new Date(T0_MS), until: '2026-11-20T10:05Z' }, b: '102' }).a
        .calls,
    ).toBe(5_000)
    // A minute belongs to the span it begins in.
    const halves = store.diff({ a: '2026-11-20T09:59Z..2026-11-20T10:04:30Z', b: '2026-11-20T10:04:30Z..' })
    expect([halves.a.calls, halves.b.calls]).toEqual([10_000, 10_000])
  })

  it('says what previous means where the last script has run once', () => {
    const { made, store } = newStore()
    made.process(2, OTHER_BOOT, { ended: true, script: 'job.ts', startedMs: T0_MS + 1 })
    expect(() => store.diff({ a: 'previous', b: 'last' })).toThrow(/job\.ts has no run before job\.ts\[102\]/)
  })

  it('reads side b from another recording', () => {
    const { made, store } = newStore()
    const { made: after } = newStore()
    fill(made, 0, 10, {})
    fill(after, 0, 10, { errors: 90 })
    expect(store.diff({ bDb: after.path })).toMatchObject({
      verdict: 'worse',
      a: { label: 'all' },
      b: { label: 'all' },
    })
  })

  it('refuses sides that are none, that overlap, and numbers without a meaning', () => {
    const { made, store } = newStore()
    made.process(2, OTHER_BOOT, { ended: true })
    const bad: object[] = [
      {},
      { a: 'all' },
      { a: 'all', b: '101' },
      { a: '10:00..10:30', b: '10:20..10:40' },
      { a: '10:30..10:00', b: '10:40..10:50' },
      { a: 'soon..later', b: '101' },
      { a: '4711', b: '101' },
      { a: '', b: '101' },
      { a: null, b: '101' },
      { a: '101', b: '102', minCalls: 5 },
      { a: '101', b: '102', minLatencyChange: 0.1 },
      { a: '101', b: '102', limit: 0 },
      { a: '101', b: '102', bDb: '' },
    ]
    for (const filter of bad)
      expect(() => store.diff(filter as never), JSON.stringify(filter)).toThrow(StoreQueryError)
    made.process(3, '1'.repeat(16), { ended: true, pid: 101 })
    expect(() => store.diff({ a: '101', b: '102' })).toThrow(
      /2 processes are called 101 \(side a\)\. Give the boot id/,
    )
    expect(() => store.diff({ a: 'nobody', b: '102' })).toThrow(/There is app\.ts\[/)
  })
})
