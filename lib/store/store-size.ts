import { statSync } from 'node:fs'
import { type Database, readPragma } from './driver.js'
import { classify } from './errors.js'
import { WAL_LIMIT_BYTES, WAL_SHARE, WriteAheadLog, walCapBytes } from './write-ahead-log.js'

/** Pages given back in one step: at 4 KiB a page a step moves at most 2 MiB through the log. */
const VACUUM_PAGES = 512
/** The same on a full disk: it has to fit into what the reserve gave. */
const CRAMPED_VACUUM_PAGES = 64
/**
 * Free pages that stay in the file for the next batches, so that it does not shrink and grow all the time: so many, or
 * this share of those in use. Moving a page back costs more than writing the twenty rows it has room for.
 */
const SPARE_PAGES = 256
const SPARE_SHARE = 1 / 8

/** What an open store takes of its limit, and how it gives back to the file system what it does not need. */
export class StoreSize {
  readonly #db: Database
  readonly #path: string
  readonly #maxBytes: number
  readonly #log: WriteAheadLog
  readonly #pageBytes: number

  /** @param maxBytes upper limit of database and write-ahead log together, in bytes */
  constructor(db: Database, path: string, maxBytes: number) {
    this.#db = db
    this.#path = path
    this.#maxBytes = maxBytes
    this.#log = new WriteAheadLog(db, path, walCapBytes(maxBytes))
    this.#pageBytes = Number(readPragma(db, 'page_size'))
  }

  /** What the file system says of the two files. */
  get onDisk(): { readonly databaseBytes: number; readonly logBytes: number } {
    const databaseBytes = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0
    return { databaseBytes, logBytes: this.#log.bytes }
  }

  /** Whether the two files are larger than they may be, free pages included: asking takes no lock. */
  get isTooLarge(): boolean {
    const { databaseBytes, logBytes } = this.onDisk
    return databaseBytes + logBytes > this.#maxBytes
  }

  /** Database and write-ahead log together. */
  get bytes(): number {
    return Number(readPragma(this.#db, 'page_count')) * this.#pageBytes + this.#log.bytes
  }

  /** Bytes in use above the limit. Deleting rows cannot shrink a log that a reader holds: it counts only up to its share. */
  get excessBytes(): number {
    const pages = Number(readPragma(this.#db, 'page_count')) - Number(readPragma(this.#db, 'freelist_count'))
    return pages * this.#pageBytes + Math.min(this.#log.bytes, this.#maxBytes * WAL_SHARE) - this.#maxBytes
  }

  /**
   * Returns free pages to the file system, a bounded number at a time. `true` when none is left to return.
   *
   * @param cramped the log has hardly any room: small steps
   */
  giveBack(cramped: boolean): boolean {
    const step = cramped ? CRAMPED_VACUUM_PAGES : VACUUM_PAGES
    const free = Number(readPragma(this.#db, 'freelist_count'))
    const used = Number(readPragma(this.#db, 'page_count')) - free
    const wanted = Math.max(SPARE_PAGES, Math.floor(used * SPARE_SHARE))
    const spare = this.bytes > this.#maxBytes ? 0 : wanted
    const surplus = free - spare
    if (surplus > 0) this.#db.exec(`PRAGMA incremental_vacuum(${Math.min(surplus, step)})`)
    // As long as nothing is gone, the database would only grow by what is in the log.
    if (cramped && surplus > 0) this.emptyLog()
    if (surplus > step) return false
    if (cramped) return true
    // The file is cut when its log is moved over; a log that has grown beyond its limit is cut as well.
    if (surplus > 0) this.#log.moveNow()
    if (this.#log.bytes > Math.min(WAL_LIMIT_BYTES, this.#maxBytes * WAL_SHARE)) this.#log.cutNow()
    return true
  }

  /** Moves the log to the database, on a disk that may have no room for it to grow. `true` when that was done. */
  emptyLog(): boolean {
    try {
      this.#log.cutNow()
      return this.#log.bytes === 0
    } catch (error) {
      if (classify(error) !== 'full') throw error
      return false
    }
  }
}
