import { type AnchoredClock, monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlF64, LaneF64, LaneI32, type StopReason } from '../queue/layout.js'
import { beatIntervalMs } from '../queue/loop-beat.js'
import { isThreadRunning } from '../queue/process-identity.js'
import { Transcoder } from '../serialize/transcode.js'
import type { StoreWriter } from '../store/insert.js'
import type { StallRows } from '../store/insert-stalls.js'
import type { LaneView } from './lane.js'
import { OpenCallsView } from './open-calls.js'
import { Stall } from './stall.js'

/**
 * A look that comes this much too late says that this thread did not run either: the process was stopped, the machine
 * slept or was too busy for both. What happened meanwhile cannot be blamed on anybody.
 */
const LATE_MS = 300
const LATE_SHARE = 0.75
/** Stalls that wait in memory while the store cannot be written; the oldest is given up. */
const MAX_WAITING = 16

/** Where the main thread's lane is found, once it is known. */
export type FindLane = () => LaneView | null

/** What the watch asks of the outside. */
export interface StallWatchParts {
  readonly control: Control
  readonly clock: AnchoredClock
  /** Milliseconds; `Infinity`: nothing is watched. */
  readonly thresholdMs: number
  readonly pid: number
  /** The lane of the main thread. */
  readonly lane: FindLane
  /** Monotonic milliseconds of the process. */
  readonly nowMs?: () => number
}

/**
 * Watches the event loop of the main thread from the writer: the loop says now and then that it turns, and when it has
 * not for longer than the threshold, the calls on its stack are noted, again and again until it turns.
 */
export class StallWatch {
  readonly #parts: StallWatchParts
  readonly #nowMs: () => number
  readonly #intervalMs: number
  readonly #lateMs: number
  readonly #transcoder = new Transcoder()
  #lane: LaneView | null = null
  #view: OpenCallsView | null = null
  #beatMs = 0
  /** Nothing is known of the loop from here on: its last sign of life, or the end of a gap of our own. */
  #sinceMs = 0
  #tickMs: number
  #lookMs = 0
  #stalls: Stall[] = []
  /** Where stalls are written to; what stands open there of others has ended. */
  #rows: StallRows | null = null
  #staged: Stall[] = []

  constructor(parts: StallWatchParts) {
    this.#parts = parts
    this.#nowMs = parts.nowMs ?? monotonicMs
    this.#intervalMs = beatIntervalMs(parts.thresholdMs)
    this.#lateMs = Math.min(LATE_MS, parts.thresholdMs * LATE_SHARE)
    this.#tickMs = this.#nowMs()
  }

  /** Longest time until the next {@link tick}. */
  get wakeMs(): number {
    return Number.isFinite(this.#parts.thresholdMs) ? this.#intervalMs : Number.POSITIVE_INFINITY
  }

  /** Whether there is something the file does not know. */
  get isDirty(): boolean {
    return this.#stalls.some(({ isDirty }) => isDirty)
  }

  get #current(): Stall | null {
    const last = this.#stalls.at(-1)
    return last === undefined || last.hasEnded ? null : last
  }

  /** Looks whether the loop turns. To be called at least every {@link wakeMs}; a call too many costs nothing. */
  tick(): void {
    const { thresholdMs, control } = this.#parts
    const nowMs = this.#nowMs()
    const isLate = nowMs - this.#tickMs > this.#lateMs
    this.#tickMs = nowMs
    if (!Number.isFinite(thresholdMs) || control.stopRequested !== null || control.givenUp) return
    const lane = this.#findLane()
    const beatMs = lane?.f64[LaneF64.LOOP_BEAT_MS] ?? 0
    if (lane === null || beatMs === 0) return
    const hasTurned = beatMs !== this.#beatMs
    if (hasTurned || isLate) {
      this.#end(hasTurned ? beatMs : null, nowMs)
      this.#beatMs = beatMs
      this.#sinceMs = isLate ? nowMs : beatMs
    } else if (nowMs - this.#sinceMs > thresholdMs && nowMs - this.#lookMs >= this.#intervalMs / 2) {
      this.#look(lane, nowMs)
    }
  }

  #findLane(): LaneView | null {
    if (this.#lane === null) {
      this.#lane = this.#parts.lane()
      if (this.#lane !== null) this.#view = new OpenCallsView(this.#lane, this.#transcoder)
    }
    return this.#lane
  }

  #look(lane: LaneView, nowMs: number): void {
    this.#lookMs = nowMs
    const nowUs = this.#parts.clock.nowUs()
    let stall = this.#current
    if (stall === null) {
      stall = new Stall(lane, this.#sinceMs, nowMs, nowUs)
      this.#stalls.push(stall)
      if (this.#stalls.length > MAX_WAITING) this.#stalls.shift()
      const { f64 } = this.#parts.control
      f64[ControlF64.STALLS]++
      f64[ControlF64.STALLED_SINCE_MS] = this.#sinceMs
    }
    const known = stall
    const open = this.#view?.look(call => !known.knows(call)) ?? []
    const stack = open.filter(({ depth }) => depth !== null)
    // It may have begun to turn while the stack was read; then that may be anybody's.
    if (lane.f64[LaneF64.LOOP_BEAT_MS] === this.#beatMs)
      stall.look(stack, isThreadRunning(this.#parts.pid), nowUs)
  }

  /** @param endMs when the loop turned again; `null`: when it was last seen stuck */
  #end(endMs: number | null, nowMs: number): void {
    const stall = this.#current
    const { f64 } = this.#parts.control
    if (f64[ControlF64.STALLED_SINCE_MS] > 0) {
      f64[ControlF64.STALLED_MS] += (endMs ?? this.#lookMs) - f64[ControlF64.STALLED_SINCE_MS]
      f64[ControlF64.STALLED_SINCE_MS] = 0
    }
    if (stall === null) return
    if (endMs === null) stall.end()
    else stall.end(this.#parts.clock.nowUs() - (nowMs - endMs) * 1000)
  }

  /** The writer stops. Nobody waits for the loop any more, unless it is stuck in the very end of the process. */
  finish(reason: StopReason): void {
    const lane = this.#findLane()
    const isStuck = reason === 'processEnd' && lane !== null && Atomics.load(lane.i32, LaneI32.OPEN_DEPTH) > 0
    if (this.#current !== null && !isStuck) this.#end(this.#nowMs(), this.#nowMs())
  }

  /** Part of the batch's transaction. */
  write(store: StoreWriter, rows: StallRows): void {
    if (rows !== this.#rows) rows.endOthers(this.#current?.startedUs ?? null)
    this.#rows = rows
    this.#staged = this.#stalls.filter(({ isDirty }) => isDirty)
    for (const stall of this.#staged) stall.write(store, rows)
  }

  commit(): void {
    for (const stall of this.#staged) stall.written()
    this.#staged = []
    this.#stalls = this.#stalls.filter(({ hasEnded, isDirty }) => !hasEnded || isDirty)
  }

  rollback(): void {
    this.#staged = []
    this.#rows = null
  }
}
