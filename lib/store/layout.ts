import { type Database, prepared } from './driver.js'
import { CREATE_SCHEMA } from './schema.js'

let known: ReadonlyMap<string, string> | null = null

/** Our tables by name, as the schema declares them. Made when a file is opened: every app imports this. */
function ours(): ReadonlyMap<string, string> {
  known ??= new Map(
    CREATE_SCHEMA.flatMap(sql => bare(sql).split(';')).flatMap(statement => {
      const name = /^ ?CREATE TABLE (\w+) /.exec(statement)?.[1]
      return name === undefined ? [] : [[name, statement.trim()] as const]
    }),
  )
  return known
}

/** Whether a store has a table of this name unless somebody took it away. */
export function isOurTable(name: string): boolean {
  return ours().has(name)
}

/** A trigger hangs on the table it watches; views and tables of others are only read by those who name them. */
const DECLARED_SQL = `SELECT type, name, lower(tbl_name) AS "table", sql FROM sqlite_schema
  WHERE type IN ('table', 'view', 'trigger') AND lower(tbl_name) IN (SELECT value FROM json_each(?))`

interface Declared {
  readonly type: string
  readonly name: string
  readonly table: string
  readonly sql: string
}

/**
 * What of a file marked as ours is declared otherwise than we declare it, or `null`. A view or a computed column under
 * the name of a table can be a query that never ends, and SQLite cannot be interrupted; a trigger runs with what we
 * write. What is missing is told by whoever asks for it.
 */
export function strangeIn(db: Database): string | null {
  const tables = ours()
  const declared = prepared(db, DECLARED_SQL).all(JSON.stringify([...tables.keys()])) as readonly Declared[]
  const strange = declared.find(
    ({ type, table, sql }) => type !== 'table' || bare(String(sql)).trim() !== tables.get(table),
  )
  return strange === undefined ? null : `the ${strange.type} ${strange.name} is not ours`
}

/** Without comments, which may change, and with single blanks. Ours have no texts or quoted names that could hold either. */
function bare(sql: string): string {
  return sql.replace(/--[^\n]*/g, '').replace(/\s+/g, ' ')
}
