import type { RowReader } from '../read-file.js'
import { ID_SALT_BITS } from '../record-sql.js'
import { type CallFilter, type ErrorFilter, type LimitFilter, toOutcome } from './filter.js'
import { type RecordQuery, toRecordQuery } from './record-query.js'
import {
  CALL_COLUMNS,
  type Conditions,
  ERROR_COLUMNS,
  ERROR_LEG,
  type ErrorDetail,
  NAMES,
  OK_LEG,
  recordRange,
  type TraceRow,
} from './statements.js'

/** A recorded call with its moments in full. */
export interface RecordedCall extends TraceRow {
  /** The moment it ended, Unix microseconds. */
  readonly end_us: number
  readonly duration_ns: number
}

interface SliceRequest {
  readonly conditions: Conditions
  /** What the conditions compare with. */
  readonly values: Readonly<Record<string, unknown>>
  /** Keys, `since <= id < until`. */
  readonly since: bigint
  readonly until: bigint
  /** The newest that many; `null`: all. */
  readonly limit: number | null
  readonly read: () => RowReader
}

type Table = 'calls' | 'errors'

/** Records that one read of a slice looks at, per table. */
export const SLICE_RECORDS = 500
/** Where only keys are looked at. */
const COUNT_RECORDS = 20_000

/** Named `key`, because ordering by a result column `id` would sort all of the range as text. */
export const keyAtSql = (table: Table, order: 'ASC' | 'DESC') =>
  `SELECT CAST(id AS TEXT) AS key FROM ${table} WHERE id >= $from AND id < $to ORDER BY id ${order} LIMIT 1 OFFSET $offset`
const keysSql = (tables: readonly Table[], conditions: Conditions) =>
  tables.map(table => `SELECT id FROM ${table} WHERE ${recordRange(conditions)}`).join(' UNION ALL ')

const callsOf = (legs: readonly string[]) => `SELECT ${CALL_COLUMNS},
    (r.id >> ${ID_SALT_BITS}) - r.duration_ns / 1000 AS start_us, r.error AS error, r.message AS message,
    r.id >> ${ID_SALT_BITS} AS end_us, r.duration_ns AS duration_ns
  FROM (${legs.join(' UNION ALL ')}) r ${NAMES('r')} ORDER BY r.id`
const errorsOf = (where: string) =>
  `SELECT ${ERROR_COLUMNS}, e.details AS details FROM errors e ${NAMES('e')}
   WHERE e.id IN (SELECT id FROM errors WHERE ${where}) ORDER BY e.id`

/** @param read the open file; throws when it is another one by now */
export function callSlices(
  read: () => RowReader,
  filter: CallFilter,
  nowMs: number,
): Generator<readonly RecordedCall[], void, undefined> {
  const outcome = toOutcome(filter)
  const request = toRequest(read, toRecordQuery(filter, nowMs), filter)
  const { conditions } = request
  const tables: Table[] = []
  // What returned has no class of error.
  if (outcome !== 'error' && !conditions.error) tables.push('calls')
  if (outcome !== 'ok') tables.push('errors')
  const range = recordRange(conditions)
  const legs = tables.map(table => (table === 'calls' ? OK_LEG(range) : ERROR_LEG(range)))
  return walk<RecordedCall>(request, tables, callsOf(legs))
}

/** @param read as of {@link callSlices} */
export function errorSlices(
  read: () => RowReader,
  filter: ErrorFilter,
  nowMs: number,
): Generator<readonly ErrorDetail[], void, undefined> {
  const request = toRequest(read, toRecordQuery(filter, nowMs, filter.fingerprint), filter)
  return walk<ErrorDetail>(request, ['errors'], errorsOf(recordRange(request.conditions)))
}

function toRequest(
  read: () => RowReader,
  { conditions, params, bounds }: RecordQuery,
  filter: LimitFilter,
): SliceRequest {
  const { limit: _, sinceId: __, untilId: ___, ...values } = params
  return {
    conditions,
    values,
    since: bounds.sinceId,
    until: bounds.untilId,
    limit: filter.limit === undefined ? null : bounds.limit,
    read,
  }
}

/** Along the key, so that no record comes twice, up to what was the newest one at the first step. */
function* walk<Row>(
  request: SliceRequest,
  tables: readonly Table[],
  sql: string,
): Generator<readonly Row[], void, undefined> {
  if (tables.length === 0) return
  const { read, values } = request
  const last = edge(read(), tables, 'DESC', { from: request.since, to: request.until, offset: 0 })
  if (last === null) return
  const until = last + 1n
  let from = firstKey(request, tables, until)
  // Another thread's records of that time can come while these are read: no reason to give more than were asked for.
  let left = request.limit ?? Number.POSITIVE_INFINITY
  while (from < until && left > 0) {
    const to = edge(read(), tables, 'ASC', { from, to: until, offset: SLICE_RECORDS }) ?? until
    const rows = read().all<Row>(sql, { ...values, sinceId: from, untilId: to })
    const wanted = rows.length > left ? rows.slice(0, left) : rows
    left -= wanted.length
    if (wanted.length > 0) yield wanted
    from = to
  }
}

/** The key that stands `offset` records from the near end of the range, of the table in which that is nearest. */
function edge(
  read: RowReader,
  tables: readonly Table[],
  order: 'ASC' | 'DESC',
  range: { readonly from: bigint; readonly to: bigint; readonly offset: number },
): bigint | null {
  const keys = tables.flatMap(table => read.all<{ key: string }>(keyAtSql(table, order), range))
  return keys
    .map(({ key }) => BigInt(key))
    .reduce<bigint | null>(
      (near, key) => (near === null || (order === 'ASC') === key < near ? key : near),
      null,
    )
}

/** Where to begin so that no more than the limit are left: counted from the newest on, a piece at a time. */
function firstKey(
  { since, limit, read, conditions, values }: SliceRequest,
  tables: readonly Table[],
  until: bigint,
) {
  if (limit === null) return since
  const keys = keysSql(tables, conditions)
  let left = limit
  for (let to = until; to > since; ) {
    const from = edge(read(), tables, 'DESC', { from: since, to, offset: COUNT_RECORDS }) ?? since
    const range = { ...values, sinceId: from, untilId: to }
    const [found] = read().all<{ key: string }>(
      `SELECT CAST(id AS TEXT) AS key FROM (${keys}) ORDER BY id DESC LIMIT 1 OFFSET $offset`,
      { ...range, offset: left - 1 },
    )
    if (found !== undefined) return BigInt(found.key)
    left -= read().all<{ count: number }>(`SELECT count(*) AS count FROM (${keys})`, range)[0]?.count ?? 0
    to = from
  }
  return since
}
