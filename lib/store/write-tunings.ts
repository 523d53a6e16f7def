import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Database, loadDriver, prepared, readPragma } from './driver.js'
import { classify } from './errors.js'
import { findProcesses } from './queries/coverage.js'
import { foreignStore, StoreQueryError, StoreWriteError } from './read-errors.js'
import { ReadFile, refuseStrange, translate } from './read-file.js'
import { APPLICATION_ID, SCHEMA_VERSION } from './schema.js'
import { isProcess, MAX_TUNING_ROWS, MAX_TUNINGS } from './tunings.js'

export interface NewTuning {
  readonly pattern: string
  /** JSON. */
  readonly options: string
  /** One process only: its pid, `script[pid]` or boot id. */
  readonly process: string | null
  readonly forMs: number
  readonly createdBy: string
}

export interface AddedTuning {
  readonly id: number
  readonly expiresUs: number
  /** Processes that run now and will take it over. */
  readonly running: number
}

/** Time SQLite waits for a lock in one attempt, and how long attempts go on: a recorder holds it for milliseconds. */
const BUSY_TIMEOUT_MS = 1_000
const BUSY_LIMIT_MS = 10_000

/**
 * Asks the processes that write into this store to change what they record.
 *
 * @throws {StoreWriteError} when the file may not be written by this user, or stays locked
 * @throws {StoreQueryError} when no such process runs, or too many changes are in force
 * @throws what `openStore` throws for a file that is none of ours
 */
export function addTuning(path: string, tuning: NewTuning): AddedTuning {
  const running = runningProcesses(path, tuning.process)
  if (tuning.process !== null && running === 0) {
    throw new StoreQueryError(
      `No process ${JSON.stringify(tuning.process)} writes into ${path} now. Name one by its pid, script[pid] or boot id.`,
    )
  }
  return changeStore(path, db => {
    const nowUs = Date.now() * 1_000
    const inForce = prepared(db, 'SELECT count(*) FROM tunings WHERE cleared_us IS NULL AND expires_us > ?')
      .pluck()
      .get(nowUs)
    if (Number(inForce) >= MAX_TUNINGS) {
      throw new StoreQueryError(
        `${MAX_TUNINGS} changes are in force already. End some with --clear, or use wider patterns.`,
      )
    }
    prepared(
      db,
      `DELETE FROM tunings WHERE tuning_id IN (
         SELECT tuning_id FROM tunings WHERE cleared_us IS NOT NULL OR expires_us <= $nowUs ORDER BY tuning_id
         LIMIT max(0, (SELECT count(*) FROM tunings) - $most + 1))`,
    ).run({ nowUs, most: MAX_TUNING_ROWS })
    const { pattern, options, process, forMs, createdBy } = tuning
    const expiresUs = nowUs + Math.ceil(forMs * 1_000)
    const done = prepared(
      db,
      `INSERT INTO tunings (pattern, options, process, created_us, expires_us, created_by) VALUES (?, ?, ?, ?, ?, ?)`,
    ).run(pattern, options, process, nowUs, expiresUs, createdBy)
    return { id: Number(done.lastInsertRowid), expiresUs, running }
  })
}

/** Ends what is in force of exactly this pattern, and of this process if one is named; returns how many that were. */
export function clearTunings(path: string, pattern: string, process: string | null): number {
  ReadFile.open(path).close()
  return changeStore(path, db => {
    const nowUs = Date.now() * 1_000
    return prepared(
      db,
      `UPDATE tunings SET cleared_us = ? WHERE cleared_us IS NULL AND expires_us > ? AND pattern = ?
         AND (? IS NULL OR process = ?)`,
    ).run(nowUs, nowUs, pattern, process, process).changes
  })
}

/** Looks at the file as every reader does, so what is not ours is refused before it is opened for writing. */
function runningProcesses(path: string, process: string | null): number {
  const file = ReadFile.open(path)
  try {
    return findProcesses(file, Date.now()).filter(
      known => known.state === 'writing' && (process === null || isProcess(process, known)),
    ).length
  } finally {
    file.close()
  }
}

function changeStore<T>(path: string, work: (db: Database) => T): T {
  const given = resolve(path)
  const deadlineMs = performance.now() + BUSY_LIMIT_MS
  for (;;) {
    try {
      return changeOnce(given, work)
    } catch (error) {
      if (classify(error) === 'busy' && performance.now() < deadlineMs) continue
      throw refusal(error, given)
    }
  }
}

function changeOnce<T>(given: string, work: (db: Database) => T): T {
  const driver = loadDriver()
  const db = new driver(realpathSync(given), { fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
  try {
    db.exec('PRAGMA trusted_schema = OFF')
    db.exec('BEGIN IMMEDIATE')
    // Under the lock: since the look another file may have been put there.
    const isOurs = readPragma(db, 'application_id') === APPLICATION_ID
    if (!isOurs || readPragma(db, 'user_version') !== SCHEMA_VERSION)
      throw foreignStore(given, 'has just been replaced')
    refuseStrange(db, given)
    const result = work(db)
    db.exec('COMMIT')
    return result
  } finally {
    // What was not committed is rolled back.
    db.close()
  }
}

function refusal(error: unknown, path: string): unknown {
  const why = error instanceof Error ? error.message : String(error)
  switch (classify(error)) {
    case 'busy':
      return new StoreWriteError(`${path} is locked by another program (${why}). Try again.`, {
        cause: error,
      })
    case 'readonly':
    case 'gone':
      return new StoreWriteError(
        `${path} may not be written by this user (${why}). Who records decides what is recorded: run it as that user.`,
        { cause: error },
      )
    default:
      return translate(error, path)
  }
}
