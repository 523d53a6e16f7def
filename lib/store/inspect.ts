import { closeSync, lstatSync, openSync, readSync, type Stats } from 'node:fs'
import { type Database, type Driver, prepared, readPragma } from './driver.js'
import { classify, codeOf, ForeignStoreError, SchemaTooNewError } from './errors.js'
import { schemaVersion } from './migrate.js'
import { APPLICATION_ID, SCHEMA_VERSION } from './schema.js'

const OUR_TABLES = [
  'processes',
  'functions',
  'calls',
  'errors',
  'remote_traces',
  'lanes',
  'totals',
  'expired',
] as const
const APPLICATION_ID_OFFSET = 68
/** Enough for the pages that hold the text of our schema. */
const EVIDENCE_BYTES = 256 * 1024
const SCHEMA_EVIDENCE = 'CREATE VIEW recent_errors AS'

/** Which file a path names now: it changes when the file is replaced, and is `null` when there is none. */
export function identify(path: string): string | null {
  const found = statOf(path)
  return found === null ? null : `${found.dev}:${found.ino}`
}

export function statOf(path: string): Stats | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null
  } catch (error) {
    // A file where a folder of the path should be: whoever creates that folder gets the better message.
    if (codeOf(error) === 'ENOTDIR') return null
    throw error
  }
}

/**
 * Refuses what is not a Callsight store or is a newer one, without changing it: the connection used for looking is read-only.
 * An empty file passes, and so does a damaged one that was ours, by the error SQLite gives for it.
 *
 * The file is not read by `fs`: closing any descriptor of a file cancels all locks this process holds on it,
 * those of the application's own connections included.
 *
 * @throws {ForeignStoreError}
 * @throws {SchemaTooNewError}
 */
export function refuseForeign(driver: Driver, path: string, busyTimeoutMs: number): void {
  const found = statOf(path)
  if (found === null || found.size === 0) return
  let db: Database | undefined
  try {
    db = new driver(path, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs })
    refuseTables(db, path)
  } catch (error) {
    if (classify(error) === 'corrupt' && !wasOurs(path))
      throw new ForeignStoreError(path, 'is not a SQLite database', { cause: error })
    // A journal that a killed process left has to be rolled back first, which a read-only connection cannot do.
    if (/^SQLITE_(READONLY|CANTOPEN)/.test(codeOf(error)) && wasOurs(path)) return
    throw error
  } finally {
    db?.close()
  }
}

function refuseTables(db: Database, path: string): void {
  if (readPragma(db, 'page_count') === 0) {
    // Rolled back to nothing by the process that was creating it, or too short to hold a page.
    if ((statOf(path)?.size ?? 0) === 0) return
    throw new ForeignStoreError(path, 'is not a SQLite database')
  }
  if (readPragma(db, 'application_id') !== APPLICATION_ID)
    throw new ForeignStoreError(path, 'is a SQLite database of another program')
  const version = schemaVersion(db)
  if (version > SCHEMA_VERSION) throw new SchemaTooNewError(path, version, SCHEMA_VERSION)
  const tables = prepared(db, `SELECT name FROM sqlite_schema WHERE type = 'table'`).pluck().all()
  if (!OUR_TABLES.every(name => tables.includes(name)))
    throw new ForeignStoreError(path, 'is a SQLite database without the tables of Callsight')
}

/**
 * Whether a file that SQLite cannot read was a store of ours: it carries our application id, or the text of our
 * schema between binary pages, or is all zeros (a file system that lost the data of a crash leaves that).
 */
function wasOurs(path: string): boolean {
  const head = Buffer.alloc(EVIDENCE_BYTES)
  const descriptor = openSync(path, 'r')
  let size: number
  try {
    size = readSync(descriptor, head, 0, EVIDENCE_BYTES, 0)
  } finally {
    closeSync(descriptor)
  }
  const bytes = head.subarray(0, size)
  if (size >= APPLICATION_ID_OFFSET + 4 && bytes.readUInt32BE(APPLICATION_ID_OFFSET) === APPLICATION_ID)
    return true
  if (bytes.every(byte => byte === 0)) return true
  return bytes.includes(0) && bytes.includes(SCHEMA_EVIDENCE)
}
