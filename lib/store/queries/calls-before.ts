import type { RowReader } from '../read-file.js'
import type { Store } from '../readable-store.js'
import { MAX_LIMIT } from './filter.js'
import { findCalls } from './find-traces.js'
import type { CallRow, TraceRow } from './rows.js'
import { CALL_COLUMNS, ERROR_LEG, NAMES, OK_LEG } from './statements.js'

/** An error as an answer names it. */
export interface ErrorName {
  /** 16 hex digits. */
  readonly call_id: string
  /** 32 hex digits. */
  readonly trace_id: string
}

/** Where other processes fill the store, more and more records are looked at, and no more than the last of these. */
const LOOKED_AT = [500, 50_000]

const ERROR_KEY_SQL = `SELECT CAST(e.id AS TEXT) AS id, p.started_us AS startedUs FROM errors e
  CROSS JOIN processes p ON p.process_id = e.process_id
  WHERE e.trace = $trace AND e.process_id = $process AND e.call = $call ORDER BY e.id DESC LIMIT 1`

/** Of the records before `$before` those of one process. Nothing of it can have ended before it started. */
const within = (table: string) => `process_id = $process AND id IN (
    SELECT id FROM ${table} WHERE id < $before AND id >= $startedId ORDER BY id DESC LIMIT $lookedAt)`
const CALLS_BEFORE_SQL = `SELECT ${CALL_COLUMNS}
  FROM (${OK_LEG(within('calls'))} UNION ALL ${ERROR_LEG(within('errors'))} ORDER BY id DESC LIMIT $limit) r ${NAMES('r')}
  ORDER BY r.id DESC`

/** What surrounds an error: its trace, and of the calls before it those that the trace does not show. */
export interface Surroundings {
  readonly trace: readonly TraceRow[]
  /** Recorded calls of its process that ended before it, newest first. */
  readonly before: readonly CallRow[]
}

export function surroundingsOf(
  store: Pick<Store, 'trace' | 'callsBefore'>,
  error: ErrorName,
  most: { readonly trace: number; readonly before: number },
): Surroundings {
  const trace = store.trace(error.trace_id, { limit: most.trace })
  const shown = new Set(trace.map(keyOf))
  const before = store.callsBefore(error, { limit: Math.min(MAX_LIMIT, most.before + trace.length) })
  return { trace, before: before.filter(row => !shown.has(keyOf(row))).slice(0, most.before) }
}

/** A call id is unique within its process. */
function keyOf(row: CallRow): string {
  return `${row.trace_id} ${row.call_id} ${row.process}`
}

export function readCallsBefore(read: RowReader, error: ErrorName, limit: number): CallRow[] {
  const found = findCalls(read, error.call_id).find(({ traceId }) => traceId === error.trace_id)
  if (found === undefined) return []
  const { process, trace, call } = found
  const [key] = read.all<{ id: string; startedUs: number }>(ERROR_KEY_SQL, { process, trace, call })
  if (key === undefined) return []
  const startedId = BigInt(Math.max(0, Math.floor(key.startedUs))) * 2048n
  let rows: CallRow[] = []
  for (const lookedAt of LOOKED_AT) {
    rows = read.all<CallRow>(CALLS_BEFORE_SQL, {
      process,
      before: BigInt(key.id),
      startedId,
      lookedAt,
      limit,
    })
    if (rows.length === limit) break
  }
  return rows
}
