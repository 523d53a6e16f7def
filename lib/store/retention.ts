import { deleteOlder } from './age-limit.js'
import type { Database } from './driver.js'
import { Slice } from './retention-slice.js'
import { deleteExcess } from './size-limit.js'
import { StoreSize } from './store-size.js'

export interface RetentionOptions {
  /** Path of the database file, for the size of its write-ahead log. */
  readonly path: string
  /** How long records are kept, in milliseconds. */
  readonly retentionMs: number
  /** Upper limit of database and write-ahead log together, in bytes. */
  readonly maxBytes: number
}

export interface SweepResult {
  /** `true` while another slice would still delete something or give space back. */
  readonly more: boolean
  /** Rows of calls and errors deleted by this slice. */
  readonly expired: number
  /** Rows of any table deleted by this slice. */
  readonly deleted: number
  /** Database and write-ahead log together. */
  readonly bytesBefore: number
  readonly bytesAfter: number
}

/**
 * Keeps the store within its window and its size. Rows go in slices, each in transactions of its own, so that
 * batches can be written in between: call {@link sweepSlice} until it reports no more.
 *
 * By age: every call that ended before `nowUs - retentionMs`; a row exactly at the limit stays. By size: the
 * oldest ordinary calls, then the oldest stalls, then the oldest minutes of totals and drops, and errors last.
 */
export class Retention {
  readonly size: StoreSize
  readonly #db: Database
  readonly #retentionMs: number

  constructor(db: Database, { path, retentionMs, maxBytes }: RetentionOptions) {
    this.#db = db
    this.#retentionMs = retentionMs
    this.size = new StoreSize(db, path, maxBytes)
  }

  /**
   * @param nowUs Unix time in microseconds by a clock that does not jump
   * @param budgetRows rows this slice may delete; 2,000 to 5,000 keep it to a few milliseconds. A remote trace goes
   * with its last record and is not counted in it
   * @param cramped the log has hardly any room: pages go back in small steps
   */
  sweepSlice(nowUs: number, budgetRows: number, cramped = false): SweepResult {
    if (this.#db.inTransaction)
      throw new Error('A sweep cannot run inside a batch. Commit or roll back first.')
    const bytesBefore = this.size.bytes
    const slice = new Slice(this.#db, Math.max(1, Math.floor(budgetRows)))
    const cutoffUs = Math.floor(nowUs - this.#retentionMs * 1_000)
    if (cutoffUs > 0) deleteOlder(cutoffUs, slice)
    if (slice.left > 0) deleteExcess(this.size, slice)
    const isVacuumed = this.size.giveBack(cramped)
    const { expired, deleted } = slice
    return {
      more: slice.left <= 0 || !isVacuumed || (this.size.excessBytes > 0 && deleted > 0),
      expired,
      deleted,
      bytesBefore,
      bytesAfter: this.size.bytes,
    }
  }
}
