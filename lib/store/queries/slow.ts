import type { RowReader } from '../read-file.js'
import { ID_SALT_SPAN } from '../record-sql.js'
import { type Bounds, MAX_LIMIT, type Outcome } from './filter.js'
import type { CallRow } from './rows.js'
import {
  CALL_COLUMNS,
  type Conditions,
  ERROR_LEG,
  FUNCTION_IDS,
  NAMES,
  OK_LEG,
  recordRange,
} from './statements.js'
import { readTotals } from './totals.js'

/** A recorded call, beside what calls of its function take. */
export interface SlowCall extends CallRow {
  /** Percentiles of every call of its function in the whole minutes of the span, in milliseconds; `null`: not timed. */
  readonly p95_ms: number | null
  readonly p99_ms: number | null
}

interface Found {
  readonly table: Table
  /** A key beyond 2^53. */
  readonly id: string
  readonly durationNs: number
}

type Table = 'calls' | 'errors'

/** A piece of the recording, and the longest that any call can have taken that ended in it. */
interface Slice {
  readonly sinceMinute: number
  readonly untilMinute: number
  longestNs: number
}

interface Counted {
  readonly process: number
  readonly minute: number
  readonly longestNs: number
}

/** First and last minute of a process; complete: it has counted all its calls. */
interface Life {
  readonly process: number
  readonly first: number
  readonly last: number
  readonly isComplete: 0 | 1
}

/** One read looks at no more records than this, so that none holds the write-ahead log back. */
const PAGE_RECORDS = 100_000
const US_PER_MINUTE = 60_000_000
const LAST_ID = 2n ** 63n - 1n
/** The writer counts about once a second. */
const MINUTES_UNTIL_COUNTED = 2

const pageEndSql = (table: Table) =>
  `SELECT CAST(id AS TEXT) AS id FROM ${table} WHERE id >= $from AND id < $to ORDER BY id LIMIT 1 OFFSET ${PAGE_RECORDS}`
const pageSql = (table: Table, conditions: Conditions) =>
  `SELECT CAST(id AS TEXT) AS id, duration_ns AS durationNs FROM ${table}
   WHERE ${recordRange(conditions)} AND duration_ns > $leastNs ORDER BY duration_ns DESC LIMIT $limit`
const among = (table: Table) => `id IN (SELECT CAST(value AS INTEGER) FROM json_each($${table}))`
const CHOSEN_SQL = `SELECT ${CALL_COLUMNS} FROM (${OK_LEG(among('calls'))} UNION ALL ${ERROR_LEG(among('errors'))}) r
  ${NAMES('r')} ORDER BY r.duration_ns DESC, r.id DESC`

/** Each minute of totals of each process, with the longest call that was counted in it. */
const longestSql = (pattern: boolean) =>
  `SELECT process_id AS process, minute, max(${pattern ? `iif(${FUNCTION_IDS}, duration_max_ns, 0)` : 'duration_max_ns'}) AS longestNs
   FROM totals WHERE minute >= $sinceMinute GROUP BY process_id, minute ORDER BY process_id, minute`
const OLDEST_SQL = 'SELECT min(minute) AS minute FROM totals'
const LIVES_SQL = `SELECT process_id AS process, started_us / ${US_PER_MINUTE} AS first, last_seen_us / ${US_PER_MINUTE} AS last,
    coalesce(ending, '') = 'clean' AS isComplete FROM processes`

/**
 * The slowest first. No index knows durations, and one would cost every call that is recorded; but the exact totals know
 * the longest call of each minute. Minutes are looked at in that order, until none can hold a slower call than those found.
 * Errors are few, and those of a process that died may be stored without being counted: all of them are looked at.
 */
