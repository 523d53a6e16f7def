import { BUCKET_COUNT } from '../../totals/layout.js'
import { losses } from '../incident-sql.js'
import {
  AT,
  DROPS_OF,
  HEX,
  ID_SALT_BITS,
  IS_UNREADABLE,
  LOSSES,
  PARENT_ID,
  PROCESS,
  RECORDED,
  REMOTE_JOIN,
  TRACE_ID,
} from '../record-sql.js'
import { HAS_NEIGHBOUR, IS_INDEXED, ORDERED_ROOT, TRACE_OF_CALL } from '../root-sql.js'
import { SUMMED_HOURS, TOTALS_OF_SPANS } from '../totals-sql.js'
import type { Outcome, TotalOrder } from './filter.js'

export type * from './rows.js'

const US_PER_MINUTE = 60_000_000

export const FUNCTION_IDS = `function_id IN (SELECT function_id FROM functions WHERE name GLOB $pattern)`
// CROSS JOIN fixes the order of the loops: the record tables are walked along their key and a limit ends the walk.
export const NAMES = (row: string) =>
  `CROSS JOIN functions f ON f.function_id = ${row}.function_id CROSS JOIN processes p ON p.process_id = ${row}.process_id
  ${REMOTE_JOIN(row)}`

/** Which conditions a statement carries; an absent one costs nothing, so there is one text per combination. */
export interface Conditions {
  readonly pattern: boolean
  readonly error: boolean
  readonly minDuration: boolean
  readonly fingerprint: boolean
}

export function recordRange(conditions: Conditions): string {
  const terms = ['id >= $sinceId AND id < $untilId']
  if (conditions.pattern) terms.push(FUNCTION_IDS)
  if (conditions.error) terms.push('error = $error')
  if (conditions.fingerprint) terms.push('fingerprint = $fingerprint')
  if (conditions.minDuration) terms.push('duration_ns >= $minDurationNs')
  return terms.join(' AND ')
}

export const ERROR_COLUMNS = `${AT('e')} AS at, f.name AS function, e.error AS error, e.message AS message,
  e.duration_ns / 1e6 AS duration_ms, e.args AS args, e.stack AS stack,
  ${TRACE_ID('e')} AS trace_id, ${HEX('e.call')} AS call_id, ${PROCESS} AS process,
  e.shape AS shape, ${PARENT_ID('e')} AS parent_id, e.fingerprint AS fingerprint, e.cuts AS cuts`

export function errorsSql(conditions: Conditions): string {
  return `SELECT ${ERROR_COLUMNS} FROM errors e ${NAMES('e')}
    WHERE e.id IN (SELECT id FROM errors WHERE ${recordRange(conditions)} ORDER BY id DESC LIMIT $limit)
    ORDER BY e.id DESC`
}

export function errorsOfProcessSql(): string {
  return `SELECT ${ERROR_COLUMNS} FROM errors e ${NAMES('e')}
    WHERE e.process_id = $processId ORDER BY e.id DESC LIMIT $limit`
}

const legColumns = (trace: string) =>
  `id, function_id, process_id, duration_ns, ${trace} AS trace, parent, call, flags, shape, args, cuts`
export const OK_LEG = (where: string) =>
  `SELECT ${legColumns(TRACE_OF_CALL('calls'))}, 'ok' AS outcome, result, weight, NULL AS error, NULL AS message FROM calls WHERE ${where}`
export const ERROR_LEG = (where: string) =>
  `SELECT ${legColumns('trace')}, 'error' AS outcome, NULL AS result, 1.0 AS weight, error, message FROM errors WHERE ${where}`
export const CALL_COLUMNS = `${AT('r')} AS at, f.name AS function, r.outcome AS outcome, r.duration_ns / 1e6 AS duration_ms,
  r.args AS args, r.result AS result, r.weight AS weight, ${TRACE_ID('r')} AS trace_id,
  ${PARENT_ID('r')} AS parent_id, ${HEX('r.call')} AS call_id, ${PROCESS} AS process, r.shape AS shape,
  CASE r.outcome WHEN 'error' THEN 'error' ELSE ${RECORDED('r')} END AS recorded, r.cuts AS cuts`

export function callsSql(conditions: Conditions, outcome: Outcome | null): string {
  const legs: string[] = []
  if (outcome !== 'error' && !conditions.error) legs.push(OK_LEG(recordRange(conditions)))
  if (outcome !== 'ok') legs.push(ERROR_LEG(recordRange(conditions)))
  return `SELECT ${CALL_COLUMNS} FROM (${legs.join(' UNION ALL ')} ORDER BY id DESC LIMIT $limit) r ${NAMES('r')}
    ORDER BY r.id DESC`
}

