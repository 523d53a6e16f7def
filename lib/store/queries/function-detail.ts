import type { ReadFile } from '../read-file.js'
import { type Heatmap, heatmap } from './heatmap.js'
import { type FunctionOverview, overviewOf, sumOfAll } from './overview.js'
import { coveredSeconds, type Range, type Recorded, stepsOf } from './range.js'
import { type LatencySeries, latencySeries } from './series.js'
import { emptyWalk, walkTotals } from './totals-walk.js'

/** What the totals and the errors of one function say of a span of time. */
export interface FunctionDetail {
  /** As asked, widened to whole steps of the series. */
  readonly range: Range
  readonly totals: FunctionOverview
  readonly latency: LatencySeries
  readonly heatmap: Heatmap
  /** Counts of every call; errors by class as far as they are stored, the most frequent first. */
  readonly outcomes: {
    readonly ok: number
    readonly error: number
    readonly byError: readonly { readonly error: string; readonly count: number }[]
  }
}

/** Classes of errors that are listed. */
const MAX_CLASSES = 50
const ID_SQL = 'SELECT function_id AS functionId FROM functions WHERE name = $name'
const BY_ERROR_SQL = `SELECT error, count(*) AS count FROM errors
  WHERE id >= $sinceId AND id < $untilId AND function_id = $functionId
  GROUP BY error ORDER BY count DESC, error LIMIT ${MAX_CLASSES}`

/** @returns `null` when the recording has no function of this name */
export function readFunctionDetail(
  read: ReadFile,
  name: string,
  asked: Range,
  recorded: Recorded,
): FunctionDetail | null {
  const [known] = read.all<{ functionId: number }>(ID_SQL, { name })
  if (known === undefined) return null
  const { functionId } = known
  const steps = stepsOf(asked)
  const { range, startMs, stepMs, startMinute, stepMinutes, count } = steps
  const walk = walkTotals(read, steps, [functionId])
  const sums = walk.functions.get(functionId) ?? emptyWalk(count, walk.bounds)
  const minutes = { sinceMinute: startMinute, untilMinute: startMinute + count * stepMinutes }
  return {
    range,
    totals: overviewOf(name, sums, walk, {
      seconds: coveredSeconds(range, recorded),
      allNs: sumOfAll(read, minutes),
      startMs,
      stepMs,
    }),
    latency: latencySeries(steps, walk),
    heatmap: heatmap(steps, walk),
    outcomes: {
      ok: sums.calls - sums.errors,
      error: sums.errors,
      byError: read.all<{ error: string; count: number }>(BY_ERROR_SQL, {
        sinceId: keyAt(range.sinceMs),
        untilId: keyAt(range.untilMs),
        functionId,
      }),
    },
  }
}

function keyAt(unixMs: number): bigint {
  return BigInt(Math.round(unixMs * 1000)) * 2048n
}
