import { type Database, prepared } from './driver.js'

/** Clocks of one machine that differ by less are the same clock: processes say only now and then that they live. */
const TOLERANCE_US = 120_000_000
/** A process that has said nothing for this long says nothing about the time either. */
const SILENT_AFTER_MS = 90_000

interface Seen {
  readonly lastSeenUs: number
  /** When it had changed, by the monotonic clock of the caller. */
  readonly changedMs: number
}

/**
 * The time by which records of one file are old. Each process counts from the wall clock of its start, and that of one
 * of them may have been wrong by a day: records are not old as long as they are young for the process that wrote them.
 */
export class CommonClock {
  readonly #db: Database
  readonly #ownId: number
  #seen = new Map<number, Seen>()

  constructor(db: Database, ownId: number) {
    this.#db = db
    this.#ownId = ownId
  }

  /**
   * The earliest of the caller's time and the times of the other processes that write.
   *
   * @param nowUs Unix time of the caller, in microseconds
   * @param nowMs its monotonic clock, in milliseconds
   */
  earliestUs(nowUs: number, nowMs: number): number {
    const sql = `SELECT process_id AS id, last_seen_us AS us FROM processes
      WHERE ended_us IS NULL AND process_id <> ? AND last_seen_us < ?`
    const behind = prepared(this.#db, sql).all(this.#ownId, nowUs - TOLERANCE_US) as {
      id: number
      us: number
    }[]
    const before = this.#seen
    this.#seen = new Map()
    let earliest = nowUs
    for (const { id, us } of behind) {
      const known = before.get(id)
      const seen = known?.lastSeenUs === us ? known : { lastSeenUs: us, changedMs: nowMs }
      this.#seen.set(id, seen)
      if (nowMs - seen.changedMs < SILENT_AFTER_MS) earliest = Math.min(earliest, us)
    }
    return earliest
  }
}
