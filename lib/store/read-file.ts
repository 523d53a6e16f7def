import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { type Database, loadDriver, prepared, readPragma, type Statement } from './driver.js'
import { classify, codeOf } from './errors.js'
import { journalsOf } from './journals.js'
import { strangeIn } from './layout.js'
import { foreignStore, StoreNotFoundError, StoreReadError } from './read-errors.js'
import { APPLICATION_ID, SCHEMA_VERSION } from './schema.js'

/** What reading uses of a better-sqlite3 statement beyond what the writer does. */
export interface ReadStatement extends Statement {
  /** Whether it returns rows. */
  readonly reader: boolean
  /** Whether it leaves the database as it is. */
  readonly readonly: boolean
  iterate(...values: unknown[]): IterableIterator<unknown>
  columns(): readonly { readonly name: string }[]
}

/** Reads rows; every statement has run to its end when the call returns, so no read holds the WAL back. */
export interface RowReader {
  all<Row>(sql: string, params: Readonly<Record<string, unknown>>): Row[]
}

/** Time SQLite waits for a lock; only recovery after a crash of the writer makes a reader wait at all. */
const BUSY_TIMEOUT_MS = 2_000
/** Pages a reader keeps: what a question reads twice, such as the totals of six hours, it reads from the file once. */
const CACHE_KIB = 16 * 1024
/** A recorder does not write that much in a whole batch. */
const MAX_TEXT_LENGTH = 8 * 1024 ** 2
/** Attempts to copy a file that is being written meanwhile. */
const COPY_ATTEMPTS = 3

/**
 * One read-only connection to a store.
 *
 * A reader of a WAL database needs the -wal and -shm files beside it and creates them when they are missing. Where
 * the folder does not allow that, a private copy is read. Where it does, they are removed again at the end.
 *
 * The file is never opened by `fs` while SQLite can open it: closing a descriptor of a file cancels all locks this
 * process holds on it, those of a recorder in the same process included.
 */
export class ReadFile implements RowReader {
  readonly path: string
  /** The file could not be read in place: what is read is a copy, as of the moment of opening. */
  readonly isCopy: boolean
  readonly #db: Database
  readonly #identity: string
  readonly #real: string
  readonly #addedWal: boolean
  readonly #beforeRead: () => void

  private constructor(
    db: Database,
    beforeRead: () => void,
    file: { path: string; real: string; isCopy: boolean; identity: string; addedWal: boolean },
  ) {
    this.#db = db
    this.#beforeRead = beforeRead
    this.path = file.path
    this.isCopy = file.isCopy
    this.#identity = file.identity
    this.#real = file.real
    this.#addedWal = file.addedWal
  }

  /**
   * @param beforeRead called before each statement of {@link all}; what it throws ends the question
   * @throws StoreNotFoundError when there is no file
   * @throws ForeignStoreError when it is not a Callsight store
   * @throws StoreReadError when it is one that cannot be read
   */
  static open(path: string, beforeRead: () => void = () => {}): ReadFile {
    const given = resolve(path)
    const stats = regularFile(given)
    // SQLite keeps -wal beside the real file, not beside a link to it.
    const real = realpathSync(given)
    if (real !== real.trim()) {
      throw new StoreReadError(
        'CALLSIGHT_STORE_UNREADABLE',
        `${given} begins or ends with a space. Rename it.`,
      )
    }
    const file = { path: given, real, identity: identityOf(stats) }
    const hadWal = existsSync(`${real}-wal`)
    try {
      return new ReadFile(connect(real, given), beforeRead, { ...file, isCopy: false, addedWal: !hadWal })
    } catch (error) {
      if (!hadWal) removeOwnWal(real)
      if (!/^SQLITE_(CANTOPEN|READONLY)/.test(codeOf(error))) throw translate(error, given)
    }
    return new ReadFile(openCopy(real, given), beforeRead, { ...file, isCopy: true, addedWal: false })
  }

  /** Whether the path still names the file that is open. A copy stays what it was. */
  isCurrent(): boolean {
    return this.isCopy || identityOf(regularFile(this.path)) === this.#identity
  }

