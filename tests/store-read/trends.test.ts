import { describe, expect, it } from 'vitest'
import fc from '../support/fast-check.js'
import { OTHER_BOOT, T0_MS } from './fixture.js'
import { newTestStore, opened } from './new-store.js'

function newStore() {
  const made = newTestStore()
  made.process(2, OTHER_BOOT)
  return { made, store: opened(made, T0_MS + 86_400_000) }
}

const MINUTE = 60_000

describe('trends', () => {
  it('add up to the totals, and their parts of the time to one', () => {
    const { made, store } = newStore()
    const minute = fc.record({
      minute: fc.nat(30),
      fn: fc.constantFrom('A.x', 'A.y', 'B'),
      process: fc.constantFrom(1, 2),
      calls: fc.integer({ min: 1, max: 1_000 }),
      sumMs: fc.integer({ min: 1, max: 1_000 }),
    })
    const property = fc.property(
      fc.uniqueArray(minute, {
        maxLength: 20,
        selector: ({ minute, fn, process }) => `${minute} ${fn} ${process}`,
      }),
      fc.integer({ min: 1, max: 40 }),
      (rows, steps) => {
        made.db.exec('DELETE FROM totals')
        for (const { minute, fn, ...row } of rows) made.totals(T0_MS + minute * MINUTE, fn, row)
        const trends = store.trends({ steps })
        const calls = (trend: (typeof trends)[number]) => trend.series.calls.reduce((sum, n) => sum + n, 0)
        expect(Object.fromEntries(trends.map(trend => [trend.function, calls(trend)]))).toEqual(
          Object.fromEntries(store.top().map(row => [row.function, row.calls])),
        )
        const shares = trends.reduce((sum, { share }) => sum + share, 0)
        expect(shares).toBeCloseTo(rows.length === 0 ? 0 : 1)
        const first = Math.min(...rows.map(row => row.minute))
        for (const { function: name, series } of trends) {
          expect(series.calls.length).toBeLessThanOrEqual(steps)
          expect(series.startMs).toBe(T0_MS + first * MINUTE)
          for (const [step, count] of series.calls.entries()) {
            const fromMs = series.startMs + step * series.stepMs
            const inStep = rows.filter(row => {
              const ms = T0_MS + row.minute * MINUTE
              return row.fn === name && ms >= fromMs && ms < fromMs + series.stepMs
            })
            expect(count).toBe(inStep.reduce((sum, row) => sum + row.calls, 0))
          }
        }
        const some = store.trends({ function: 'A.*', steps })
        expect(some.map(({ function: name, share }) => [name, share]).sort()).toEqual(
          trends
            .filter(trend => trend.function.startsWith('A.'))
            .map(({ function: name, share }) => [name, share])
            .sort(),
        )
      },
    )
    fc.assert(property, { numRuns: 100 })
  })

  it('refuse steps out of bounds', () => {
    const { store } = newStore()
    expect(() => store.trends({ steps: 0 })).toThrow(/1 to 1,000/)
  })
})
