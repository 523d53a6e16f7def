import { closeLane } from '../queue/account.js'
import { anchoredClock, monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlI32, LaneState, type StopReason } from '../queue/layout.js'
import { FULL_BATCH } from './batch.js'
import { Fault, faultPoint } from './faults.js'
import { HighWaterMark } from './high-water-mark.js'
import { Housekeeping } from './housekeeping.js'
import { LaneInbox } from './lane-channel.js'
import { LaneClosing } from './lane-closing.js'
import { Lanes } from './lanes.js'
import type { DrainTask, LaneHandle, WriterMessage } from './messages.js'
import { OwnState } from './own-state.js'
import { Sessions } from './sessions.js'
import { Shelved } from './shelving.js'
import { StallWatch } from './stall-watch.js'
import { type Outcome, StoreGuard } from './store-guard.js'
import { GivenUpError } from './transactions.js'
import { Troubles } from './troubles.js'
import { TuningSpeaker } from './tuning-channel.js'
import { Tunings } from './tunings.js'

/** Totals of the running minute are written this often, and at every flush. */
const TOTALS_INTERVAL_MS = 1_000
/** Batches in a row before the writer looks at retention and requests again. */
const BATCHES_PER_TICK = 16
/** The same while retention has work to do, so that neither waits long for the other. */
const BATCHES_WHILE_SWEEPING = 4
/** Pauses after the first and the second failure in a row. */
const BACK_OFF_MS = [10, 100]

/** The writer's loop: sleep, drain in batches, look after the rest, until it is told to stop. */
export class Drain {
  readonly #task: DrainTask
  readonly #control: Control
  readonly #troubles: Troubles
  readonly #lanes: Lanes
  readonly #inbox: LaneInbox
  readonly #speaker: TuningSpeaker
  readonly #tunings: Tunings
  readonly #stalls: StallWatch
  readonly #sessions: Sessions
  readonly #guard: StoreGuard
  readonly #closing: LaneClosing
  readonly #housekeeping: Housekeeping
  #totalsDueMs = 0

  constructor(task: DrainTask, control: Control, post: (message: WriterMessage) => void) {
    const { boot, settings } = task
    const clock = anchoredClock(task.anchor)
    const isHeir = control.i32[ControlI32.WRITER_STARTS] > 1
    const before = isHeir ? task.lanes.map(({ memory }) => new Float64Array(memory)) : []
    const troubles = new Troubles(settings, clock, post, before)
    this.#task = task
    this.#control = control
    this.#troubles = troubles
    this.#speaker = new TuningSpeaker(boot)
    this.#tunings = new Tunings({
      process: { pid: task.process.pid, script: task.process.script, boot },
      retentionMs: settings.retentionMs,
      incidents: troubles.incidents,
      isHeir,
      tell: rules => {
        post({ type: 'tunings', rules })
        this.#speaker.say({ type: 'tunings', rules })
      },
    })
    // First of all: whoever is told that the writer runs may rely on being heard.
    this.#inbox = new LaneInbox(boot, task.inbox)
    const lanes = new Lanes(boot, control)
    this.#lanes = lanes
    for (const lane of task.lanes) this.#adopt(lane)
    const stalls = new StallWatch({
      control,
      clock,
      thresholdMs: settings.stallThresholdMs,
      pid: task.process.pid,
      lane: () => [...lanes].find(({ life }) => life.owner)?.lane ?? null,
    })
    this.#stalls = stalls
    const shelved = new Shelved(control, task.shelved)
    const state = new OwnState(control, settings)
    const sessions = new Sessions({ task, control, clock, lanes, troubles, stalls, shelved, state })
    this.#sessions = sessions
    this.#guard = new StoreGuard({ control, clock, settings, lanes, sessions, troubles, stalls })
    this.#closing = new LaneClosing(lanes, control, shelved, sessions)
    this.#housekeeping = new Housekeeping({
      clock,
      sweepIntervalMs: settings.sweepIntervalMs,
      sessions,
      closing: this.#closing,
      troubles,
      tunings: this.#tunings,
    })
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
      this.#guard.lookAtLog(monotonicMs())
      const outcome = this.#drain(flush || stop !== null)
      if (flush && outcome === 'drained') this.#control.confirmFlush(ticket)
      if (stop !== null || this.#control.givenUp) {
        this.#finish(outcome, stop ?? 'processEnd')
        this.#inbox.close()
        this.#speaker.close()
        return
      }
      faultPoint(this.#control.i32, Fault.exitBetweenTicks)
      const moreToDo = this.#lookAfter()
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
    const { state } = this.#guard
    const failures = state.kind === 'closed' ? state.failures : 0
    return BACK_OFF_MS[failures - 1] ?? drainIntervalMs
  }

  /** Drains what is there. With `completely`, everything that was there when it began, and the totals. */
  #drain(completely: boolean): Outcome {
    let mark: HighWaterMark | null = null
    for (let batches = 0; ; batches++) {
      const withTotals = completely || monotonicMs() >= this.#totalsDueMs
      const outcome = this.#guard.write(withTotals)
      if (outcome === 'refused' || outcome === 'failed') return outcome
      if (withTotals) this.#totalsDueMs = monotonicMs() + TOTALS_INTERVAL_MS
      if (outcome === 'drained') return outcome
      if (!completely) {
        this.#guard.giveWay()
        if (batches >= (this.#housekeeping.isSweeping ? BATCHES_WHILE_SWEEPING : BATCHES_PER_TICK))
          return outcome
        continue
      }
      // A producer that keeps flooding must not keep a flush waiting for ever.
      mark ??= new HighWaterMark(this.#lanes)
      if (mark.isReached) {
        return this.#guard.write(true) === 'failed' ? 'failed' : 'drained'
      }
    }
  }

  /** What has to be done now and then; `true` when there is more of it at once. */
  #lookAfter(): boolean {
    if (this.#guard.state.kind === 'closed') return this.#housekeeping.step()
    this.#closing.shelve(this.#task.boot, monotonicMs())
    return false
  }

  /** Stop requested: one forced attempt past an open breaker, then close. What is left stays in the journal. */
  #finish(outcome: Outcome, reason: StopReason): void {
    let complete = false
    try {
      if (this.#control.givenUp) throw new GivenUpError('nobody waits for the writer any more')
      if (outcome !== 'drained') this.#writeAll()
      // Removed a moment ago, and not noticed yet: the errors once more, into a new file.
      const { current } = this.#sessions
      const moved = current !== null && !this.#sessions.confirm(current)
      if (moved && [...this.#lanes].some(({ journal }) => journal.pending)) {
        this.#writeAll()
        this.#sessions.confirm(this.#sessions.open())
      }
      this.#closing.closeAll()
      this.#housekeeping.finish()
      this.#stalls.finish(reason)
      // What was stored just now went past a breaker that was open.
      this.#guard.end()
      this.#sessions.current?.finish(reason === 'processEnd' ? 'dies' : 'stays')
      complete = true
    } catch {
      complete = false
    }
    this.#sessions.close()
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

  /** Everything that is there now; other threads may go on filling their rings. */
  #writeAll(): void {
    this.#sessions.open()
    const mark = new HighWaterMark(this.#lanes)
    while (this.#sessions.open().write(FULL_BATCH, true) && !mark.isReached);
  }
}
