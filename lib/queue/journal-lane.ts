import { SHAPE_BYTES } from '../serialize/markers.js'
import { nowMs } from './clock.js'
import { type CallFacts, writeFrameHeader } from './frame.js'
import { HeldErrors } from './held-errors.js'
import { JOURNAL_FRAME_OFFSET, type Journal } from './journal.js'
import type { JournalBudget, JournalRoom } from './journal-budget.js'
import { JOURNAL_MAX_BODY_BYTES } from './journal-format.js'
import { Frame, type Lane, LaneF64, LaneI32 } from './layout.js'
import { RingConsumer } from './ring.js'

/** Buffer of the journal: an error's own text may be longer than a group of values. */
export function journalBufferBytes(groupBytes: number, stackLength: number): number {
  const wanted =
    JOURNAL_FRAME_OFFSET + Frame.HEADER_BYTES + 1 + 3 * groupBytes + SHAPE_BYTES + 3 * stackLength + 1024
  // What is longer the reader takes for damage.
  return Math.min(wanted + 7, JOURNAL_MAX_BODY_BYTES) & ~7
}

/** What to do with an error the disk refuses. */
export interface OtherWays {
  /** Hands a frame to the ring; `false`: it does not fit, or nobody reads the ring any more. */
  toRing(frame: Uint8Array): boolean
  wakeWriter(): void
}

/** Refusals in a row after which the disk is left alone for a while: one that cannot be written is not asked by every error. */
const PATIENCE = 3
const REFUSED_PAUSE_MS = 10

/** What became of a record that was handed to the lane. */
export type Handed = 'journaled' | 'in ring' | 'held' | 'refused'

/**
 * The journal with its fallbacks, and the words of shared memory that tell the writer how far it has come:
 * disk first, then the ring, then the program's own memory, from where the disk is tried again.
 */
export class JournalLane {
  /** Where a frame's payload is written. */
  readonly buffer: Buffer
  readonly payloadOffset = JOURNAL_FRAME_OFFSET + Frame.HEADER_BYTES
  readonly #journal: Journal
  readonly #bufferF64: Float64Array
  readonly #bufferU32: Uint32Array
  readonly #f64: Float64Array
  readonly #i32: Int32Array
  readonly #other: OtherWays
  readonly #held = new HeldErrors()
  readonly #budget: JournalBudget
  /**
   * Where the error under construction is by now, `null` = nowhere. Set with the store that follows the last step,
   * for the stack of the app may end in anything that is called after it.
   */
  handed: Handed | null = null
  #savedRing = false
  #refusals = 0
  #askAgainMs = 0

  constructor(journal: Journal, memory: SharedArrayBuffer, budget: JournalBudget, other: OtherWays) {
    this.#journal = journal
    this.#budget = budget
    this.buffer = journal.buffer
    const { buffer, byteOffset, byteLength } = journal.buffer
    this.#bufferF64 = new Float64Array(buffer, byteOffset, byteLength >>> 3)
    this.#bufferU32 = new Uint32Array(buffer, byteOffset, byteLength >>> 2)
    this.#f64 = new Float64Array(memory)
    this.#i32 = new Int32Array(memory)
    this.#other = other
  }

  /** Completes the frame whose payload ends at `end` of the buffer, and which ends at `after`; returns its bytes. */
  complete(
    lane: Lane,
    facts: CallFacts,
    seq: number,
    weight: number,
    site: number,
    end: number,
    after: number,
  ): number {
    const frameBytes = (after - JOURNAL_FRAME_OFFSET + 7) & ~7
    writeFrameHeader(
      this.#bufferU32,
      this.#bufferF64,
      JOURNAL_FRAME_OFFSET,
      frameBytes,
      lane,
      facts,
      seq,
      weight,
      site,
      end - this.payloadOffset,
    )
    return frameBytes
  }

  /** Appends the completed frame to the disk, or nowhere. */
  append(frameBytes: number, site: number): boolean {
    if (!this.#appendToDisk(frameBytes, site)) return false
    this.#written()
    return true
  }

  #appendToDisk(frameBytes: number, site: number): boolean {
    return this.#journal.append(frameBytes, site, this.#f64[LaneF64.CALLS_PRODUCED])
  }

