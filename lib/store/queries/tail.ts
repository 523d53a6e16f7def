import { StoreQueryError } from '../read-errors.js'
import type { RowReader } from '../read-file.js'
import { type TailOptions, text, toBounds, toMinDurationNs, toOutcome } from './filter.js'
import type { CallRow } from './rows.js'
import { countSinceSql, tailSql } from './statements.js'

/** A call, and of one that failed with what. */
export interface TailCall extends CallRow {
  readonly error: string | null
  readonly message: string | null
}

/** Calls that came since the last look. */
export interface Tail {
  /** Newest first. */
  readonly calls: readonly TailCall[]
  /** To be given as `after` next time. */
  readonly cursor: string
  /** Calls that came since and are not listed, because of the limit; 100,000 stands for that many and more. */
  readonly skipped: number
}

/**
 * How far a look has come. Records are kept by the moment their call ended, and threads and processes hand them over
 * some time after that: up to the key `upTo` all is told, beyond it there may be more than the listed `told`.
 */
interface Cursor {
  readonly upTo: bigint
  readonly told: readonly bigint[]
}

type TailRow = TailCall & { readonly id: string }

/** How late a record may come and still be told. */
export interface TailReach {
  /** As long after its call ended, in microseconds. */
  readonly lateUs: bigint
  /** Calls that are remembered as told; with more of them in that time it is shorter. */
  readonly maxTold: number
}

/** The cursor has to fit into an address. */
const SHORT_REACH: TailReach = { lateUs: 2_000_000n, maxTold: 100 }
/** Each look reads what it remembers once more. */
export const LONG_REACH: TailReach = { lateUs: 30_000_000n, maxTold: 2_000 }
const ID_SALT_SPAN = 2048n
const MAX_COUNTED = 100_000
const MAX_ID = 2n ** 63n - 1n
const MIN_ID = -(2n ** 63n)
const CURSOR = /^[0-9a-z]{1,13}(?:-[0-9a-z]{1,13})*$/

const NEWEST_SQL = `SELECT CAST(max(coalesce((SELECT max(id) FROM calls), 0), coalesce((SELECT max(id) FROM errors), 0)) AS TEXT) AS id`

export function readTail(read: RowReader, options: TailOptions, nowMs: number, reach = SHORT_REACH): Tail {
  const { pattern, limit, sinceId } = toBounds(options, nowMs)
  const outcome = toOutcome(options)
  const error = options.error === undefined ? null : text('error', options.error)
  const minDurationNs = toMinDurationNs(options.minDurationMs)
  const last = options.after === undefined ? null : parse(options.after, reach)
  const newest = BigInt(read.all<{ id: string }>(NEWEST_SQL, {})[0]?.id ?? '0')
  const conditions = {
    pattern: pattern !== null,
    outcome,
    error: error !== null,
    minDuration: minDurationNs !== null,
  }
  const told = new Set(last?.told)
  const params = {
    after: larger(last?.upTo ?? MIN_ID, sinceId > MIN_ID ? sinceId - 1n : MIN_ID),
    ...(pattern === null ? {} : { pattern }),
    ...(error === null ? {} : { error }),
    ...(minDurationNs === null ? {} : { minDurationNs }),
  }
  const rows = read
    .all<TailRow>(tailSql(conditions), { ...params, limit: limit + told.size })
    .map(row => ({ ...row, key: BigInt(row.id) }))
    .filter(({ key }) => !told.has(key))
    .slice(0, limit)
  const skipped =
    last === null || rows.length < limit ? 0 : skippedOf(read, conditions, params, told, rows.length)
  const upTo = [
    last?.upTo ?? 0n,
    newest - reach.lateUs * ID_SALT_SPAN,
    // What is not told now, for there was too much, is not told later either.
    skipped > 0 || (last === null && rows.length === limit) ? (rows.at(-1)?.key ?? 0n) : 0n,
  ].reduce(larger)
  return {
    calls: rows.map(({ id: _, key: __, ...row }) => row),
    cursor: render({ upTo, told: [...told, ...rows.map(({ key }) => key)].filter(key => key > upTo) }, reach),
    skipped,
  }
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function skippedOf(
  read: RowReader,
  conditions: Parameters<typeof countSinceSql>[0],
  params: Readonly<Record<string, unknown>>,
  told: ReadonlySet<bigint>,
  listed: number,
): number {
  const [row] = read.all<{ count: number }>(countSinceSql(conditions), { ...params, limit: MAX_COUNTED })
  return Math.max(0, Math.min(MAX_COUNTED, (row?.count ?? 0) - told.size - listed))
}

/** `<up to>-<told>-<told>…`, what is told as distances; base 36. */
function render({ upTo, told }: Cursor, { maxTold }: TailReach): string {
  const newestFirst = [...told].sort((a, b) => (a < b ? 1 : -1))
  const kept = newestFirst.slice(0, maxTold)
  const from = newestFirst[maxTold] ?? upTo
  return [from, ...kept.map(key => key - from)].map(number => number.toString(36)).join('-')
}

function parse(cursor: string, { maxTold }: TailReach): Cursor {
  // 14 characters a call; a longer one is not even split.
  if (cursor.length > 14 * (maxTold + 1) || !CURSOR.test(cursor)) throw badCursor()
  const [from = 0n, ...distances] = cursor.split('-').map(fromBase36)
  if (distances.length > maxTold || from > MAX_ID) throw badCursor()
  return { upTo: from, told: distances.map(distance => from + distance) }
}

function fromBase36(digits: string): bigint {
  return [...digits].reduce((sum, digit) => sum * 36n + BigInt(Number.parseInt(digit, 36)), 0n)
}

function badCursor(): StoreQueryError {
  return new StoreQueryError('after is not a cursor. Use the one of the last answer, or none.')
}
