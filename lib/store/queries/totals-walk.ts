import { addBuckets, NO_BUCKETS } from '../bucket-texts.js'
import type { ReadFile, RowReader } from '../read-file.js'
import type { Steps } from './range.js'
import { BUCKET_BOUNDS_SQL, bucketsSql } from './statements.js'
import { type BucketBound, noCounts } from './totals.js'

/** Exact sums of one function over a span of time, and in each of its steps. */
export interface FunctionWalk {
  calls: number
  errors: number
  timed: number
  sumNs: number
  maxNs: number
  readonly stepCalls: number[]
  readonly stepErrors: number[]
  readonly buckets: Float64Array
}

/** The totals of a span of time: every figure below is a sum over the same rows, so that they agree. */
export interface TotalsWalk {
  readonly bounds: readonly BucketBound[]
  readonly functions: ReadonlyMap<number, FunctionWalk>
  /** Of all these functions together, per step. */
  readonly stepBuckets: readonly Float64Array[]
  readonly stepMaxNs: readonly number[]
}

interface StepSums {
  readonly functionId: number
  readonly step: number
  readonly calls: number
  readonly errors: number
  readonly timed: number
  readonly sumNs: number
  readonly maxNs: number
}

/** What one read covers at most: some milliseconds of work, after which the WAL is free and a question can be ended. */
const SLICE_MINUTES = 60

const scopeSql = (some: boolean) => `minute >= $sinceMinute AND minute < $untilMinute
    ${some ? 'AND function_id IN (SELECT value FROM json_each($functionIds))' : ''}`

function stepSumsSql(some: boolean): string {
  return `SELECT function_id AS functionId, (minute - $startMinute) / $stepMinutes AS step, sum(calls) AS calls,
      sum(errors) AS errors, sum(timed) AS timed, sum(duration_sum_ns) AS sumNs, max(duration_max_ns) AS maxNs
    FROM totals WHERE ${scopeSql(some)} GROUP BY 1, 2`
}

/** @param functionIds only of these functions; `null`: of all */
export function walkTotals(
  read: RowReader & Pick<ReadFile, 'snapshot'>,
  steps: Steps,
  functionIds: readonly number[] | null,
): TotalsWalk {
  const bounds = read.all<BucketBound>(BUCKET_BOUNDS_SQL, {})
  const functions = new Map<number, FunctionWalk>()
  const stepBuckets = Array.from({ length: steps.count }, () => noCounts(bounds))
  const stepMaxNs = new Array<number>(steps.count).fill(0)
  const some = functionIds !== null
  const scope = some ? { functionIds: JSON.stringify(functionIds) } : {}
  const { startMinute, stepMinutes } = steps
  const stepsPerSlice = Math.max(1, Math.floor(SLICE_MINUTES / stepMinutes))
  for (let step = 0; step < steps.count; step += stepsPerSlice) {
    const sinceMinute = startMinute + step * stepMinutes
    const untilMinute = startMinute + Math.min(steps.count, step + stepsPerSlice) * stepMinutes
    const span = { sinceMinute, untilMinute, ...scope }
    read.snapshot(() => {
      for (const row of read.all<StepSums>(stepSumsSql(some), { ...span, startMinute, stepMinutes })) {
        add(walkOf(functions, row.functionId, steps.count, bounds), row)
        stepMaxNs[row.step] = Math.max(stepMaxNs[row.step] ?? 0, row.maxNs)
      }
      const ofMinutes = { first: sinceMinute, behind: untilMinute, ...scope }
      for (const { at, texts } of read.all<{ at: number; texts: Buffer }>(
        bucketsSql('minute', some),
        ofMinutes,
      )) {
        const ofStep = stepBuckets[Math.floor((at - startMinute) / stepMinutes)] ?? NO_BUCKETS
        addBuckets(texts, functionId => functions.get(functionId)?.buckets ?? NO_BUCKETS, ofStep)
      }
    })
  }
  return { bounds, functions, stepBuckets, stepMaxNs }
}

function walkOf(
  functions: Map<number, FunctionWalk>,
  functionId: number,
  steps: number,
  bounds: readonly BucketBound[],
): FunctionWalk {
  let walk = functions.get(functionId)
  if (walk === undefined) functions.set(functionId, (walk = emptyWalk(steps, bounds)))
  return walk
}

export function emptyWalk(steps: number, bounds: readonly BucketBound[]): FunctionWalk {
  const none = () => new Array<number>(steps).fill(0)
  return {
    calls: 0,
    errors: 0,
    timed: 0,
    sumNs: 0,
    maxNs: 0,
    stepCalls: none(),
    stepErrors: none(),
    buckets: noCounts(bounds),
  }
}

function add(walk: FunctionWalk, { step, calls, errors, timed, sumNs, maxNs }: StepSums): void {
  walk.calls += calls
  walk.errors += errors
  walk.timed += timed
  walk.sumNs += sumNs
  walk.maxNs = Math.max(walk.maxNs, maxNs)
  walk.stepCalls[step] = (walk.stepCalls[step] ?? 0) + calls
  walk.stepErrors[step] = (walk.stepErrors[step] ?? 0) + errors
}
