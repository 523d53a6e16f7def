import type { JournalRecord } from '../queue/journal-reader.js'
import { DROP_REASONS, Drop, Frame, Lane, LaneF64 } from '../queue/layout.js'
import { BROKEN_RING } from '../queue/ring.js'
import { MalformedPayloadError } from '../serialize/transcode.js'
import { BadRowError } from '../store/errors.js'
import type { JournalRange, StoreWriter } from '../store/insert.js'
import { damageDetail, JOURNAL_DAMAGED } from './journal-damage.js'
import type { JournalTail } from './journal-tail.js'
import { emptyDelta, type LaneDelta, type LaneView } from './lane.js'
import { BadFrameError, type RecordSink } from './record-sink.js'

/** How much one transaction takes of one lane. */
export interface BatchLimits {
  readonly ringRecords: number
  readonly journalEntries: number
}

/** Large enough that the fixed cost of a transaction is spread, small enough that a failed one is soon repeated. */
export const FULL_BATCH: BatchLimits = { ringRecords: 4_000, journalEntries: 1_000 }
/** The probe of a half-open breaker: the smallest useful batch, errors first. */
export const PROBE_BATCH: BatchLimits = { ringRecords: 1, journalEntries: 25 }

/**
 * Why an account is closed. `gone`: the thread is dead, and what is missing was torn or lay in its own memory. `dies`:
 * the thread runs, and the whole process is about to end; its errors are in the journal, which the next start takes
 * over. `stays`: the thread goes on and saves itself what is not stored, so that is not counted here.
 */
export type Settlement = 'gone' | 'dies' | 'stays'

const US_PER_MINUTE = 60_000_000

/** Rows of one transaction, of all lanes together: the store is locked for others that long. */
const RECORDS_PER_TRANSACTION = 16_000
const ENTRIES_PER_TRANSACTION = 4_000

/** What each of `lanes` lanes may take of one transaction, so that a flooding thread takes nothing from the others. */
export function shareOf(limits: BatchLimits, lanes: number): BatchLimits {
  return {
    ringRecords: Math.min(limits.ringRecords, Math.ceil(RECORDS_PER_TRANSACTION / lanes)),
    journalEntries: Math.min(limits.journalEntries, Math.ceil(ENTRIES_PER_TRANSACTION / lanes)),
  }
}

/** Reads one batch of one lane into the open transaction of the store. Nothing is final until {@link commit}. */
export class LaneBatch {
  readonly #lane: LaneView
  readonly #journal: JournalTail
  readonly #store: StoreWriter
  readonly #sink: RecordSink
  readonly #onEnd: (call: number) => void
  #calls: LaneDelta = emptyDelta()
  #errors: LaneDelta = emptyDelta()
  /** The lane rows as they stand in the store, and as this batch writes them. */
  #committedRows = ''
  #writtenRows = ''
  /** The segment of the journal under way, what the file says of it, and where this batch began with it. */
  #segment = 0
  #dealtWith: JournalRange = { first: 0, behind: 0 }
  #firstOffset = 0
  /** Errors that had been appended to the journal when the batch before was written. */
  #journaledBefore = 0

  /** @param onEnd told the number of each call of which there is a record, before the record is written */
  constructor(
    lane: LaneView,
    journal: JournalTail,
    store: StoreWriter,
    sink: RecordSink,
    onEnd: (call: number) => void,
  ) {
    this.#lane = lane
    this.#journal = journal
    this.#store = store
    this.#sink = sink
    this.#onEnd = onEnd
  }

  /** Reads and writes a batch; `true` when a limit was reached and more is waiting. */
  write(limits: BatchLimits, nowUs: number): boolean {
    this.start()
    const journaled = this.#lane.f64[LaneF64.ERRORS_JOURNALED]
    const moreErrors = this.#readJournal(limits.journalEntries, nowUs)
    if (!moreErrors && !this.#journal.waiting) this.#countUnreadable(nowUs)
    this.#journaledBefore = journaled
    const moreCalls = this.#readRing(limits.ringRecords, nowUs)
    // Rows that SQLite refuses are told now, while it is certain whose they are.
    this.#store.flushRows()
    this.#writeLaneRows()
    return moreErrors || moreCalls
  }

  /**
   * Closes the account of the lane in the open transaction, after what {@link write} has read in it, or after
   * {@link start}: the rows say that everything the thread had produced is stored or dropped.
   */
  settle(how: Settlement, nowUs: number): void {
    if (how !== 'stays') {
      this.#calls.lost = this.#missing(Lane.calls, this.#calls)
      const missingErrors = this.#missing(Lane.errors, this.#errors)
      const held = this.#lane.f64[LaneF64.ERRORS_HELD]
      this.#errors.lost = how === 'gone' ? missingErrors : Math.min(held, missingErrors)
      this.#addLost(Lane.calls, this.#calls.lost, nowUs)
      this.#addLost(Lane.errors, this.#errors.lost, nowUs)
    }
    this.#writeLaneRows(true)
  }

  /** Forgets the batch before. */
  start(): void {
    this.#calls = emptyDelta()
    this.#errors = emptyDelta()
  }

  /** Records produced that are neither stored nor dropped. */
  #missing(lane: Lane, delta: LaneDelta): number {
    const { f64 } = this.#lane
    // In this order: the thread may be counting a drop at this moment, after it has counted the record.
    const dropped = sumOf(this.#lane.dropped(lane, delta))
    const calls = lane === Lane.calls
    const stored = f64[calls ? LaneF64.CALLS_STORED : LaneF64.ERRORS_STORED] + delta.stored
    const produced = f64[calls ? LaneF64.CALLS_PRODUCED : LaneF64.ERRORS_PRODUCED]
    return Math.max(0, produced - stored - dropped)
  }

  #addLost(lane: Lane, count: number, nowUs: number): void {
    if (count === 0) return
    const minute = Math.floor(nowUs / US_PER_MINUTE)
    const reason = DROP_REASONS[Drop.writerLost]
    this.#store.addDrops(minute, 0, this.#lane.processId, lane, reason, count, nowUs, nowUs)
  }

