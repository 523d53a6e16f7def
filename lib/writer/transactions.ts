import { type AnchoredClock, monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlF64 } from '../queue/layout.js'
import type { Database } from '../store/driver.js'
import { classify } from '../store/errors.js'
import type { StoreWriter } from '../store/insert.js'
import type { StallRows } from '../store/insert-stalls.js'
import { putRecorderState } from '../store/insert-state.js'
import type { WriteAheadLog } from '../store/write-ahead-log.js'
import { FAULTS_IN_TRANSACTION, Fault, faultPoint } from './faults.js'
import type { InFlight } from './in-flight.js'
import type { Incidents } from './incidents.js'
import type { OwnState } from './own-state.js'
import { SecondSums } from './seconds.js'
import type { SessionLane, SessionLanes } from './session-lanes.js'
import type { StallWatch } from './stall-watch.js'

/** The owner of the writer waits no longer: it has saved what was not committed, so nothing may be from now on. */
export class GivenUpError extends Error {
  override readonly name = 'GivenUpError'
  readonly code = 'CALLSIGHT_GIVEN_UP'
}

/** Told of a call row it has queued that SQLite refuses. */
interface RowOwner {
  refused(functionId: number, nowUs: number): void
}

/** Who takes part in a transaction: each writes in it, and learns whether it was committed. */
interface Participants {
  readonly db: Database
  readonly store: StoreWriter
  readonly processId: number
  /** Which file it is. */
  readonly file: string
  readonly log: WriteAheadLog
  readonly lanes: SessionLanes
  readonly incidents: Incidents
  readonly inFlight: InFlight
  readonly stalls: StallWatch
  readonly stallRows: StallRows
  readonly state: OwnState
}

/**
 * What a process says in its store, said in one transaction a batch: all of it is in the file, and only then memory is
 * given back and counters move; or nothing is, and the same is said again.
 */
export class Transactions {
  readonly #control: Control
  readonly #clock: AnchoredClock
  readonly #participants: Participants
  /** Who has queued the call rows that are being written. */
  rowOwner: RowOwner | null = null

  constructor(control: Control, clock: AnchoredClock, participants: Participants) {
    this.#control = control
    this.#clock = clock
    this.#participants = participants
  }

  /** Returns how many records it has stored. */
  run(
    batches: readonly SessionLane[],
    withTotals: boolean,
    write: (lane: SessionLane, nowUs: number) => void,
    atLast: (nowUs: number) => void = () => {},
  ): number {
    const { store, processId, file, log, lanes, incidents, inFlight, stalls, stallRows, state } =
      this.#participants
    log.requireRoom()
    const nowUs = this.#clock.nowUs()
    const totals = withTotals ? batches.filter(({ totals }) => totals.changed) : []
    store.begin()
    try {
      for (const lane of batches) {
        this.rowOwner = lane.batch
        write(lane, nowUs)
      }
      const seconds = new SecondSums()
      for (const { totals: view } of totals) view.write(store, nowUs, seconds, () => this.#clock.nowUs())
      seconds.write(store, processId, nowUs)
      incidents.write(store, processId, file)
      lanes.write()
      if (!store.touchProcess(processId, nowUs)) throw new Error('the process row is gone')
      stalls.write(store, stallRows)
      atLast(nowUs)
      this.#writeState(nowUs, withTotals)
      for (const fault of FAULTS_IN_TRANSACTION) faultPoint(this.#control.i32, fault)
      this.#commit()
    } catch (error) {
      store.rollback()
      for (const { batch } of batches) batch.rewind()
      inFlight.rollback()
      stalls.rollback()
      throw error
    }
    faultPoint(this.#control.i32, Fault.exitAfterCommit)
    let stored = 0
    for (const { batch } of batches) stored += batch.commit()
    for (const { totals: view } of totals) view.commit(nowUs)
    incidents.commit()
    inFlight.commit()
    stalls.commit()
    state.commit()
    lanes.commit()
    this.#control.f64[ControlF64.BATCHES]++
    this.#control.f64[ControlF64.LAST_COMMIT_MS] = monotonicMs()
    return stored
  }

  #writeState(nowUs: number, withTotals: boolean): void {
    const { db, processId, lanes, state } = this.#participants
    const row = state.stage(lanes.views, nowUs, withTotals)
    if (row === null) return
    try {
      putRecorderState(db, processId, row)
    } catch (error) {
      // Figures about the recording are no reason to lose a batch of it; a file that cannot be written is.
      const failure = classify(error)
      if (!db.inTransaction || (failure !== 'data' && failure !== 'other')) throw error
    }
  }

  #commit(): void {
    // Whoever gives up says so before it saves anything itself. Looked at after everything of this batch was read: what
    // is committed now was not saved by anybody, or is recognised by its number when it comes again.
    if (this.#control.givenUp) throw new GivenUpError('nobody waits for the writer any more')
    this.#participants.store.commit()
  }
}
