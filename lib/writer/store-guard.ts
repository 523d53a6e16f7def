import type { BreakerState, CircuitBreaker } from '../breaker/circuit-breaker.js'
import type { AnchoredClock } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlI32 } from '../queue/layout.js'
import { classify, DiskFullError, STORE_FAILURES } from '../store/errors.js'
import { pause } from '../store/pause.js'
import { FULL_BATCH, PROBE_BATCH } from './batch.js'
import type { Lanes } from './lanes.js'
import { LockWait } from './lock-wait.js'
import type { WriterSettings } from './messages.js'
import type { Session } from './session.js'
import type { Sessions } from './sessions.js'
import { BreakerEpisodes, publishBreaker, restoreBreaker, retryNow } from './shared-breaker.js'
import type { StallWatch } from './stall-watch.js'
import type { Troubles } from './troubles.js'

const BUSY_PAUSE_MS = 25
/** Between two batches, when others wait for the lock as well: SQLite looks again after that. */
const SHARED_PAUSE_MS = 10
/** How often it is looked whether a reader has let the write-ahead log go. */
const LOG_LOOK_INTERVAL_MS = 250

/** What came of one batch: nothing is left, there is more, the breaker let none through, the store failed. */
export type Outcome = 'drained' | 'more' | 'refused' | 'failed'

interface StoreGuardParts {
  readonly control: Control
  readonly clock: AnchoredClock
  readonly settings: WriterSettings
  readonly lanes: Lanes
  readonly sessions: Sessions
  readonly troubles: Troubles
  readonly stalls: StallWatch
}

/** Stands before the store: a batch is written under the circuit breaker, after patience and repairs have had their turn. */
export class StoreGuard {
  readonly #parts: StoreGuardParts
  readonly #lockWait: LockWait
  readonly #episodes: BreakerEpisodes
  #breaker: CircuitBreaker
  /** The session of which a reader holds the log. */
  #pinned: Session | null = null
  #logLookDueMs = 0

  constructor(parts: StoreGuardParts) {
    const { control, clock, settings, troubles } = parts
    this.#parts = parts
    this.#lockWait = new LockWait(settings.storePath)
    this.#episodes = new BreakerEpisodes(control, clock, troubles.incidents)
    this.#breaker = restoreBreaker(control, settings.breaker)
  }

  get state(): BreakerState {
    return this.#breaker.state
  }

  /** Between two batches: others may want the lock that this process would take again at once. */
  giveWay(): void {
    if (this.#lockWait.isShared) pause(SHARED_PAUSE_MS)
  }

  /** One batch, if the breaker lets it through. */
  write(withTotals: boolean): Outcome {
    const { control, lanes, sessions, troubles, stalls } = this.#parts
    stalls.tick()
    const session = sessions.current
    if (session !== null && !withTotals && !lanes.pending && !hasNews(session)) return 'drained'
    const attempt = this.#breaker.tryAcquire()
    if (attempt === null) return 'refused'
    const probe = this.#breaker.state.kind === 'halfOpen'
    publishBreaker(control, this.#breaker)
    try {
      const more = this.#persistently(() => {
        troubles.requireReserve()
        return sessions.open().write(probe ? PROBE_BATCH : FULL_BATCH, withTotals)
      })
      attempt.succeed()
      this.#pinned = null
      troubles.recovered()
      this.#episodes.look(this.#breaker.state)
      return more || (probe && lanes.pending) ? 'more' : 'drained'
    } catch (error) {
      attempt.fail()
      this.#failed(error)
      return 'failed'
    } finally {
      publishBreaker(control, this.#breaker)
    }
  }

  /** A log that is let go need not wait for the breaker's time. */
  lookAtLog(nowMs: number): void {
    const { control, sessions, settings } = this.#parts
    if (this.#pinned === null || this.#pinned !== sessions.current || nowMs < this.#logLookDueMs) return
    this.#logLookDueMs = nowMs + LOG_LOOK_INTERVAL_MS
    try {
      if (!this.#pinned.cutLog()) return
      this.#pinned = null
      if (this.#breaker.state.kind === 'open') this.#breaker = retryNow(control, settings.breaker)
    } catch {
      // Not the log alone: the breaker's next attempt finds out.
      sessions.close()
    }
  }

  /** Everything is stored, past the breaker if that was open. */
  end(): void {
    this.#episodes.end()
  }

  /** Repeats what a lock, a damaged or vanished file, or a full disk made fail, as long as that can help. */
  #persistently<T>(work: () => T): T {
    const { control, sessions, stalls } = this.#parts
    this.#lockWait.begin()
    for (let mended = 0; ; ) {
      try {
        return work()
      } catch (error) {
        const failure = classify(error)
        if (failure === 'busy' && this.#lockWait.mayGoOn(control.stopRequested !== null)) {
          pause(BUSY_PAUSE_MS)
          // It waits, and is not stuck.
          Atomics.add(control.i32, ControlI32.HEARTBEAT, 1)
          stalls.tick()
          continue
        }
        if (mended > 0 || !sessions.mend(failure)) throw error
        mended++
      }
    }
  }

  #failed(error: unknown): void {
    const { control, sessions, troubles } = this.#parts
    const failure = classify(error)
    Atomics.store(control.i32, ControlI32.STORE_FAILURE, 1 + STORE_FAILURES.indexOf(failure))
    const isPinned = failure === 'pinned'
    this.#pinned = isPinned ? sessions.current : null
    // Whatever failed, the next attempt starts from what the file says. A log that is held has not failed; and to close
    // a store is to move its log, which on a full disk would use up what room the reserve gave.
    if (!isPinned && !(error instanceof DiskFullError)) sessions.close()
    this.#episodes.look(this.#breaker.state, error)
    troubles.failed(error, this.#breaker.state.kind === 'open' ? this.#breaker.retryInMs : null)
  }
}

function hasNews(session: Session): boolean {
  try {
    return session.hasNews()
  } catch {
    // Whatever is wrong with the file, the breaker is told by the attempt to write.
    return true
  }
}
