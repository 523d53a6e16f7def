import { describe, expect, it } from 'vitest'
import fc from '../support/fast-check.js'
import { OTHER_BOOT, T0_MS } from './fixture.js'
import { newTestStore, opened } from './new-store.js'

const MINUTE = 60_000
const NOW_MS = T0_MS + 86_400_000

describe('the slowest recorded calls', () => {
  it('are those a plain sort finds, whatever the totals know of the minutes', () => {
    const made = newTestStore()
    made.process(2, OTHER_BOOT)
    const store = opened(made, NOW_MS)
    const call = fc.record({
      minute: fc.nat(8),
      second: fc.nat(59),
      process: fc.constantFrom(1, 2),
      fn: fc.constantFrom('A.x', 'A.y', 'B'),
      durationMs: fc.nat(1_000),
      fails: fc.integer({ min: 0, max: 5 }).map(n => n === 0),
      // A call is counted up to a minute later.
      countedLater: fc.boolean(),
    })
    const filter = fc.record(
      {
        since: fc.nat(9).map(minute => new Date(T0_MS + minute * MINUTE)),
        until: fc.nat(9).map(minute => new Date(T0_MS + minute * MINUTE + 30_000)),
        function: fc.constantFrom('A.*', 'B'),
        outcome: fc.constantFrom('ok' as const, 'error' as const),
        minDurationMs: fc.nat(1_000),
      },
      { requiredKeys: [] },
    )
    const property = fc.property(
      fc.array(call, { maxLength: 30 }),
      filter,
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom('clean', 'lost', null),
      (calls, asked, limit, ending) => {
        made.db.exec('DELETE FROM errors; DELETE FROM calls; DELETE FROM totals')
        const counted = new Map<
          string,
          { minute: number; fn: string; process: number; calls: number; maxMs: number }
        >()
        const last = [0, 0, 0]
        for (const row of calls) {
          const { fn, process, durationMs, minute, second } = row
          const seed = { atMs: T0_MS + minute * MINUTE + second * 1000, fn, process, durationMs }
          if (row.fails) made.error(seed)
          else made.call(seed)
          const counting = minute + (row.countedLater ? 1 : 0)
          const key = `${counting} ${fn} ${process}`
          const known = counted.get(key) ?? { minute: counting, fn, process, calls: 0, maxMs: 0 }
          counted.set(key, { ...known, calls: known.calls + 1, maxMs: Math.max(known.maxMs, durationMs) })
          last[process] = Math.max(last[process] ?? 0, counting)
        }
        for (const row of counted.values()) made.totals(T0_MS + row.minute * MINUTE, row.fn, row)
        for (const process of [1, 2]) {
          made.run(
            'UPDATE processes SET started_us = ?, last_seen_us = ?, ending = ? WHERE process_id = ?',
            T0_MS * 1000,
            (T0_MS + (last[process] ?? 0) * MINUTE) * 1000,
            ending,
            process,
          )
        }
        const expected = calls
          .filter(row => {
            const ms = T0_MS + row.minute * MINUTE + row.second * 1000
            return (
              (asked.since === undefined || ms >= asked.since.getTime()) &&
              (asked.until === undefined || ms < asked.until.getTime()) &&
              (asked.function === undefined || row.fn.startsWith(asked.function.replace('*', ''))) &&
              (asked.outcome === undefined || row.fails === (asked.outcome === 'error')) &&
              (asked.minDurationMs === undefined || row.durationMs >= asked.minDurationMs)
            )
          })
          .map(({ durationMs }) => durationMs)
          .sort((a, b) => b - a)
        expect(store.slow({ ...asked, limit }).map(row => row.duration_ms)).toEqual(expected.slice(0, limit))
      },
    )
    fc.assert(property, { numRuns: 400 })
  })

  it('are found where no totals are, or those of other minutes only', () => {
    const made = newTestStore()
    made.call({ atMs: T0_MS, durationMs: 5 })
    made.call({ atMs: T0_MS + 90 * MINUTE, durationMs: 9 })
    expect(opened(made, NOW_MS).slow({ limit: 1 })[0]?.duration_ms).toBe(9)
    made.totals(T0_MS + 30 * MINUTE, 'Orders.place', { calls: 1, maxMs: 1 })
    made.run(
      'UPDATE processes SET started_us = 0, last_seen_us = ?, ending = NULL',
      (T0_MS + 90 * MINUTE) * 1000,
    )
    expect(opened(made, NOW_MS).slow({ limit: 1 })[0]?.duration_ms).toBe(9)
  })

  it('are found in a file begun anew, whose first records the one before had counted', () => {
    const made = newTestStore()
    made.run('UPDATE processes SET started_us = ?', (T0_MS - 60 * MINUTE) * 1000)
    made.call({ atMs: T0_MS + 1, durationMs: 90 })
    made.call({ atMs: T0_MS + 2, durationMs: 5 })
    made.call({ atMs: T0_MS + 10 * MINUTE, durationMs: 7 })
    made.totals(T0_MS, 'Orders.place', { calls: 1, maxMs: 5 })
    made.totals(T0_MS + 10 * MINUTE, 'Orders.place', { calls: 1, maxMs: 7 })
    expect(opened(made, NOW_MS).slow({ limit: 1 })[0]?.duration_ms).toBe(90)
  })

  it('stand beside the percentiles of all calls of their function in the span', () => {
    const made = newTestStore()
    made.call({ atMs: T0_MS, fn: 'A', durationMs: 80 })
    made.call({ atMs: T0_MS, fn: 'B', durationMs: 70 })
    made.totals(T0_MS, 'A', { calls: 100, maxMs: 80, buckets: { 100: 98, 200: 2 } })
    const store = opened(made, NOW_MS)
    const [total] = store.top()
    expect(store.slow()).toMatchObject([
      { function: 'A', p95_ms: total?.p95_ms, p99_ms: total?.p99_ms, duration_ms: 80 },
      { function: 'B', p95_ms: null, p99_ms: null, duration_ms: 70 },
    ])
    expect(store.slow({ error: 'TypeError', outcome: 'ok' })).toEqual([])
  })
})
