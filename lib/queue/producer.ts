import type { CaptureMode } from '../config/options.js'
import type { Capture, CaptureSite } from '../serialize/capture.js'
import type { Totals } from '../totals/totals.js'
import { HeldErrors } from './held-errors.js'
import { JOURNAL_FRAME_OFFSET, type Journal } from './journal.js'
import { JOURNAL_MAX_BODY_BYTES } from './journal-format.js'
import {
  ControlI32,
  DROP_WORDS_PER_LANE,
  Drop,
  Frame,
  FrameFlag,
  FrameKind,
  Lane,
  LaneF64,
  LaneI32,
  laneMemoryBytes,
  RING_OFFSET,
  SCRATCH_BYTES,
} from './layout.js'
import { RingConsumer, RingProducer } from './ring.js'

/** What the producer has to know of a call site. */
export interface ProducedSite extends CaptureSite {
  /** Number in the totals of this thread. */
  readonly id: number
  readonly captureArgs: CaptureMode
  readonly captureResult: CaptureMode
}

/** The measured facts of one call, handed over when it ends. */
export interface CallFacts {
  startMs: number
  durationMs: number
  call: number
  trace: number
  /** 0 = none. */
  parent: number
  flags: number
}

/** Where records go: through the ring; after the writer has stopped, errors (and at the end of the process everything) straight to the journal. */
export type Route = 'ring' | 'journal' | 'errors-only'

const BREAKER_OPEN_CODE = 1

/**
 * The recording thread's end of both lanes. Every record that is begun gets a sequence number here and is either
 * handed on or counted as dropped; nothing below may throw.
 */
export class Producer {
  readonly memory: SharedArrayBuffer
  readonly #bytes: Uint8Array
  readonly #u32: Uint32Array
  readonly #f64: Float64Array
  readonly #i32: Int32Array
  readonly #control: Int32Array
  readonly #ring: RingProducer
  readonly #ringBytes: number
  readonly #journal: Journal
  readonly #journalF64: Float64Array
  readonly #journalU32: Uint32Array
  readonly #totals: Totals
  readonly #capture: Capture
  readonly #groupBytes: number
  readonly #fullErrorsPerSecond: number
  readonly #held = new HeldErrors()
  readonly #wakeAtBytes: number
  readonly #scratchStart: number
  readonly #scratchEnd: number
  #scratchTop: number
  #errorSecond = 0
  #errorsThisSecond = 0
  #route: Route = 'ring'
  /**
   * Lane + 1 of the record that has its sequence number and is neither handed on nor dropped yet, 0 = none. When the
   * app's stack ends in the middle of a record, the next one finds it here and counts it.
   */
  #unfinished = 0
  #savedRing = false
  /** A value is being captured: a monitored call that happens now is not recorded. */
  capturing = false

  constructor(parts: {
    memory: SharedArrayBuffer
    ringBytes: number
    control: SharedArrayBuffer
    journal: Journal
    totals: Totals
    capture: Capture
    groupBytes: number
    fullErrorsPerSecond: number
  }) {
    this.memory = parts.memory
    this.#bytes = new Uint8Array(parts.memory)
    this.#u32 = new Uint32Array(parts.memory)
    this.#f64 = new Float64Array(parts.memory)
    this.#i32 = new Int32Array(parts.memory)
    this.#control = new Int32Array(parts.control)
    this.#ringBytes = parts.ringBytes
    this.#ring = new RingProducer(parts.memory, parts.ringBytes, largestFrame(parts.groupBytes))
    this.#journal = parts.journal
    const { buffer, byteOffset, byteLength } = parts.journal.buffer
    this.#journalF64 = new Float64Array(buffer, byteOffset, byteLength >>> 3)
    this.#journalU32 = new Uint32Array(buffer, byteOffset, byteLength >>> 2)
    this.#totals = parts.totals
    this.#capture = parts.capture
    this.#groupBytes = parts.groupBytes
    this.#fullErrorsPerSecond = parts.fullErrorsPerSecond
    this.#wakeAtBytes = parts.ringBytes >>> 1
    this.#scratchStart = RING_OFFSET + parts.ringBytes
    this.#scratchEnd = this.#scratchStart + SCRATCH_BYTES
    this.#scratchTop = this.#scratchStart
  }

