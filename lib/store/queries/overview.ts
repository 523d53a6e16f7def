import type { ReadFile } from '../read-file.js'
import { type Coverage, readCoverage } from './coverage.js'
import { type ScopeFilter, toBounds } from './filter.js'
import { readIncidents, readStalls } from './incidents.js'
import { coveredSeconds, type Range, type Recorded, stepsOf } from './range.js'
import type { IncidentRow, StallRow } from './rows.js'
import { type LatencySeries, latencySeries, type Series } from './series.js'
import { percentilesOf } from './totals.js'
import { type FunctionWalk, type TotalsWalk, walkTotals } from './totals-walk.js'

/** Exact sums of one function over the range, every call counted, and how they went. */
export interface FunctionOverview {
  readonly function: string
  readonly calls: number
  readonly errors: number
  /** Calls per second of the range that is covered by the recording. */
  readonly callsPerSecond: number
  /** Sum of the durations of all its calls, milliseconds. */
  readonly totalMs: number
  /** Its part of the sum of all functions, 0 to 1. Calls inside calls count twice. */
  readonly shareOfTime: number
  readonly meanMs: number | null
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
  readonly maxMs: number | null
  readonly series: Series
}

export interface Overview {
  /** As asked, widened to whole steps of the series. */
  readonly range: Range
  /** The function that took most time first. */
  readonly functions: readonly FunctionOverview[]
  /** Of all functions that match, not only of those listed. */
  readonly total: LatencySeries
  readonly coverage: Coverage
  /** Recent incidents and stalls that touch the range, newest first, a few. */
  readonly incidents: readonly IncidentRow[]
  readonly stalls: readonly StallRow[]
}

const A_FEW = 100

const NAMES_SQL = 'SELECT function_id AS functionId, name FROM functions'
const NAMED_SQL = `${NAMES_SQL} WHERE name GLOB $pattern`

export function readOverview(
  read: ReadFile,
  asked: Range,
  filter: Pick<ScopeFilter, 'function'> & { readonly limit?: number | undefined },
  recorded: Recorded,
  nowMs: number,
): Overview {
  const steps = stepsOf(asked)
  const { range } = steps
  const scope = { ...filter, since: new Date(range.sinceMs), until: new Date(range.untilMs) }
  const bounds = toBounds(scope, nowMs)
  const { pattern, limit } = bounds
  const names = new Map(
    read
      .all<{ functionId: number; name: string }>(pattern === null ? NAMES_SQL : NAMED_SQL, {
        ...(pattern === null ? {} : { pattern }),
      })
      .map(({ functionId, name }) => [functionId, name]),
  )
  const walk = walkTotals(read, steps, pattern === null ? null : [...names.keys()])
  const spent = [...walk.functions].sort(([, a], [, b]) => b.sumNs - a.sumNs)
  const seconds = coveredSeconds(range, recorded)
  const allNs = pattern === null ? sumOf(walk) : sumOfAll(read, bounds)
  const few = { since: scope.since, until: scope.until, limit: A_FEW }
  return {
    range,
    functions: spent.slice(0, limit).map(([functionId, row]) => {
      const { startMs, stepMs } = steps
      return overviewOf(names.get(functionId) ?? '(unknown)', row, walk, {
        seconds,
        allNs,
        startMs,
        stepMs,
      })
    }),
    total: latencySeries(steps, walk),
    coverage: read.snapshot(() => readCoverage(read, bounds, nowMs)),
    incidents: readIncidents(read, few, nowMs),
    stalls: readStalls(read, few, nowMs),
  }
}

export function overviewOf(
  name: string,
  row: FunctionWalk,
  walk: Pick<TotalsWalk, 'bounds'>,
  of: { seconds: number; allNs: number; startMs: number; stepMs: number },
): FunctionOverview {
  const percentileMs = percentilesOf(row.buckets, walk.bounds, row.maxNs)
  return {
    function: name,
    calls: row.calls,
    errors: row.errors,
    callsPerSecond: row.calls / of.seconds,
    totalMs: row.sumNs / 1e6,
    shareOfTime: of.allNs > 0 ? row.sumNs / of.allNs : 0,
    meanMs: row.timed > 0 ? row.sumNs / 1e6 / row.timed : null,
    p50Ms: percentileMs(0.5),
    p95Ms: percentileMs(0.95),
    p99Ms: percentileMs(0.99),
    maxMs: row.timed > 0 ? row.maxNs / 1e6 : null,
    series: { startMs: of.startMs, stepMs: of.stepMs, calls: row.stepCalls, errors: row.stepErrors },
  }
}

function sumOf(walk: TotalsWalk): number {
  return [...walk.functions.values()].reduce((sum, row) => sum + row.sumNs, 0)
}

/** Time spent in all functions, those that were not asked for among them. */
export function sumOfAll(
  read: Pick<ReadFile, 'all'>,
  { sinceMinute, untilMinute }: { readonly sinceMinute: number; readonly untilMinute: number },
): number {
  const sql = `SELECT total(duration_sum_ns) AS sumNs FROM totals
    WHERE minute >= $sinceMinute AND minute < $untilMinute`
  return read.all<{ sumNs: number }>(sql, { sinceMinute, untilMinute })[0]?.sumNs ?? 0
}
