import type { Outcome, TotalOrder } from './filter.js'
import { ID_SALT_BITS } from './schema.js'

/** Row of the view `recent_errors`: a call that failed. */
export interface ErrorRow {
  /** Start, ISO-8601 UTC with milliseconds. */
  readonly at: string
  readonly function: string
  /** Class name of what was thrown. */
  readonly error: string
  readonly message: string
  readonly duration_ms: number
  /** JSON text. */
  readonly args: string | null
  readonly stack: string | null
  /** 32 hex digits. */
  readonly trace_id: string
  /** 16 hex digits, unique within one process. */
  readonly call_id: string
  /** `script[pid]` */
  readonly process: string
}

/** An error with everything that is stored of it. */
export interface ErrorDetail extends ErrorRow {
  readonly parent_id: string | null
  /** JSON text: cause, aggregated errors, own fields. */
  readonly details: string | null
  /** JSON text: what capture left out and why, `{"items":1,"redacted":2}`. */
  readonly cuts: string | null
  /** 16 hex digits, equal for errors of one function and class whose messages differ in numbers only. */
  readonly fingerprint: string
}

/** Row of the view `recent_calls`. */
export interface CallRow {
  /** Start, ISO-8601 UTC with milliseconds. */
  readonly at: string
  readonly function: string
  readonly outcome: Outcome
  readonly duration_ms: number
  /** JSON text. */
  readonly args: string | null
  /** JSON text; `null` for a call that failed. */
  readonly result: string | null
  /** 1 / probability that this record was kept: sums of weights estimate the number of calls. */
  readonly weight: number
  readonly trace_id: string
  readonly parent_id: string | null
  readonly call_id: string
  readonly process: string
}

/** A call of one trace. */
export interface TraceRow extends CallRow {
  /** Start in Unix microseconds. */
  readonly start_us: number
  readonly error: string | null
  readonly message: string | null
}

/** Row of the view `function_totals`: every call, recorded or not. */
export interface FunctionTotals {
  readonly function: string
  readonly calls: number
  readonly errors: number
  readonly mean_ms: number | null
  /** Percentiles are exact to the latency bucket, at most 12.5 % wide. */
  readonly p50_ms: number | null
  readonly p95_ms: number | null
  readonly p99_ms: number | null
  readonly max_ms: number | null
}

/** Row of the view `losses`: records that are not in the store. */
export interface LossRow {
  /** ISO-8601 UTC. */
  readonly minute: string
  readonly function: string
  readonly reason: string
  readonly count: number
}

const AT = (id: string) => `strftime('%Y-%m-%dT%H:%M:%fZ', (${id} >> ${ID_SALT_BITS}) / 1e6, 'unixepoch')`
const HEX = (column: string) => `printf('%016x', ${column})`
const PARENT = (row: string) => `CASE WHEN ${row}.parent IS NOT NULL THEN ${HEX(`${row}.parent`)} END`
const PROCESS = `p.script || '[' || p.pid || ']'`
const FUNCTION_IDS = `function_id IN (SELECT function_id FROM functions WHERE name GLOB $pattern)`
// CROSS JOIN fixes the order of the loops: the record tables are walked along their key and a limit ends the walk.
const NAMES = (row: string) =>
  `CROSS JOIN functions f ON f.function_id = ${row}.function_id CROSS JOIN processes p ON p.process_id = ${row}.process_id`

/** Which conditions a statement carries; an absent one costs nothing, so there is one text per combination. */
export interface Conditions {
  readonly pattern: boolean
  readonly error: boolean
  readonly minDuration: boolean
}

function recordRange(conditions: Conditions): string {
  const terms = ['id >= $sinceId AND id < $untilId']
  if (conditions.pattern) terms.push(FUNCTION_IDS)
  if (conditions.error) terms.push('error = $error')
  if (conditions.minDuration) terms.push('duration_ns >= $minDurationNs')
  return terms.join(' AND ')
}