  /** Called for a call row that SQLite refused. */
  refused(functionId: number, nowUs: number): void {
    this.#calls.stored--
    this.#poison(this.#calls, Lane.calls, functionId, nowUs)
  }

  /** The transaction is committed: give the memory back and publish the counters. Returns how many records it stored. */
  commit(): number {
    this.#lane.consumer.release()
    const { replayed, journalStored, journalPoison } = this.#errors
    this.#journal.commit({ replayed, stored: journalStored, poison: journalPoison })
    this.#lane.apply(Lane.calls, this.#calls)
    this.#lane.apply(Lane.errors, this.#errors)
    this.#committedRows = this.#writtenRows
    return this.#calls.stored + this.#errors.stored
  }

  /** The transaction failed: the same records again next time. */
  rewind(): void {
    this.#lane.consumer.rewind()
    this.#journal.rewind()
    // What the file says is asked for again.
    this.#segment = 0
  }

  #readRing(limit: number, nowUs: number): boolean {
    const { consumer, bytes, view } = this.#lane
    for (let records = 0; records < limit; records++) {
      const offset = consumer.next()
      if (offset === BROKEN_RING) {
        this.#skipBrokenRing(nowUs)
        return false
      }
      if (offset < 0) return false
      const lane = (view.getUint32(offset + Frame.META, true) >>> 8) & 0xff
      if (lane === Lane.errors) {
        this.#errors.consumed++
        this.#storeError(bytes, view, offset, nowUs)
        continue
      }
      this.#calls.consumed++
      this.#storeCall(bytes, view, offset, nowUs)
    }
    return true
  }

  #readJournal(limit: number, nowUs: number): boolean {
    let more = true
    this.#firstOffset = this.#journal.offset
    for (let entries = 0; more && entries < limit; entries++) more = this.#readEntry(nowUs)
    this.#noteRange(this.#journal.offset)
    return more
  }

  /** `false`: there is none (yet). */
  #readEntry(nowUs: number): boolean {
    const { offset: end } = this.#journal
    const entry = this.#journal.next()
    if (this.#journal.segment !== this.#segment) this.#beginSegment(end)
    if (entry === null) return false
    // Dealt with by a writer that ended before it could say so in shared memory.
    const { first, behind } = this.#dealtWith
    const known = this.#journal.offset > first && this.#journal.offset <= behind
    if (entry.kind === 'record') this.#storeEntry(entry, known, nowUs)
    else if (entry.kind === 'damage' && !known) this.#tellDamage(entry.bytes, entry.at, nowUs)
    return true
  }

  #storeEntry({ bytes, view, offset }: JournalRecord, known: boolean, nowUs: number): void {
    if (((view.getUint32(offset + Frame.META, true) >>> 8) & 0xff) === Lane.errors) {
      const { stored, poison } = this.#errors
      this.#errors.replayed++
      if (known) return
      this.#storeError(bytes, view, offset, nowUs)
      this.#errors.journalStored += this.#errors.stored - stored
      this.#errors.journalPoison += this.#errors.poison - poison
    } else {
      this.#calls.replayed++
      if (!known) this.#storeCall(bytes, view, offset, nowUs)
    }
  }

  /** @param end where reading ended in the segment before */
  #beginSegment(end: number): void {
    const { segment } = this.#journal
    if (this.#segment > 0 && this.#segment !== segment) {
      this.#noteRange(end)
      this.#firstOffset = 0
    }
    this.#segment = segment
    this.#dealtWith = this.#store.journalRange(this.#lane.processId, this.#lane.ring, segment)
  }

  #noteRange(behind: number): void {
    if (behind <= this.#firstOffset) return
    const range = { first: this.#firstOffset, behind }
    this.#store.addJournalRange(this.#lane.processId, this.#lane.ring, this.#segment, range)
  }

  #tellDamage(bytes: number, at: number, nowUs: number): void {
    const { segment } = this.#journal
    const detail = damageDetail(this.#lane.ring, segment, bytes, at)
    this.#store.incident(this.#lane.processId, JOURNAL_DAMAGED, nowUs, nowUs, detail)
  }

  /**
   * The journal is read to its end. Errors that were appended to it before the batch before, and did not come out of it,
   * are in what is damaged or removed: nobody can store them any more.
   */
  #countUnreadable(nowUs: number): void {
    const replayed = this.#lane.f64[LaneF64.ERRORS_REPLAYED] + this.#errors.replayed
    const missing = this.#journaledBefore - replayed
    if (missing <= 0) return
    this.#errors.replayed += missing
    this.#errors.journalPoison += missing
    this.#poison(this.#errors, Lane.errors, 0, nowUs, missing)
  }

  #storeCall(bytes: Uint8Array, view: DataView, offset: number, nowUs: number): void {
    this.#onEnd(view.getFloat64(offset + Frame.CALL, true))
    const seq = view.getFloat64(offset + Frame.SEQ, true)
    // Redelivered after a writer died between its COMMIT and the release of the ring.
    if (seq <= this.#lane.storedSeq) return
    this.#calls.seq = seq
    try {
      this.#sink.call(this.#lane, bytes, view, offset)
      this.#calls.stored++
    } catch (error) {
      this.#setAside(error, this.#calls, Lane.calls, nowUs)
    }
  }

  #storeError(bytes: Uint8Array, view: DataView, offset: number, nowUs: number): void {
    this.#onEnd(view.getFloat64(offset + Frame.CALL, true))
    this.#errors.seq = Math.max(this.#errors.seq, view.getFloat64(offset + Frame.SEQ, true))
    try {
      if (this.#sink.error(this.#lane, bytes, view, offset)) this.#errors.stored++
    } catch (error) {
      this.#setAside(error, this.#errors, Lane.errors, nowUs)
    }
  }

  /** Bad data never counts against the breaker; everything else ends the batch. */
  #setAside(error: unknown, delta: LaneDelta, lane: Lane, nowUs: number): void {
    const bad =
      error instanceof BadFrameError || error instanceof MalformedPayloadError || error instanceof BadRowError
    if (!bad) throw error
    this.#poison(delta, lane, error instanceof BadRowError ? error.row.functionId : 0, nowUs)
  }

  #poison(delta: LaneDelta, lane: Lane, functionId: number, nowUs: number, count = 1): void {
    delta.poison += count
    const minute = Math.floor(nowUs / US_PER_MINUTE)
    const reason = DROP_REASONS[Drop.poison]
    this.#store.addDrops(minute, functionId, this.#lane.processId, lane, reason, count, nowUs, nowUs)
  }

  /** Memory between HEAD and TAIL is no frame: nothing in it can be trusted, and its frames are counted as poison. */
  #skipBrokenRing(nowUs: number): void {
    const { f64, consumer } = this.#lane
    consumer.skipAll()
    const calls = f64[LaneF64.CALLS_PUBLISHED] - f64[LaneF64.CALLS_CONSUMED] - this.#calls.consumed
    const errors = f64[LaneF64.ERRORS_PUBLISHED] - f64[LaneF64.ERRORS_CONSUMED] - this.#errors.consumed
    this.#calls.consumed += calls
    this.#errors.consumed += errors
    for (let lost = 0; lost < calls; lost++) this.#poison(this.#calls, Lane.calls, 0, nowUs)
    for (let lost = 0; lost < errors; lost++) this.#poison(this.#errors, Lane.errors, 0, nowUs)
  }

  /** @param closed the rows add up by themselves: what was produced beyond them is none of their business */
  #writeLaneRows(closed = false): void {
    const { f64, ring, processId, storedSeq, storedErrorSeq } = this.#lane
    const rows = [
      {
        lane: Lane.calls,
        produced: LaneF64.CALLS_PRODUCED,
        stored: LaneF64.CALLS_STORED,
        delta: this.#calls,
      },
      {
        lane: Lane.errors,
        produced: LaneF64.ERRORS_PRODUCED,
        stored: LaneF64.ERRORS_STORED,
        delta: this.#errors,
      },
    ] as const
    const values = rows.map(({ lane, produced, stored, delta }) => {
      // Before `produced`: a record is counted as produced first, so a row never claims more than was produced.
      const dropped = this.#lane.dropped(lane, delta)
      const storedNow = f64[stored] + delta.stored
      return {
        lane,
        produced: closed ? storedNow + sumOf(dropped) : f64[produced],
        stored: storedNow,
        dropped: JSON.stringify(dropped),
        seq: Math.max(lane === Lane.calls ? storedSeq : storedErrorSeq, delta.seq),
      }
    })
    this.#writtenRows = JSON.stringify(values)
    if (this.#writtenRows === this.#committedRows) return
    // A thread that produced nothing leaves no trace.
    if (this.#committedRows === '' && values.every(({ produced }) => produced === 0)) return
    for (const row of values) {
      this.#store.lane(processId, ring, row.lane, row.produced, row.stored, row.dropped, row.seq)
    }
  }
}

const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)
