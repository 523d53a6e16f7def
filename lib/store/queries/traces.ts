import type { RowReader } from '../read-file.js'
import { type TraceFilter, toBounds } from './filter.js'
import { findCalls, findTraces } from './find-traces.js'
import { type ErrorDetail, errorsOfCallSql, TRACE_SQL, type TraceRow } from './statements.js'

const DEFAULT_LIMIT = 10_000

/** @param id of a trace, or of one of its calls */
export function readTraces(read: RowReader, id: string, filter: TraceFilter, nowMs: number): TraceRow[] {
  const { sinceId, untilId, limit } = toBounds({ ...filter, limit: filter.limit ?? DEFAULT_LIMIT }, nowMs)
  return findTraces(read, id).flatMap(key =>
    read.all<TraceRow>(TRACE_SQL, { ...key, sinceId, untilId, limit }),
  )
}

export function readErrorsOfCall(read: RowReader, callId: string): ErrorDetail[] {
  return findCalls(read, callId).flatMap(({ process, trace, call }) =>
    read.all<ErrorDetail>(errorsOfCallSql(), { process, trace, call }),
  )
}
