import { FrameFlag } from '../../queue/layout.js'
import type { RowReader } from '../read-file.js'
import { HEX, ID_SALT_BITS, PROCESS } from '../record-sql.js'
import { IS_INDEXED, ORDERED_ROOT, TRACE_OF_CALL } from '../root-sql.js'

/** What is looked at of one recorded call. */
export interface WhyRecord {
  /** Its id in decimal digits: more of them than a number holds. */
  readonly key: string
  /** Unix microseconds at which it ended. */
  readonly endUs: number
  readonly processId: number
  readonly process: string
  readonly durationNs: number
  readonly weight: number
  readonly callId: string
  readonly call: number
  readonly trace: number
  readonly parent: number | null
  readonly flags: number
  readonly shape: string | null
  readonly args: string | null
  readonly failed: 0 | 1
}

export interface WhyRecords {
  /** Newest first. */
  readonly records: readonly WhyRecord[]
  /** Unix microseconds: everything recorded of the function from here on was looked at. */
  readonly fromUs: number
  /** There is more before that. */
  readonly isCut: boolean
}

/** Records of one function that are looked at: so many that returned, and so many that failed. */
export const MOST_RECORDS = 10_000
/** Rows of other functions that are passed on the way; there is no index on functions, and a page has 300 ms. */
const MOST_PASSED = 250_000
const MOST_BYTES = 16 * 1024 ** 2
const ROWS_AT_ONCE = 500
/** A text that is longer was not written by a recorder. */
const LONGEST_TEXT = 64 * 1024

const TABLES = ['calls', 'errors'] as const
type Table = (typeof TABLES)[number]

const RANGE = 'id >= $sinceId AND id < $untilId'
const PASSED_SQL = (table: Table) =>
  `SELECT CAST(id AS TEXT) AS key FROM ${table} WHERE ${RANGE} ORDER BY id DESC LIMIT 1 OFFSET ${MOST_PASSED}`
const TEXT = (column: string) =>
  `CASE WHEN octet_length(${column}) <= ${LONGEST_TEXT} THEN ${column} END AS ${column}`
// Records kept in hindsight have no arguments, and are there because of how another call ended.
const RECORDS_SQL = (table: Table) => `SELECT CAST(r.id AS TEXT) AS key, r.id >> ${ID_SALT_BITS} AS endUs,
    r.process_id AS processId, coalesce(${PROCESS}, 'unknown') AS process, r.duration_ns AS durationNs,
    ${table === 'calls' ? 'r.weight' : '1.0'} AS weight, ${HEX('r.call')} AS callId, r.call AS call,
    ${table === 'calls' ? TRACE_OF_CALL('r') : 'r.trace'} AS trace,
    r.parent AS parent, r.flags AS flags, ${TEXT('shape')}, ${TEXT('args')}, ${table === 'calls' ? 0 : 1} AS failed
  FROM ${table} r LEFT JOIN processes p ON p.process_id = r.process_id
  WHERE ${RANGE} AND r.function_id = $functionId AND r.flags & ${FrameFlag.hindsight} = 0
  ORDER BY r.id DESC LIMIT ${ROWS_AT_ONCE}`

/**
 * The newest records of a function, those that returned and those that failed over the same span of time: where one
 * kind would reach back further than the other, the time would separate them.
 */
export function readWhyRecords(
  read: RowReader,
  functionId: number,
  bounds: { readonly sinceId: bigint; readonly untilId: bigint },
): WhyRecords {
  const legs = TABLES.map(table => readLeg(read, table, functionId, bounds))
  const fromUs = Math.max(...legs.map(leg => leg.fromUs))
  return {
    records: legs
      .flatMap(leg => leg.records.filter(record => record.endUs >= fromUs))
      .sort((a, b) => b.endUs - a.endUs),
    fromUs,
    isCut: legs.some(leg => leg.isCut),
  }
}

function readLeg(
  read: RowReader,
  table: Table,
  functionId: number,
  { sinceId, untilId }: { readonly sinceId: bigint; readonly untilId: bigint },
): WhyRecords {
  const [passed] = read.all<{ key: string }>(PASSED_SQL(table), { sinceId, untilId })
  const lowest = passed === undefined ? sinceId : BigInt(passed.key) + 1n
  const records: WhyRecord[] = []
  let bytes = 0
  let next = untilId
  for (;;) {
    const rows = read.all<WhyRecord>(RECORDS_SQL(table), { functionId, sinceId: lowest, untilId: next })
    for (const row of rows) records.push(row)
    bytes += rows.reduce((sum, { args, shape }) => sum + (args?.length ?? 0) + (shape?.length ?? 0), 0)
    const last = rows.at(-1)
    if (last === undefined || rows.length < ROWS_AT_ONCE) {
      return { records, fromUs: microseconds(lowest), isCut: passed !== undefined }
    }
    // The microsecond of the last one may hold more.
    if (records.length >= MOST_RECORDS || bytes >= MOST_BYTES) {
      return { records, fromUs: last.endUs + 1, isCut: true }
    }
    next = BigInt(last.key)
  }
}

function microseconds(id: bigint): number {
  return Number(id >> BigInt(ID_SALT_BITS))
}

/** Rows of a trace that are read to find a caller, and traces that are asked. */
const ROWS_OF_A_TRACE = 200
const CALLERS_LOOKED_UP = 400
const CALLERS_SQL = `SELECT call, process_id AS processId, function_id AS functionId FROM (
    SELECT call, process_id, function_id FROM calls WHERE trace = $trace AND ${IS_INDEXED('')} LIMIT ${ROWS_OF_A_TRACE})
  UNION ALL SELECT call, process_id, function_id FROM (
    SELECT call, process_id, function_id FROM errors WHERE trace = $trace LIMIT ${ROWS_OF_A_TRACE})
  UNION ALL SELECT o.call, o.process_id, o.function_id FROM processes p
    CROSS JOIN calls o ON ${ORDERED_ROOT('o', 'p', '$trace')} WHERE p.process_id = $processId`

/** Function that called each of some records, spread over all of them; `null`: nothing recorded tells. */
export function readCallers(read: RowReader, records: readonly WhyRecord[]): Map<number, string | null> {
  const nested = records.flatMap(({ parent }, index) => (parent === null ? [] : [index]))
  const step = Math.max(1, nested.length / CALLERS_LOOKED_UP)
  const callers = new Map<number, string | null>()
  const names = new Map<number, string>()
  for (let at = 0; at < nested.length; at += step) {
    const index = nested[Math.floor(at)] as number
    const { trace, parent, processId } = records[index] as WhyRecord
    const found = read
      .all<{ call: number; processId: number; functionId: number }>(CALLERS_SQL, { trace, processId })
      .find(row => row.call === parent && row.processId === processId)
    callers.set(index, found === undefined ? null : nameOf(read, found.functionId, names))
  }
  return callers
}

function nameOf(read: RowReader, functionId: number, names: Map<number, string>): string {
  let name = names.get(functionId)
  if (name === undefined) {
    const [row] = read.all<{ name: string }>('SELECT name FROM functions WHERE function_id = $functionId', {
      functionId,
    })
    names.set(functionId, (name = row?.name ?? '?'))
  }
  return name
}
