import type { Capture } from '../serialize/capture.js'
import type { Totals } from '../totals/totals.js'
import { ErrorLane } from './error-lane.js'
import { type CallFacts, FIXARRAY_3, largestFrame, writeFrameHeader } from './frame.js'
import type { Journal } from './journal.js'
import { JournalBudget } from './journal-budget.js'
import { JournalLane } from './journal-lane.js'
import {
  ControlI32,
  Drop,
  Frame,
  FrameKind,
  Lane,
  LaneF64,
  laneMemoryBytes,
  OpenCell,
  WriterState,
} from './layout.js'
import { mappedMemory } from './mapped-memory.js'
import { Payload, type RemoteIds } from './payload.js'
import { PendingSlots } from './pending-slots.js'
import type { ProducedSite } from './produced-site.js'
import { RecordCount } from './record-count.js'
import { RingProducer } from './ring.js'
import { Scratch } from './scratch.js'

/** Where records go: through the ring; after the writer has stopped, errors (and at the end of the process everything) straight to the journal. */
export type Route = 'ring' | 'journal' | 'errors-only'

const BREAKER_OPEN_CODE = 1

// What a module imports is read anew at each use; these are a part of the compiled code.
const { CALLS_PRODUCED, CALLS_PUBLISHED } = LaneF64
const CALLS = Lane.calls
const { WAKE } = ControlI32
const { START, CALL, TRACE, PARENT, WEIGHT, MARK } = OpenCell
const RECORD = FrameKind.record | (Lane.calls << 8)
const { HEADER_BYTES } = Frame
const ARRAY_3 = FIXARRAY_3

/**
 * The recording thread's end of both lanes. Every record that is begun gets a sequence number here and is either
 * handed on or counted as dropped; nothing below may throw.
 */
export class Producer {
  readonly scratch: Scratch
  readonly slots: PendingSlots
  readonly #memory: SharedArrayBuffer
  readonly #bytes: Uint8Array
  readonly #u32: Uint32Array
  readonly #f64: Float64Array
  readonly #control: Int32Array
  readonly #ring: RingProducer
  readonly #ringBytes: number = 0
  readonly #journal: JournalLane
  readonly #totals: Totals
  readonly #capture: Capture
  readonly #groupBytes: number = 0
  readonly #count: RecordCount
  readonly #payload: Payload
  readonly #errors: ErrorLane
  readonly #wakeAtBytes: number = 0
  #route: Route = 'ring'
  /** Whether the error that is being recorded has yet to arrive somewhere. Whoever finds it still so may try again. */
  owed = false
  /** The recorder itself is at work: a monitored call that happens now is of its doing, and not recorded. */
  busy = false

