import { statSync } from 'node:fs'
import { type Database, prepared, readPragma } from './driver.js'
import { classify } from './errors.js'
import { WAL_LIMIT_BYTES } from './open.js'
import { ID_SALT_BITS } from './schema.js'
import { forgetHoursUpTo } from './sum-hours.js'

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

type RecordTable = 'calls' | 'errors'
type MinuteTable = 'totals' | 'drops'

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
/** Deleting rows cannot shrink a log that a reader holds; it takes at most this share of the limit. */
const WAL_SHARE = 1 / 4
/** Bytes of a row with its index entries, its texts not counted. */
const ROW_BYTES = 80
const US_PER_MINUTE = 60_000_000
/** Stalls of one process; the oldest go first. */
export const MAX_STALLS = 500
/** Open calls of one process and the threads they belonged to: threads that ended long ago go first. */
export const MAX_IN_FLIGHT = 20_000
/** What goes with the row of a process. */
const PROCESS_TABLES = [
  'lanes',
  'reported',
  'remote_traces',
  'seconds',
  'journal_ranges',
  'recorder_states',
  'processes',
] as const
/** Stalls that go at a time when the store is too large. */
const STALLS_PER_STEP = 50

const TEXT_BYTES = {
  calls: `ifnull(octet_length(shape), 0) + ifnull(octet_length(args), 0) + ifnull(octet_length(result), 0)
    + ifnull(octet_length(cuts), 0)`,
  errors: `ifnull(octet_length(shape), 0) + ifnull(octet_length(args), 0) + octet_length(message) + ifnull(octet_length(stack), 0)
    + ifnull(octet_length(details), 0) + ifnull(octet_length(cuts), 0)`,
} as const

/** An incident that goes on is as old as the last sign of life of its process. */
const INCIDENT_END = `ifnull(ended_us, ifnull((SELECT max(last_seen_us, ifnull(p.ended_us, 0))
  FROM processes p WHERE p.process_id = incidents.process_id), started_us))`
const TUNING_END = 'min(expires_us, ifnull(cleared_us, expires_us))'

/** Remote traces of which every record is among those about to be deleted. These are walked by time, not by trace. */
const deleteTraces = (table: RecordTable, other: RecordTable) => `DELETE FROM remote_traces
  WHERE (process_id, trace) IN (SELECT process_id, trace FROM ${table} NOT INDEXED WHERE id <= ? AND trace < 0)
    AND NOT EXISTS (SELECT 1 FROM ${table} r
      WHERE r.trace = remote_traces.trace AND r.process_id = remote_traces.process_id AND r.id > ?)
    AND NOT EXISTS (SELECT 1 FROM ${other} r
      WHERE r.trace = remote_traces.trace AND r.process_id = remote_traces.process_id)`
export const DELETE_TRACES = {
  calls: deleteTraces('calls', 'errors'),
  errors: deleteTraces('errors', 'calls'),
} as const

/**
 * Keeps the store within its window and its size. Rows go in slices, each in a transaction of its own, so that
 * batches can be written in between: call {@link sweepSlice} until it reports no more.
 *
 * By age: every call that ended before `nowUs - retentionMs`; a row exactly at the limit stays. By size: the
 * oldest ordinary calls, then the oldest stalls, then the oldest minutes of totals and drops, and errors last.
 * Of calls in flight and of stalls each process also has no more than {@link MAX_IN_FLIGHT} and {@link MAX_STALLS}.
 */
export class Retention {
  readonly #db: Database
  readonly #options: RetentionOptions
  readonly #pageBytes: number

