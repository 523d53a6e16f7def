import type { Steps } from './range.js'
import type { TotalsWalk } from './totals-walk.js'

/** Latency over time: `counts[step][row]` calls whose duration lay between `boundsMs[row]` and `boundsMs[row + 1]`. */
export interface Heatmap {
  readonly startMs: number
  readonly stepMs: number
  readonly boundsMs: readonly number[]
  readonly counts: readonly (readonly number[])[]
}

/** More rows than this are no picture any more: then two, four or eight buckets make one row. */
const MAX_ROWS = 48
const BUCKETS_PER_ROW = [1, 2, 4, 8, 16]

/** From the row of the shortest call to that of the longest one; without calls it has no rows. */
export function heatmap(steps: Steps, { bounds, stepBuckets }: TotalsWalk): Heatmap {
  const { startMs, stepMs } = steps
  const isUsed = bounds.map(({ bucket }) => stepBuckets.some(counts => (counts[bucket] ?? 0) > 0))
  const first = isUsed.indexOf(true)
  const last = isUsed.lastIndexOf(true)
  if (first < 0) return { startMs, stepMs, boundsMs: [], counts: stepBuckets.map(() => []) }
  const rowsOf = (size: number) => Math.floor(last / size) - Math.floor(first / size) + 1
  const size = BUCKETS_PER_ROW.find(candidate => rowsOf(candidate) <= MAX_ROWS) ?? 16
  const begin = Math.floor(first / size) * size
  const rows = rowsOf(size)
  const lowerMs = (index: number) => (bounds[index - 1]?.upperNs ?? 0) / 1e6
  return {
    startMs,
    stepMs,
    boundsMs: Array.from({ length: rows + 1 }, (_, row) =>
      lowerMs(Math.min(bounds.length, begin + row * size)),
    ),
    counts: stepBuckets.map(counts =>
      Array.from({ length: rows }, (_, row) =>
        bounds
          .slice(begin + row * size, begin + (row + 1) * size)
          .reduce((sum, { bucket }) => sum + Math.max(0, counts[bucket] ?? 0), 0),
      ),
    ),
  }
}