export function readSlow(
  read: RowReader,
  request: {
    readonly conditions: Conditions
    readonly params: Readonly<Record<string, unknown>>
    readonly bounds: Bounds
    readonly outcome: Outcome | null
  },
): SlowCall[] {
  const { conditions, params, bounds, outcome } = request
  let found: Found[] = []
  const leastNs = () => (found.length < bounds.limit ? -1 : (found.at(-1)?.durationNs ?? -1))
  const look = (table: Table, from: bigint, to: bigint) => {
    for (const page of pagesOf(read, table, from, to)) {
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
      if (slice.longestNs <= leastNs()) break
      look(
        'calls',
        later(keyOf(slice.sinceMinute), bounds.sinceId),
        earlier(keyOf(slice.untilMinute), bounds.untilId),
      )
    }
  }
  return withPercentiles(read, bounds, found)
}

/** Pieces of a span of keys. */
function* pagesOf(read: RowReader, table: Table, since: bigint, until: bigint) {
  for (let from = since; from < until; ) {
    const [end] = read.all<{ id: string }>(pageEndSql(table), { from, to: until })
    const to = end === undefined ? until : BigInt(end.id)
    yield { from, to }
    from = to
  }
}

function keyOf(minute: number): bigint {
  if (minute === Number.NEGATIVE_INFINITY) return 0n
  return minute === Number.POSITIVE_INFINITY ? LAST_ID : BigInt(minute) * BigInt(US_PER_MINUTE * ID_SALT_SPAN)
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function earlier(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

/** All of the span, cut along the minutes that have totals. */
function slicesOf(read: RowReader, { pattern, sinceMinute, untilMinute }: Bounds): Slice[] {
  const counted = read.all<Counted>(longestSql(pattern !== null), {
    sinceMinute,
    ...(pattern === null ? {} : { pattern }),
  })
  const minutes = [...new Set(counted.map(({ minute }) => minute))].sort((a, b) => a - b)
  const ends = [
    Number.NEGATIVE_INFINITY,
    ...new Set(minutes.flatMap(minute => [minute, minute + 1])),
    Number.POSITIVE_INFINITY,
  ]
  const ofProcess = new Map<number, Counted[]>()
  for (const row of counted) {
    const known = ofProcess.get(row.process)
    if (known === undefined) ofProcess.set(row.process, [row])
    else known.push(row)
  }
  const [oldest] = read.all<{ minute: number | null }>(OLDEST_SQL, {})
  const slices = ends
    .slice(0, -1)
    .map((since, i) => ({ sinceMinute: since, untilMinute: ends[i + 1] ?? since, longestNs: 0 }))
    .filter(slice => slice.untilMinute > sinceMinute && slice.sinceMinute < untilMinute)
  for (const life of read.all<Life>(LIVES_SQL, {}))
    raise(slices, life, ofProcess.get(life.process) ?? [], oldest?.minute ?? Number.POSITIVE_INFINITY)
  return slices
}

/**
 * Raises what calls of one process can have taken. A call is counted in the minute in which it ended or, because counting
 * comes after, in one of the next two in which its process counted any. Nobody knows of minutes whose totals have expired,
 * and of the last ones of a process that had no time to count them.
 */
function raise(slices: Slice[], life: Life, counted: readonly Counted[], oldest: number): void {
  let next = 0
  for (const slice of slices) {
    const { sinceMinute, untilMinute } = slice
    if (untilMinute <= life.first || sinceMinute > life.last + 1) continue
    while (next < counted.length && (counted[next]?.minute ?? 0) < sinceMinute) next++
    const isUnknown =
      (life.first < oldest && sinceMinute < oldest) || (life.isComplete === 0 && untilMinute > life.last - 1)
    for (let i = next, after = 0; i < counted.length && after < MINUTES_UNTIL_COUNTED; i++) {
      const { minute = 0, longestNs = 0 } = counted[i] ?? {}
      if (minute >= untilMinute) after++
      slice.longestNs = Math.max(slice.longestNs, longestNs)
    }
    if (isUnknown) slice.longestNs = Number.POSITIVE_INFINITY
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
