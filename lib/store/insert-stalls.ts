import { type Database, prepared } from './driver.js'

/** A row of `stalls`; it is found again by its start. */
export interface StallRow {
  readonly ring: number
  readonly startedUs: number
  readonly seenUs: number
  /** `null`: the loop is stuck. */
  readonly endedUs: number | null
  readonly looks: number
  /** `null`: the system does not tell. */
  readonly onCpu: number | null
}

/** A row of `stall_calls`. */
export interface StallCallRow {
  readonly call: number
  readonly functionId: number
  readonly depth: number
  readonly startedUs: number
  readonly timed: boolean
  readonly trace: number
  readonly looks: number
  readonly innerLooks: number
  readonly shape: string | null
  readonly args: string | null
}

/** Writes what is known of times when the event loop did not turn. Part of the batch's transaction. */
export class StallRows {
  readonly #db: Database
  readonly #processId: number

  constructor(db: Database, processId: number) {
    this.#db = db
    this.#processId = processId
  }

  /** Adds a stall or brings it up to date; returns its stall_id. */
  put({ ring, startedUs, seenUs, endedUs, looks, onCpu }: StallRow): number {
    const found = prepared(
      this.#db,
      'SELECT stall_id FROM stalls WHERE process_id = ? AND ring = ? AND started_us = ?',
    )
      .pluck()
      .get(this.#processId, ring, startedUs) as number | undefined
    if (found === undefined) {
      const { lastInsertRowid } = prepared(
        this.#db,
        `INSERT INTO stalls (process_id, ring, started_us, seen_us, ended_us, looks, on_cpu)
           VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ).run(this.#processId, ring, startedUs, seenUs, endedUs, looks, onCpu)
      return Number(lastInsertRowid)
    }
    prepared(
      this.#db,
      'UPDATE stalls SET seen_us = ?, ended_us = ?, looks = ?, on_cpu = ? WHERE stall_id = ?',
    ).run(seenUs, endedUs, looks, onCpu, found)
    return found
  }

  putCall(stallId: number, row: StallCallRow): void {
    prepared(
      this.#db,
      `INSERT INTO stall_calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         depth = excluded.depth, looks = excluded.looks, inner_looks = excluded.inner_looks`,
    ).run(
      stallId,
      row.call,
      row.functionId,
      row.depth,
      row.startedUs,
      row.timed ? 1 : 0,
      row.trace,
      row.looks,
      row.innerLooks,
      row.shape,
      row.args,
    )
  }

  removeCall(stallId: number, call: number): void {
    prepared(this.#db, 'DELETE FROM stall_calls WHERE stall_id = ? AND call = ?').run(stallId, call)
  }

  /** Ends the stalls that a writer of this process which is gone has left open, as far as it knew. */
  endOthers(exceptStartedUs: number | null): void {
    prepared(
      this.#db,
      `UPDATE stalls SET ended_us = seen_us
         WHERE process_id = ? AND ended_us IS NULL AND started_us IS NOT ?`,
    ).run(this.#processId, exceptStartedUs)
  }
}