  constructor(db: Database, options: RetentionOptions) {
    this.#db = db
    this.#options = options
    this.#pageBytes = Number(readPragma(db, 'page_size'))
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
    const bytesBefore = this.#bytes()
    const slice = new Slice(Math.max(1, Math.floor(budgetRows)))
    const cutoffUs = Math.floor(nowUs - this.#options.retentionMs * 1_000)
    if (cutoffUs > 0) this.#byAge(cutoffUs, slice)
    if (slice.left > 0) this.#bySize(slice)
    const isVacuumed = this.#giveBack(cramped)
    const { expired, deleted } = slice
    return {
      more: slice.left <= 0 || !isVacuumed || (this.#excessBytes() > 0 && deleted > 0),
      expired,
      deleted,
      bytesBefore,
      bytesAfter: this.#bytes(),
    }
  }

  #byAge(cutoffUs: number, slice: Slice): void {
    for (const table of ['calls', 'errors'] as const) {
      if (slice.left <= 0) return
      // The row that a full slice ends with, skipping the others unread; else the last one of a shorter slice.
      const full = prepared(this.#db, `SELECT id FROM ${table} WHERE id < ? ORDER BY id LIMIT 1 OFFSET ?`)
      const last = prepared(this.#db, `SELECT max(id) FROM ${table} WHERE id < ?`)
      const limit = BigInt(cutoffUs) << BigInt(ID_SALT_BITS)
      const boundaryOf = (): unknown =>
        full
          .pluck()
          .safeIntegers()
          .get(limit, slice.left - 1) ?? last.pluck().safeIntegers().get(limit)
      this.#deleteRecords(table, boundaryOf, slice)
    }
    const minute = Math.floor(cutoffUs / US_PER_MINUTE)
    for (const table of ['totals', 'drops'] as const) {
      if (slice.left > 0) this.#deleteMinutes(table, minute, slice.left, slice)
    }
    if (slice.left > 0) this.#deleteInFlight(cutoffUs, slice)
    if (slice.left > 0) this.#deleteStalls(cutoffUs, slice)
    if (slice.left > 0) this.#deleteOld('incidents', 'incident_id', INCIDENT_END, cutoffUs, slice)
    if (slice.left > 0) this.#deleteOld('tunings', 'tuning_id', TUNING_END, cutoffUs, slice)
    if (slice.left > 0) this.#deleteProcesses(cutoffUs, slice)
  }

  /** Threads that were looked at before the window, and what is too much of one process. */
  #deleteInFlight(cutoffUs: number, slice: Slice): void {
    const old = prepared(
      this.#db,
      `SELECT process_id AS processId, ring FROM (
         SELECT process_id, ring, looked_us,
           sum(listed + 1) OVER (PARTITION BY process_id ORDER BY looked_us DESC, ring) AS rows
         FROM in_flight_looks) WHERE looked_us < ? OR rows > ? LIMIT ?`,
    )
    // Mostly there is none, and the write lock is not needed.
    if (old.get(cutoffUs, MAX_IN_FLIGHT, 1) === undefined) return
    this.#inTransaction(() => {
      let deleted = 0
      const rings = old.all(cutoffUs, MAX_IN_FLIGHT, slice.left) as { processId: number; ring: number }[]
      for (const { processId, ring } of rings) {
        for (const table of ['in_flight', 'in_flight_looks']) {
          const sql = `DELETE FROM ${table} WHERE process_id = ? AND ring = ?`
          deleted += prepared(this.#db, sql).run(processId, ring).changes
        }
        if (deleted >= slice.left) break
      }
      return () => slice.count(deleted, 0)
    })
  }

  #deleteStalls(cutoffUs: number, slice: Slice): void {
    const old = prepared(
      this.#db,
      `SELECT stall_id FROM (
         SELECT stall_id, seen_us, row_number() OVER (PARTITION BY process_id ORDER BY stall_id DESC) AS place
         FROM stalls) WHERE seen_us < ? OR place > ? LIMIT ?`,
    ).pluck()
    this.#deleteStallsOf(() => old.all(cutoffUs, MAX_STALLS, Math.min(slice.left, STALLS_PER_STEP)), slice)
  }

