import type { RowReader } from '../read-file.js'
import { type Bounds, type RecordFilter, text, toBounds, toMinDurationNs } from './filter.js'
import { type Conditions, FUNCTION_EXISTS_SQL } from './statements.js'

/** A question for records, as the statements take it. */
export interface RecordQuery {
  readonly conditions: Conditions
  /** What the conditions compare with, `limit` among it. */
  readonly params: Readonly<Record<string, unknown>>
  readonly bounds: Bounds
}

/**
 * @param alike fingerprint of errors; ordinary calls have none
 * @throws StoreQueryError when a value of the filter is not acceptable
 */
export function toRecordQuery(filter: RecordFilter, nowMs: number, alike?: string): RecordQuery {
  const bounds = toBounds(filter, nowMs)
  const minDurationNs = toMinDurationNs(filter.minDurationMs)
  const error = filter.error === undefined ? null : text('error', filter.error)
  const fingerprint = alike === undefined ? null : text('fingerprint', alike)
  const { sinceId, untilId, limit, pattern } = bounds
  return {
    bounds,
    conditions: {
      pattern: pattern !== null,
      error: error !== null,
      fingerprint: fingerprint !== null,
      minDuration: minDurationNs !== null,
    },
    params: {
      sinceId,
      untilId,
      limit,
      ...(pattern === null ? {} : { pattern }),
      ...(error === null ? {} : { error }),
      ...(fingerprint === null ? {} : { fingerprint }),
      ...(minDurationNs === null ? {} : { minDurationNs }),
    },
  }
}

/** Whether there can be any: a name that no function has would otherwise cost a walk over every record. */
export function hasFunction(read: RowReader, { pattern }: Bounds): boolean {
  return pattern === null || read.all(FUNCTION_EXISTS_SQL, { pattern }).length > 0
}
