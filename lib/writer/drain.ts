import type { CircuitBreaker } from '../breaker/circuit-breaker.js'
import { closeLane } from '../queue/account.js'
import { type AnchoredClock, anchoredClock, monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { LaneState, type StopReason } from '../queue/layout.js'
import { classify } from '../store/errors.js'
import { FULL_BATCH, PROBE_BATCH } from './batch.js'
import { LaneInbox } from './lane-channel.js'
import { LaneClosing } from './lane-closing.js'
import { Lanes } from './lanes.js'
import type { DrainTask, LaneHandle, WriterMessage } from './messages.js'
import { GivenUpError, Session } from './session.js'
import { publishBreaker, restoreBreaker } from './shared-breaker.js'

/** Totals of the running minute are written this often, and at every flush. */
const TOTALS_INTERVAL_MS = 1_000
/** How often the size of the store and its place are looked at. */
const INSPECT_INTERVAL_MS = 1_000
/** An idle process says this often that it lives; readers take one that was silent for minutes for dead. */
const TOUCH_INTERVAL_MS = 30_000
/** Batches in a row before the writer looks at retention and requests again. */
const BATCHES_PER_TICK = 16
/** Pauses after the first and the second failure in a row. */
const BACK_OFF_MS = [10, 100]
/** A store that other connections keep locked is tried for this long; then that counts as one failure. */
const BUSY_LIMIT_MS = 1_000
const BUSY_PAUSE_MS = 25
/** The end of the program does not wait for other connections longer than this; the journal keeps the rest. */
const BUSY_LIMIT_AT_STOP_MS = 250
/** Pause after a step of housekeeping has failed: a full disk, say, is not asked again and again. */
const HOUSEKEEPING_PAUSE_MS = 10_000

/** A program that always ends soon takes over what dead ones left too, a piece at each of its ends. */
const RECOVERY_AT_STOP_MS = 300

const pauseWord = new Int32Array(new SharedArrayBuffer(4))
function pause(ms: number): void {
  Atomics.wait(pauseWord, 0, 0, ms)
}

type Outcome = 'drained' | 'more' | 'refused' | 'failed'

/** The writer's loop: sleep, drain in batches under the breaker, sweep, until it is told to stop. */
export class Drain {
  readonly #task: DrainTask
  readonly #control: Control
  readonly #post: (message: WriterMessage) => void
  readonly #clock: AnchoredClock
  readonly #lanes: Lanes
  readonly #inbox: LaneInbox
  readonly #closing: LaneClosing
  readonly #breaker: CircuitBreaker
  #session: Session | null = null
  #warned = false
  #totalsDueMs = 0
  #inspectDueMs = 0
  #touchDueMs: number
  #sweepDueMs: number
  #departedDueMs = 0
  #moreToSweep = false
  #moreToRecover = true
  #recoverDueMs = 0
  #stopSeenMs = Number.POSITIVE_INFINITY

  constructor(task: DrainTask, control: Control, post: (message: WriterMessage) => void) {
    this.#task = task
    this.#control = control
    this.#post = post
    this.#clock = anchoredClock(task.anchor)
    // First of all: whoever is told that the writer runs may rely on being heard.
    this.#inbox = new LaneInbox(task.boot, task.inbox)
    this.#lanes = new Lanes(task.boot, control)
    for (const lane of task.lanes) this.#adopt(lane)
    this.#closing = new LaneClosing(this.#lanes, control, {
      session: () => this.#open(),
      confirm: session => this.#confirmPlace(session),
    })
    this.#breaker = restoreBreaker(control, task.settings.breaker)
    this.#sweepDueMs = monotonicMs() + task.settings.sweepIntervalMs
    this.#touchDueMs = monotonicMs() + TOUCH_INTERVAL_MS
  }

  run(): void {
    this.#control.setWriterState('running')
    for (;;) {
      const stop = this.#control.stopRequested
      const ticket = this.#control.flushRequested
      const flush = !this.#control.flushReached(ticket)
      // After both were read: a thread announces its lane before it asks for a flush, or for the end.
      for (const lane of this.#inbox.take()) this.#adopt(lane)
      const outcome = this.#drain(flush || stop !== null)
      if (flush && outcome === 'drained') this.#control.confirmFlush(ticket)
      if (stop !== null || this.#control.givenUp) {
        this.#finish(outcome, stop ?? 'processEnd')
        this.#inbox.close()
        return
      }
      const moreToDo = this.#housekeeping()
      this.#control.sleep(outcome === 'more' || moreToDo ? 0 : this.#sleepMs(outcome))
    }
  }

  #adopt(lane: LaneHandle): void {
    try {
      this.#lanes.adopt(lane, this.#clock.nowUs())
    } catch {
      // No lane of this version: somebody else's message.
    }
  }

  #sleepMs(outcome: Outcome): number {
    const { drainIntervalMs } = this.#task.settings
    if (outcome !== 'failed') return drainIntervalMs
    const state = this.#breaker.state
    const failures = state.kind === 'closed' ? state.failures : 0
    return BACK_OFF_MS[failures - 1] ?? drainIntervalMs
  }

  /** Drains what is there. With `completely`, everything that was there when it began, and the totals. */
  #drain(completely: boolean): Outcome {
    let mark: ReturnType<Session['mark']> | null = null
    for (let batches = 0; ; batches++) {
      const withTotals = completely || monotonicMs() >= this.#totalsDueMs
      const outcome = this.#guarded(withTotals)
      if (outcome === 'refused' || outcome === 'failed') return outcome
      if (withTotals) this.#totalsDueMs = monotonicMs() + TOTALS_INTERVAL_MS
      if (outcome === 'drained') return outcome
      if (!completely) {
        if (batches >= BATCHES_PER_TICK) return outcome
        continue
      }
      // A producer that keeps flooding must not keep a flush waiting for ever.
      mark ??= this.#session?.mark() ?? new Map()
      if (this.#session?.caughtUpWith(mark)) {
        return this.#guarded(true) === 'failed' ? 'failed' : 'drained'
      }
    }
  }

  /** One batch, if the breaker lets it through. */
  #guarded(withTotals: boolean): Outcome {
    if (this.#session !== null && !withTotals && !this.#session.pending) return 'drained'
    const attempt = this.#breaker.tryAcquire()
    if (attempt === null) return 'refused'
    const probe = this.#breaker.state.kind === 'halfOpen'
    publishBreaker(this.#control, this.#breaker)
    try {
      const more = this.#persistently(() => this.#open().write(probe ? PROBE_BATCH : FULL_BATCH, withTotals))
      attempt.succeed()
      this.#warned = false
      return more || (probe && this.#session?.pending) ? 'more' : 'drained'
    } catch (error) {
      attempt.fail()
      this.#failed(error)
      return 'failed'
    } finally {
      publishBreaker(this.#control, this.#breaker)
    }
  }

  /** Repeats what a lock, a damaged or vanished file, or a full disk made fail, as long as that can help. */
  #persistently<T>(work: () => T): T {
    const startedMs = monotonicMs()
    let mended = false
    for (;;) {
      try {
        return work()
      } catch (error) {
        const failure = classify(error)
        if (failure === 'busy' && this.#mayWaitForLock(startedMs)) {
          pause(BUSY_PAUSE_MS)
          continue
        }
        if (mended) throw error
        mended = true
        if (failure === 'full' && this.#session !== null) this.#session.sweep(true)
        else if (failure === 'corrupt' || failure === 'gone') this.#closeSession()
        else throw error
      }
    }
  }

  #mayWaitForLock(startedMs: number): boolean {
    const nowMs = monotonicMs()
    if (!this.#control.stopRequested) return nowMs - startedMs < BUSY_LIMIT_MS
    this.#stopSeenMs = Math.min(this.#stopSeenMs, nowMs)
    return nowMs - this.#stopSeenMs < BUSY_LIMIT_AT_STOP_MS
  }

  #open(): Session {
    this.#session ??= new Session(this.#task, this.#control, this.#lanes, this.#clock, path =>
      this.#post({
        type: 'warning',
        code: 'CALLSIGHT_STORE_SET_ASIDE',
        text: `The store was damaged. It was moved to ${path} and a new one was started.`,
      }),
    )
    return this.#session
  }

  #failed(error: unknown): void {
    // Whatever failed, the next attempt starts from what the file says.
    this.#closeSession()
    if (this.#breaker.state.kind !== 'open' || this.#warned) return
    this.#warned = true
    const reason = error instanceof Error ? error.message : String(error)
    const seconds = Math.ceil(this.#breaker.retryInMs / 1000)
    this.#post({
      type: 'warning',
      code: 'CALLSIGHT_STORE_FAILING',
      text:
        `The store ${this.#task.settings.storePath} cannot be written: ${reason.replace(/\.?$/, '.')} ` +
        `Errors are kept in the journal beside it; the next try is in ${seconds} s.`,
    })
  }

  /** What has to be done now and then; `true` when there is more of it at once. */
  #housekeeping(): boolean {
    if (this.#breaker.state.kind !== 'closed') return false
    const nowMs = monotonicMs()
    try {
      if (nowMs >= this.#departedDueMs && this.#closing.step(nowMs)) return true
      if (this.#session !== null) return this.#lookAfter(this.#session, nowMs)
    } catch (error) {
      this.#moreToSweep = false
      // Locked by another process, or out of space: all can wait for the next round.
      if (classify(error) !== 'busy') this.#closeSession()
      this.#sweepDueMs = nowMs + this.#task.settings.sweepIntervalMs
      this.#recoverDueMs = nowMs + HOUSEKEEPING_PAUSE_MS
      this.#departedDueMs = nowMs + HOUSEKEEPING_PAUSE_MS
    }
    return false
  }

  #lookAfter(session: Session, nowMs: number): boolean {
    if (nowMs >= this.#inspectDueMs) {
      this.#inspectDueMs = nowMs + INSPECT_INTERVAL_MS
      session.publishSizes()
      if (!this.#confirmPlace(session)) return true
    }
    if (nowMs >= this.#touchDueMs) {
      session.touch()
      this.#touchDueMs = nowMs + TOUCH_INTERVAL_MS
    }
    if (this.#moreToRecover && nowMs >= this.#recoverDueMs) this.#moreToRecover = session.recover()
    if (this.#moreToSweep || nowMs >= this.#sweepDueMs) {
      this.#moreToSweep = session.sweep()
      if (!this.#moreToSweep) this.#sweepDueMs = nowMs + this.#task.settings.sweepIntervalMs
    }
    return this.#moreToSweep || (this.#moreToRecover && nowMs >= this.#recoverDueMs)
  }

  /** Whether the store is where its path says; if it is not, the session ends, and the next one sends errors again. */
  #confirmPlace(session: Session): boolean {
    if (!session.inPlace) {
      this.#closeSession()
      return false
    }
    for (const { journal } of this.#lanes) journal.confirm()
    return true
  }

  /** Stop requested: one forced attempt past an open breaker, then close. What is left stays in the journal. */
  #finish(outcome: Outcome, reason: StopReason): void {
    let complete = false
    try {
      if (this.#control.givenUp) throw new GivenUpError('nobody waits for the writer any more')
      if (outcome !== 'drained') this.#writeAll()
      // Removed a moment ago, and not noticed yet: the errors once more, into a new file.
      const moved = this.#session !== null && !this.#confirmPlace(this.#session)
      if (moved && [...this.#lanes].some(({ journal }) => journal.pending)) {
        this.#writeAll()
        this.#confirmPlace(this.#open())
      }
      this.#closing.lookNow()
      while (this.#closing.step(monotonicMs()));
      this.#recoverFor(RECOVERY_AT_STOP_MS)
      this.#session?.finish(reason === 'processEnd' ? 'dies' : 'stays')
      complete = true
    } catch {
      complete = false
    }
    this.#closeSession()
    if (complete) this.#leave(reason)
    this.#control.setWriterState(complete ? 'stopped' : 'failed')
  }

  /** The threads that go on learn what became of their lanes. */
  #leave(reason: StopReason): void {
    for (const { lane, life } of this.#lanes) {
      if (life.owner) continue
      if (reason === 'processEnd') closeLane(this.#control, lane)
      else lane.state = LaneState.left
    }
  }

  #recoverFor(limitMs: number): void {
    const nowMs = monotonicMs()
    if (nowMs < this.#recoverDueMs) return
    try {
      while (this.#session?.recover() && monotonicMs() < nowMs + limitMs);
    } catch {
      // Everything of this process is stored all the same; what dead ones left waits for the next start.
    }
  }

  /** Everything that is there now; other threads may go on filling their rings. */
  #writeAll(): void {
    const mark = this.#open().mark()
    while (this.#open().write(FULL_BATCH, true) && !this.#open().caughtUpWith(mark));
  }

  #closeSession(): void {
    const session = this.#session
    this.#session = null
    this.#moreToRecover = true
    if (session === null) return
    try {
      const { inPlace } = session
      for (const { lane, journal } of this.#lanes) {
        if (inPlace) journal.confirm()
        else lane.forget(journal.resend())
      }
    } catch {
      // The folder cannot be looked into; that is no reason to send anything twice.
    }
    try {
      session.end()
    } catch {
      // The connection is given up either way.
    }
  }
}