/** Which records a tail follows. */
export interface TailConditions extends Omit<Conditions, 'fingerprint'> {
  readonly outcome: Outcome | null
}

const sinceCursor = ({ pattern, error, minDuration }: TailConditions) =>
  `id > $after${pattern ? ` AND ${FUNCTION_IDS}` : ''}${error ? ' AND error = $error' : ''}${minDuration ? ' AND duration_ns >= $minDurationNs' : ''}`
const tables = ({ outcome, error }: TailConditions) =>
  (['calls', 'errors'] as const).filter(
    table =>
      (outcome === null || (table === 'errors') === (outcome === 'error')) && (table === 'errors' || !error),
  )

export function tailSql(conditions: TailConditions): string {
  const where = sinceCursor(conditions)
  const legs = tables(conditions).map(table => (table === 'calls' ? OK_LEG : ERROR_LEG)(where))
  // Whoever asks for calls that return and fail with some class asks for none.
  if (legs.length === 0) return `SELECT 1 WHERE FALSE`
  return `SELECT CAST(r.id AS TEXT) AS id, ${CALL_COLUMNS}, r.error AS error, r.message AS message
    FROM (${legs.join(' UNION ALL ')} ORDER BY id DESC LIMIT $limit) r ${NAMES('r')} ORDER BY r.id DESC`
}

export function countSinceSql(conditions: TailConditions): string {
  const legs = tables(conditions).map(table => `SELECT 1 FROM ${table} WHERE ${sinceCursor(conditions)}`)
  return `SELECT count(*) AS count FROM (${legs.join(' UNION ALL ')} LIMIT $limit)`
}

/** `$process` and `$trace` are what the id says if the trace began here, `$traceId` is what it was called outside. */
const BEGAN_HERE = `trace = $trace AND ${IS_INDEXED('')} AND process_id = $process AND id >= $sinceId AND id < $untilId`
const cameFromOutside = (table: string) => `id IN (
    SELECT o.id FROM remote_traces t CROSS JOIN ${table} o ON o.trace = t.trace AND ${IS_INDEXED('o.')} AND o.process_id = t.process_id
    WHERE t.trace_id = $traceId AND o.id >= $sinceId AND o.id < $untilId ORDER BY o.id LIMIT $limit)`
const IS_ITS_ROOT = `id IN (
    SELECT o.id FROM processes p CROSS JOIN calls o ON ${ORDERED_ROOT('o', 'p', '$trace')}
    WHERE p.process_id = $process AND +o.id >= $sinceId AND +o.id < $untilId)`
const TRACE_LEGS = [
  OK_LEG(BEGAN_HERE),
  OK_LEG(IS_ITS_ROOT),
  ERROR_LEG(BEGAN_HERE),
  OK_LEG(cameFromOutside('calls')),
  ERROR_LEG(cameFromOutside('errors')),
]
/**
 * One trace, of all processes that took part in it, in the order the calls began. A limit keeps the calls that ended
 * first: that is the order of the index.
 */
export const TRACE_SQL = `SELECT ${CALL_COLUMNS}, (r.id >> ${ID_SALT_BITS}) - r.duration_ns / 1000 AS start_us, r.error AS error, r.message AS message
  FROM (${TRACE_LEGS.join(' UNION ALL ')} ORDER BY id LIMIT $limit) r ${NAMES('r')} ORDER BY start_us, r.call`

export const PROCESS_OF_BOOT_SQL = 'SELECT process_id FROM processes WHERE boot = $boot'

/**
 * Where a call id is looked for, from the cheapest place to the dearest; there is no index on call ids. A trace is
 * numbered by its first call, with a minus sign when it came from outside.
 */
const CALL_PLACES = {
  root: `${IS_INDEXED('')} AND trace = $call`,
  near: `${IS_INDEXED('')} AND trace BETWEEN $call - 100 AND $call AND call = $call`,
  recent: `${IS_INDEXED('')} AND trace BETWEEN $call - 10000 AND $call AND call = $call`,
  remote: `${IS_INDEXED('')} AND trace BETWEEN -$call AND 10000 - $call AND call = $call`,
  anywhere: 'call = $call',
} as const
export type CallPlace = keyof typeof CALL_PLACES
export const CALL_PLACE_NAMES: readonly CallPlace[] = ['root', 'near', 'recent', 'remote', 'anywhere']

const ORDERED_ROOTS = `SELECT o.id, o.process_id, o.call AS trace FROM processes p CROSS JOIN calls o
      ON ${ORDERED_ROOT('o', 'p', '$call')} WHERE ${HAS_NEIGHBOUR('p', '$call')}`