  set route(route: Route) {
    this.#route = route
  }

  /**
   * Captures arguments before the call into the scratch space and returns where they start; they end at
   * {@link scratchTop}. Scratch is a stack: {@link releaseScratch} with the returned mark when the call has ended.
   */
  captureArguments(site: ProducedSite, args: ArrayLike<unknown>): number {
    const mark = this.#scratchTop
    const end = Math.min(mark + this.#groupBytes, this.#scratchEnd)
    this.capturing = true
    try {
      this.#scratchTop = this.#capture.writeArguments(this.#bytes, mark, end, args, site.captureArgs, site)
    } catch {
      // Near the end of the app's stack the capture may not fit where the call itself still does.
      this.#bytes[mark] = NIL
      this.#scratchTop = mark + 1
    } finally {
      this.capturing = false
    }
    return mark
  }

  get scratchTop(): number {
    return this.#scratchTop
  }

  /** Whether another set of arguments fits the scratch space (deep recursion of recorded calls fills it). */
  get scratchLeft(): boolean {
    return this.#scratchEnd - this.#scratchTop >= MIN_GROUP_BYTES
  }

  releaseScratch(mark: number): void {
    this.#scratchTop = mark
  }

  /** Moves the captured arguments out of the scratch space, for a call that goes on after it has returned. */
  holdArguments(mark: number): Uint8Array {
    return this.#bytes.slice(mark, this.#scratchTop)
  }

  /** A monitored call that ran while a value was being captured. */
  dropReentrant(site: number): void {
    this.#drop(site, Drop.reentrant)
  }

  /** A record that the cap per second refused. */
  dropThrottled(site: number): void {
    this.#drop(site, Drop.throttled)
  }

  #drop(site: number, reason: number): void {
    // A reentrant call is dropped in the middle of another record, which goes on afterwards.
    const unfinished = this.#unfinished
    this.#unfinished = 0
    this.#begin(Lane.calls)
    this.#totals.keep(site)
    this.#countDrop(site, reason)
    this.#unfinished = unfinished
  }

  /** Gives out the next sequence number of a lane. From here on the record is unfinished until {@link #finish}. */
  #begin(lane: Lane): number {
    if (this.#unfinished !== 0) {
      const word = (this.#unfinished - 1) * DROP_WORDS_PER_LANE + Drop.serializeFailed
      this.#f64[LaneF64.PRODUCER_DROPS + word]++
    }
    this.#unfinished = lane + 1
    return ++this.#f64[lane === Lane.calls ? LaneF64.CALLS_PRODUCED : LaneF64.ERRORS_PRODUCED]
  }

