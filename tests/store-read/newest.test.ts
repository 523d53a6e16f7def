import { describe, expect, it } from 'vitest'
import fc from '../support/fast-check.js'
import { OTHER_BOOT, T0_MS } from './fixture.js'
import { newOpenedStore, newTestStore, opened } from './new-store.js'

const MINUTE = 60_000

describe('calls of some functions or of some length', () => {
  it('are those a plain look at every record finds, whatever minutes the totals pass over', () => {
    const { made, store } = newOpenedStore(T0_MS + 86_400_000)
    made.process(2, OTHER_BOOT)
    const call = fc.record({
      minute: fc.nat(12),
      second: fc.nat(59),
      process: fc.constantFrom(1, 2),
      fn: fc.constantFrom('A.x', 'A.y', 'B'),
      durationMs: fc.nat(100),
      fails: fc.boolean(),
      countedLater: fc.boolean(),
    })
    const filter = fc.record(
      {
        since: fc.nat(12).map(minute => new Date(T0_MS + minute * MINUTE)),
        until: fc.nat(13).map(minute => new Date(T0_MS + minute * MINUTE + 30_000)),
        function: fc.constantFrom('A.*', 'A.x', 'B'),
        outcome: fc.constantFrom('ok' as const, 'error' as const),
        minDurationMs: fc.nat(120),
      },
      { requiredKeys: [] },
    )
    const property = fc.property(
      fc.array(call, { maxLength: 25 }),
      filter,
      fc.integer({ min: 1, max: 8 }),
      fc.constantFrom('clean', 'lost', null),
      (calls, asked, limit, ending) => {
        made.db.exec('DELETE FROM errors; DELETE FROM calls; DELETE FROM totals')
        const lastUs = (T0_MS + 14 * MINUTE) * 1000
        made.run(
          'UPDATE processes SET last_seen_us = ?, ended_us = ?, ending = ? WHERE process_id = 2',
          lastUs,
          ending === null ? null : lastUs,
          ending,
        )
        made.run('UPDATE processes SET last_seen_us = ? WHERE process_id = 1', lastUs)
        const counted = new Map<string, { atMs: number; fn: string; process: number; maxMs: number }>()
        for (const { minute, second, process, fn, durationMs, fails, countedLater } of calls) {
          const seed = { atMs: T0_MS + minute * MINUTE + second * 1000, fn, process, durationMs }
          if (fails) made.error(seed)
          else made.call(seed)
          const key = `${minute + Number(countedLater)} ${fn} ${process}`
          const known = counted.get(key)
          const maxMs = Math.max(known?.maxMs ?? 0, durationMs)
          counted.set(key, { atMs: T0_MS + (minute + Number(countedLater)) * MINUTE, fn, process, maxMs })
        }
        // Of a process that died the last calls are stored and nowhere counted.
        for (const { atMs, fn, process, maxMs } of counted.values())
          made.totals(atMs, fn, { calls: 1, maxMs, process })
        const patternOf = { 'A.*': /^A\./, 'A.x': /^A\.x$/, B: /^B$/ } as const
        const expected = store
          .calls({ limit: 1_000, since: asked.since, until: asked.until })
          .filter(
            row =>
              (asked.function === undefined || patternOf[asked.function].test(row.function)) &&
              (asked.outcome === undefined || row.outcome === asked.outcome) &&
              row.duration_ms >= (asked.minDurationMs ?? 0),
          )
        expect(store.calls({ ...asked, limit })).toEqual(expected.slice(0, limit))
      },
    )
    fc.assert(property, { numRuns: 150 })
  })

  it('are listed however many they are', () => {
    const made = newTestStore()
    const count = 150_000
    const fn = made.fn('A')
    made.run(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
       INSERT INTO calls SELECT ? + i, ${fn}, 1, 1, 1, i, i, NULL, 0, NULL, NULL, NULL, NULL FROM n`,
      made.id(T0_MS),
    )
    made.totals(T0_MS, 'A', { calls: count })
    const store = opened(made, T0_MS + 86_400_000)
    expect(store.calls({ function: 'A', limit: 1_000_000 })).toHaveLength(count)
  })
})
