import { ABSENT, addBuckets, NO_BUCKETS } from '../bucket-texts.js'
import type { RowReader } from '../read-file.js'
import { type Bounds, oneOf, TOTAL_ORDERS, type TotalFilter, type TotalOrder, toBounds } from './filter.js'
import {
  BUCKET_BOUNDS_SQL,
  bucketsSql,
  type FunctionSums,
  type FunctionTotals,
  sumsSql,
} from './statements.js'
import { spansAsParams, totalSpans } from './total-spans.js'

export interface BucketBound {
  readonly bucket: number
  readonly upperNs: number
}

/** Counts for every bucket of a file. A bucket that none of its texts names stays absent. */
export function noCounts(bounds: readonly BucketBound[]): Float64Array {
  return new Float64Array(1 + Math.max(-1, ...bounds.map(({ bucket }) => bucket))).fill(ABSENT)
}

/** Largest first in the order the filter asks for. */
export function readTop(read: RowReader, filter: TotalFilter, nowMs: number): FunctionTotals[] {
  const order = oneOf('sort', filter.sort, TOTAL_ORDERS) ?? 'total'
  return readTotals(read, toBounds(filter, nowMs), order)
}

/**
 * As the view `function_totals`, of a span of minutes and some functions. Latency buckets are merged here and only
 * for the functions that are returned: 360 minutes of 50 functions take a quarter of the time of the view's SQL.
 */
export function readTotals(read: RowReader, bounds: Bounds, order: TotalOrder): FunctionTotals[] {
  const { pattern, limit } = bounds
  const spans = totalSpans(read, bounds)
  const sums = read.all<FunctionSums>(sumsSql(pattern !== null, order), {
    ...spansAsParams(spans),
    limit,
    ...(pattern === null ? {} : { pattern }),
  })
  const upperBounds = read.all<BucketBound>(BUCKET_BOUNDS_SQL, {})
  const counts = new Map(sums.map(({ functionId }) => [functionId, noCounts(upperBounds)]))
  // Asking of each row whether it is wanted costs as much as reading it.
  const some = pattern !== null || sums.length === limit
  const wanted = some ? { functionIds: JSON.stringify([...counts.keys()]) } : {}
  for (const { unit, first, behind } of spans) {
    const rows = read.all<{ texts: Buffer }>(bucketsSql(unit, some), { first, behind, ...wanted })
    for (const { texts } of rows) addBuckets(texts, id => counts.get(id) ?? NO_BUCKETS)
  }
  return sums.map(row => {
    const percentileMs = percentilesOf(counts.get(row.functionId) ?? NO_BUCKETS, upperBounds, row.maxNs)
    return {
      function: row.function,
      calls: row.calls,
      errors: row.errors,
      mean_ms: row.meanMs,
      p50_ms: percentileMs(0.5),
      p95_ms: percentileMs(0.95),
      p99_ms: percentileMs(0.99),
      max_ms: row.meanMs === null ? null : row.maxNs / 1e6,
    }
  })
}

/** Upper bound of the bucket that holds the call at this share of all, never above the longest call. */
export function percentilesOf(
  counts: Float64Array,
  upperBounds: readonly BucketBound[],
  maxNs: number,
): (share: number) => number | null {
  const total = upperBounds.reduce((sum, { bucket }) => sum + Math.max(0, counts[bucket] ?? 0), 0)
  return share => {
    let upTo = 0
    for (const { bucket, upperNs } of upperBounds) {
      const count = counts[bucket] ?? ABSENT
      if (count === ABSENT) continue
      upTo += count
      if (upTo >= share * total) return Math.min(upperNs, maxNs) / 1e6
    }
    return null
  }
}