const ERROR_COLUMNS = `${AT('e.id')} AS at, f.name AS function, e.error AS error, e.message AS message,
  e.duration_ns / 1e6 AS duration_ms, e.args AS args, e.stack AS stack,
  p.boot || ${HEX('e.trace')} AS trace_id, ${HEX('e.call')} AS call_id, ${PROCESS} AS process`

export function errorsSql(conditions: Conditions): string {
  return `SELECT ${ERROR_COLUMNS} FROM errors e ${NAMES('e')}
    WHERE e.id IN (SELECT id FROM errors WHERE ${recordRange(conditions)} ORDER BY id DESC LIMIT $limit)
    ORDER BY e.id DESC`
}

const OK_LEG = (where: string) =>
  `SELECT id, function_id, process_id, 'ok' AS outcome, duration_ns, args, result, weight, trace, parent, call,
   NULL AS error, NULL AS message FROM calls WHERE ${where}`
const ERROR_LEG = (where: string) =>
  `SELECT id, function_id, process_id, 'error' AS outcome, duration_ns, args, NULL AS result, 1.0 AS weight, trace, parent, call,
   error, message FROM errors WHERE ${where}`
const CALL_COLUMNS = `${AT('r.id')} AS at, f.name AS function, r.outcome AS outcome, r.duration_ns / 1e6 AS duration_ms,
  r.args AS args, r.result AS result, r.weight AS weight, p.boot || ${HEX('r.trace')} AS trace_id,
  ${PARENT('r')} AS parent_id, ${HEX('r.call')} AS call_id, ${PROCESS} AS process`

export function callsSql(conditions: Conditions, outcome: Outcome | null): string {
  const legs: string[] = []
  if (outcome !== 'error' && !conditions.error) legs.push(OK_LEG(recordRange(conditions)))
  if (outcome !== 'ok') legs.push(ERROR_LEG(recordRange(conditions)))
  return `SELECT ${CALL_COLUMNS} FROM (${legs.join(' UNION ALL ')} ORDER BY id DESC LIMIT $limit) r ${NAMES('r')}
    ORDER BY r.id DESC`
}

const IN_TRACE = 'trace = $trace AND process_id = $process'
/** One trace in the order the calls began. A limit keeps the calls that ended first: that is the order of the index. */
export const TRACE_SQL = `SELECT ${CALL_COLUMNS}, (r.id >> ${ID_SALT_BITS}) - r.duration_ns / 1000 AS start_us, r.error AS error, r.message AS message
  FROM (${OK_LEG(IN_TRACE)} UNION ALL ${ERROR_LEG(IN_TRACE)} ORDER BY id LIMIT $limit) r ${NAMES('r')} ORDER BY start_us, r.call`

export const PROCESS_OF_BOOT_SQL = 'SELECT process_id FROM processes WHERE boot = $boot'

/** Where a call id is looked for, from the cheapest place to the dearest; there is no index on call ids. */
const CALL_PLACES = {
  root: 'trace = $call',
  recent: 'trace BETWEEN $call - 10000 AND $call AND call = $call',
  anywhere: 'call = $call',
} as const
export type CallPlace = keyof typeof CALL_PLACES
export const CALL_PLACE_NAMES: readonly CallPlace[] = ['root', 'recent', 'anywhere']

export function tracesOfCallSql(place: CallPlace): string {
  const where = CALL_PLACES[place]
  return `SELECT process_id AS process, trace FROM (
    SELECT id, process_id, trace FROM calls WHERE ${where} UNION ALL SELECT id, process_id, trace FROM errors WHERE ${where}
  ) GROUP BY process_id, trace ORDER BY max(id) DESC LIMIT $limit`
}

export function errorsOfCallSql(): string {
  return `SELECT ${ERROR_COLUMNS}, ${PARENT('e')} AS parent_id, e.details AS details, e.cuts AS cuts,
    e.fingerprint AS fingerprint FROM errors e ${NAMES('e')}
    WHERE e.trace = $trace AND e.process_id = $process AND e.call = $call ORDER BY e.id DESC`
}

