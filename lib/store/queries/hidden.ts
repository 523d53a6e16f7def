import { REDACTED_TEXT } from '../../serialize/markers.js'
import { type HiddenValue, hiddenInJson, hiddenInText } from '../hidden-names.js'
import type { RowReader } from '../read-file.js'
import { AT } from '../record-sql.js'
import type { Bounds } from './filter.js'
import { FUNCTION_IDS } from './statements.js'

/** What of a record a hidden value stood in. */
export type HiddenPlace = 'args' | 'result' | 'error' | 'message' | 'stack' | 'details'

/** A name whose value capture has hidden, and how often. */
export interface HiddenName {
  readonly function: string
  readonly place: HiddenPlace
  /** See {@link HiddenValue}. */
  readonly name: string
  /** A part of a text was hidden, not a value. */
  readonly in_text: boolean
  /** Records in which it was hidden, of those looked at. */
  readonly records: number
  /** When the newest of them ended, ISO-8601 UTC. */
  readonly last_at: string
}

export interface HiddenNames {
  /** Newest first. */
  readonly names: readonly HiddenName[]
  /** Newest records of the span, whether something was hidden in them or not. */
  readonly lookedAt: number
  /** Older records of the span, beyond what one answer looks at. */
  readonly notLookedAt: number
}

export interface HiddenLimits {
  readonly records: number
  readonly names: number
}

/** Some seconds of work. */
const LIMITS: HiddenLimits = { records: 100_000, names: 10_000 }
const PAGE_RECORDS = 250
/** A longer text is not read: the recorder writes none, and a page of them would fill the memory. */
const MAX_TEXT_LENGTH = 256 * 1024

interface Row {
  readonly id: string
  readonly at: string
  readonly function: string
  readonly hidden: 0 | 1
  readonly args: string | null
  readonly result: string | null
  readonly error: string | null
  readonly message: string | null
  readonly stack: string | null
  readonly details: string | null
}

const IS_HIDDEN = `coalesce(cuts LIKE '%"redacted":%', 0)`
const ifHidden = (columns: readonly string[]) =>
  columns
    .map(
      column =>
        `CASE WHEN ${IS_HIDDEN} THEN iif(length(${column}) > ${MAX_TEXT_LENGTH}, '${REDACTED_TEXT}…', ${column}) END AS ${column}`,
    )
    .join(', ')
const hiddenRange = (pattern: boolean) =>
  `id >= $sinceId AND id < $before${pattern ? ` AND ${FUNCTION_IDS}` : ''}`

/** Records from `$before` backwards, with their texts where capture has hidden something. */
function hiddenPageSql(pattern: boolean): string {
  const leg = (columns: string, table: string) =>
    `SELECT id, function_id, ${IS_HIDDEN} AS hidden, ${columns} FROM ${table} WHERE ${hiddenRange(pattern)}`
  const none = (columns: readonly string[]) => columns.map(column => `NULL AS ${column}`).join(', ')
  const ofErrors = ['error', 'message', 'stack', 'details'] as const
  return `SELECT CAST(r.id AS TEXT) AS id, ${AT('r')} AS at, coalesce(f.name, '(unknown)') AS function, r.hidden AS hidden,
      r.args AS args, r.result AS result, r.error AS error, r.message AS message, r.stack AS stack, r.details AS details
    FROM (
      ${leg(`${ifHidden(['args', 'result'])}, ${none(ofErrors)}`, 'calls')} UNION ALL
      ${leg(`${ifHidden(['args'])}, NULL AS result, ${ifHidden(ofErrors)}`, 'errors')}
      ORDER BY id DESC LIMIT $limit
    ) r LEFT JOIN functions f ON f.function_id = r.function_id ORDER BY r.id DESC`
}

/** How many records there are from `$before` backwards. The plus lets an index be counted instead of the rows. */
function recordsBeforeSql(pattern: boolean): string {
  const where = `+id >= $sinceId AND +id < $before${pattern ? ` AND ${FUNCTION_IDS}` : ''}`
  return `SELECT (SELECT count(*) FROM calls WHERE ${where}) + (SELECT count(*) FROM errors WHERE ${where}) AS count`
}

/** Reads in pages, so that no read holds the write-ahead log back for long. */
export function readHiddenNames(read: RowReader, bounds: Bounds, limits = LIMITS): HiddenNames {
  const { sinceId, pattern } = bounds
  const scope = pattern === null ? { sinceId } : { sinceId, pattern }
  const found: Found = new Map()
  let before = bounds.untilId
  let lookedAt = 0
  while (lookedAt < limits.records && found.size < limits.names) {
    const limit = Math.min(PAGE_RECORDS, limits.records - lookedAt)
    const page = read.all<Row>(hiddenPageSql(pattern !== null), { ...scope, before, limit })
    for (const row of page) if (row.hidden === 1) add(found, row)
    lookedAt += page.length
    const last = page.at(-1)
    if (last !== undefined) before = BigInt(last.id)
    if (page.length < limit) break
  }
  const rest = read.all<{ count: number }>(recordsBeforeSql(pattern !== null), { ...scope, before })
  return {
    names: [...found.values()],
    lookedAt,
    notLookedAt: rest[0]?.count ?? 0,
  }
}

type Found = Map<string, { -readonly [field in keyof HiddenName]: HiddenName[field] }>

function add(found: Found, row: Row): void {
  for (const [place, values] of placesOf(row)) {
    for (const { name, inText } of values) {
      const key = JSON.stringify([row.function, place, name, inText])
      const known = found.get(key)
      if (known !== undefined) known.records++
      else
        found.set(key, {
          function: row.function,
          place,
          name,
          in_text: inText,
          records: 1,
          last_at: row.at,
        })
    }
  }
}

function placesOf(row: Row): [HiddenPlace, HiddenValue[]][] {
  return [
    ['args', hiddenInJson(row.args, true)],
    ['result', hiddenInJson(row.result)],
    ['error', hiddenInText(row.error)],
    ['message', hiddenInText(row.message)],
    ['stack', hiddenInText(row.stack)],
    ['details', hiddenInJson(row.details)],
  ]
}
