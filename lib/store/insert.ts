import { FrameFlag, REMOTE_TRACE_BYTES } from '../queue/layout.js'
import { CallRows, isBadData, type OnBadRow } from './call-rows.js'
import type { Database } from './driver.js'
import { BadRowError, CommitLostError } from './errors.js'
import { prepareAll, type Statements } from './insert-sql.js'
import type {
  Ending,
  ErrorRow,
  JournalRange,
  LaneState,
  ProcessInfo,
  SecondDelta,
  TotalsDelta,
} from './records.js'
import { RootOrder } from './root-order.js'
import { insertAtFreeId, isMoment } from './row-ids.js'
import { forgetHour } from './sum-hours.js'
import { WrittenTraces } from './written-traces.js'

export type {
  Ending,
  ErrorRow,
  JournalRange,
  LaneState,
  ProcessInfo,
  SecondDelta,
  TotalsDelta,
} from './records.js'

export interface StoreWriterOptions {
  /** Told of every call row that SQLite refuses. Default: the row is dropped without a word. */
  readonly onBadRow?: OnBadRow
}

/** Hex digits of the parent span at the end of what a frame says of a remote trace. */
const PARENT_ID_DIGITS = 16

interface WrittenLane {
  readonly processId: number
  readonly ring: number
  readonly lane: number
  readonly stored: number
  readonly storedSeq: number
}

/**
 * Everything the writer thread writes, as one transaction per batch:
 * `begin()` … rows … `flushRows()` … lanes … `commit()`, or `rollback()` after any error.
 *
 * All statements are prepared once and kept: better-sqlite3 12 on Node 24.19 and later aborts the process when a
 * statement is garbage-collected.
 */
export class StoreWriter {
  readonly #db: Database
  readonly #sql: Statements
  readonly #calls: CallRows
  readonly #onBadRow: OnBadRow
  readonly #functionIds = new Map<string, number>()
  /** Names of which the id exists only if this transaction commits. */
  #newFunctions: string[] = []
  readonly #latestEnds = new Map<number, number>()
  /** Whose records come now, 0 for none, and the latest end of them; those of others are in {@link #latestEnds}. */
  #seenProcess = 0
  #seenEndUs = 0
  readonly #remoteTraces = new WrittenTraces()
  readonly #roots = new RootOrder()
  /** Hours to which this transaction has added: their sums are gone. */
  readonly #addedHours = new Set<number>()
  #lastLane: WrittenLane | null = null

  constructor(db: Database, options: StoreWriterOptions = {}) {
    this.#db = db
    this.#sql = prepareAll(db)
    this.#onBadRow = options.onBadRow ?? (() => undefined)
    this.#calls = new CallRows(db, this.#onBadRow)
  }