const minuteRange = (pattern: boolean) =>
  `minute >= $sinceMinute AND minute < $untilMinute${pattern ? ` AND ${FUNCTION_IDS}` : ''}`

const TOTAL_ORDER_SQL: Readonly<Record<TotalOrder, string>> = {
  total: 'sum_ns',
  calls: 'calls',
  errors: 'errors',
  mean: 'sum_ns * 1.0 / timed',
  max: 'max_ns',
}

/** Exact sums per function. Column names are those of {@link FunctionSums}. */
export function sumsSql(pattern: boolean, order: TotalOrder): string {
  return `SELECT s.function_id AS functionId, f.name AS function, s.calls AS calls, s.errors AS errors,
      CASE WHEN s.timed > 0 THEN s.sum_ns / 1e6 / s.timed END AS meanMs, s.max_ns AS maxNs
    FROM (
      SELECT function_id, sum(calls) AS calls, sum(errors) AS errors, sum(timed) AS timed,
             sum(duration_sum_ns) AS sum_ns, max(duration_max_ns) AS max_ns
      FROM totals WHERE ${minuteRange(pattern)} GROUP BY function_id
      ORDER BY ${TOTAL_ORDER_SQL[order]} DESC, function_id LIMIT $limit
    ) s JOIN functions f USING (function_id) ORDER BY ${TOTAL_ORDER_SQL[order]} DESC, s.function_id`
}

export interface FunctionSums {
  readonly functionId: number
  readonly function: string
  readonly calls: number
  readonly errors: number
  readonly meanMs: number | null
  readonly maxNs: number
}

/** The bucket texts of the functions in the JSON list `$functionIds`, strung together per function. */
export const BUCKETS_SQL = `SELECT function_id AS functionId, group_concat(buckets, '') AS buckets FROM totals
  WHERE minute >= $sinceMinute AND minute < $untilMinute AND function_id IN (SELECT value FROM json_each($functionIds))
  GROUP BY function_id`

export const BUCKET_BOUNDS_SQL = 'SELECT bucket, upper_ns AS upperNs FROM latency_buckets ORDER BY bucket'

export function lossesSql(pattern: boolean): string {
  return `SELECT strftime('%Y-%m-%dT%H:%MZ', d.minute * 60, 'unixepoch') AS minute, coalesce(f.name, '(unknown)') AS function,
      d.reason AS reason, sum(d.count) AS count
    FROM drops d LEFT JOIN functions f USING (function_id) WHERE ${minuteRange(pattern)}
    GROUP BY d.minute, d.function_id, d.reason ORDER BY d.minute DESC, count DESC LIMIT $limit`
}

export const FUNCTION_EXISTS_SQL = 'SELECT 1 FROM functions WHERE name GLOB $pattern LIMIT 1'

export function coverageTotalsSql(pattern: boolean): string {
  return `SELECT coalesce(sum(calls), 0) AS calls, coalesce(sum(errors), 0) AS errors, coalesce(sum(kept), 0) AS kept,
      min(minute) AS firstMinute FROM totals WHERE ${minuteRange(pattern)}`
}

export function coverageDropsSql(pattern: boolean): string {
  return `SELECT lane, reason, sum(count) AS count FROM drops WHERE ${minuteRange(pattern)}
    GROUP BY lane, reason ORDER BY count DESC, reason`
}

export const EXPIRED_SQL = 'SELECT kind, rows, up_to_us AS upToUs FROM expired WHERE rows > 0'

/** `unaccounted`: records the process had numbered that are neither stored nor counted as dropped. */
export const PROCESSES_SQL = `SELECT p.pid AS pid, p.script AS script, p.host AS host, p.started_us AS startedUs,
    p.last_seen_us AS lastSeenUs, p.ended_us AS endedUs, p.ending AS ending,
    (SELECT coalesce(sum(max(0, l.produced - l.stored
       - (SELECT coalesce(sum(j.value), 0) FROM json_each(l.dropped) j))), 0)
     FROM lanes l WHERE l.process_id = p.process_id) AS unaccounted
  FROM processes p ORDER BY p.process_id`
