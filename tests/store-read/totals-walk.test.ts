import { describe, expect, it, onTestFinished } from 'vitest'
import { stepsOf } from '../../lib/store/queries/range.js'
import { walkTotals } from '../../lib/store/queries/totals-walk.js'
import { ReadFile } from '../../lib/store/read-file.js'
import { T0_MS } from './fixture.js'
import { newTestStore } from './new-store.js'

const MINUTE_MS = 60_000
const HOUR = 60

describe('a walk over totals', () => {
  it('reads an hour at a time however long its steps are, and nothing where nobody has counted', () => {
    const made = newTestStore()
    const days = 3
    for (let minute = 0; minute < days * 24 * HOUR; minute += 10)
      made.totals(T0_MS + minute * MINUTE_MS, 'A', { calls: 1, errors: minute % 20 === 0 ? 1 : 0 })
    // A machine that did not know the time yet.
    made.totals(0, 'A', { calls: 5 })
    const file = ReadFile.open(made.path)
    onTestFinished(() => file.close())
    const read: { rows: number }[] = []
    const reader = {
      all<Row>(sql: string, params: Readonly<Record<string, unknown>>): Row[] {
        const rows = file.all<Row>(sql, params)
        read.push({ rows: rows.length })
        return rows
      },
    }
    const steps = stepsOf({ sinceMs: 0, untilMs: T0_MS + days * 24 * HOUR * MINUTE_MS })
    expect(steps.stepMinutes).toBeGreaterThan(24 * HOUR)
    const walk = walkTotals(reader, steps, null)
    const [totals] = walk.functions.values()
    expect(totals).toMatchObject({ calls: days * 24 * 6 + 5, errors: days * 24 * 3 })
    expect(totals?.stepCalls.reduce((sum, calls) => sum + calls, 0)).toBe(totals?.calls)
    expect(totals?.stepCalls[0]).toBe(5)
    const [, ...slices] = read
    expect(Math.max(...slices.map(({ rows }) => rows))).toBe(HOUR / 10)
    expect(slices.length).toBeLessThanOrEqual(2 * (days * 24 + 2))
  })
})
