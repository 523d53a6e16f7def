import { type AnchoredClock, monotonicMs } from '../queue/clock.js'
import { classify } from '../store/errors.js'
import type { LaneClosing } from './lane-closing.js'
import type { Session } from './session.js'
import type { Sessions } from './sessions.js'
import type { Troubles } from './troubles.js'
import type { Tunings } from './tunings.js'

/** How often the size of the store and its place are looked at. */
const INSPECT_INTERVAL_MS = 1_000
/** An idle process says this often that it lives; readers take one that was silent for minutes for dead. */
const TOUCH_INTERVAL_MS = 30_000
/** How often a store that is too large is told from its size alone; else retention waits for its interval. */
const SIZE_INTERVAL_MS = 250
/** Pause after a step has failed: a full disk, say, is not asked again and again. */
const PAUSE_MS = 10_000
/** What dead processes left and could not be told from that of living ones is looked at again. */
const LOOK_AGAIN_MS = 60_000
/** How often it is looked whether an hour is over, to be summed; first after a moment: short programs have better to do. */
const HOURS_INTERVAL_MS = 60_000
const FIRST_HOURS_MS = 5_000
/** A program that always ends soon takes over what dead ones left too, a piece at each of its ends. */
const RECOVERY_AT_STOP_MS = 300

interface HousekeepingParts {
  readonly clock: AnchoredClock
  readonly sweepIntervalMs: number
  readonly sessions: Sessions
  readonly closing: LaneClosing
  readonly troubles: Troubles
  readonly tunings: Tunings
}

/**
 * What is done between batches, each at its time and a bounded step at a time: lanes of ended threads are closed, the
 * file and its size are looked at, dead processes are taken over, retention sweeps, hours are summed.
 */
export class Housekeeping {
  readonly #parts: HousekeepingParts
  #departedDueMs = 0
  #inspectDueMs = 0
  #touchDueMs: number
  #recoverDueMs = 0
  #sweepDueMs: number
  #sizeDueMs = 0
  #hoursDueMs: number
  #moreToSweep = false

  constructor(parts: HousekeepingParts) {
    const nowMs = monotonicMs()
    this.#parts = parts
    this.#touchDueMs = nowMs + TOUCH_INTERVAL_MS
    this.#sweepDueMs = nowMs + parts.sweepIntervalMs
    this.#hoursDueMs = nowMs + FIRST_HOURS_MS
  }

  /** Retention has more to do. */
  get isSweeping(): boolean {
    return this.#moreToSweep
  }

  /** While the store can be written: what is due; `true` when there is more of it at once. */
  step(): boolean {
    const { closing, sessions } = this.#parts
    const nowMs = monotonicMs()
    try {
      if (nowMs >= this.#departedDueMs && closing.step(nowMs)) return true
      if (sessions.current !== null) return this.#lookAfter(sessions.current, nowMs)
    } catch (error) {
      this.#moreToSweep = false
      // Locked by another process, or out of space: all can wait for the next round.
      const failure = classify(error)
      sessions.leave(failure)
      this.#sweepDueMs = nowMs + this.#parts.sweepIntervalMs
      // A store that is only locked goes on growing meanwhile.
      if (failure !== 'busy') this.#sizeDueMs = nowMs + PAUSE_MS
      this.#recoverDueMs = nowMs + PAUSE_MS
      this.#hoursDueMs = nowMs + PAUSE_MS
      this.#departedDueMs = nowMs + PAUSE_MS
    }
    return false
  }

  /** At the end of the program. */
  finish(): void {
    const nowMs = monotonicMs()
    if (nowMs < this.#recoverDueMs) return
    const { sessions } = this.#parts
    try {
      while (sessions.current?.recover() && monotonicMs() < nowMs + RECOVERY_AT_STOP_MS);
    } catch {
      // Everything of this process is stored all the same; what dead ones left waits for the next start.
    }
  }

  #lookAfter(session: Session, nowMs: number): boolean {
    const { clock, sessions, troubles, tunings } = this.#parts
    if (nowMs >= this.#inspectDueMs) {
      this.#inspectDueMs = nowMs + INSPECT_INTERVAL_MS
      session.publishSizes()
      if (!sessions.confirm(session)) return true
      troubles.tend(nowMs)
      tunings.look(session.file, session.tunings(), clock.nowUs())
    }
    if (nowMs >= this.#touchDueMs) {
      session.touch()
      this.#touchDueMs = nowMs + TOUCH_INTERVAL_MS
    }
    const moreToRecover = this.#recover(session, nowMs)
    this.#sweep(session, nowMs)
    return this.#sumHours(session, nowMs) || this.#moreToSweep || moreToRecover
  }

  #recover(session: Session, nowMs: number): boolean {
    if (nowMs < this.#recoverDueMs || !session.mayRecover) return false
    const more = session.recover()
    if (session.recoveryWaits) this.#recoverDueMs = nowMs + LOOK_AGAIN_MS
    return more
  }

  #sweep(session: Session, nowMs: number): void {
    if (!this.#moreToSweep && nowMs < this.#sweepDueMs && !this.#hasGrown(session, nowMs)) return
    this.#moreToSweep = session.sweep()
    if (!this.#moreToSweep) this.#sweepDueMs = nowMs + this.#parts.sweepIntervalMs
  }

  #hasGrown(session: Session, nowMs: number): boolean {
    if (nowMs < this.#sizeDueMs) return false
    this.#sizeDueMs = nowMs + SIZE_INTERVAL_MS
    return session.isTooLarge
  }

  #sumHours(session: Session, nowMs: number): boolean {
    if (nowMs < this.#hoursDueMs) return false
    if (session.sumHours()) return true
    this.#hoursDueMs = nowMs + HOURS_INTERVAL_MS
    return false
  }
}
