import { DROP_REASONS, Drop, Frame, Lane, LaneF64 } from '../queue/layout.js'
import { BROKEN_RING } from '../queue/ring.js'
import { MalformedPayloadError } from '../serialize/transcode.js'
import { BadRowError } from '../store/errors.js'
import type { StoreWriter } from '../store/insert.js'
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

const US_PER_MINUTE = 60_000_000

/** Reads one batch of one lane into the open transaction of the store. Nothing is final until {@link commit}. */
export class LaneBatch {
  readonly #lane: LaneView
  readonly #journal: JournalTail
  readonly #store: StoreWriter
  readonly #sink: RecordSink
  #calls: LaneDelta = emptyDelta()
  #errors: LaneDelta = emptyDelta()
  /** The lane rows as they stand in the store, and as this batch writes them. */
  #committedRows = ''
  #writtenRows = ''

  constructor(lane: LaneView, journal: JournalTail, store: StoreWriter, sink: RecordSink) {
    this.#lane = lane
    this.#journal = journal
    this.#store = store
    this.#sink = sink
  }

  /** Whether there is anything to read. */
  get pending(): boolean {
    const { f64 } = this.#lane
    return (
      this.#lane.consumer.pendingBytes > 0 ||
      f64[LaneF64.ERRORS_JOURNALED] > f64[LaneF64.ERRORS_REPLAYED] ||
      f64[LaneF64.CALLS_JOURNALED] > f64[LaneF64.CALLS_REPLAYED]
    )
  }

  /** Reads and writes a batch; `true` when a limit was reached and more is waiting. */
  write(limits: BatchLimits, nowUs: number): boolean {
    this.#calls = emptyDelta()
    this.#errors = emptyDelta()
    const moreErrors = this.#readJournal(limits.journalEntries, nowUs)
    const moreCalls = this.#readRing(limits.ringRecords, nowUs)
    // Rows that SQLite refuses are told now, while it is certain whose they are.
    this.#store.flushRows()
    this.#sink.batchDone()
    this.#writeLaneRows()
    return moreErrors || moreCalls
  }

  /** Called for a call row that SQLite refused. */
  refused(functionId: number, nowUs: number): void {
    this.#calls.stored--
    this.#poison(this.#calls, Lane.calls, functionId, nowUs)
  }

  /** The transaction is committed: give the memory back and publish the counters. */
  commit(): void {
    this.#lane.consumer.release()
    const { replayed, journalStored, journalPoison } = this.#errors
    this.#journal.commit({ replayed, stored: journalStored, poison: journalPoison })
    this.#lane.apply(Lane.calls, this.#calls)
    this.#lane.apply(Lane.errors, this.#errors)
    this.#committedRows = this.#writtenRows
  }

  /** The transaction failed: the same records again next time. */
  rewind(): void {
    this.#lane.consumer.rewind()
    this.#journal.rewind()
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
    for (let entries = 0; entries < limit; entries++) {
      const entry = this.#journal.next()
      if (entry === null) return false
      if (entry.kind === 'site') continue
      const { bytes, view, offset } = entry
      if (((view.getUint32(offset + Frame.META, true) >>> 8) & 0xff) === Lane.errors) {
        const { stored, poison } = this.#errors
        this.#errors.replayed++
        this.#storeError(bytes, view, offset, nowUs)
        this.#errors.journalStored += this.#errors.stored - stored
        this.#errors.journalPoison += this.#errors.poison - poison
      } else {
        this.#calls.replayed++
        this.#storeCall(bytes, view, offset, nowUs)
      }
    }
    return true
  }

  #storeCall(bytes: Uint8Array, view: DataView, offset: number, nowUs: number): void {
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

  #poison(delta: LaneDelta, lane: Lane, functionId: number, nowUs: number): void {
    delta.poison++
    const minute = Math.floor(nowUs / US_PER_MINUTE)
    const reason = DROP_REASONS[Drop.poison]
    this.#store.addDrops(minute, functionId, this.#lane.processId, lane, reason, 1, nowUs, nowUs)
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

  #writeLaneRows(): void {
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
    const values = rows.map(({ lane, produced, stored, delta }) => ({
      lane,
      produced: f64[produced],
      stored: f64[stored] + delta.stored,
      dropped: JSON.stringify(this.#lane.dropped(lane, delta.poison)),
      seq: Math.max(lane === Lane.calls ? storedSeq : storedErrorSeq, delta.seq),
    }))
    this.#writtenRows = JSON.stringify(values)
    if (this.#writtenRows === this.#committedRows) return
    for (const row of values) {
      this.#store.lane(processId, ring, row.lane, row.produced, row.stored, row.dropped, row.seq)
    }
  }
}
