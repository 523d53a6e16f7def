import { completeClosing, prepareClosing } from '../queue/account.js'
import { monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { LaneState } from '../queue/layout.js'
import { Fault, faultPoint } from './faults.js'
import type { LaneSource, Lanes } from './lanes.js'
import type { Session } from './session.js'
import type { Sessions } from './sessions.js'
import { type Shelved, shelve } from './shelving.js'

/** How often the writer looks whether the threads it drains are still there. */
const LOOK_INTERVAL_MS = 1_000

/** Closes the lanes of threads that have ended: the rest is stored or counted, then the memory is let go. */
export class LaneClosing {
  readonly #lanes: Lanes
  readonly #control: Control
  readonly #sessions: Pick<Sessions, 'current' | 'open' | 'confirm'>
  /** Journals that wait until the store works again. */
  readonly #shelved: Shelved
  /** Lanes of threads that have ended and are not closed yet. */
  #departed: LaneSource[] = []
  #lookDueMs = 0

  constructor(
    lanes: Lanes,
    control: Control,
    shelved: Shelved,
    sessions: Pick<Sessions, 'current' | 'open' | 'confirm'>,
  ) {
    this.#lanes = lanes
    this.#control = control
    this.#shelved = shelved
    this.#sessions = sessions
  }

  /** Closes the lane of every thread that has ended by now, also of those that the last look found alive. */
  closeAll(): void {
    this.#departed = []
    this.#lookDueMs = 0
    while (this.step(monotonicMs()));
  }

  /** One batch of one lane; `true` when there is more to do. Throws what the store throws. */
  step(nowMs: number): boolean {
    if (this.#departed.length === 0) {
      if (nowMs < this.#lookDueMs) return false
      this.#lookDueMs = nowMs + LOOK_INTERVAL_MS
      this.#departed = this.#lanes.departed()
    }
    const [source] = this.#departed
    if (source === undefined) return false
    if (source.life.presence === 'gone') source.journal.ownerIsGone()
    const session = this.#sessions.open()
    const left = session.close(source)
    // The store was removed a moment ago: the next session stores the errors once more, and then closes the lane.
    if (left === 'more' || (left === 'closed' && !this.#sessions.confirm(session))) return true
    this.#departed.shift()
    if (left === 'closed') this.#release(session, source)
    return this.#departed.length > 0
  }

  /** While the store cannot be written: threads that have ended must not pile up in memory. */
  shelve(boot: string, nowMs: number): void {
    if (nowMs < this.#lookDueMs) return
    this.#lookDueMs = nowMs + LOOK_INTERVAL_MS
    this.#departed = []
    const gone = this.#lanes.departed().filter(({ life }) => life.presence === 'gone')
    const handles = gone.map(({ handle }) => handle)
    const shelved = shelve(boot, this.#control, handles)
    for (const source of gone) {
      const lane = shelved.get(source.handle)
      if (lane === undefined) continue
      this.#shelved.add(lane)
      source.journal.close()
      // A store that is full, or whose log is held, stays open.
      this.#sessions.current?.forget(source)
      this.#lanes.remove(source)
    }
  }

  #release(session: Session, source: LaneSource): void {
    if (source.life.presence === 'gone') {
      source.journal.remove()
      prepareClosing(this.#control, source.lane)
      faultPoint(this.#control.i32, Fault.exitInClosing)
      completeClosing(this.#control, source.lane)
    } else {
      source.journal.close()
      source.lane.state = LaneState.resting
    }
    session.forget(source)
    this.#lanes.remove(source)
  }
}