  #written(): void {
    this.#refusals = 0
    this.#publish()
  }

  /** What the journals of the process may still take. */
  get room(): JournalRoom {
    const { room } = this.#budget
    if (room === 'free') return room
    // What the writer has dealt with meanwhile counts no more.
    this.#publish()
    return this.#budget.room
  }

  /** Hands the completed error frame on, by whatever way is open. */
  appendError(frameBytes: number, site: number): Handed {
    if (this.#mayAsk()) {
      if ((this.#held.count === 0 || this.retryHeld()) && this.#appendToDisk(frameBytes, site)) {
        this.handed = 'journaled'
        this.#written()
        this.#other.wakeWriter()
        return 'journaled'
      }
      if (++this.#refusals >= PATIENCE) this.#askAgainMs = nowMs() + REFUSED_PAUSE_MS
    }
    const frame = this.buffer.subarray(JOURNAL_FRAME_OFFSET, JOURNAL_FRAME_OFFSET + frameBytes)
    if (this.#held.count === 0 && this.#other.toRing(frame)) {
      this.handed = 'in ring'
      this.#other.wakeWriter()
      return 'in ring'
    }
    this.handed = this.#held.add(frame, site) ? 'held' : 'refused'
    return this.handed
  }

  #mayAsk(): boolean {
    return this.#refusals < PATIENCE || nowMs() >= this.#askAgainMs
  }

  /** Now and then: looks after a journal that was removed, and the errors that wait in memory. */
  tend(): void {
    try {
      this.#journal.leaveLostSegment()
      this.retryHeld()
      // A thread that has no more errors would keep its part of the limit from all others.
      this.#report()
    } catch {
      // The disk refuses even to look. The next time comes.
    }
  }

  /** Hands the errors that wait in memory to the disk, or else to the ring; `true` when none is left. */
  retryHeld(): boolean {
    if (this.#held.count === 0) return true
    // The journal's buffer may hold a frame under construction.
    const building = Buffer.from(this.buffer)
    let refused = false
    const left = this.#held.drain((frame, site) => {
      refused ||= !this.#journal.appendCopy(frame, site, this.#f64[LaneF64.CALLS_PRODUCED])
      if (refused && !this.#other.toRing(frame)) return false
      this.#f64[refused ? LaneF64.ERRORS_PUBLISHED : LaneF64.ERRORS_JOURNALED]++
      return true
    })
    building.copy(this.buffer)
    this.#f64[LaneF64.ERRORS_HELD] = left
    this.#publish()
    this.#other.wakeWriter()
    return left === 0
  }

  /**
   * At the end, when the writer did not confirm that it has stored everything: what is still in the ring is copied
   * to the journal. Records the writer has committed after all are recognised by their sequence numbers.
   */
  saveRing(memory: SharedArrayBuffer, ringBytes: number): void {
    const ring = new RingConsumer(memory, ringBytes)
    const bytes = new Uint8Array(memory)
    const u32 = new Uint32Array(memory)
    for (let offset = ring.next(); offset >= 0; offset = ring.next()) {
      const size = u32[offset >>> 2]
      const site = u32[(offset + Frame.SITE) >>> 2]
      const frame = bytes.slice(offset, offset + size)
      if (!this.#journal.appendCopy(frame, site, this.#f64[LaneF64.CALLS_PRODUCED])) return
      this.#savedRing = true
    }
    this.#publish()
  }

  /** The writer has stopped. A journal that is stored completely is removed, any other waits for the next start. */
  end(): void {
    const f64 = this.#f64
    // Of records copied from the ring nobody knows whether they are stored; the counters do not speak of them.
    const covered =
      !this.#savedRing &&
      f64[LaneF64.ERRORS_JOURNALED] === f64[LaneF64.ERRORS_REPLAYED] &&
      f64[LaneF64.CALLS_JOURNALED] === f64[LaneF64.CALLS_REPLAYED]
    if (covered) this.#journal.discard()
    else this.#journal.close()
  }

  #publish(): void {
    Atomics.store(this.#i32, LaneI32.JOURNAL_SEGMENT, this.#journal.segment)
    this.#report()
  }

  /** What the writer has dealt with counts no more, also in the segment that is appended to: its file goes later. */
  #report(): void {
    const segment = this.#f64[LaneF64.JOURNAL_COVERED_SEGMENT]
    this.#journal.coveredBefore(segment)
    const covered = segment === this.#journal.segment ? this.#f64[LaneF64.JOURNAL_COVERED_BYTES] : 0
    this.#budget.report(Math.max(0, this.#journal.bytes - covered))
  }
}
