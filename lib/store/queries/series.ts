import type { Steps } from './range.js'
import { percentilesOf } from './totals.js'
import type { TotalsWalk } from './totals-walk.js'

/** Counts in equal steps of time; element `i` covers `startMs + i * stepMs` and the step that begins there. */
export interface Series {
  readonly startMs: number
  readonly stepMs: number
  readonly calls: readonly number[]
  readonly errors: readonly number[]
}

/** As {@link Series}, with the median and the 95th and 99th percentile of each step; `null` where nothing was timed. */
export interface LatencySeries extends Series {
  readonly p50Ms: readonly (number | null)[]
  readonly p95Ms: readonly (number | null)[]
  readonly p99Ms: readonly (number | null)[]
}

/** Of all functions of the walk together. */
export function latencySeries(steps: Steps, walk: TotalsWalk): LatencySeries {
  const percentiles = walk.stepBuckets.map((counts, step) =>
    percentilesOf(counts, walk.bounds, walk.stepMaxNs[step] ?? 0),
  )
  const functions = [...walk.functions.values()]
  const summed = (field: 'stepCalls' | 'stepErrors') =>
    percentiles.map((_, step) => functions.reduce((sum, row) => sum + (row[field][step] ?? 0), 0))
  return {
    startMs: steps.startMs,
    stepMs: steps.stepMs,
    calls: summed('stepCalls'),
    errors: summed('stepErrors'),
    p50Ms: percentiles.map(percentileMs => percentileMs(0.5)),
    p95Ms: percentiles.map(percentileMs => percentileMs(0.95)),
    p99Ms: percentiles.map(percentileMs => percentileMs(0.99)),
  }
}
