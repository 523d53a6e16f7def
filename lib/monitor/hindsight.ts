import type { CallFacts } from '../queue/frame.js'
import { FrameFlag } from '../queue/layout.js'
import { Cell } from './running.js'

const { START, CALL, TRACE, PARENT } = Cell

/** Calls remembered per thread, a power of two. */
const CAPACITY = 4_096
/** One call takes one cache line: trace, call, parent, start, duration, site and flags. */
const CELLS = 8
export const FLAG_SPAN = 2 ** 16
const rememberedMs = new Float64Array(1)
/** Traces watched at a time, a power of two. */
const WATCHED = 256
/** Calls promoted for one failed or slow call, the latest first. */
const MAX_PER_TRIGGER = 100
const MAX_PER_SECOND = 1_000

/** What takes a promoted call. */
type Promote = (site: number, facts: CallFacts) => void

/**
 * Remembers the headers of the last unsampled calls, so that a failed or slow call can show what led to it: the
 * remembered calls of its trace are promoted to records then, and so are those of its callers that still run, when
 * they end. Memory is bounded: {@link CAPACITY} calls of a thread, the oldest is overwritten.
 *
 * Arguments and results of these calls were never captured; a promoted record has none, and weighs 0, because the
 * sampled records stand for it already.
 */
export class Hindsight {
  /** Reserved, not used: the system gives a page its memory when it is first written. */
  readonly #calls = new Float64Array(CAPACITY * CELLS)
  /** By trace modulo WATCHED: the trace, and the last call that had begun when one of it failed. */
  readonly #watched = new Float64Array(WATCHED * 2)
  #next = 0
  #second = 0
  #inSecond = 0
  #scannedTrace = 0
  #scannedAt = -1
  readonly #facts: CallFacts = { startMs: 0, durationMs: 0, call: 0, trace: 0, parent: 0, flags: 0 }
  /** Calls promoted so far. */
  promoted = 0
  /** Times a promotion was cut off, because too many calls had been promoted in the same second. */
  refused = 0

  /**
   * An unsampled call has ended.
   *
   * @param running cells of a running call, laid out as {@link Cell} says
   * @param cell where the call's cells begin in them
   * @returns whether it belongs to a trace that is watched: then it should be promoted at once
   */
  remember(running: Float64Array, cell: number, site: number, durationMs: number, flags: number): boolean {
    rememberedMs[0] = durationMs
    return this.note(running, cell, site * FLAG_SPAN + flags, rememberedMs)
  }

  /**
   * {@link remember}.
   *
   * @param siteAndFlags number of the call site × {@link FLAG_SPAN} + flags
   * @param durationMs one word: a number that is handed to a function becomes an object where that is not inlined
   */
  note(running: Float64Array, cell: number, siteAndFlags: number, durationMs: Float64Array): boolean {
    const trace = running[cell + TRACE]
    const call = running[cell + CALL]
    const watched = (trace & (WATCHED - 1)) << 1
    if (this.#watched[watched] === trace && call <= this.#watched[watched + 1]) return true
    const calls = this.#calls
    const at = (this.#next++ & (CAPACITY - 1)) * CELLS
    calls[at] = trace
    calls[at + 1] = call
    calls[at + 2] = running[cell + PARENT]
    calls[at + 3] = running[cell + START]
    calls[at + 4] = durationMs[0]
    calls[at + 5] = siteAndFlags
    return false
  }

  /**
   * A call of the trace failed or was slow: promotes what is remembered of it, and has its callers promoted when they end.
   *
   * @param nowMs monotonic milliseconds
   */
  promote(trace: number, lastCall: number, nowMs: number, keep: Promote): void {
    const watched = (trace & (WATCHED - 1)) << 1
    this.#watched[watched] = trace
    this.#watched[watched + 1] = lastCall
    const calls = this.#calls
    // An error that passes through ten monitored callers looks once.
    if (this.#scannedTrace === trace && this.#scannedAt === this.#next) return
    this.#beginSecond(nowMs)
    if (this.#inSecond >= MAX_PER_SECOND) {
      this.refused++
      return
    }
    const oldest = Math.max(0, this.#next - CAPACITY)
    for (let at = this.#next - 1, found = 0; at >= oldest && found < MAX_PER_TRIGGER; at--) {
      const cell = (at & (CAPACITY - 1)) * CELLS
      if (calls[cell] !== trace) continue
      found++
      if (!this.admit(nowMs)) break
      const facts = this.#facts
      facts.trace = trace
      facts.call = calls[cell + 1]
      facts.parent = calls[cell + 2]
      facts.startMs = calls[cell + 3]
      facts.durationMs = calls[cell + 4]
      facts.flags = (calls[cell + 5] % FLAG_SPAN) | FrameFlag.hindsight
      // Forgotten: it is a record from now on.
      calls[cell] = 0
      keep(Math.floor(calls[cell + 5] / FLAG_SPAN), facts)
    }
    this.#scannedTrace = trace
    this.#scannedAt = this.#next
  }

  #beginSecond(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000)
    if (second === this.#second) return
    this.#second = second
    this.#inSecond = 0
  }

  /** Whether one more call may be promoted in this second. */
  admit(nowMs: number): boolean {
    this.#beginSecond(nowMs)
    if (this.#inSecond >= MAX_PER_SECOND) {
      this.refused++
      return false
    }
    this.#inSecond++
    this.promoted++
    return true
  }
}
