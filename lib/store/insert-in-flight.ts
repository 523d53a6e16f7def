import { type Database, prepared } from './driver.js'

/** A row of `in_flight`. */
export interface InFlightRow {
  readonly call: number
  readonly functionId: number
  readonly startedUs: number
  readonly timed: boolean
  readonly trace: number
  /** 0 = none. */
  readonly parent: number
  readonly depth: number | null
  readonly shape: string | null
  readonly args: string | null
}

/** What the file says of an open call. */
export interface WrittenCall {
  readonly startedUs: number
  readonly depth: number | null
  readonly timed: boolean
  readonly trace: number
  /** 0 = none. */
  readonly parent: number
  /** Number of its call site in its thread; `null`: read from the file, which has its name only. */
  readonly site: number | null
}

/** Writes what was under way when the writer last looked. Part of the batch's transaction. */
export class InFlightRows {
  readonly #db: Database
  readonly #processId: number

  constructor(db: Database, processId: number) {
    this.#db = db
    this.#processId = processId
  }

  /** By call number, the calls of a ring that the file has as open. */
  written(ring: number): Map<number, WrittenCall> {
    const rows = prepared(
      this.#db,
      `SELECT call, started_us AS startedUs, timed, trace, ifnull(parent, 0) AS parent, depth FROM in_flight
         WHERE process_id = ? AND ring = ?`,
    ).all(this.#processId, ring) as (Omit<WrittenCall, 'timed'> & { call: number; timed: number })[]
    return new Map(rows.map(({ call, timed, ...row }) => [call, { ...row, timed: timed === 1, site: null }]))
  }

  /** A call that is there already has moved from the stack to the pending calls or back, or was misread before. */
  put(ring: number, row: InFlightRow): void {
    prepared(
      this.#db,
      `INSERT INTO in_flight VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET function_id = excluded.function_id, started_us = excluded.started_us,
           timed = excluded.timed, trace = excluded.trace, parent = excluded.parent, depth = excluded.depth,
           shape = ifnull(shape, excluded.shape), args = ifnull(args, excluded.args)`,
    ).run(
      this.#processId,
      ring,
      row.call,
      row.functionId,
      row.startedUs,
      row.timed ? 1 : 0,
      row.trace,
      row.parent === 0 ? null : row.parent,
      row.depth,
      row.shape,
      row.args,
    )
  }

  remove(ring: number, call: number): void {
    prepared(this.#db, 'DELETE FROM in_flight WHERE process_id = ? AND ring = ? AND call = ?').run(
      this.#processId,
      ring,
      call,
    )
  }

  /** A record of the call is in the file from this transaction on: it stands in one of the two places only. */
  ended(ring: number, call: number): void {
    const { changes } = prepared(
      this.#db,
      'DELETE FROM in_flight WHERE process_id = ? AND ring = ? AND call = ?',
    ).run(this.#processId, ring, call)
    if (changes === 0) return
    prepared(
      this.#db,
      `UPDATE in_flight_looks SET open = max(0, open - 1), listed = max(0, listed - 1)
         WHERE process_id = ? AND ring = ?`,
    ).run(this.#processId, ring)
  }

  look(ring: number, lookedUs: number, open: number, listed: number): void {
    prepared(
      this.#db,
      `INSERT INTO in_flight_looks VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         looked_us = excluded.looked_us, open = excluded.open, listed = excluded.listed`,
    ).run(this.#processId, ring, Math.round(lookedUs), open, listed)
  }
}