  #deleteStallsOf(which: () => unknown[], slice: Slice): void {
    if (which().length === 0) return
    this.#inTransaction(() => {
      let deleted = 0
      for (const stallId of which()) {
        for (const table of ['stall_calls', 'stalls']) {
          deleted += prepared(this.#db, `DELETE FROM ${table} WHERE stall_id = ?`).run(stallId).changes
        }
      }
      return () => slice.count(deleted, 0)
    })
  }

  /** Deletes rows that ended before the window. Mostly there is none, and the write lock is not needed. */
  #deleteOld(table: 'incidents' | 'tunings', key: string, end: string, cutoffUs: number, slice: Slice): void {
    const old = prepared(this.#db, `SELECT ${key} FROM ${table} WHERE ${end} < ? LIMIT ?`).pluck()
    if (old.get(cutoffUs, 1) === undefined) return
    this.#inTransaction(() => {
      let deleted = 0
      for (const id of old.all(cutoffUs, slice.left))
        deleted += prepared(this.#db, `DELETE FROM ${table} WHERE ${key} = ?`).run(id).changes
      return () => slice.count(deleted, 0)
    })
  }

  #bySize(slice: Slice): void {
    for (const step of ['calls', 'stalls', 'totals', 'drops', 'errors'] as const) {
      const excess = this.#excessBytes()
      if (excess <= 0 || slice.left <= 0) return
      switch (step) {
        case 'calls':
        case 'errors':
          this.#deleteOldest(step, excess, slice)
          break
        case 'stalls': {
          const oldest = prepared(this.#db, 'SELECT stall_id FROM stalls ORDER BY stall_id LIMIT ?').pluck()
          this.#deleteStallsOf(() => oldest.all(STALLS_PER_STEP), slice)
          break
        }
        case 'totals':
          // A minute at a time, since it cannot be told beforehand how much one frees.
          this.#deleteMinutes(step, Number.MAX_SAFE_INTEGER, 1, slice)
          break
        case 'drops':
          // What is missing is told for as long as there is something it is missing from.
          this.#deleteMinutes(step, this.#oldestErrorMinute(), 1, slice)
          break
        default:
          step satisfies never
      }
      // The next kind has to wait until the space of this one is known to be too little.
      if (slice.deleted > 0) return
    }
  }

  #oldestErrorMinute(): number {
    const oldest = prepared(this.#db, `SELECT min(id) >> ${ID_SALT_BITS} FROM errors`).pluck().get()
    return typeof oldest === 'number' ? Math.floor(oldest / US_PER_MINUTE) : Number.MAX_SAFE_INTEGER
  }

  #deleteOldest(table: RecordTable, excessBytes: number, slice: Slice): void {
    const rows = `SELECT id, ${ROW_BYTES} + ${TEXT_BYTES[table]} AS bytes FROM ${table} ORDER BY id LIMIT ?`
    // Running sums take several times as long as one sum, and mostly the whole slice is too much.
    const whole = prepared(this.#db, `SELECT max(id) FROM (${rows}) HAVING sum(bytes) <= ?`)
    const part = prepared(
      this.#db,
      `SELECT max(id) FROM (SELECT id, sum(bytes) OVER (ORDER BY id) - bytes AS freed FROM (${rows}))
       WHERE freed < ?`,
    )
    const boundaryOf = (): unknown =>
      whole.pluck().safeIntegers().get(slice.left, excessBytes) ??
      part.pluck().safeIntegers().get(slice.left, excessBytes)
    this.#deleteRecords(table, boundaryOf, slice)
  }

  #deleteRecords(table: RecordTable, boundaryOf: () => unknown, slice: Slice): void {
    this.#inTransaction(() => {
      const boundary = boundaryOf()
      if (typeof boundary !== 'bigint') return
      // Mostly no trace came from outside, and the rows need not be looked through.
      const anyTrace = prepared(this.#db, 'SELECT 1 FROM remote_traces LIMIT 1').get() !== undefined
      const traces = anyTrace ? prepared(this.#db, DELETE_TRACES[table]).run(boundary, boundary).changes : 0
      const rows = prepared(this.#db, `DELETE FROM ${table} WHERE id <= ?`).run(boundary).changes
      prepared(
        this.#db,
        `INSERT INTO expired VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET
           rows = rows + excluded.rows, up_to_us = max(up_to_us, excluded.up_to_us)`,
      ).run(table, rows, boundary >> BigInt(ID_SALT_BITS))
      return () => {
        slice.count(rows, rows)
        slice.deleted += traces
      }
    })
  }

  /** Deletes whole minutes before `minute`, as many as hold about `rows` rows. */
  #deleteMinutes(table: MinuteTable, minute: number, rows: number, slice: Slice): void {
    this.#inTransaction(() => {
      const last = prepared(
        this.#db,
        `SELECT max(minute) FROM (SELECT minute FROM ${table} WHERE minute < ? ORDER BY minute LIMIT ?)`,
      )
        .pluck()
        .get(minute, rows)
      if (typeof last !== 'number') return
      const deleted = prepared(this.#db, `DELETE FROM ${table} WHERE minute <= ?`).run(last).changes
      if (table === 'totals') forgetHoursUpTo(this.#db, last)
      return () => slice.count(deleted, 0)
    })
  }

  /**
   * Removes processes that were not seen within the window, with their accounts. Their calls are gone by then:
   * the writer keeps last_seen_us at or after every record's end. The newest row stays, because SQLite would
   * give its process_id to the next process while a stalled one may still use it.
   */
  #deleteProcesses(cutoffUs: number, slice: Slice): void {
    const dead = prepared(
      this.#db,
      `SELECT process_id FROM processes p
       WHERE max(last_seen_us, ifnull(ended_us, 0)) < ?
         AND process_id < (SELECT max(process_id) FROM processes)
         AND NOT EXISTS (SELECT 1 FROM errors e WHERE e.process_id = p.process_id)
         AND process_id NOT IN (SELECT process_id FROM totals)
         AND process_id NOT IN (SELECT process_id FROM drops)
         AND process_id NOT IN (SELECT process_id FROM in_flight_looks)
         AND process_id NOT IN (SELECT process_id FROM stalls)
         AND process_id NOT IN (SELECT process_id FROM incidents)
       LIMIT ?`,
    ).pluck()
    // Asked for outside the transaction first: mostly there is none, and the write lock is not needed.
    if (dead.get(cutoffUs, 1) === undefined) return
    this.#inTransaction(() => {
      let deleted = 0
      for (const processId of dead.all(cutoffUs, slice.left)) {
        for (const table of PROCESS_TABLES)
          deleted += prepared(this.#db, `DELETE FROM ${table} WHERE process_id = ?`).run(processId).changes
      }
      return () => slice.count(deleted, 0)
    })
  }

  /** Runs the work in a transaction; what it returns runs after the commit. */
  #inTransaction(work: () => (() => void) | undefined): void {
    this.#db.exec('BEGIN IMMEDIATE')
    let done: (() => void) | undefined
    try {
      done = work()
      this.#db.exec('COMMIT')
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
    done?.()
  }

  /** Returns free pages to the file system, a bounded number at a time. `true` when none is left to return. */
  #giveBack(cramped: boolean): boolean {
    const step = cramped ? CRAMPED_VACUUM_PAGES : VACUUM_PAGES
    const free = Number(readPragma(this.#db, 'freelist_count'))
    const used = Number(readPragma(this.#db, 'page_count')) - free
    const wanted = Math.max(SPARE_PAGES, Math.floor(used * SPARE_SHARE))
    const spare = this.#bytes() > this.#options.maxBytes ? 0 : wanted
    const surplus = free - spare
    if (surplus > 0) this.#db.exec(`PRAGMA incremental_vacuum(${Math.min(surplus, step)})`)
    // As long as nothing is gone, the database would only grow by what is in the log.
    if (cramped && surplus > 0) this.emptyLog()
    if (surplus > step) return false
    if (cramped) return true
    // The file is cut when its log is moved over; a log that has grown beyond its limit is cut as well.
    if (surplus > 0) this.#checkpoint('PASSIVE')
    if (this.#walBytes() > Math.min(WAL_LIMIT_BYTES, this.#options.maxBytes * WAL_SHARE))
      this.#checkpoint('TRUNCATE')
    return true
  }

  /** Moves the log to the database, on a disk that may have no room for it to grow. `true` when that was done. */
  emptyLog(): boolean {
    try {
      this.#checkpoint('TRUNCATE')
      return this.#walBytes() === 0
    } catch (error) {
      if (classify(error) !== 'full') throw error
      return false
    }
  }

  /** Never waits for a reader: the next sweep tries again. */
  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    const timeout = Number(readPragma(this.#db, 'busy_timeout'))
    this.#db.exec('PRAGMA busy_timeout = 0')
    try {
      prepared(this.#db, `PRAGMA wal_checkpoint(${mode})`).all()
    } finally {
      this.#db.exec(`PRAGMA busy_timeout = ${timeout}`)
    }
  }

  /** Bytes in use above the limit. */
  #excessBytes(): number {
    const { maxBytes } = this.#options
    const pages = Number(readPragma(this.#db, 'page_count')) - Number(readPragma(this.#db, 'freelist_count'))
    return pages * this.#pageBytes + Math.min(this.#walBytes(), maxBytes * WAL_SHARE) - maxBytes
  }

  #bytes(): number {
    return Number(readPragma(this.#db, 'page_count')) * this.#pageBytes + this.#walBytes()
  }

  #walBytes(): number {
    return statSync(`${this.#options.path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  }
}

/** What one slice may still delete and has deleted. */
class Slice {
  left: number
  deleted = 0
  expired = 0

  constructor(budgetRows: number) {
    this.left = budgetRows
  }

  count(deleted: number, expired: number): void {
    this.left -= deleted
    this.deleted += deleted
    this.expired += expired
  }
}
