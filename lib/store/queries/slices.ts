import type { RowReader } from '../read-file.js'
import { ID_SALT_SPAN } from '../record-sql.js'
import type { Bounds } from './filter.js'
import { FUNCTION_IDS } from './statements.js'

/** A piece of the recording, and the longest that any call can have taken that ended in it. */
export interface Slice {
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

const US_PER_MINUTE = 60_000_000
const LAST_ID = 2n ** 63n - 1n
const FIRST_ID = -(2n ** 63n)
/** The writer counts about once a second. */
const MINUTES_UNTIL_COUNTED = 2

/** Each minute of totals of each process, with the longest call that was counted in it; 0: there was none. */
const longestSql = (pattern: boolean) =>
  `SELECT process_id AS process, minute, max(${pattern ? `iif(${FUNCTION_IDS}, max(duration_max_ns, 1), 0)` : 'max(duration_max_ns, 1)'}) AS longestNs
   FROM totals WHERE minute >= $sinceMinute GROUP BY process_id, minute ORDER BY process_id, minute`
const OLDEST_SQL = 'SELECT min(minute) AS minute FROM totals'
const LIVES_SQL = `SELECT process_id AS process, started_us / ${US_PER_MINUTE} AS first, last_seen_us / ${US_PER_MINUTE} AS last,
    coalesce(ending, '') = 'clean' AS isComplete FROM processes`

/** All of the span, cut along the minutes that have totals. */
export function slicesOf(read: RowReader, { pattern, sinceMinute, untilMinute }: Bounds): Slice[] {
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
 * of the first ones of a file that was begun anew (calls may have been counted in the one before), and of the last ones of
 * a process that had no time to count them.
 */
function raise(slices: Slice[], life: Life, counted: readonly Counted[], oldest: number): void {
  let next = 0
  for (const slice of slices) {
    const { sinceMinute, untilMinute } = slice
    if (untilMinute <= life.first || sinceMinute > life.last + 1) continue
    while (next < counted.length && (counted[next]?.minute ?? 0) < sinceMinute) next++
    const isUnknown =
      (life.first < oldest && sinceMinute <= oldest + 1) ||
      (life.isComplete === 0 && untilMinute > life.last - 1)
    for (let i = next, after = 0; i < counted.length && after < MINUTES_UNTIL_COUNTED; i++) {
      const { minute = 0, longestNs = 0 } = counted[i] ?? {}
      if (minute >= untilMinute) after++
      slice.longestNs = Math.max(slice.longestNs, longestNs)
    }
    if (isUnknown) slice.longestNs = Number.POSITIVE_INFINITY
  }
}

/** The keys of a slice, as far as it lies within the bounds. */
export function keysOf(
  { sinceMinute, untilMinute }: Pick<Slice, 'sinceMinute' | 'untilMinute'>,
  bounds: Bounds,
): Pick<Bounds, 'sinceId' | 'untilId'> {
  const [sinceId, untilId] = [keyOf(sinceMinute), keyOf(untilMinute)]
  return {
    sinceId: sinceId > bounds.sinceId ? sinceId : bounds.sinceId,
    untilId: untilId < bounds.untilId ? untilId : bounds.untilId,
  }
}

function keyOf(minute: number): bigint {
  if (minute === Number.NEGATIVE_INFINITY) return FIRST_ID
  if (minute === Number.POSITIVE_INFINITY) return LAST_ID
  const key = BigInt(minute) * BigInt(US_PER_MINUTE * ID_SALT_SPAN)
  // A minute that no recorder writes has no key.
  return key < FIRST_ID ? FIRST_ID : key > LAST_ID ? LAST_ID : key
}
