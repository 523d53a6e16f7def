import { closeLane } from '../queue/account.js'
import type { Control } from '../queue/control.js'
import { LaneState } from '../queue/layout.js'
import type { LaneSource, Lanes } from './lanes.js'
import type { Session } from './session.js'

/** How often the writer looks whether the threads it drains are still there. */
const LOOK_INTERVAL_MS = 1_000

/** What closing a lane needs of the drain loop. */
export interface ClosingHooks {
  /** The open store; opened when it is not. */
  session(): Session
  /** Whether the store is where its path says. If it is not, the session has ended, and errors are sent again. */
  confirm(session: Session): boolean
}

/** Closes the lanes of threads that have ended: the rest is stored or counted, then the memory is let go. */
export class LaneClosing {
  readonly #lanes: Lanes
  readonly #control: Control
  readonly #hooks: ClosingHooks
  /** Lanes of threads that have ended and are not closed yet. */
  #departed: LaneSource[] = []
  #lookDueMs = 0

  constructor(lanes: Lanes, control: Control, hooks: ClosingHooks) {
    this.#lanes = lanes
    this.#control = control
    this.#hooks = hooks
  }

  /** The next step looks for ended threads, whenever the last look was. */
  lookNow(): void {
    this.#lookDueMs = 0
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
    const session = this.#hooks.session()
    const left = session.close(source)
    // The store was removed a moment ago: the next session stores the errors once more, and then closes the lane.
    if (left === 'more' || (left === 'closed' && !this.#hooks.confirm(session))) return true
    this.#departed.shift()
    if (left === 'closed') this.#release(session, source)
    return this.#departed.length > 0
  }

  #release(session: Session, source: LaneSource): void {
    if (source.life.presence === 'gone') {
      source.journal.remove()
      closeLane(this.#control, source.lane)
    } else {
      source.journal.close()
      source.lane.state = LaneState.resting
    }
    session.forget(source)
    this.#lanes.remove(source)
  }
}
