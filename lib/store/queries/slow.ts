import type { RowReader } from '../read-file.js'
import { type Bounds, type CallFilter, MAX_LIMIT, toOutcome } from './filter.js'
import { toRecordQuery } from './record-query.js'
import type { CallRow } from './rows.js'
import { keysOf, slicesOf } from './slices.js'
import { CALL_COLUMNS, type Conditions, ERROR_LEG, NAMES, OK_LEG, recordRange } from './statements.js'
import { readTotals } from './totals.js'

/** A recorded call, beside what calls of its function take. */
export interface SlowCall extends CallRow {
  /** Percentiles of every call of its function in the whole minutes of the span, in milliseconds; `null`: not timed. */
  readonly p95_ms: number | null
  readonly p99_ms: number | null
}

export interface Slowest {
  readonly calls: readonly SlowCall[]
  /** Whether all were looked at among which a slower one may be. */
  readonly isComplete: boolean
}

interface Found {
  readonly table: Table
  /** A key beyond 2^53. */
  readonly id: string
  readonly durationNs: number
}

type Table = 'calls' | 'errors'

/** One read looks at no more records than this, so that none holds the write-ahead log back. */
const PAGE_RECORDS = 100_000
/** Who has little time looks at it more often. */
const SHORT_PAGE_RECORDS = 20_000
const pageEndSql = (table: Table) =>
  `SELECT CAST(id AS TEXT) AS id FROM ${table} WHERE id >= $from AND id < $to ORDER BY ${table}.id LIMIT 1 OFFSET $records`
const COUNT_ERRORS_SQL = 'SELECT count(*) AS count FROM errors WHERE +id >= $from AND +id < $to'
const pageSql = (table: Table, conditions: Conditions) =>
  `SELECT CAST(id AS TEXT) AS id, duration_ns AS durationNs FROM ${table}
   WHERE ${recordRange(conditions)} AND duration_ns > $leastNs ORDER BY duration_ns DESC LIMIT $limit`
const among = (table: Table) => `id IN (SELECT CAST(value AS INTEGER) FROM json_each($${table}))`
const CHOSEN_SQL = `SELECT ${CALL_COLUMNS} FROM (${OK_LEG(among('calls'))} UNION ALL ${ERROR_LEG(among('errors'))}) r
  ${NAMES('r')} ORDER BY r.duration_ns DESC, r.id DESC`

/**
 * The slowest first. No index knows durations, and one would cost every call that is recorded; but the exact totals know
 * the longest call of each minute. Minutes are looked at in that order, until none can hold a slower call than those found.
 * Errors are few, and those of a process that died may be stored without being counted: all of them are looked at.
 *
 * @param patienceMs milliseconds of work after which what was found so far is the answer
 */
export function readSlow(read: RowReader, filter: CallFilter, nowMs: number, patienceMs: number): Slowest {
  const outcome = toOutcome(filter)
  const { conditions, params, bounds } = toRecordQuery(filter, nowMs)
  const givenUpMs = performance.now() + patienceMs
  const records = Number.isFinite(patienceMs) ? SHORT_PAGE_RECORDS : PAGE_RECORDS
  let isComplete = true
  let found: Found[] = []
  const leastNs = () => (found.length < bounds.limit ? -1 : (found.at(-1)?.durationNs ?? -1))
  const look = (table: Table, from: bigint, to: bigint) => {
    for (const page of pagesOf(read, { table, records }, from, to)) {
      if (performance.now() > givenUpMs) {
        isComplete = false
        return
      }
      const range = { ...params, sinceId: page.from, untilId: page.to, leastNs: leastNs() }
      const rows = read.all<Omit<Found, 'table'>>(pageSql(table, conditions), range)
      if (rows.length === 0) continue
      const all = [...found, ...rows.map(row => ({ ...row, table }))]
      found = all.sort((a, b) => b.durationNs - a.durationNs).slice(0, bounds.limit)
    }
  }
  if (outcome !== 'ok') look('errors', bounds.sinceId, bounds.untilId)
  if (outcome !== 'error' && !conditions.error) {
    const slices = slicesOf(read, bounds)
    for (const slice of slices.sort((a, b) => b.longestNs - a.longestNs)) {
      if (slice.longestNs <= leastNs() || !isComplete) break
      const { sinceId, untilId } = keysOf(slice, bounds)
      look('calls', sinceId, untilId)
    }
  }
  return { calls: withPercentiles(read, bounds, found), isComplete }
}

/** Pieces of a span of keys. */
function* pagesOf(
  read: RowReader,
  { table, records }: { readonly table: Table; readonly records: number },
  since: bigint,
  until: bigint,
) {
  // Errors are counted by way of an index that is a small part of their size, and are seldom more than one page.
  const isOnePage =
    table === 'errors' &&
    (read.all<{ count: number }>(COUNT_ERRORS_SQL, { from: since, to: until })[0]?.count ?? 0) <= PAGE_RECORDS
  if (isOnePage) {
    yield { from: since, to: until }
    return
  }
  for (let from = since; from < until; ) {
    const [end] = read.all<{ id: string }>(pageEndSql(table), { from, to: until, records })
    const to = end === undefined ? until : BigInt(end.id)
    yield { from, to }
    from = to
  }
}

function withPercentiles(read: RowReader, bounds: Bounds, found: readonly Found[]): SlowCall[] {
  if (found.length === 0) return []
  const keys = (table: Table) => JSON.stringify(found.filter(row => row.table === table).map(({ id }) => id))
  const rows = read.all<CallRow>(CHOSEN_SQL, { calls: keys('calls'), errors: keys('errors') })
  const totals = readTotals(read, { ...bounds, limit: MAX_LIMIT }, 'total')
  const known = new Map(totals.map(row => [row.function, row]))
  return rows.map(row => {
    const { p95_ms = null, p99_ms = null } = known.get(row.function) ?? {}
    return { ...row, p95_ms, p99_ms }
  })
}
