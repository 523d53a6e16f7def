import { closeSync, constants, openSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { type Database, type Driver, loadDriver, prepared, readPragma } from './driver.js'
import { classify, codeOf, DamagedStoreError, ForeignStoreError, StoreSetupError } from './errors.js'
import { makeStoreFolder } from './folder.js'
import { identify, refuseForeign, statOf } from './inspect.js'
import { migrate } from './migrate.js'
import { pause } from './pause.js'
import { IS_INDEXED, ORDERED_ROOT_SAMPLE } from './root-sql.js'
import { setAside } from './set-aside.js'
import { WAL_LIMIT_BYTES } from './write-ahead-log.js'

export interface OpenOptions {
  /** Time SQLite waits for a lock before a statement fails, in milliseconds. Default 75. */
  readonly busyTimeoutMs?: number
  /** Told where a damaged store was moved before a new one was started. */
  readonly onSetAside?: (path: string) => void
  /**
   * Looks through a store that was not closed well, as long as that takes no more than a moment. Damage in a larger
   * one shows when it is read.
   */
  readonly thorough?: boolean
  /** Default: the installed better-sqlite3. */
  readonly driver?: Driver
}

/** Time a thread waits for a lock in one statement; drains stay below 100 ms. */
const BUSY_TIMEOUT_MS = 75
/** Time spent in all on a store that other processes keep locked while it is opened. */
const BUSY_RETRY_MS = 1_000
const BUSY_PAUSE_MS = 5
/** Attempts that may end because another process moved or removed the file just then. */
const ATTEMPTS = 5
const FILE_MODE = 0o600
/** Names of files have 255 bytes on Linux, macOS and Windows; the longest name of a journal adds 44, kept unreadable 55. */
const LONGEST_NAME = 200
/** Pages in the log after which a commit moves them to the database. */
const WAL_CHECKPOINT_PAGES = 1_000
const WAL_MODE = 'wal'
/** Looking through a store takes 4 ms a MiB. */
const THOROUGH_UP_TO_BYTES = 16 * 1024 ** 2

/**
 * Opens the store for writing; creates the folder (0700), the file (0600) and the schema when they are missing.
 * A damaged store is set aside, once, and a new one started. Only for the writer thread: it may wait for locks.
 *
 * @throws {DriverError} when better-sqlite3 cannot be loaded
 * @throws {ForeignStoreError} when the path holds something else; it is left as it is
 * @throws {SchemaTooNewError} when a newer Callsight wrote the store
 * @throws {StoreSetupError} when the folder or file cannot be used, or SQLite refuses a setting
 */
export function openForWriting(path: string, options: OpenOptions = {}): Database {
  const file = resolve(path)
  if (file !== file.trim())
    throw new StoreSetupError(
      `The store path "${path}" begins or ends with a space. Choose one that does not.`,
    )
  if (Buffer.byteLength(basename(file)) > LONGEST_NAME)
    throw new StoreSetupError(
      `The file name of the store ${file} is too long: the names of the files beside it begin with it, so it may ` +
        `have ${LONGEST_NAME} bytes. Choose a shorter one with CALLSIGHT_DB.`,
    )
  const driver = options.driver ?? loadDriver()
  const busyTimeoutMs = options.busyTimeoutMs ?? BUSY_TIMEOUT_MS
  let hasSetAside = false
  const check = options.thorough === true && wasLeft(file)
  for (let attempt = 1; ; attempt++) {
    createIfMissing(file)
    const seen = identify(file)
    try {
      return retryWhileBusy(() => openExisting(driver, file, busyTimeoutMs, check))
    } catch (error) {
      const failure = classify(error)
      if (failure === 'corrupt' && !hasSetAside) {
        const moved = setAside(file, seen)
        hasSetAside = moved !== null
        if (moved !== null) options.onSetAside?.(moved)
        else pause(BUSY_PAUSE_MS)
        if (attempt < ATTEMPTS) continue
      }
      if (failure === 'gone' && identify(file) !== seen && attempt < ATTEMPTS) continue
      throw error
    }
  }
}

function createIfMissing(file: string): void {
  const found = statOf(file)
  if (found === null) {
    createFolder(dirname(file))
    createFile(file)
    createIfMissing(file)
    return
  }
  if (found.isSymbolicLink()) throw new ForeignStoreError(file, 'is a symbolic link')
  if (found.isDirectory()) throw new ForeignStoreError(file, 'is a directory')
  if (!found.isFile()) throw new ForeignStoreError(file, 'is not a regular file')
}

function createFolder(folder: string): void {
  try {
    makeStoreFolder(folder)
  } catch (cause) {
    throw new StoreSetupError(
      `The folder ${folder} cannot be created (${(cause as Error).message}). Create it, or choose another path ` +
        'with CALLSIGHT_DB.',
      { cause },
    )
  }
}

function createFile(file: string): void {
  try {
    // Before SQLite does it with the umask's mode; -wal and -shm take over the mode of the database.
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR
    closeSync(openSync(file, flags, FILE_MODE))
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return
    throw new StoreSetupError(
      `The store ${file} cannot be created (${(cause as Error).message}). Make the folder writable, or choose ` +
        'another path with CALLSIGHT_DB.',
      { cause },
    )
  }
}

/** Its process died, or still runs: the last one to close a store leaves no log. */
function wasLeft(file: string): boolean {
  const bytesOf = (path: string): number => statOf(path)?.size ?? 0
  const logBytes = bytesOf(`${file}-wal`)
  return logBytes > 0 && logBytes + bytesOf(file) <= THOROUGH_UP_TO_BYTES
}

function openExisting(driver: Driver, file: string, busyTimeoutMs: number, check: boolean): Database {
  refuseForeign(driver, file, busyTimeoutMs)
  const db = new driver(file, { fileMustExist: true, timeout: busyTimeoutMs })
  try {
    db.exec('PRAGMA trusted_schema = OFF')
    db.exec('PRAGMA synchronous = NORMAL')
    // The first version goes in before WAL mode: so the file itself says from then on whose it is, at any moment.
    migrate(db, file)
    const settings: readonly (readonly [pragma: string, wanted: string | number])[] = [
      ['auto_vacuum', 2],
      ['journal_mode', WAL_MODE],
      ['synchronous', 1],
      ['busy_timeout', busyTimeoutMs],
      ['mmap_size', 0],
      ['journal_size_limit', WAL_LIMIT_BYTES],
      ['trusted_schema', 0],
      ['cell_size_check', 1],
      ['wal_autocheckpoint', WAL_CHECKPOINT_PAGES],
    ]
    for (const [pragma, wanted] of settings) setAndCheck(db, file, pragma, wanted)
    if (check) requireSound(db, file)
    probe(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function setAndCheck(db: Database, file: string, pragma: string, wanted: string | number): void {
  if (readPragma(db, pragma) === wanted) return
  db.exec(`PRAGMA ${pragma} = ${wanted}`)
  const found = readPragma(db, pragma)
  // SQLite built without memory mapping has no mmap_size to report.
  if (found === wanted || (pragma === 'mmap_size' && found === undefined)) return
  throw new StoreSetupError(
    pragma === 'journal_mode'
      ? `${file} cannot use write-ahead logging (journal_mode is ${found}): it needs a local file system with ` +
          'shared memory. Choose a path that is not on a network file system with CALLSIGHT_DB.'
      : `${file} does not take the setting ${pragma} = ${wanted} (it is ${found}). Move the file away so that a ` +
          'new one is created, or choose another path with CALLSIGHT_DB.',
  )
}

/** Reads the pages the next batch will write to, so that damage there shows now and not in the first batch. */
function probe(db: Database): void {
  for (const table of ['calls', 'errors'])
    prepared(db, `SELECT * FROM ${table} ORDER BY id DESC LIMIT 1`).all()
  prepared(db, `SELECT max(trace) FROM calls WHERE ${IS_INDEXED('')}`).all()
  prepared(
    db,
    `SELECT call FROM calls WHERE ${ORDERED_ROOT_SAMPLE('')} ORDER BY process_id DESC, call DESC LIMIT 1`,
  ).all()
  prepared(db, 'SELECT count(*) FROM processes').all()
}

/** A page that is damaged deep inside would show when it is needed, in the middle of work or of an answer. */
function requireSound(db: Database, file: string): void {
  const found = readPragma(db, 'integrity_check(1)')
  if (found !== 'ok') throw new DamagedStoreError(`${file} is damaged: ${found}`)
}

function retryWhileBusy<T>(work: () => T): T {
  const deadline = performance.now() + BUSY_RETRY_MS
  while (true) {
    try {
      return work()
    } catch (error) {
      if (classify(error) !== 'busy' || performance.now() >= deadline) throw error
      pause(BUSY_PAUSE_MS)
    }
  }
}