  statement(sql: string): ReadStatement {
    return prepared(this.#db, sql) as ReadStatement
  }

  all<Row>(sql: string, params: Readonly<Record<string, unknown>>): Row[] {
    this.#beforeRead()
    try {
      const rows: Row[] = []
      for (const row of this.statement(sql).iterate(params) as Iterable<Row>) {
        const tooLong = tooLongIn(Object.values(row as object))
        if (tooLong !== null) throw forged(this.path, `a text has ${tooLong} characters`)
        rows.push(row)
      }
      return rows
    } catch (error) {
      throw translate(error, this.path)
    }
  }

  /** Runs several reads on one state of the file. Keep it short: the WAL cannot be cut back meanwhile. */
  snapshot<T>(work: () => T): T {
    this.#db.exec('BEGIN')
    try {
      return work()
    } finally {
      // Some I/O errors end the transaction themselves; a second error must not hide the first.
      if (this.#db.inTransaction) this.#db.exec('COMMIT')
    }
  }

  close(): void {
    if (!this.#db.open) return
    this.#db.close()
    if (this.#addedWal) removeOwnWal(this.#real)
  }
}

function regularFile(path: string): Stats {
  const stats = look(path)
  if (stats === undefined) throw new StoreNotFoundError(path, journalsOf(path).length)
  if (stats.isDirectory()) throw foreignStore(path, 'is a directory, not a recording')
  // Opening a pipe would block for ever.
  if (!stats.isFile()) throw foreignStore(path, 'is not a regular file')
  if (stats.size === 0 && !existsSync(`${path}-journal`)) {
    throw foreignStore(path, 'is empty: nothing has been recorded in it')
  }
  return stats
}

/** @throws StoreReadError when a folder on the way cannot be entered, a link leads in a circle, or the name is none */
function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return undefined
    throw translate(error, path)
  }
}

function identityOf(stats: Stats): string {
  return `${stats.dev}:${stats.ino}`
}

function connect(real: string, given: string): Database {
  const driver = loadDriver()
  const db = new driver(real, {
    readonly: true,
    fileMustExist: true,
    timeout: BUSY_TIMEOUT_MS,
  })
  try {
    db.exec('PRAGMA query_only = ON')
    db.exec('PRAGMA trusted_schema = OFF')
    db.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
    const id = readPragma(db, 'application_id')
    if (id !== APPLICATION_ID) throw foreignStore(given, 'is a SQLite database of another program')
    checkVersion(Number(readPragma(db, 'user_version')), given)
    refuseStrange(db, given)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** The length of a text that no recorder wrote, or `null`. Asked row by row: all rows of a forged file may not fit into memory. */
export function tooLongIn(values: readonly unknown[]): number | null {
  const text = values.find(value => typeof value === 'string' && value.length > MAX_TEXT_LENGTH)
  return typeof text === 'string' ? text.length : null
}

/** @throws StoreReadError when tables or triggers of a file that is marked as ours are declared by somebody else */
export function refuseStrange(db: Database, path: string): void {
  const strange = strangeIn(db)
  if (strange !== null) throw forged(path, strange)
}

function forged(path: string, what: string): StoreReadError {
  return new StoreReadError(
    'CALLSIGHT_STORE_DAMAGED',
    `${path} is marked as a recording, but Callsight did not write all of it (${what}). Do not trust it; read one that nobody changed.`,
  )
}

function checkVersion(version: number, path: string): void {
  if (version > SCHEMA_VERSION) {
    throw new StoreReadError(
      'CALLSIGHT_STORE_NEWER',
      `${path} has schema version ${version}, this Callsight reads version ${SCHEMA_VERSION}. Update callsight.`,
    )
  }
  if (version < SCHEMA_VERSION) {
    throw new StoreReadError(
      'CALLSIGHT_STORE_OLDER',
      `${path} has schema version ${version}, this Callsight reads version ${SCHEMA_VERSION}. Run your program once with this Callsight: it brings the file up to date.`,
    )
  }
}

/**
 * Lets SQLite remove the empty -wal and -shm that the read-only connection had to create and may not delete: the
 * last writable connection to close takes an exclusive lock and removes them; with anyone else there it does not.
 */
function removeOwnWal(path: string): void {
  try {
    const driver = loadDriver()
    const db = new driver(path, { fileMustExist: true, timeout: 0 })
    try {
      db.exec('PRAGMA query_only = ON')
      prepared(db, 'SELECT 1 FROM sqlite_schema LIMIT 1').all()
    } finally {
      db.close()
    }
  } catch {
    // Left where they are they are harmless, and the answer has been given.
  }
}

function openCopy(real: string, given: string): Database {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-'))
  try {
    const copy = join(folder, basename(real).trim())
    copyUnchanged(real, copy, given)
    const driver = loadDriver()
    const folded = new driver(copy, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
    try {
      folded.exec('PRAGMA journal_mode = DELETE')
    } finally {
      folded.close()
    }
    return connect(copy, given)
  } catch (error) {
    throw translate(error, given)
  } finally {
    // The open connection keeps the content; the name goes at once so that not even a killed reader leaves a copy.
    rmSync(folder, { recursive: true, force: true })
  }
}

function copyUnchanged(real: string, copy: string, given: string): void {
  const parts = ['', '-wal', '-journal']
  const stamp = () =>
    parts.map(part => {
      const stats = statSync(real + part, { throwIfNoEntry: false })
      return stats && `${identityOf(stats)}:${stats.size}:${stats.mtimeMs}`
    })
  for (let attempt = 0; attempt < COPY_ATTEMPTS; attempt++) {
    const before = stamp().join()
    for (const part of parts) {
      rmSync(copy + part, { force: true })
      if (!existsSync(real + part)) continue
      copyFileSync(real + part, copy + part, constants.COPYFILE_FICLONE)
      // A copy takes over the mode, which may forbid what SQLite has to do with it.
      chmodSync(copy + part, 0o600)
    }
    if (stamp().join() === before) return
  }
  throw new StoreReadError(
    'CALLSIGHT_STORE_UNREADABLE',
    `${given} is in a folder that may not be written and changes while it is copied. Try again, or read it as the user who records.`,
  )
}

/** What SQLite and its driver say of values that a sum, a JSON function or a number of ours cannot hold. */
const IMPOSSIBLE_VALUE =
  /integer overflow|malformed JSON|bad JSON path|JSON cannot hold|string or blob too big|out of range|too big/i

/** An error of SQLite or the file system in our words; ours pass unchanged. */
export function translate(error: unknown, path: string): unknown {
  if (codeOf(error).startsWith('CALLSIGHT_')) return error
  const why = error instanceof Error ? error.message : String(error)
  if (codeOf(error) === 'SQLITE_NOTADB') {
    return foreignStore(path, 'is not a SQLite database', { cause: error })
  }
  if (classify(error) === 'corrupt') {
    return new StoreReadError(
      'CALLSIGHT_STORE_DAMAGED',
      `${path} is damaged (${why}). Run "callsight doctor"; the recorder sets a damaged file aside at its next start.`,
      { cause: error },
    )
  }
  if (IMPOSSIBLE_VALUE.test(why)) {
    return new StoreReadError(
      'CALLSIGHT_STORE_DAMAGED',
      `${path} holds values that no recorder writes (${why}), and this answer needs them. Do not trust the file; "callsight sql" reads what is left of it.`,
      { cause: error },
    )
  }
  if (/^no such (table|column)/.test(why)) {
    return new StoreReadError(
      'CALLSIGHT_STORE_DAMAGED',
      `${path} is marked as a recording but is not a whole one (${why}). Move it away: the next start of your program makes a new one.`,
      { cause: error },
    )
  }
  return new StoreReadError(
    'CALLSIGHT_STORE_UNREADABLE',
    `${path} cannot be read (${why}). Check that you may read the file and its folder.`,
    { cause: error },
  )
}