  /** Takes the write lock. */
  begin(): void {
    this.#calls.clear()
    // Between transactions another connection may have deleted what this one wrote.
    this.#remoteTraces.clear()
    this.#addedHours.clear()
    this.#sql.begin.run()
    if (!this.#db.inTransaction) throw new CommitLostError('BEGIN did not start a transaction')
  }

  /**
   * Writes what is queued and commits.
   *
   * @throws {CommitLostError} unless the transaction is over and what it wrote last can be read back. A COMMIT
   * that fails while the thread is being terminated returns like one that succeeded.
   */
  commit(): void {
    this.flushRows()
    const lane = this.#lastLane
    const done: unknown = this.#sql.commit.run()
    if (done === undefined || this.#db.inTransaction)
      throw new CommitLostError('COMMIT returned without ending the transaction')
    // SQLite ends a transaction by itself when a write fails; only the file can tell which way it ended.
    if (lane !== null) {
      const found = this.laneState(lane.processId, lane.ring, lane.lane)
      if (found === null || found.storedSeq < lane.storedSeq || found.stored < lane.stored)
        throw new CommitLostError('COMMIT returned but the batch is not in the file')
    }
    this.#forget()
    this.#newFunctions = []
  }

  /** Gives the transaction up, if one is open, with all that was queued. Never leaves ids of it in the caches. */
  rollback(): void {
    for (const name of this.#newFunctions) this.#functionIds.delete(name)
    this.#newFunctions = []
    this.#forget()
    if (this.#db.inTransaction) this.#sql.rollback.run()
  }

  /** Returns the process_id of this boot; registers it when it is new. */
  registerProcess(info: ProcessInfo): number {
    const { boot, pid, script, host, nodeVersion, version, startedUs } = info
    const started = Math.floor(startedUs)
    this.#sql.registerProcess.run(boot, pid, script, host, nodeVersion, version, started, started)
    return this.#sql.processId.get(boot) as number
  }

  /** Returns `false` when retention has removed the process meanwhile: register it again. */
  touchProcess(processId: number, lastSeenUs: number): boolean {
    return this.#sql.touchProcess.run(Math.floor(lastSeenUs), processId).changes === 1
  }

  endProcess(processId: number, endedUs: number, ending: Ending): void {
    this.#sql.endProcess.run(Math.floor(endedUs), ending, processId)
  }

  functionId(name: string): number {
    let id = this.#functionIds.get(name)
    if (id === undefined) {
      id = this.#sql.functionId.get(name) as number | undefined
      if (id === undefined) {
        this.#sql.addFunction.run(name)
        id = this.#sql.functionId.get(name) as number
      }
      if (this.#db.inTransaction) this.#newFunctions.push(name)
      this.#functionIds.set(name, id)
    }
    return id
  }

  /**
   * Queues one call row.
   *
   * @param salt 0 to 2,047, keeps records of the same microsecond apart
   * @param parent 0 = none
   * @param shape JSON
   * @param args JSON
   * @param result JSON
   */
  call(
    endUs: number,
    salt: number,
    functionId: number,
    processId: number,
    durationNs: number,
    weight: number,
    call: number,
    trace: number,
    parent: number,
    flags: number,
    shape: string | null,
    args: string | null,
    result: string | null,
    cuts: string | null,
  ): void {
    if (!isMoment(endUs)) {
      const cause = new RangeError(`${endUs} is no time`)
      this.#onBadRow(new BadRowError({ table: 'calls', functionId, processId, call }, cause))
      return
    }
    this.#seen(processId, endUs)
    // A root that is kept in hindsight may come later than calls that ended after it.
    const isOrdered =
      trace === call &&
      (flags & FrameFlag.hindsight) === 0 &&
      this.#roots.isNext(processId, call, endUs, durationNs)
    this.#calls.add(
      endUs,
      salt,
      functionId,
      processId,
      durationNs,
      weight,
      call,
      isOrdered ? 0 : trace,
      parent,
      flags,
      shape,
      args,
      result,
      cuts,
    )
  }

  /**
   * Writes one error row.
   *
   * @returns `false` when this (process, ring, seq) was there already
   * @throws {BadRowError} when SQLite refuses the row; the transaction goes on without it
   */
  error(row: ErrorRow): boolean {
    const { endUs, functionId, processId, call } = row
    try {
      if (!isMoment(endUs)) throw new RangeError(`${endUs} is no time`)
      this.#seen(processId, endUs)
      return insertAtFreeId(row.salt, salt => {
        const done = this.#sql.error.run(
          endUs,
          salt,
          functionId,
          processId,
          row.ring,
          row.seq,
          Math.round(row.durationNs),
          call,
          row.trace,
          row.parent === 0 ? null : row.parent,
          row.flags,
          row.shape,
          row.args,
          row.error,
          row.message,
          row.stack,
          row.details,
          row.fingerprint,
          row.cuts,
        )
        if (done === undefined) throw new CommitLostError('An INSERT of an error did not report back')
        return done.changes === 1
      })
    } catch (cause) {
      if (!isBadData(cause) && isMoment(endUs)) throw cause
      throw new BadRowError({ table: 'errors', functionId, processId, call }, cause)
    }
  }

  /**
   * Writes what is known of a trace that came from outside, unless this transaction has done so.
   *
   * @param trace negative number of the trace in this process
   * @param ids holds 16 bytes of trace id and 8 of the parent span, from `at` on
   * @param seenUs end of the call
   */
  remoteTrace(processId: number, trace: number, ids: Uint8Array, at: number, seenUs: number): void {
    if (!this.#remoteTraces.add(processId, trace)) return
    const hex = Buffer.from(ids.buffer, ids.byteOffset + at, REMOTE_TRACE_BYTES).toString('hex')
    const traceDigits = hex.length - PARENT_ID_DIGITS
    this.#sql.remoteTrace.run(processId, trace, hex.slice(0, traceDigits), hex.slice(traceDigits), seenUs)
  }

  /** Writes the queued call rows; refused ones go to `onBadRow`. */
  flushRows(): void {
    this.#calls.flush()
    this.#keepSeen()
    for (const [processId, endUs] of this.#latestEnds) this.touchProcess(processId, endUs)
    this.#latestEnds.clear()
  }

  /** Writes the account of one ring and lane. */
  lane(
    processId: number,
    ring: number,
    lane: number,
    produced: number,
    stored: number,
    droppedJson: string,
    storedSeq: number,
  ): void {
    this.#sql.lane.run(processId, ring, lane, produced, stored, droppedJson, storedSeq)
    this.#lastLane = { processId, ring, lane, stored, storedSeq }
  }

  laneState(processId: number, ring: number, lane: number): LaneState | null {
    return (this.#sql.laneState.get(processId, ring, lane) as LaneState | undefined) ?? null
  }

  /** Adds to the totals of one minute; buckets are merged with what is there. */
  addTotals(minute: number, functionId: number, processId: number, delta: TotalsDelta): void {
    const hour = Math.floor(minute / 60)
    if (!this.#addedHours.has(hour)) forgetHour(this.#db, hour)
    if (this.#db.inTransaction) this.#addedHours.add(hour)
    const before = this.#sql.buckets.get(minute, functionId, processId) as string | undefined
    this.#sql.totals.run(
      minute,
      functionId,
      processId,
      delta.calls,
      delta.errors,
      delta.kept,
      delta.timed,
      Math.round(delta.durationSumNs),
      Math.round(delta.durationMaxNs),
      mergeBuckets(before, delta.buckets),
    )
  }

  /** Functions that have a row of this second already. */
  functionsOfSecond(processId: number, second: number): number[] {
    return this.#sql.functionsOfSecond.all(processId, second) as number[]
  }

  /** Adds to the totals of one second. */
  addSecond(processId: number, second: number, functionId: number, delta: SecondDelta): void {
    const { calls, errors, timed, durationSumNs } = delta
    this.#sql.second.run(processId, second, functionId, calls, errors, timed, Math.round(durationSumNs))
  }

  deleteSecondsBefore(processId: number, second: number): void {
    this.#sql.deleteSeconds.run(processId, second)
  }

  addDrops(
    minute: number,
    functionId: number,
    processId: number,
    lane: number,
    reason: string,
    count: number,
    firstUs: number,
    lastUs: number,
  ): void {
    const first = Math.floor(firstUs)
    this.#sql.drops.run(minute, functionId, processId, lane, reason, count, first, Math.floor(lastUs))
  }

  reported(processId: number, ring: number, site: number): string | null {
    return (this.#sql.reported.get(processId, ring, site) as string | undefined) ?? null
  }

  setReported(processId: number, ring: number, site: number, countersJson: string): void {
    this.#sql.setReported.run(processId, ring, site, countersJson)
  }

  /** The bytes of a journal's segment that are dealt with in this file. */
  journalRange(processId: number, ring: number, segment: number): JournalRange {
    const found = this.#sql.journalRange.get(processId, ring, segment) as JournalRange | undefined
    return found ?? { first: 0, behind: 0 }
  }

  /** To be called in the transaction that deals with the entries. A gap before the range gives up what is known before it. */
  addJournalRange(processId: number, ring: number, segment: number, { first, behind }: JournalRange): void {
    this.#sql.addJournalRange.run(processId, ring, segment, first, behind)
  }

  /**
   * Notes what happened to the recording itself, in a transaction or as one of its own.
   *
   * @param endedUs `null` while it goes on
   * @returns what {@link endIncident} takes
   */
  incident(
    processId: number,
    kind: string,
    startedUs: number,
    endedUs: number | null,
    detail: string,
  ): number {
    const ended = endedUs === null ? null : Math.floor(endedUs)
    const done = this.#sql.incident.run(processId, kind, Math.floor(startedUs), ended, detail)
    return Number(done.lastInsertRowid)
  }

  endIncident(incidentId: number, endedUs: number): void {
    this.#sql.endIncident.run(Math.floor(endedUs), incidentId)
  }

  /** Retention takes a process for gone by its last_seen_us, so that may not lie before its records. */
  #seen(processId: number, endUs: number): void {
    if (processId !== this.#seenProcess) {
      this.#keepSeen()
      this.#seenProcess = processId
      this.#seenEndUs = this.#latestEnds.get(processId) ?? 0
    }
    if (endUs > this.#seenEndUs) this.#seenEndUs = endUs
  }

  #keepSeen(): void {
    if (this.#seenProcess !== 0) this.#latestEnds.set(this.#seenProcess, this.#seenEndUs)
    this.#seenProcess = 0
  }

  #forget(): void {
    this.#calls.clear()
    this.#latestEnds.clear()
    this.#seenProcess = 0
    this.#lastLane = null
  }
}

function mergeBuckets(before: string | undefined, added: ReadonlyMap<number, number>): string {
  const merged: Record<string, number> = before === undefined ? {} : JSON.parse(before)
  for (const [bucket, calls] of added) merged[bucket] = (merged[bucket] ?? 0) + calls
  return JSON.stringify(merged)
}
