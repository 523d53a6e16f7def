import type { RowReader } from '../read-file.js'
import { type LossFilter, toBounds } from './filter.js'
import { type LossRow, lossesSql } from './statements.js'

export function readLosses(read: RowReader, filter: LossFilter, nowMs: number): LossRow[] {
  const { sinceMinute, untilMinute, pattern, limit } = toBounds(filter, nowMs)
  const params = { sinceMinute, untilMinute, limit, ...(pattern === null ? {} : { pattern }) }
  return read.all<LossRow>(lossesSql(pattern !== null), params)
}
