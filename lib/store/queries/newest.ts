import type { RowReader } from '../read-file.js'
import type { Bounds, Outcome } from './filter.js'
import type { CallRow } from './rows.js'
import { keysOf, type Slice, slicesOf } from './slices.js'
import { type Conditions, callsSql } from './statements.js'

/**
 * Calls, newest first. A limit ends the walk early unless few records fit; then the exact totals say which minutes need
 * not be looked at, because the functions had no call in them, or none that took so long. Errors are few and may be stored
 * without being counted: those of every minute are looked at.
 */
export function readNewest(
  read: RowReader,
  request: {
    readonly conditions: Conditions
    readonly params: Readonly<Record<string, unknown>>
    readonly bounds: Bounds
    readonly outcome: Outcome | null
    readonly leastNs: number
  },
): CallRow[] {
  const { conditions, params, bounds, outcome, leastNs } = request
  const isPlain = !conditions.pattern && !conditions.minDuration
  if (isPlain || conditions.error || outcome === 'error')
    return read.all<CallRow>(callsSql(conditions, outcome), params)
  const rows: CallRow[] = []
  const look = (slice: Span, of: Outcome | null) => {
    const limit = bounds.limit - rows.length
    if (limit <= 0) return
    const found = read.all<CallRow>(callsSql(conditions, of), { ...params, ...keysOf(slice, bounds), limit })
    // One by one: as arguments of a call, a hundred thousand would end the stack.
    for (const row of found) rows.push(row)
  }
  let withoutCalls: Span | null = null
  const lookForErrors = () => {
    if (withoutCalls !== null && outcome !== 'ok') look(withoutCalls, 'error')
    withoutCalls = null
  }
  for (const slice of slicesOf(read, bounds).sort((a, b) => b.sinceMinute - a.sinceMinute)) {
    if (rows.length >= bounds.limit) break
    if (slice.longestNs === 0 || slice.longestNs < leastNs) {
      withoutCalls = { sinceMinute: slice.sinceMinute, untilMinute: endOf(withoutCalls) ?? slice.untilMinute }
      continue
    }
    lookForErrors()
    look(slice, outcome)
  }
  lookForErrors()
  return rows
}

type Span = Pick<Slice, 'sinceMinute' | 'untilMinute'>

function endOf(span: Span | null): number | undefined {
  return span?.untilMinute
}
