import type { CircuitBreaker } from '../breaker/circuit-breaker.js'
import { closeLane } from '../queue/account.js'
import { type AnchoredClock, anchoredClock, monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlI32, LaneState, type StopReason } from '../queue/layout.js'
import { classify, DiskFullError, STORE_FAILURES, type StoreFailure } from '../store/errors.js'
import { setAside } from '../store/set-aside.js'
import { FULL_BATCH, PROBE_BATCH } from './batch.js'
import { Fault, faultPoint } from './faults.js'
import { LaneInbox } from './lane-channel.js'
import { LaneClosing } from './lane-closing.js'
import { Lanes } from './lanes.js'
import { LockWait } from './lock-wait.js'
import type { DrainTask, LaneHandle, WriterMessage } from './messages.js'
import { OwnState } from './own-state.js'
import { GivenUpError, Session } from './session.js'
import { BreakerEpisodes, publishBreaker, restoreBreaker, retryNow } from './shared-breaker.js'
import { StallWatch } from './stall-watch.js'
import { Troubles } from './troubles.js'
import { TuningSpeaker } from './tuning-channel.js'
import { Tunings } from './tunings.js'

/** Totals of the running minute are written this often, and at every flush. */
const TOTALS_INTERVAL_MS = 1_000
/** How often the size of the store and its place are looked at. */
const INSPECT_INTERVAL_MS = 1_000
/** An idle process says this often that it lives; readers take one that was silent for minutes for dead. */
const TOUCH_INTERVAL_MS = 30_000
/** Batches in a row before the writer looks at retention and requests again. */
const BATCHES_PER_TICK = 16
/** The same while retention has work to do, so that neither waits long for the other. */
const BATCHES_WHILE_SWEEPING = 4
/** How often a store that is too large is told from its size alone; else retention waits for its interval. */
const SIZE_INTERVAL_MS = 250
/** Pauses after the first and the second failure in a row. */
const BACK_OFF_MS = [10, 100]
const BUSY_PAUSE_MS = 25
/** Between two batches, when others wait for the lock as well: SQLite looks again after that. */
const SHARED_PAUSE_MS = 10
/** The end of the program does not wait for other connections longer than this; the journal keeps the rest. */
const BUSY_LIMIT_AT_STOP_MS = 250
/** Pause after a step of housekeeping has failed: a full disk, say, is not asked again and again. */
const HOUSEKEEPING_PAUSE_MS = 10_000
/** What dead processes left and could not be told from that of living ones is looked at again. */
const LOOK_AGAIN_MS = 60_000
/** How often it is looked whether an hour is over, to be summed; first after a moment: short programs have better to do. */
const HOURS_INTERVAL_MS = 60_000
const FIRST_HOURS_MS = 5_000
/** How often it is looked whether a reader has let the write-ahead log go. */
const LOG_LOOK_INTERVAL_MS = 250

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
  readonly #troubles: Troubles
  readonly #clock: AnchoredClock
  readonly #lanes: Lanes
  readonly #inbox: LaneInbox
  readonly #closing: LaneClosing
  readonly #speaker: TuningSpeaker
  readonly #tunings: Tunings
  #breaker: CircuitBreaker
  readonly #episodes: BreakerEpisodes
  readonly #state: OwnState
  readonly #stalls: StallWatch
  readonly #lockWait: LockWait
  #session: Session | null = null
  /** The first session looks more closely at what others have left. */
  #thorough = true
  /** A reader holds the log of the open session. */
  #pinned = false
  #logLookDueMs = 0
  #totalsDueMs = 0
  #inspectDueMs = 0
  /** The files of the session were seen in their places then. */
  #inPlaceUs = 0
  #touchDueMs: number
  #sweepDueMs: number
  #sizeDueMs = 0
  #departedDueMs = 0
  #hoursDueMs = monotonicMs() + FIRST_HOURS_MS
  #moreToSweep = false
  #moreToRecover = true
  #recoverDueMs = 0
  #stopSeenMs = Number.POSITIVE_INFINITY

  constructor(task: DrainTask, control: Control, post: (message: WriterMessage) => void) {
    this.#task = task
    this.#control = control
    this.#clock = anchoredClock(task.anchor)
    const isHeir = control.i32[ControlI32.WRITER_STARTS] > 1
    const before = isHeir ? task.lanes.map(({ memory }) => new Float64Array(memory)) : []
    this.#troubles = new Troubles(task.settings, this.#clock, post, before)
    this.#speaker = new TuningSpeaker(task.boot)
    this.#tunings = new Tunings({
      process: { pid: task.process.pid, script: task.process.script, boot: task.boot },
      retentionMs: task.settings.retentionMs,
      incidents: this.#troubles.incidents,
      isHeir,
      tell: rules => {
        post({ type: 'tunings', rules })
        this.#speaker.say({ type: 'tunings', rules })
      },
    })
    // First of all: whoever is told that the writer runs may rely on being heard.
    this.#inbox = new LaneInbox(task.boot, task.inbox)
    this.#lanes = new Lanes(task.boot, control)
    for (const lane of task.lanes) this.#adopt(lane)
    this.#closing = new LaneClosing(this.#lanes, control, task.shelved, {
      session: () => this.#open(),
      current: () => this.#session,
      confirm: session => this.#confirmPlace(session),
    })
    this.#lockWait = new LockWait(task.settings.storePath)
    this.#episodes = new BreakerEpisodes(control, this.#clock, this.#troubles.incidents)
    this.#breaker = restoreBreaker(control, task.settings.breaker)
    this.#state = new OwnState(control, task.settings)
    this.#stalls = new StallWatch({
      control,
      clock: this.#clock,
      thresholdMs: task.settings.stallThresholdMs,
      pid: task.process.pid,
      lane: () => [...this.#lanes].find(({ life }) => life.owner)?.lane ?? null,
    })
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
      this.#troubles.watch(this.#lanes)
      this.#lookAtLog(monotonicMs())
      const outcome = this.#drain(flush || stop !== null)
      if (flush && outcome === 'drained') this.#control.confirmFlush(ticket)
      if (stop !== null || this.#control.givenUp) {
        this.#finish(outcome, stop ?? 'processEnd')
        this.#inbox.close()
        this.#speaker.close()
        return
      }
      faultPoint(this.#control.i32, Fault.exitBetweenTicks)
      const moreToDo = this.#housekeeping()
      this.#rest(outcome === 'more' || moreToDo ? 0 : this.#sleepMs(outcome))
    }
  }

  /** Sleeps, with an eye on the event loop of the main thread. */
  #rest(ms: number): void {
    const untilMs = monotonicMs() + ms
    let woken = false
    do {
      const leftMs = Math.max(0, untilMs - monotonicMs())
      woken = this.#control.sleep(Math.min(leftMs, this.#stalls.wakeMs))
      this.#stalls.tick()
    } while (!woken && !this.#stalls.isDirty && monotonicMs() < untilMs)
  }

  #adopt(lane: LaneHandle): void {
    try {
      if (this.#lanes.adopt(lane)) this.#tunings.repeat()
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
        if (this.#lockWait.isShared) pause(SHARED_PAUSE_MS)
        if (batches >= (this.#moreToSweep ? BATCHES_WHILE_SWEEPING : BATCHES_PER_TICK)) return outcome
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
    this.#stalls.tick()
    if (this.#session !== null && !withTotals && !this.#session.pending && !this.#hasNews(this.#session)) {
      return 'drained'
    }
    const attempt = this.#breaker.tryAcquire()
    if (attempt === null) return 'refused'
    const probe = this.#breaker.state.kind === 'halfOpen'
    publishBreaker(this.#control, this.#breaker)
    try {
      const more = this.#persistently(() => {
        this.#troubles.requireReserve()
        return this.#open().write(probe ? PROBE_BATCH : FULL_BATCH, withTotals)
      })
      attempt.succeed()
      this.#pinned = false
      this.#troubles.recovered()
      this.#episodes.look(this.#breaker.state)
      return more || (probe && this.#session?.pending) ? 'more' : 'drained'
    } catch (error) {
      attempt.fail()
      this.#failed(error)
      return 'failed'
    } finally {
      publishBreaker(this.#control, this.#breaker)
    }
  }

  #hasNews(session: Session): boolean {
    try {
      return session.hasNews()
    } catch {
      // Whatever is wrong with the file, the breaker is told by the attempt to write.
      return true
    }
  }

  /** Repeats what a lock, a damaged or vanished file, or a full disk made fail, as long as that can help. */
  #persistently<T>(work: () => T): T {
    this.#lockWait.begin()
    for (let mended = 0; ; ) {
      try {
        return work()
      } catch (error) {
        const failure = classify(error)
        if (failure === 'busy' && this.#mayWaitForLock()) {
          pause(BUSY_PAUSE_MS)
          // It waits, and is not stuck.
          Atomics.add(this.#control.i32, ControlI32.HEARTBEAT, 1)
          this.#stalls.tick()
          continue
        }
        if (mended > 0 || !this.#mend(failure)) throw error
        mended++
      }
    }
  }

  /** Does what can be done about a failure; `false`: nothing. */
  #mend(failure: StoreFailure): boolean {
    switch (failure) {
      case 'full':
        return this.#makeRoom()
      case 'corrupt':
        this.#setAsideDamaged()
        return true
      case 'gone':
        this.#closeSession()
        return true
      default:
        return false
    }
  }

  /** On a full disk: what is due goes now. Even that needs room, which the reserve gives. */
  #makeRoom(): boolean {
    const given = this.#troubles.diskFull()
    try {
      this.#open().sweepNow()
    } catch (error) {
      if (!given) throw error
    }
    return true
  }

  /** What the open store says of itself cannot be: it is moved away, and the next session starts a new one. */
  #setAsideDamaged(): void {
    const session = this.#session
    if (session === null) return
    const { file, lost } = session
    this.#closeSession(true)
    // With its log under another name gone, the database itself may be sound: opened again, it says so.
    if (lost !== null) return
    const moved = setAside(this.#task.settings.storePath, file)
    if (moved !== null) this.#troubles.setAside(moved)
  }

  #mayWaitForLock(): boolean {
    const mayGoOn = this.#lockWait.mayGoOn()
    if (!this.#control.stopRequested) return mayGoOn
    const nowMs = monotonicMs()
    this.#stopSeenMs = Math.min(this.#stopSeenMs, nowMs)
    return nowMs - this.#stopSeenMs < BUSY_LIMIT_AT_STOP_MS
  }

  #open(): Session {
    if (this.#session !== null) return this.#session
    const thorough = this.#thorough
    this.#thorough = false
    this.#session = new Session(this.#task, this.#control, this.#lanes, this.#clock, {
      incidents: this.#troubles.incidents,
      stalls: this.#stalls,
      shelved: this.#closing.shelved,
      state: this.#state,
      thorough,
      onSetAside: path => this.#troubles.setAside(path),
    })
    this.#inPlaceUs = this.#clock.nowUs()
    return this.#session
  }

  #failed(error: unknown): void {
    const failure = classify(error)
    Atomics.store(this.#control.i32, ControlI32.STORE_FAILURE, 1 + STORE_FAILURES.indexOf(failure))
    this.#pinned = failure === 'pinned'
    // Whatever failed, the next attempt starts from what the file says. A log that is held has not failed; and to close
    // a store is to move its log, which on a full disk would use up what room the reserve gave.
    if (!this.#pinned && !(error instanceof DiskFullError)) this.#closeSession()
    this.#episodes.look(this.#breaker.state, error)
    this.#troubles.failed(error, this.#breaker.state.kind === 'open' ? this.#breaker.retryInMs : null)
  }

  /** A log that is let go need not wait for the breaker's time. */
  #lookAtLog(nowMs: number): void {
    if (!this.#pinned || this.#session === null || nowMs < this.#logLookDueMs) return
    this.#logLookDueMs = nowMs + LOG_LOOK_INTERVAL_MS
    try {
      if (!this.#session.cutLog()) return
      this.#pinned = false
      if (this.#breaker.state.kind === 'open')
        this.#breaker = retryNow(this.#control, this.#task.settings.breaker)
    } catch {
      // Not the log alone: the breaker's next attempt finds out.
      this.#closeSession()
    }
  }

  /** What has to be done now and then; `true` when there is more of it at once. */
  #housekeeping(): boolean {
    const nowMs = monotonicMs()
    if (this.#breaker.state.kind !== 'closed') {
      this.#closing.shelve(this.#task.boot, nowMs)
      return false
    }
    try {
      if (nowMs >= this.#departedDueMs && this.#closing.step(nowMs)) return true
      if (this.#session !== null) return this.#lookAfter(this.#session, nowMs)
    } catch (error) {
      this.#moreToSweep = false
      // Locked by another process, or out of space: all can wait for the next round.
      const failure = classify(error)
      this.#leaveHousekeeping(failure)
      this.#sweepDueMs = nowMs + this.#task.settings.sweepIntervalMs
      // A store that is only locked goes on growing meanwhile.
      if (failure !== 'busy') this.#sizeDueMs = nowMs + HOUSEKEEPING_PAUSE_MS
      this.#recoverDueMs = nowMs + HOUSEKEEPING_PAUSE_MS
      this.#hoursDueMs = nowMs + HOUSEKEEPING_PAUSE_MS
      this.#departedDueMs = nowMs + HOUSEKEEPING_PAUSE_MS
    }
    return false
  }

  #leaveHousekeeping(failure: StoreFailure): void {
    if (failure === 'busy' || failure === 'pinned') return
    try {
      if (failure === 'corrupt') this.#setAsideDamaged()
      else if (failure === 'full') this.#troubles.diskFull()
    } catch {
      // Not even renamed: the next batch finds the damage too.
    }
    this.#closeSession()
  }

  #lookAfter(session: Session, nowMs: number): boolean {
    if (nowMs >= this.#inspectDueMs) {
      this.#inspectDueMs = nowMs + INSPECT_INTERVAL_MS
      session.publishSizes()
      if (!this.#confirmPlace(session)) return true
      this.#troubles.tend(nowMs)
      this.#tunings.look(session.file, session.tunings(), this.#clock.nowUs())
    }
    if (nowMs >= this.#touchDueMs) {
      session.touch()
      this.#touchDueMs = nowMs + TOUCH_INTERVAL_MS
    }
    // What was shelved while the store failed is taken over in an open session too.
    this.#moreToRecover ||= !this.#closing.shelved.isEmpty
    if (this.#moreToRecover && nowMs >= this.#recoverDueMs) {
      this.#moreToRecover = session.recover() || session.recoveryWaits
      if (session.recoveryWaits) this.#recoverDueMs = nowMs + LOOK_AGAIN_MS
    }
    if (this.#moreToSweep || nowMs >= this.#sweepDueMs || this.#hasGrown(session, nowMs)) {
      this.#moreToSweep = session.sweep()
      if (!this.#moreToSweep) this.#sweepDueMs = nowMs + this.#task.settings.sweepIntervalMs
    }
    return (
      this.#sumHours(session, nowMs) ||
      this.#moreToSweep ||
      (this.#moreToRecover && nowMs >= this.#recoverDueMs)
    )
  }

  #sumHours(session: Session, nowMs: number): boolean {
    if (nowMs < this.#hoursDueMs) return false
    if (session.sumHours()) return true
    this.#hoursDueMs = nowMs + HOURS_INTERVAL_MS
    return false
  }

  #hasGrown(session: Session, nowMs: number): boolean {
    if (nowMs < this.#sizeDueMs) return false
    this.#sizeDueMs = nowMs + SIZE_INTERVAL_MS
    return session.isTooLarge
  }

  /** Whether the store is where its path says; if it is not, the session ends, and the next one sends errors again. */
  #confirmPlace(session: Session): boolean {
    const { lost } = session
    if (lost !== null) {
      this.#closeSession()
      return false
    }
    this.#inPlaceUs = this.#clock.nowUs()
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
      this.#closing.closeAll()
      this.#recoverFor(RECOVERY_AT_STOP_MS)
      this.#stalls.finish(reason)
      // What was stored just now went past a breaker that was open.
      this.#episodes.end()
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

  /** @param damaged what it has stored is not to be relied on */
  #closeSession(damaged = false): void {
    const session = this.#session
    this.#session = null
    this.#pinned = false
    this.#moreToRecover = true
    if (session === null) return
    try {
      const { lost } = session
      if (lost !== null) this.#troubles.gone(lost, this.#inPlaceUs)
      const sound = !damaged && lost === null
      for (const { lane, journal } of this.#lanes) {
        if (sound) journal.confirm()
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
