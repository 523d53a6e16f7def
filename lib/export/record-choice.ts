import type { Store } from '../store/read.js'
import type { Choice } from './choice.js'

export type RecordTable = 'calls' | 'errors'

/** The records of a choice that there is room for. */
export interface Chosen {
  /** The oldest key of each table that is taken; `null`: none of it. */
  readonly from: Readonly<Record<RecordTable, bigint | null>>
  /** The newest one. */
  readonly to: Readonly<Record<RecordTable, bigint>>
  /** There was no room for the older ones. */
  readonly isCut: Readonly<Record<RecordTable, boolean>>
}

const PAGE_RECORDS = 1_000
const FILE_PAGE_BYTES = 4_096
/** What a page of a table holds. */
const USABLE_BYTES = 4_040
/** Bytes of a record beside its texts, its entries in the indexes among them. */
const RECORD_BYTES = 180
const KEPT: Readonly<Record<RecordTable, readonly string[]>> = {
  calls: ['shape', 'cuts'],
  errors: ['shape', 'error', 'stack', 'fingerprint', 'cuts'],
}
const CONTENT: Readonly<Record<RecordTable, readonly string[]>> = {
  calls: ['args', 'result'],
  errors: ['args', 'message', 'details'],
}

/** Errors before ordinary calls, and of each kind the newest first. A step looks at some of them. */
export function* chooseRecords(
  store: Store,
  choice: Choice,
  options: { readonly maxBytes: number; readonly content: boolean },
): Generator<undefined, Chosen> {
  const from: Record<RecordTable, bigint | null> = { calls: null, errors: null }
  const to = { calls: 0n, errors: 0n }
  const isCut = { calls: false, errors: false }
  let left = options.maxBytes
  for (const table of ['errors', 'calls'] as const) {
    const texts = options.content ? [...KEPT[table], ...CONTENT[table]] : KEPT[table]
    const sql = pageSql(table, choice, texts)
    for (let isDone = false; !isDone; ) {
      const page = store.sql(sql, { ...choice.params, before: from[table] ?? 2n ** 63n - 1n })
      isDone = page.length < PAGE_RECORDS
      for (const row of page) {
        left -= bytesOf(Number(row['bytes']))
        isCut[table] = left < 0
        if (isCut[table]) break
        from[table] = BigInt(String(row['key']))
        to[table] ||= from[table]
      }
      isDone ||= isCut[table]
      yield
    }
    // What is smaller than the error that did not fit is older: it is left out with it.
    if (isCut[table]) left = 0
  }
  return { from, to, isCut }
}

const pageSql = (table: RecordTable, choice: Choice, texts: readonly string[]) =>
  `SELECT CAST(id AS TEXT) AS key, ${texts.map(name => `coalesce(length(CAST(${name} AS BLOB)), 0)`).join(' + ')} AS bytes
   FROM ${table} WHERE (${choice.where(table)}) AND id < $before ORDER BY id DESC LIMIT ${PAGE_RECORDS}`

/** A row that fills more than half a page has it alone, and one that does not fit goes on in pages of its own. */
function bytesOf(texts: number): number {
  const bytes = texts + RECORD_BYTES
  if (bytes > USABLE_BYTES) return (Math.ceil(bytes / USABLE_BYTES) + 1) * FILE_PAGE_BYTES
  return Math.ceil(FILE_PAGE_BYTES / Math.floor(USABLE_BYTES / bytes))
}
