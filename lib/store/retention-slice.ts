import { type Database, prepared } from './driver.js'
import { IS_INDEXED } from './root-sql.js'
import { ID_SALT_BITS } from './schema.js'
import { forgetHoursUpTo } from './sum-hours.js'
import { inTransaction } from './transaction.js'

export type RecordTable = 'calls' | 'errors'
type MinuteTable = 'totals' | 'drops'

export const US_PER_MINUTE = 60_000_000
/** Stalls that go at a time. */
export const STALLS_PER_STEP = 50

/** Remote traces of which every record is among those about to be deleted. These are walked by time, not by trace. */
const deleteTraces = (table: RecordTable, other: RecordTable) => `DELETE FROM remote_traces
  WHERE (process_id, trace) IN (SELECT process_id, trace FROM ${table} NOT INDEXED WHERE id <= ? AND trace < 0)
    AND NOT EXISTS (SELECT 1 FROM ${table} r
      WHERE r.trace = remote_traces.trace AND ${IS_INDEXED('r.')} AND r.process_id = remote_traces.process_id AND r.id > ?)
    AND NOT EXISTS (SELECT 1 FROM ${other} r
      WHERE r.trace = remote_traces.trace AND ${IS_INDEXED('r.')} AND r.process_id = remote_traces.process_id)`
export const DELETE_TRACES = {
  calls: deleteTraces('calls', 'errors'),
  errors: deleteTraces('errors', 'calls'),
} as const

interface Deleted {
  /** Rows that count against the budget. */
  readonly rows: number
  /** Of these, calls and errors. */
  readonly records?: number
  /** Rows of traces, which go with their last record. */
  readonly traces?: number
}

/**
 * One slice of retention: what it may still delete, what it has deleted, and what goes together with which rows. Each
 * step is a transaction of its own.
 */
export class Slice {
  readonly db: Database
  left: number
  deleted = 0
  expired = 0

  constructor(db: Database, budgetRows: number) {
    this.db = db
    this.left = budgetRows
  }

  /** @param boundaryOf the id of the last record to go, asked for in the transaction; none: nothing goes */
  deleteRecords(table: RecordTable, boundaryOf: () => unknown): void {
    this.delete(() => {
      const boundary = boundaryOf()
      if (typeof boundary !== 'bigint') return
      // Mostly no trace came from outside, and the rows need not be looked through.
      const anyTrace = prepared(this.db, 'SELECT 1 FROM remote_traces LIMIT 1').get() !== undefined
      const traces = anyTrace ? prepared(this.db, DELETE_TRACES[table]).run(boundary, boundary).changes : 0
      const rows = prepared(this.db, `DELETE FROM ${table} WHERE id <= ?`).run(boundary).changes
      prepared(
        this.db,
        `INSERT INTO expired VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET
           rows = rows + excluded.rows, up_to_us = max(up_to_us, excluded.up_to_us)`,
      ).run(table, rows, boundary >> BigInt(ID_SALT_BITS))
      return { rows, records: rows, traces }
    })
  }

  /** Deletes whole minutes before `minute`, as many as hold about `rows` rows. */
  deleteMinutes(table: MinuteTable, minute: number, rows: number): void {
    this.delete(() => {
      const last = prepared(
        this.db,
        `SELECT max(minute) FROM (SELECT minute FROM ${table} WHERE minute < ? ORDER BY minute LIMIT ?)`,
      )
        .pluck()
        .get(minute, rows)
      if (typeof last !== 'number') return
      const deleted = prepared(this.db, `DELETE FROM ${table} WHERE minute <= ?`).run(last).changes
      if (table === 'totals') forgetHoursUpTo(this.db, last)
      return { rows: deleted }
    })
  }

  /** @param which ids of stalls; asked for once more in the transaction */
  deleteStalls(which: () => unknown[]): void {
    if (which().length === 0) return
    this.delete(() => {
      let rows = 0
      for (const stallId of which()) {
        for (const table of ['stall_calls', 'stalls']) {
          rows += prepared(this.db, `DELETE FROM ${table} WHERE stall_id = ?`).run(stallId).changes
        }
      }
      return { rows }
    })
  }

  /** Runs the work in a transaction; what it says it has deleted counts after the commit. */
  delete(work: () => Deleted | undefined): void {
    const deleted = inTransaction(this.db, work)
    if (deleted === undefined) return
    const { rows, records = 0, traces = 0 } = deleted
    this.left -= rows
    this.deleted += rows + traces
    this.expired += records
  }
}