  constructor(parts: {
    memory: SharedArrayBuffer
    ringBytes: number
    control: SharedArrayBuffer
    journal: Journal
    totals: Totals
    capture: Capture
    groupBytes: number
    fullErrorsPerSecond: number
    /** What the journals of the process may take on disk. Default: no limit. */
    journalMaxBytes?: number
    remoteIds: RemoteIds
  }) {
    const { memory, ringBytes, capture, groupBytes } = parts
    this.#memory = memory
    this.#bytes = new Uint8Array(memory)
    this.#u32 = new Uint32Array(memory)
    this.#f64 = new Float64Array(memory)
    this.#control = new Int32Array(parts.control)
    this.#ringBytes = ringBytes
    this.#ring = new RingProducer(memory, ringBytes, largestFrame(groupBytes))
    const budget = new JournalBudget(parts.control, memory, parts.journalMaxBytes ?? Number.POSITIVE_INFINITY)
    this.#journal = new JournalLane(parts.journal, memory, budget, {
      toRing: frame => this.#publishError(frame),
      wakeWriter: () => this.#wake(),
    })
    this.#totals = parts.totals
    this.#capture = capture
    this.#groupBytes = groupBytes
    this.#wakeAtBytes = ringBytes >>> 1
    this.scratch = new Scratch(memory, ringBytes, capture, groupBytes)
    this.slots = new PendingSlots(memory, ringBytes)
    this.#count = new RecordCount(this.#f64, parts.totals, this.#journal)
    this.#payload = new Payload({
      ringBytes: this.#bytes,
      scratch: this.scratch,
      slots: this.slots,
      capture,
      groupBytes,
      remoteIds: parts.remoteIds,
    })
    this.#errors = new ErrorLane({
      f64: this.#f64,
      count: this.#count,
      journal: this.#journal,
      payload: this.#payload,
      fullPerSecond: parts.fullErrorsPerSecond,
    })
  }

  set route(route: Route) {
    this.#route = route
  }

  /** Captures arguments before the call; returns the mark to which the scratch space is released when it has ended. */
  captureArguments(site: ProducedSite, args: ArrayLike<unknown>): number {
    let isContinued = true
    this.busy = true
    try {
      try {
        const mark = this.scratch.tryCapture(site, args)
        if (mark !== -1) return mark
      } catch {
        isContinued = false
      }
      return this.scratch.capture(site, args, isContinued)
    } finally {
      // By a store, for the app's stack may have no room for a capture, nor for any other call.
      this.busy = false
    }
  }

  /** A monitored call that ran while a value was being captured. */
  dropReentrant(site: number): void {
    this.#count.dropAnother(site, Drop.reentrant)
  }

  /** A call that passed through, because the recorder could not begin its record. */
  dropUncaptured(site: number): void {
    this.#count.dropAnother(site, Drop.serializeFailed)
  }

  /** A record that the cap per second refused. */
  dropThrottled(site: number): void {
    this.#count.dropAnother(site, Drop.throttled)
  }

  /**
   * Hands on the record of a call that returned. The arguments stand from `argsMark` in the scratch space or a slot of
   * pending calls, or in `heldArgs`, or are captured now from `args`.
   */
  recordCall(
    site: ProducedSite,
    facts: CallFacts,
    weight: number,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
    result: unknown,
  ): void {
    const seq = this.#count.begin(CALLS, site.id)
    this.#totals.keep(site.id)
    if (this.#route !== 'ring') {
      this.#recordCallLate(site, facts, weight, argsMark, heldArgs, args, result, seq)
      return
    }
    const offset = this.#ring.reserve()
    if (offset === -1) {
      this.#count.drop(this.#fullReason())
      return
    }
    const payload = offset + HEADER_BYTES
    const end = this.#writeCall(this.#bytes, payload, site, argsMark, heldArgs, args, result)
    if (end === -1) {
      this.#count.drop(Drop.serializeFailed)
      return
    }
    this.#publishCall(site.id, facts, seq, weight, offset, end)
  }

  /** Whether {@link recordSampled} may be used. */
  get takesSampled(): boolean {
    return this.#route === 'ring' && !this.busy
  }

  /**
   * {@link recordCall} for most calls, from their numbers as they stand among the running ones: the arguments were
   * captured before the call, it belongs to a trace of this process, and no flag is set.
   */
  recordSampled(
    site: ProducedSite,
    cells: Float64Array,
    cell: number,
    durationMs: Float64Array,
    result: unknown,
  ): void {
    const count = this.#count
    // As RecordCount.begin, which is not small enough to become a part of this.
    if (count.unfinished !== 0) count.countUnfinished()
    count.unfinished = CALLS + 1
    count.unfinishedSite = site.id
    const f64 = this.#f64
    const seq = ++f64[CALLS_PRODUCED]
    this.#totals.keep(site.id)
    const offset = this.#ring.reserve()
    if (offset === -1) {
      this.#count.drop(this.#fullReason())
      return
    }
    const bytes = this.#bytes
    const payload = offset + HEADER_BYTES
    bytes[payload] = ARRAY_3
    const after = this.scratch.copyToFrame(cells[cell + MARK], payload + 1)
    const limit = after + this.#groupBytes
    let end = -1
    if (typeof result !== 'object' || result === null) {
      end = this.#capture.tryResult(bytes, after, limit, result, site.captureResult, site)
    }
    if (end === -1) end = this.#writeResult(bytes, after, limit, site, result)
    if (end === -1) {
      this.#count.drop(Drop.serializeFailed)
      return
    }
    // As writeFrameHeader, which takes numbers that would have to become objects.
    const u32 = this.#u32
    const frameBytes = (end - offset + 7) & ~7
    const word = offset >>> 2
    const double = offset >>> 3
    u32[word] = frameBytes
    u32[word + 1] = RECORD
    f64[double + 1] = seq
    f64[double + 2] = cells[cell + START]
    f64[double + 3] = durationMs[0]
    f64[double + 4] = cells[cell + CALL]
    f64[double + 5] = cells[cell + TRACE]
    f64[double + 6] = cells[cell + PARENT]
    f64[double + 7] = cells[cell + WEIGHT]
    u32[word + 16] = site.id
    u32[word + 17] = end - payload
    this.#ring.publish(frameBytes)
    f64[CALLS_PUBLISHED]++
    count.unfinished = 0
    if (this.#ring.holdsMoreThan(this.#wakeAtBytes) && Atomics.load(this.#control, WAKE) === 0) this.#wake()
  }

  /** A result that is not plain; -1: it could not be written. */
  #writeResult(bytes: Uint8Array, at: number, end: number, site: ProducedSite, result: unknown): number {
    this.busy = true
    try {
      return this.#capture.writeResult(bytes, at, end, result, site.captureResult, site)
    } catch {
      return -1
    } finally {
      this.busy = false
    }
  }

  /** Hands on the header of a call of which nothing else was captured; it stands for nothing but itself. */
  recordHeader(site: number, facts: CallFacts): void {
    const seq = this.#count.begin(CALLS, site)
    this.#totals.keep(site)
    const offset = this.#route === 'ring' ? this.#ring.reserve() : -1
    if (offset === -1) {
      this.#count.drop(this.#route === 'ring' ? this.#fullReason() : Drop.shutdown)
      return
    }
    const payload = offset + HEADER_BYTES
    this.#publishCall(site, facts, seq, 0, offset, this.#payload.writeNothing(this.#bytes, payload))
  }

  #publishCall(
    site: number,
    facts: CallFacts,
    seq: number,
    weight: number,
    offset: number,
    payloadEnd: number,
  ): void {
    const end = this.#payload.writeIds(this.#bytes, payloadEnd, facts)
    const frameBytes = (end - offset + 7) & ~7
    const payloadBytes = payloadEnd - offset - HEADER_BYTES
    writeFrameHeader(this.#u32, this.#f64, offset, frameBytes, CALLS, facts, seq, weight, site, payloadBytes)
    this.#ring.publish(frameBytes)
    this.#count.finish(CALLS_PUBLISHED)
    // Asked first, as the writer is busy for long while the ring is that full. At worst it sleeps its interval out.
    if (this.#ring.holdsMoreThan(this.#wakeAtBytes) && Atomics.load(this.#control, WAKE) === 0) this.#wake()
  }

  #fullReason(): number {
    if (Atomics.load(this.#control, ControlI32.WRITER_STATE) === WriterState.stopped) return Drop.shutdown
    const open = Atomics.load(this.#control, ControlI32.BREAKER_STATE) === BREAKER_OPEN_CODE
    return open ? Drop.breakerOpen : Drop.queueFull
  }

  #writeCall(
    bytes: Uint8Array,
    at: number,
    site: ProducedSite,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
    result: unknown,
  ): number {
    this.busy = true
    try {
      return this.#payload.writeCall(bytes, at, site, argsMark, heldArgs, args, result)
    } finally {
      this.busy = false
    }
  }

  /** After the writer has stopped: at the end of the process everything goes to the journal. */
  #recordCallLate(
    site: ProducedSite,
    facts: CallFacts,
    weight: number,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
    result: unknown,
    seq: number,
  ): void {
    const { buffer, payloadOffset } = this.#journal
    const end =
      this.#route === 'journal'
        ? this.#writeCall(buffer, payloadOffset, site, argsMark, heldArgs, args, result)
        : -1
    if (end !== -1 && this.#atWork(() => this.#appendLate(site, facts, seq, weight, end))) {
      this.#count.finish(LaneF64.CALLS_JOURNALED)
      return
    }
    this.#count.drop(Drop.shutdown)
  }

  #appendLate(site: ProducedSite, facts: CallFacts, seq: number, weight: number, end: number): boolean {
    const after = this.#payload.writeIds(this.#journal.buffer, end, facts)
    const frameBytes = this.#journal.complete(CALLS, facts, seq, weight, site.id, end, after)
    return this.#journal.append(frameBytes, site.id)
  }

  /**
   * Hands on the record of a call that threw or rejected. It is on disk when this returns, unless the disk refuses.
   * When the stack ends in here, {@link owed} says whether the same error is to be handed on again.
   */
  recordError(
    site: ProducedSite,
    facts: CallFacts,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
    thrown: unknown,
    nowMs: number,
  ): void {
    this.busy = true
    this.owed = true
    try {
      this.#errors.record(site, facts, argsMark, heldArgs, args, thrown, nowMs)
    } finally {
      // Plain loads and stores, for the stack may have ended.
      if (this.#journal.handed !== null) this.owed = false
      this.busy = false
    }
  }

  /** An error through the ring; `false` when it does not fit, or nobody reads the ring any more. */
  #publishError(frame: Uint8Array): boolean {
    if (this.#route !== 'ring' || frame.byteLength > largestFrame(this.#groupBytes)) return false
    const offset = this.#ring.reserve()
    if (offset === -1) return false
    this.#bytes.set(frame, offset)
    this.#ring.publish(frame.byteLength)
    return true
  }

  #atWork<T>(work: () => T): T {
    const before = this.busy
    this.busy = true
    try {
      return work()
    } finally {
      this.busy = before
    }
  }

  /** Now and then: looks after a record that was never finished, a journal that was removed, and the errors that wait in memory. */
  tend(): void {
    if (this.#count.unfinished !== 0 && !this.busy) this.#count.countUnfinished()
    this.#atWork(() => this.#journal.tend())
  }

  /** Offers the errors that wait in memory to the disk and the ring again. */
  retryHeld(): void {
    this.#atWork(() => this.#journal.retryHeld())
  }

  /** Copies what is still in the ring to the journal: the writer did not confirm that it has stored it. */
  saveRing(): void {
    this.#atWork(() => this.#journal.saveRing(this.#memory, this.#ringBytes))
  }

  /** The writer has stopped. */
  endJournal(): void {
    this.#atWork(() => this.#journal.end())
  }

  #wake(): void {
    // Only the first to raise the flag pays for the wake-up; the writer lowers it before it drains.
    if (Atomics.exchange(this.#control, ControlI32.WAKE, 1) === 0)
      Atomics.notify(this.#control, ControlI32.WAKE)
  }
}

export function newLaneMemory(ringBytes: number, originUnixUs: number): SharedArrayBuffer {
  const memory = mappedMemory(laneMemoryBytes(ringBytes))
  new Float64Array(memory)[LaneF64.ORIGIN_UNIX_US] = originUnixUs
  return memory
}
