import type { RowReader } from '../read-file.js'
import { type TrendFilter, toBounds, toSteps } from './filter.js'
import { FUNCTION_IDS } from './statements.js'

/** How the calls of one function went over a span of time, and their part of all time spent; every call counted. */
export interface Trend {
  readonly function: string
  /** Sum of the durations of all its calls, milliseconds. */
  readonly total_ms: number
  /** Its part of the sum of all functions, 0 to 1. Calls inside calls count twice. */
  readonly share: number
  /** Calls in equal steps of whole minutes, Unix milliseconds. */
  readonly series: { readonly startMs: number; readonly stepMs: number; readonly calls: readonly number[] }
}

interface Sums {
  readonly function: string
  readonly step: number
  readonly calls: number
  readonly sumNs: number
}

const MS_PER_MINUTE = 60_000

const SPAN_SQL = `SELECT total(duration_sum_ns) AS sumNs, min(minute) AS first, max(minute) AS last FROM totals
  WHERE minute >= $sinceMinute AND minute < $untilMinute`
const sumsSql = (
  pattern: boolean,
) => `SELECT coalesce(f.name, '(unknown)') AS function, s.step AS step, s.calls AS calls, s.sumNs AS sumNs
  FROM (SELECT function_id, CAST((minute - $first) / $each AS INTEGER) AS step, total(calls) AS calls, total(duration_sum_ns) AS sumNs
    FROM totals WHERE minute >= $first AND minute <= $last ${pattern ? `AND ${FUNCTION_IDS}` : ''} GROUP BY 1, 2) s
  LEFT JOIN functions f ON f.function_id = s.function_id`

/** Of every function that was called in the span, in no order. The steps cover the minutes in which any call was counted. */
export function readTrends(read: RowReader, filter: TrendFilter, nowMs: number): Trend[] {
  const { sinceMinute, untilMinute, pattern } = toBounds(filter, nowMs)
  const steps = toSteps(filter.steps)
  const [span] = read.all<{ sumNs: number; first: number | null; last: number | null }>(SPAN_SQL, {
    sinceMinute,
    untilMinute,
  })
  if (span === undefined || span.first === null || span.last === null) return []
  const { first, last, sumNs } = span
  const each = Math.max(1, Math.ceil((last - first + 1) / steps))
  const rows = read.all<Sums>(sumsSql(pattern !== null), {
    first,
    last,
    each,
    ...(pattern === null ? {} : { pattern }),
  })
  const count = Math.ceil((last - first + 1) / each)
  const found = new Map<string, { ns: number; calls: number[] }>()
  for (const row of rows) {
    const known = found.get(row.function) ?? { ns: 0, calls: new Array<number>(count).fill(0) }
    found.set(row.function, known)
    known.ns += row.sumNs
    known.calls[row.step] = row.calls
  }
  return [...found].map(([name, { ns, calls }]) => ({
    function: name,
    total_ms: ns / 1e6,
    share: sumNs > 0 ? ns / sumNs : 0,
    series: { startMs: first * MS_PER_MINUTE, stepMs: each * MS_PER_MINUTE, calls },
  }))
}
