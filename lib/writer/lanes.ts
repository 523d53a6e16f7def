import { isClosed } from '../queue/account.js'
import { monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { LaneF64, LaneI32, LaneState } from '../queue/layout.js'
import { isThreadGone, type NativeThread } from '../queue/process-identity.js'
import { JournalTail } from './journal-tail.js'
import { LaneView } from './lane.js'
import type { LaneHandle } from './messages.js'
import { TotalsView } from './totals-view.js'

/**
 * Where the system does not say which threads exist, one that was silent for this long is not drained any more. It
 * may be blocked only: then it announces itself again.
 */
const SILENT_AFTER_MS = 60_000
/** A thread that said it ends may have listeners of the app to run still. */
const ENDED_AFTER_MS = 1_000

/** A recording thread and what the writer knows of it beyond one session. */
export interface LaneSource {
  readonly handle: LaneHandle
  readonly lane: LaneView
  readonly journal: JournalTail
  readonly totals: TotalsView
  readonly life: ThreadLife
}

/**
 * What is known of a lane's thread. `gone`: it has ended, nothing more will come. `silent`: it has said nothing for so
 * long that it is taken for gone until it announces itself again.
 */
export type Presence = 'here' | 'gone' | 'silent'

/** The recording threads whose lanes this writer drains. A lane is drained by one writer at a time, and only once. */
export class Lanes {
  readonly #boot: string
  readonly #control: Control
  readonly #sources = new Map<number, LaneSource>()

  constructor(boot: string, control: Control) {
    this.#boot = boot
    this.#control = control
  }

  [Symbol.iterator](): IterableIterator<LaneSource> {
    return this.#sources.values()
  }

  /** Takes a lane over. One that was announced twice, or is closed, stays as it is: `false`. */
  adopt(handle: LaneHandle): boolean {
    const lane = new LaneView(handle)
    if (this.#sources.has(handle.ring) || isClosed(this.#control, lane)) return false
    const journal = new JournalTail(lane, handle.storePath, this.#boot)
    const life = new ThreadLife(handle.thread, lane)
    this.#sources.set(handle.ring, { handle, lane, journal, totals: new TotalsView(lane), life })
    lane.state = LaneState.adopted
    this.#control.setLanes(this.#sources.size)
    return true
  }

  /** Whether any record waits. */
  get pending(): boolean {
    for (const { lane } of this) if (lane.pending) return true
    return false
  }

  /** Lanes whose threads have ended, or seem to have. */
  departed(): LaneSource[] {
    const nowMs = monotonicMs()
    return [...this].filter(({ life }) => life.look(nowMs) !== 'here')
  }

  /** The lane is dealt with; its memory is let go. */
  remove({ lane }: LaneSource): void {
    this.#sources.delete(lane.ring)
    this.#control.setLanes(this.#sources.size)
  }
}

/** Tells whether the thread of a lane still lives. */
export class ThreadLife {
  readonly #thread: NativeThread | null
  readonly #lane: LaneView
  #beat: number
  #beatMs = monotonicMs()
  #presence: Presence = 'here'

  constructor(thread: NativeThread | null, lane: LaneView) {
    this.#thread = thread
    this.#lane = lane
    this.#beat = this.#readBeat()
  }

  /** Whether it is the thread that owns the writer. */
  get owner(): boolean {
    return this.#thread === null
  }

  /** As of the last {@link look}. */
  get presence(): Presence {
    return this.#presence
  }

  look(nowMs: number): Presence {
    this.#presence = this.#find(nowMs)
    return this.#presence
  }

  #find(nowMs: number): Presence {
    if (this.#thread === null) return 'here'
    if (this.#thread.id !== 0) return isThreadGone(this.#thread) ? 'gone' : 'here'
    const beat = this.#readBeat()
    if (beat !== this.#beat) {
      this.#beat = beat
      this.#beatMs = nowMs
    }
    const silentMs = nowMs - this.#beatMs
    if (Atomics.load(this.#lane.i32, LaneI32.ENDED) === 1 && silentMs > ENDED_AFTER_MS) return 'gone'
    // Errors in its memory are its own to hand over: only when it is certainly gone they count as lost.
    const holds = this.#lane.f64[LaneF64.ERRORS_HELD] > 0
    return silentMs > SILENT_AFTER_MS && !holds ? 'silent' : 'here'
  }

  #readBeat(): number {
    return Atomics.load(this.#lane.i32, LaneI32.HEARTBEAT)
  }
}
