import type { RowReader } from '../read-file.js'
import { type CallFilter, type ErrorFilter, type Outcome, toMinDurationNs, toOutcome } from './filter.js'
import { hasFunction, toRecordQuery } from './record-query.js'
import type { CallRow, ErrorRow } from './rows.js'
import { keysOf, type Slice, slicesOf } from './slices.js'
import { callsSql, errorsSql } from './statements.js'

/** Calls that failed, newest first. */
export function readErrors(read: RowReader, filter: ErrorFilter, nowMs: number): ErrorRow[] {
  const { conditions, params, bounds } = toRecordQuery(filter, nowMs, filter.fingerprint)
  return hasFunction(read, bounds) ? read.all<ErrorRow>(errorsSql(conditions), params) : []
}

/**
 * Calls, newest first. A limit ends the walk early unless few records fit; then the exact totals say which minutes need
 * not be looked at, because the functions had no call in them, or none that took so long. Errors are few and may be stored
 * without being counted: those of every minute are looked at.
 */
export function readNewest(read: RowReader, filter: CallFilter, nowMs: number): CallRow[] {
  const outcome = toOutcome(filter)
  const { conditions, params, bounds } = toRecordQuery(filter, nowMs)
  const leastNs = toMinDurationNs(filter.minDurationMs) ?? 0
  // What returned has no class of error.
  if (outcome === 'ok' && conditions.error) return []
  if (!hasFunction(read, bounds)) return []
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
