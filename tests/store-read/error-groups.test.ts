import { describe, expect, it } from 'vitest'
import { fingerprint } from '../../lib/writer/fingerprint.js'
import fc from '../support/fast-check.js'
import { hex16, OTHER_BOOT, T0_MS, traceIdOf } from './fixture.js'
import { newTestStore, opened } from './new-store.js'

const at = (ms: number) => new Date(T0_MS + ms)

describe('groups of errors', () => {
  it('are what a plain walk over all errors finds, however many groups there are', () => {
    const error = fc.record({
      second: fc.nat(600),
      fn: fc.constantFrom('Orders.place', 'Orders.cancel', 'Http.post'),
      error: fc.constantFrom('TypeError', 'RangeError'),
      message: fc.constantFrom('no answer in 7 s', 'no answer in 12 s', 'refused'),
      durationMs: fc.nat(50),
    })
    const filter = fc.record(
      {
        since: fc.nat(600).map(second => at(second * 1000)),
        until: fc.nat(600).map(second => at(second * 1000)),
        function: fc.constantFrom('Orders.*', 'Http.post', 'nobody'),
        error: fc.constantFrom('TypeError', 'Other'),
        minDurationMs: fc.nat(50),
        sort: fc.constantFrom('newest' as const, 'count' as const),
        steps: fc.integer({ min: 1, max: 60 }),
      },
      { requiredKeys: [] },
    )
    const made = newTestStore()
    const store = opened(made)
    const property = fc.property(
      fc.array(error, { maxLength: 40 }),
      filter,
      fc.boolean(),
      (errors, asked, isCrowded) => {
        made.db.exec('DELETE FROM errors; DELETE FROM functions; BEGIN')
        // Beyond 2,000 groups another way leads to the same answer.
        for (let i = 0; isCrowded && i < 2_100; i++)
          made.error({ atMs: T0_MS - 9_000 + i, fn: 'Crowd', fingerprint: `crowd ${i}` })
        for (const { second, ...seed } of errors) made.error({ atMs: T0_MS + second * 1000, ...seed })
        made.db.exec('COMMIT')
        const expected = new Map<string, typeof errors>()
        for (const row of errors) {
          const ms = T0_MS + row.second * 1000
          if (asked.since !== undefined && ms < asked.since.getTime()) continue
          if (asked.until !== undefined && ms >= asked.until.getTime()) continue
          if (asked.function !== undefined && !row.fn.startsWith(asked.function.replace('*', ''))) continue
          if (asked.error !== undefined && row.error !== asked.error) continue
          if (asked.minDurationMs !== undefined && row.durationMs < asked.minDurationMs) continue
          const key = fingerprint(row.fn, row.error, row.message)
          expected.set(key, [...(expected.get(key) ?? []), row])
        }
        const found = store
          .errorGroups({ ...asked, limit: 10_000 })
          .filter(group => group.function !== 'Crowd')
        expect(
          Object.fromEntries(
            found.map(group => [group.fingerprint, [group.count, group.firstAt, group.lastAt]]),
          ),
        ).toEqual(
          Object.fromEntries(
            [...expected].map(([key, rows]) => {
              const seconds = rows.map(({ second }) => second)
              const ends = [Math.min(...seconds), Math.max(...seconds)]
              return [key, [rows.length, ...ends.map(second => at(second * 1000).toISOString())]]
            }),
          ),
        )
        const figures = found.map(group => (asked.sort === 'count' ? group.count : group.lastAt))
        expect(figures).toEqual([...figures].sort((a, b) => (a < b ? 1 : a > b ? -1 : 0)))
        for (const { series, count } of found) {
          expect(series.counts).toHaveLength(asked.steps ?? 24)
          expect(series.counts.reduce((sum, n) => sum + n, 0)).toBe(count)
        }
      },
    )
    fc.assert(property, { numRuns: 100 })
  })

  it('show the newest message and call, and count into steps of the span asked for', () => {
    const made = newTestStore()
    made.error({ atMs: T0_MS + 500, message: 'no answer in 7 s', call: 1 })
    made.error({ atMs: T0_MS + 9_500, message: 'no answer in 12 s', call: 2 })
    made.error({ atMs: T0_MS + 9_400, message: 'no answer in 3 s', call: 3 })
    const [group] = opened(made).errorGroups({ since: at(0), until: at(10_000), steps: 10 })
    expect(group).toMatchObject({
      function: 'Orders.place',
      error: 'TypeError',
      message: 'no answer in 12 s',
      lastCallId: hex16(2),
      count: 3,
      series: { startMs: T0_MS, stepMs: 1000, counts: [1, 0, 0, 0, 0, 0, 0, 0, 0, 2] },
    })
    expect(opened(made).errorGroups({ fingerprint: group?.fingerprint }).length).toBe(1)
    expect(opened(made).errorGroups({ fingerprint: 'other' })).toEqual([])
    expect(
      opened(made)
        .errors({ fingerprint: group?.fingerprint })
        .map(({ call_id }) => call_id),
    ).toEqual([2, 3, 1].map(hex16))
  })

  it('without a span reach from the oldest error to the newest record', () => {
    const made = newTestStore()
    made.error({ atMs: T0_MS })
    made.call({ atMs: T0_MS + 23_999.999 })
    const [group] = opened(made).errorGroups()
    expect(group?.series).toEqual({
      startMs: T0_MS,
      stepMs: 1000,
      counts: [1, ...Array(23).fill(0)],
    })
  })

  it('are none where there are no errors, and steps out of bounds are refused', () => {
    const store = opened(newTestStore())
    expect(store.errorGroups()).toEqual([])
    for (const steps of [0, 1001, 1.5, Number.NaN])
      expect(() => store.errorGroups({ steps })).toThrow(/steps .* is not a whole number from 1 to 1,000/)
    expect(() => store.errorGroups({ sort: 'name' as never })).toThrow(/newest, count/)
    expect(() => store.errors({ fingerprint: '' })).toThrow(/fingerprint/)
  })
})

describe('calls before an error', () => {
  it('are those of its process that ended before it, newest first', () => {
    const made = newTestStore()
    made.process(2, OTHER_BOOT, { ended: true })
    made.call({ atMs: T0_MS + 1, call: 11 })
    made.error({ atMs: T0_MS + 2, call: 12 })
    made.call({ atMs: T0_MS + 3, call: 13, process: 2 })
    made.error({ atMs: T0_MS + 4, call: 14, process: 2 })
    made.call({ atMs: T0_MS + 5, call: 15 })
    // The same id in both processes: the trace tells them apart.
    made.error({ atMs: T0_MS + 6, call: 99 })
    made.error({ atMs: T0_MS + 6, call: 99, process: 2 })
    made.call({ atMs: T0_MS + 7, call: 16 })
    const store = opened(made)
    const ids = (error: Parameters<typeof store.callsBefore>[0], limit?: number) =>
      store.callsBefore(error, { limit }).map(row => Number.parseInt(row.call_id, 16))
    expect(ids({ call_id: hex16(99), trace_id: traceIdOf(99) })).toEqual([15, 12, 11])
    expect(ids({ call_id: hex16(99), trace_id: traceIdOf(99) }, 2)).toEqual([15, 12])
    expect(ids({ call_id: hex16(99), trace_id: traceIdOf(99, OTHER_BOOT) })).toEqual([14, 13])
    expect(ids({ call_id: hex16(15), trace_id: traceIdOf(15) })).toEqual([])
    expect(ids({ call_id: hex16(7), trace_id: traceIdOf(7) })).toEqual([])
    expect(() => ids({ call_id: 'x', trace_id: '' })).toThrow(/is not an id/)
  })
})
