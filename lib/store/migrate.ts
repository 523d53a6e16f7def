import { type Database, readPragma } from './driver.js'
import { SchemaTooNewError } from './errors.js'
import { APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION } from './schema.js'

export function schemaVersion(db: Database): number {
  return Number(readPragma(db, 'user_version'))
}

/**
 * Takes the write lock. In an empty file auto_vacuum has to be set before the first table and writes page 1: inside
 * the transaction of the schema, for a process killed in between would leave a file that does not say whose it is.
 */
function begin(db: Database): void {
  const isEmpty = readPragma(db, 'page_count') === 0
  db.exec(isEmpty ? 'BEGIN; PRAGMA auto_vacuum = INCREMENTAL' : 'BEGIN IMMEDIATE')
}

/**
 * Brings the file to the current schema version, one transaction per version. Safe to run in several processes
 * at once: the version is read again under the write lock.
 *
 * @throws {SchemaTooNewError} when the file is ahead of this code.
 */
export function migrate(db: Database, path: string, migrations = MIGRATIONS): void {
  const target = migrations.length
  while (true) {
    const seen = schemaVersion(db)
    if (seen > target) throw new SchemaTooNewError(path, seen, SCHEMA_VERSION)
    if (seen === target) return
    try {
      begin(db)
      const version = schemaVersion(db)
      if (version === seen) {
        for (const sql of migrations[version] ?? []) db.exec(sql)
        // Both are words of page 1 and part of the transaction: no file is ours without its tables.
        db.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
        db.exec(`PRAGMA user_version = ${version + 1}`)
      }
      db.exec('COMMIT')
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      throw error
    }
  }
}
