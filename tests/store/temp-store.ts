import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { Database } from '../../lib/store/driver.js'
import { type ErrorRow, StoreWriter, type StoreWriterOptions } from '../../lib/store/insert.js'
import { openForWriting } from '../../lib/store/open.js'
import { errorFields } from './error-fields.js'

const folders: string[] = []
const connections: Database[] = []

afterEach(() => {
  for (const db of connections.splice(0)) db.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-store-'))
  folders.push(folder)
  return folder
}

/** Closes the connection after the test. */
export function kept(db: Database): Database {
  connections.push(db)
  return db
}

export function tempStore(options: StoreWriterOptions = {}) {
  const path = join(tempFolder(), 'calls.db')
  const db = kept(openForWriting(path))
  return { path, db, writer: new StoreWriter(db, options) }
}

export const T0_US = Date.UTC(2026, 0, 2, 3, 4, 5, 678) * 1000

export function registerProcess(writer: StoreWriter, boot = '00000000000000aa', startedUs = T0_US): number {
  return writer.registerProcess({
    boot,
    pid: 4711,
    script: 'app.js',
    host: 'box',
    nodeVersion: 'v20.0.0',
    version: '0.1.0',
    startedUs,
  })
}

export function errorRow(over: Partial<ErrorRow> = {}): ErrorRow {
  return { ...errorFields, endUs: T0_US, ...over }
}

export function all(db: Database, sql: string, ...values: unknown[]): Record<string, unknown>[] {
  return db.prepare(sql).all(...values) as Record<string, unknown>[]
}

export function column(db: Database, sql: string, ...values: unknown[]): unknown[] {
  return db
    .prepare(sql)
    .pluck()
    .all(...values)
}

export function integrity(db: Database): unknown {
  return column(db, 'PRAGMA integrity_check')[0]
}
