import { StoreQueryError } from '../read-errors.js'
import type { RowReader } from '../read-file.js'
import type { Outcome } from './filter.js'
import type { CallRow } from './rows.js'
import { countSinceSql, tailSql } from './statements.js'

/** Calls that came since the last look. */
export interface Tail {
  /** Newest first. */
  readonly calls: readonly CallRow[]
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

type TailRow = CallRow & { readonly id: string }

/** As long after its call ended a record may come into the file and still be told. */
const LATE_US = 2_000_000n
const ID_SALT_SPAN = 2048n
/** More would make the cursor too long for an address. */
const MAX_TOLD = 100
const MAX_COUNTED = 100_000
const MAX_ID = 2n ** 63n - 1n
const CURSOR = /^[0-9a-z]{1,13}(?:-[0-9a-z]{1,13}){0,100}$/

const NEWEST_SQL = `SELECT CAST(max(coalesce((SELECT max(id) FROM calls), 0), coalesce((SELECT max(id) FROM errors), 0)) AS TEXT) AS id`

/** @param after cursor of the last look; `null`: the newest calls */
export function readTail(
  read: RowReader,
  filter: { readonly pattern: string | null; readonly outcome: Outcome | null; readonly limit: number },
  after: string | null,
): Tail {
  const { pattern, outcome, limit } = filter
  const last = after === null ? null : parse(after)
  const newest = BigInt(read.all<{ id: string }>(NEWEST_SQL, {})[0]?.id ?? '0')
  const conditions = { pattern: pattern !== null, outcome }
  const told = new Set(last?.told)
  const params = {
    after: last?.upTo ?? 0n,
    ...(pattern === null ? {} : { pattern }),
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
    newest - LATE_US * ID_SALT_SPAN,
    // What is not told now, for there was too much, is not told later either.
    skipped > 0 || (last === null && rows.length === limit) ? (rows.at(-1)?.key ?? 0n) : 0n,
  ].reduce((a, b) => (a > b ? a : b))
  return {
    calls: rows.map(({ id: _, key: __, ...row }) => row),
    cursor: render({ upTo, told: [...told, ...rows.map(({ key }) => key)].filter(key => key > upTo) }),
    skipped,
  }
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
function render({ upTo, told }: Cursor): string {
  const newestFirst = [...told].sort((a, b) => (a < b ? 1 : -1))
  const kept = newestFirst.slice(0, MAX_TOLD)
  const from = newestFirst[MAX_TOLD] ?? upTo
  return [from, ...kept.map(key => key - from)].map(number => number.toString(36)).join('-')
}

function parse(cursor: string): Cursor {
  if (!CURSOR.test(cursor)) throw badCursor()
  const [from = 0n, ...distances] = cursor.split('-').map(fromBase36)
  if (from > MAX_ID) throw badCursor()
  return { upTo: from, told: distances.map(distance => from + distance) }
}

function fromBase36(digits: string): bigint {
  return [...digits].reduce((sum, digit) => sum * 36n + BigInt(Number.parseInt(digit, 36)), 0n)
}

function badCursor(): StoreQueryError {
  return new StoreQueryError('after is not a cursor. Use the one of the last answer, or none.')
}