export function tracesOfCallSql(place: CallPlace): string {
  const where = CALL_PLACES[place]
  const legs = [
    `SELECT id, process_id, ${TRACE_OF_CALL('calls')} AS trace FROM calls WHERE ${where}`,
    `SELECT id, process_id, trace FROM errors WHERE ${where}`,
  ]
  if (place === 'root') legs.push(ORDERED_ROOTS)
  return `SELECT r.process_id AS process, r.trace AS trace, ${TRACE_ID('r')} AS traceId FROM (
    SELECT process_id, trace, max(id) AS newest FROM (
      ${legs.join(' UNION ALL ')}
    ) GROUP BY process_id, trace ORDER BY newest DESC LIMIT $limit
  ) r CROSS JOIN processes p ON p.process_id = r.process_id ${REMOTE_JOIN('r')} ORDER BY r.newest DESC`
}

export function errorsOfCallSql(): string {
  return `SELECT ${ERROR_COLUMNS}, e.details AS details FROM errors e ${NAMES('e')}
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
      SELECT function_id, total(calls) AS calls, total(errors) AS errors, total(timed) AS timed,
             total(duration_sum_ns) AS sum_ns, max(duration_max_ns) AS max_ns
      FROM (${TOTALS_OF_SPANS}) ${pattern ? `WHERE ${FUNCTION_IDS}` : ''} GROUP BY function_id
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

/**
 * The bucket texts of one span, each behind the number of its function, strung together per minute or hour: that is
 * their order in the file. In any other order SQLite would sort all the texts first. As bytes, because they are read
 * byte by byte.
 *
 * @param some only of the functions in the JSON list `$functionIds`
 */
export function bucketsSql(unit: TotalsUnit, some: boolean): string {
  const table = unit === 'hour' ? 'hours' : 'totals'
  return `SELECT CAST(group_concat(function_id || buckets, '') AS BLOB) AS texts FROM ${table}
    WHERE ${unit} >= $first AND ${unit} < $behind
    ${some ? 'AND function_id IN (SELECT value FROM json_each($functionIds))' : ''} GROUP BY ${unit}`
}

/** What a row of totals is of. */
export type TotalsUnit = 'hour' | 'minute'

export const SUMMED_HOURS_SQL = `${SUMMED_HOURS} AND hour >= $first AND hour < $behind ORDER BY hour LIMIT $limit`

// Of a file that was tampered with, no memory is taken for others than a recorder counts in.
export const BUCKET_BOUNDS_SQL = `SELECT bucket, upper_ns AS upperNs FROM latency_buckets
  WHERE bucket >= 0 AND bucket < ${BUCKET_COUNT} ORDER BY bucket`

export function lossesSql(pattern: boolean): string {
  const incidents = `n.started_us >= $sinceMinute * ${US_PER_MINUTE} AND n.started_us < $untilMinute * ${US_PER_MINUTE}`
  return `${losses({ records: minuteRange(pattern), incidents })} LIMIT $limit`
}

export const FUNCTION_EXISTS_SQL = 'SELECT 1 FROM functions WHERE name GLOB $pattern LIMIT 1'

export function coverageTotalsSql(pattern: boolean): string {
  return `SELECT total(calls) AS calls, total(errors) AS errors, total(kept) AS kept
    FROM (${TOTALS_OF_SPANS}) ${pattern ? `WHERE ${FUNCTION_IDS}` : ''}`
}

export function firstMinuteSql(pattern: boolean): string {
  return `SELECT minute FROM totals WHERE ${minuteRange(pattern)} ORDER BY minute LIMIT 1`
}

export function coverageDropsSql(pattern: boolean): string {
  return `SELECT lane, reason, total(count) AS count FROM (${LOSSES}) WHERE ${minuteRange(pattern)}
    GROUP BY lane, reason ORDER BY count DESC, reason`
}

export const EXPIRED_SQL = 'SELECT kind, rows, up_to_us AS upToUs FROM expired WHERE rows > 0'

/** Accounts of lanes that are none. */
export const UNREADABLE_SQL = `SELECT count(*) AS count FROM lanes l WHERE ${IS_UNREADABLE('l')}`

/** `unaccounted`: records the process had numbered that are neither stored nor counted as dropped. */
export const PROCESSES_SQL = `SELECT p.process_id AS processId, p.boot AS boot, p.node_version AS nodeVersion, p.pid AS pid, p.script AS script, p.host AS host, p.started_us AS startedUs,
    p.last_seen_us AS lastSeenUs, p.ended_us AS endedUs, p.ending AS ending,
    (SELECT coalesce(total(max(0, l.produced - l.stored
       - (SELECT total(j.value) FROM ${DROPS_OF('l')} j))), 0)
     FROM lanes l WHERE l.process_id = p.process_id) AS unaccounted
  FROM processes p ORDER BY p.process_id`