  /** The record under construction has arrived where the counter `word` counts. */
  #finish(word: number): void {
    this.#f64[word]++
    this.#unfinished = 0
  }

  #countDrop(site: number, reason: number): void {
    this.#finish(LaneF64.PRODUCER_DROPS + reason)
    this.#totals.drop(site, reason)
  }

  /**
   * Hands on the record of a call that returned. The arguments stand in the scratch space from `argsMark`, or in
   * `heldArgs`, or are captured now from `args`.
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
    const seq = this.#begin(Lane.calls)
    this.#totals.keep(site.id)
    if (this.#route !== 'ring') {
      this.#recordCallLate(site, facts, weight, argsMark, heldArgs, args, result, seq)
      return
    }
    const offset = this.#ring.reserve()
    if (offset === -1) {
      const open = Atomics.load(this.#control, ControlI32.BREAKER_STATE) === BREAKER_OPEN_CODE
      this.#countDrop(site.id, open ? Drop.breakerOpen : Drop.queueFull)
      return
    }
    const payload = offset + Frame.HEADER_BYTES
    const end = this.#writeCall(this.#bytes, payload, site, argsMark, heldArgs, args, result)
    if (end === -1) {
      this.#countDrop(site.id, Drop.serializeFailed)
      return
    }
    const frameBytes = (end - offset + 7) & ~7
    writeHeader(
      this.#u32,
      this.#f64,
      offset,
      frameBytes,
      Lane.calls,
      facts,
      seq,
      weight,
      site.id,
      end - payload,
    )
    this.#ring.publish(frameBytes)
    this.#finish(LaneF64.CALLS_PUBLISHED)
    if (this.#ring.usedBytes > this.#wakeAtBytes) this.#wake()
  }

  #writeCall(
    bytes: Uint8Array,
    payload: number,
    site: ProducedSite,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
    result: unknown,
  ): number {
    this.capturing = true
    try {
      bytes[payload] = FIXARRAY_2
      const after = this.#writeArgs(bytes, payload + 1, site, argsMark, heldArgs, args)
      return this.#capture.writeResult(
        bytes,
        after,
        after + this.#groupBytes,
        result,
        site.captureResult,
        site,
      )
    } catch {
      return -1
    } finally {
      this.capturing = false
    }
  }

  #writeArgs(
    bytes: Uint8Array,
    at: number,
    site: ProducedSite,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
  ): number {
    if (heldArgs !== null) {
      bytes.set(heldArgs, at)
      return at + heldArgs.byteLength
    }
    if (args !== null) {
      return this.#capture.writeArguments(bytes, at, at + this.#groupBytes, args, site.captureArgs, site)
    }
    if (argsMark === -1) {
      bytes[at] = NIL
      return at + 1
    }
    const length = this.#scratchTop - argsMark
    // Shorter than the fixed cost of copyWithin (45 ns): a plain loop wins up to about 64 bytes.
    if (length <= 64 || bytes !== this.#bytes) {
      for (let i = 0; i < length; i++) bytes[at + i] = this.#bytes[argsMark + i]
    } else {
      bytes.copyWithin(at, argsMark, this.#scratchTop)
    }
    return at + length
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
    const payload = JOURNAL_FRAME_OFFSET + Frame.HEADER_BYTES
    const end =
      this.#route === 'journal'
        ? this.#writeCall(this.#journal.buffer, payload, site, argsMark, heldArgs, args, result)
        : -1
    if (end !== -1) {
      const frameBytes = (end - JOURNAL_FRAME_OFFSET + 7) & ~7
      this.#journalHeader(frameBytes, Lane.calls, facts, seq, weight, site.id, end - payload)
      if (this.#append(frameBytes, site.id)) {
        this.#finish(LaneF64.CALLS_JOURNALED)
        return
      }
    }
    this.#countDrop(site.id, Drop.shutdown)
  }

  /** Hands on the record of a call that threw or rejected. It is on disk when this returns, unless the disk refuses. */
  recordError(
    site: ProducedSite,
    facts: CallFacts,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
    thrown: unknown,
    nowMs: number,
  ): void {
    const seq = this.#begin(Lane.errors)
    this.#totals.keep(site.id)
    const shrink = this.#overErrorRate(nowMs)
    if (shrink) {
      facts.flags |= FrameFlag.shrunk
      this.#f64[LaneF64.ERRORS_SHRUNK]++
    }
    const buffer = this.#journal.buffer
    const payload = JOURNAL_FRAME_OFFSET + Frame.HEADER_BYTES
    const end = this.#writeError(payload, shrink, site, argsMark, heldArgs, args, thrown)
    const frameBytes = (end - JOURNAL_FRAME_OFFSET + 7) & ~7
    this.#journalHeader(frameBytes, Lane.errors, facts, seq, 1, site.id, end - payload)
    if (this.#held.count === 0 || this.retryHeld()) {
      if (this.#append(frameBytes, site.id)) {
        this.#finish(LaneF64.ERRORS_JOURNALED)
        this.#wake()
        return
      }
    }
    this.#fallBack(buffer.subarray(JOURNAL_FRAME_OFFSET, JOURNAL_FRAME_OFFSET + frameBytes), site.id)
  }

  #writeError(
    payload: number,
    shrink: boolean,
    site: ProducedSite,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
    thrown: unknown,
  ): number {
    const bytes = this.#journal.buffer
    this.capturing = true
    try {
      bytes[payload] = FIXARRAY_2
      const after = shrink
        ? this.#writeArgs(bytes, payload + 1, site, -1, null, null)
        : this.#writeArgs(bytes, payload + 1, site, argsMark, heldArgs, args)
      return this.#capture.writeError(bytes, after, bytes.length, thrown, shrink, site)
    } catch {
      // The record itself must not be lost with its content.
      bytes[payload + 1] = NIL
      bytes[payload + 2] = NIL
      return payload + 3
    } finally {
      this.capturing = false
    }
  }

  #overErrorRate(nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000)
    if (second !== this.#errorSecond) {
      this.#errorSecond = second
      this.#errorsThisSecond = 0
    }
    return ++this.#errorsThisSecond > this.#fullErrorsPerSecond
  }

  #journalHeader(
    frameBytes: number,
    lane: Lane,
    facts: CallFacts,
    seq: number,
    weight: number,
    site: number,
    payloadBytes: number,
  ): void {
    writeHeader(
      this.#journalU32,
      this.#journalF64,
      JOURNAL_FRAME_OFFSET,
      frameBytes,
      lane,
      facts,
      seq,
      weight,
      site,
      payloadBytes,
    )
  }

  #append(frameBytes: number, site: number): boolean {
    if (!this.#journal.append(frameBytes, site, this.#f64[LaneF64.CALLS_PRODUCED])) return false
    this.#publishJournal()
    return true
  }

  #publishJournal(): void {
    this.#f64[LaneF64.JOURNAL_BYTES] = this.#journal.bytes
    Atomics.store(this.#i32, LaneI32.JOURNAL_SEGMENT, this.#journal.segment)
  }

  /** The disk refused: an error goes through the ring, and when that is full it waits in memory. */
  #fallBack(frame: Uint8Array, site: number): void {
    if (this.#held.count === 0 && this.#publishError(frame)) {
      this.#unfinished = 0
      return
    }
    if (this.#held.add(frame, site)) this.#finish(LaneF64.ERRORS_HELD)
    else this.#finish(LaneF64.PRODUCER_DROPS + DROP_WORDS_PER_LANE + Drop.queueFull)
  }

  /** An error through the ring; `false` when it does not fit, or nobody reads the ring any more. */
  #publishError(frame: Uint8Array): boolean {
    if (this.#route !== 'ring' || frame.byteLength > largestFrame(this.#groupBytes)) return false
    const offset = this.#ring.reserve()
    if (offset === -1) return false
    this.#bytes.set(frame, offset)
    this.#ring.publish(frame.byteLength)
    this.#f64[LaneF64.ERRORS_PUBLISHED]++
    this.#wake()
    return true
  }

  /** Now and then: looks after a journal that was removed, and the errors that wait in memory. */
  tend(): void {
    try {
      this.#journal.leaveLostSegment()
      this.retryHeld()
    } catch {
      // The disk refuses even to look. The next time comes.
    }
  }

  /** Hands the errors that wait in memory to the disk, or else to the ring; `true` when none is left. */
  retryHeld(): boolean {
    if (this.#held.count === 0) return true
    // The journal's buffer may hold a frame under construction.
    const building = Buffer.from(this.#journal.buffer)
    let refused = false
    const left = this.#held.drain((frame, site) => {
      refused ||= !this.#journal.appendCopy(frame, site, this.#f64[LaneF64.CALLS_PRODUCED])
      if (refused) return this.#publishError(frame)
      this.#f64[LaneF64.ERRORS_JOURNALED]++
      return true
    })
    building.copy(this.#journal.buffer)
    this.#f64[LaneF64.ERRORS_HELD] = left
    this.#publishJournal()
    if (left === 0) this.#wake()
    return left === 0
  }

  /**
   * At the end, when the writer did not confirm that it has stored everything: what is still in the ring is copied
   * to the journal. Records the writer has committed after all are recognised by their sequence numbers.
   */
  saveRing(): void {
    const ring = new RingConsumer(this.memory, this.#ringBytes)
    for (let offset = ring.next(); offset >= 0; offset = ring.next()) {
      const size = this.#u32[offset >>> 2]
      const site = this.#u32[(offset + Frame.SITE) >>> 2]
      const frame = this.#bytes.slice(offset, offset + size)
      if (!this.#journal.appendCopy(frame, site, this.#f64[LaneF64.CALLS_PRODUCED])) return
      this.#savedRing = true
    }
    this.#publishJournal()
  }

  /** The writer has stopped. A journal that is stored completely is removed, any other waits for the next start. */
  endJournal(): void {
    const f64 = this.#f64
    // Of records copied from the ring nobody knows whether they are stored; the counters do not speak of them.
    const covered =
      !this.#savedRing &&
      f64[LaneF64.ERRORS_JOURNALED] === f64[LaneF64.ERRORS_REPLAYED] &&
      f64[LaneF64.CALLS_JOURNALED] === f64[LaneF64.CALLS_REPLAYED]
    if (covered) this.#journal.discard()
    else this.#journal.close()
  }

  #wake(): void {
    // Only the first to raise the flag pays for the wake-up; the writer lowers it before it drains.
    if (Atomics.exchange(this.#control, ControlI32.WAKE, 1) === 0)
      Atomics.notify(this.#control, ControlI32.WAKE)
  }
}

const FIXARRAY_2 = 0x92
const NIL = 0xc0
const MIN_GROUP_BYTES = 64

/** Largest frame the ring must take: header, array header, arguments and result at their limits, alignment. */
export function largestFrame(groupBytes: number): number {
  return (Frame.HEADER_BYTES + 1 + 2 * groupBytes + 7) & ~7
}

/** Buffer of the journal: an error's own text may be longer than a group of values. */
export function journalBufferBytes(groupBytes: number, stackLength: number): number {
  const wanted = JOURNAL_FRAME_OFFSET + Frame.HEADER_BYTES + 1 + 3 * groupBytes + 3 * stackLength + 1024
  // What is longer the reader takes for damage.
  return Math.min(wanted + 7, JOURNAL_MAX_BODY_BYTES) & ~7
}

export function newLaneMemory(ringBytes: number, originUnixUs: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(laneMemoryBytes(ringBytes))
  new Float64Array(memory)[LaneF64.ORIGIN_UNIX_US] = originUnixUs
  return memory
}

function writeHeader(
  u32: Uint32Array,
  f64: Float64Array,
  offset: number,
  frameBytes: number,
  lane: Lane,
  facts: CallFacts,
  seq: number,
  weight: number,
  site: number,
  payloadBytes: number,
): void {
  const word = offset >>> 2
  const double = offset >>> 3
  u32[word] = frameBytes
  u32[word + 1] = FrameKind.record | (lane << 8) | (facts.flags << 16)
  f64[double + 1] = seq
  f64[double + 2] = facts.startMs
  f64[double + 3] = facts.durationMs
  f64[double + 4] = facts.call
  f64[double + 5] = facts.trace
  f64[double + 6] = facts.parent
  f64[double + 7] = weight
  u32[word + 16] = site
  u32[word + 17] = payloadBytes
}
