import type { ReadFile } from '../read-file.js'
import { type Heatmap, heatmap } from './heatmap.js'
import { type FunctionOverview, overviewOf, sumOfAll } from './overview.js'
import { coveredSeconds, type Range, type Recorded, stepsOf } from './range.js'
import { type LatencySeries, latencySeries } from './series.js'
import { emptyWalk, walkTotals } from './totals-walk.js'

/** What the totals of one function say of a span of time. */
export interface FunctionDetail {
  /** As asked, widened to whole steps of the series. */
  readonly range: Range
  readonly totals: FunctionOverview
  readonly latency: LatencySeries
  readonly heatmap: Heatmap
  /** Counts of every call. */
  readonly outcomes: { readonly ok: number; readonly error: number }
}

const ID_SQL = 'SELECT function_id AS functionId FROM functions WHERE name = $name'

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
    outcomes: { ok: sums.calls - sums.errors, error: sums.errors },
  }
}
