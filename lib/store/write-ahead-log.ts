import { statSync } from 'node:fs'
import { type Database, prepared, readPragma } from './driver.js'
import { WalPinnedError } from './errors.js'

/** Size the log is cut back to when SQLite starts it over. */
export const WAL_LIMIT_BYTES = 8 * 1024 ** 2
/** Share of the store's size limit that its log may take. */
export const WAL_SHARE = 1 / 4
/** SQLite moves a log to the database from about 4 MiB on; one shorter than that is no sign of anything. */
const LEAST_CAP_BYTES = 8 * 1024 ** 2

/** Size at which a log that a reader holds is not written to any more, in bytes. */
export function walCapBytes(maxBytes: number): number {
  return Math.max(LEAST_CAP_BYTES, Math.floor(maxBytes * WAL_SHARE))
}

/**
 * The write-ahead log of an open store. It can be cut only when no connection reads from it: one transaction that a
 * reader forgets to end would let it grow with every batch.
 */
export class WriteAheadLog {
  readonly #db: Database
  readonly #path: string
  readonly #capBytes: number

  constructor(db: Database, storePath: string, capBytes: number) {
    this.#db = db
    this.#path = storePath
    this.#capBytes = capBytes
  }

  get bytes(): number {
    return statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  }

  /** @throws {WalPinnedError} when the log has reached its cap and a reader keeps it from being cut */
  requireRoom(): void {
    if (this.bytes < this.#capBytes) return
    // A moment is given to those who write a batch just now: only who stays is in the way.
    if (!this.#checkpoint('TRUNCATE')) throw new WalPinnedError(this.#path, this.#capBytes)
  }

  /** Moves the log to the database and cuts it, without waiting for anybody; `false`: a connection is in the way. */
  cutNow(): boolean {
    return this.#withoutWaiting(() => this.#checkpoint('TRUNCATE'))
  }

  /** Moves to the database what no reader needs in the log, without waiting for anybody. */
  moveNow(): void {
    this.#withoutWaiting(() => this.#checkpoint('PASSIVE'))
  }

  #withoutWaiting<T>(work: () => T): T {
    const timeout = Number(readPragma(this.#db, 'busy_timeout'))
    this.#db.exec('PRAGMA busy_timeout = 0')
    try {
      return work()
    } finally {
      this.#db.exec(`PRAGMA busy_timeout = ${timeout}`)
    }
  }

  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): boolean {
    const [result] = prepared(this.#db, `PRAGMA wal_checkpoint(${mode})`).all() as { busy: number }[]
    return result?.busy === 0
  }
}
