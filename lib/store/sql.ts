import { isOurTable } from './layout.js'
import { StoreQueryError } from './read-errors.js'
import { type ReadFile, type ReadStatement, tooLongIn, translate } from './read-file.js'

/** What a column of a free query can hold. An integer beyond 2^53 is a `bigint`, so that none is silently wrong. */
export type SqlResult = number | bigint | string | Buffer | null
export type SqlRow = Readonly<Record<string, SqlResult>>
/** Values for `?` in order, or for `$name` by name. */
export type SqlParams =
  | readonly (number | bigint | string | Buffer | null)[]
  | Readonly<Record<string, number | bigint | string | Buffer | null>>

// ATTACH, VACUUM INTO, PRAGMA and BEGIN count as read-only for SQLite, and some of them create files.
const QUERY = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*(?:SELECT|WITH|VALUES|EXPLAIN)\b/i
const MAX_QUERY_LENGTH = 1_000_000

/** The public contract for queries; the README has their columns. */
export const VIEW_NAMES = [
  'recent_errors',
  'recent_calls',
  'function_totals',
  'open_calls',
  'died_in_flight',
  'recent_stalls',
  'losses',
  'recent_incidents',
] as const

export function runSql(file: ReadFile, text: string, params: SqlParams, limit: number): SqlRow[] {
  const statement = prepareQuery(file, text)
  try {
    return readRows(statement, params, limit)
  } catch (error) {
    throw queryError(error, file.path)
  }
}

function prepareQuery(file: ReadFile, text: string): ReadStatement {
  if (typeof text !== 'string' || text.length > MAX_QUERY_LENGTH || !QUERY.test(text)) {
    throw new StoreQueryError('Only one query is accepted: SELECT, WITH … SELECT, VALUES or EXPLAIN.')
  }
  // SQLite would silently take the text up to there for the whole query.
  if (text.includes('\0')) throw new StoreQueryError('The query holds a NUL character. Remove it.')
  let statement: ReadStatement
  try {
    // The blank keeps this statement, whose rows are arrays of exact integers, apart from the store's own.
    statement = file.statement(`${text} `)
  } catch (error) {
    throw queryError(error, file.path)
  }
  if (!statement.reader || !statement.readonly) {
    throw new StoreQueryError('The query would write. The store is open for reading only.')
  }
  return statement.raw().safeIntegers()
}

function readRows(statement: ReadStatement, params: SqlParams, limit: number): SqlRow[] {
  const names = uniqueNames(statement.columns().map(column => column.name))
  const rows: SqlRow[] = []
  const bound = Array.isArray(params) ? params : [params]
  // Leaving the loop early closes the iterator, and with it the read transaction.
  for (const values of statement.iterate(...bound)) {
    if (rows.length >= limit) break
    const tooLong = tooLongIn(values as SqlResult[])
    if (tooLong !== null)
      throw new StoreQueryError(
        `The answer has a text of ${tooLong} characters, which no recorder writes. In a query, take a part of it with substr().`,
      )
    rows.push(Object.fromEntries((values as SqlResult[]).map((value, i) => [names[i], exact(value)])))
  }
  return rows
}

function exact(value: SqlResult): SqlResult {
  if (typeof value !== 'bigint') return value
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
}

/** A second column of the same name becomes `name_2`; in a plain object it would replace the first. */
function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map(name => {
    let unique = name
    for (let copy = 2; taken.has(unique); copy++) unique = `${name}_${copy}`
    taken.add(unique)
    return unique
  })
}

function queryError(error: unknown, path: string): unknown {
  if (error instanceof StoreQueryError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (/^SQLITE_(CORRUPT|IOERR|NOTADB|BUSY|CANTOPEN|READONLY)/.test(code) || code.startsWith('CALLSIGHT_')) {
    return translate(error, path)
  }
  const why = error instanceof Error ? error.message : String(error)
  const missing = /^no such table: (?:main\.)?(\w+)$/.exec(why)?.[1]
  if (missing !== undefined && isOurTable(missing)) return translate(error, path)
  const views = why.startsWith('no such table') ? ` The views are ${VIEW_NAMES.join(', ')}.` : ''
  return new StoreQueryError(`The query was refused: ${why}.${views}`, { cause: error })
}
