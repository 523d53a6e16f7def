import { type AnchoredClock, monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlF64 } from '../queue/layout.js'
import { Transcoder } from '../serialize/transcode.js'
import { CommonClock } from '../store/common-clock.js'
import { type Database, prepared } from '../store/driver.js'
import { StoreWriter } from '../store/insert.js'
import { InFlightRows } from '../store/insert-in-flight.js'
import { StallRows } from '../store/insert-stalls.js'
import { openForWriting } from '../store/open.js'
import { OpenFiles } from '../store/open-files.js'
import { Retention } from '../store/retention.js'
import type { StoreSize } from '../store/store-size.js'
import { HourSums } from '../store/sum-hours.js'
import { type StoredTuning, UNCLEARED_TUNINGS_SQL } from '../store/tunings.js'
import { WriteAheadLog, walCapBytes } from '../store/write-ahead-log.js'
import { type BatchLimits, FULL_BATCH, type Settlement, shareOf } from './batch.js'
import { InFlight } from './in-flight.js'
import { type Incidents, openIncidents } from './incidents.js'
import type { LaneSource, Lanes } from './lanes.js'
import type { DrainTask } from './messages.js'
import type { OwnState } from './own-state.js'
import { RecordSink } from './record-sink.js'
import { Recovery } from './recovery.js'
import { type SessionLane, SessionLanes } from './session-lanes.js'
import type { Shelved } from './shelving.js'
import type { StallWatch } from './stall-watch.js'
import { Sweeper } from './sweeper.js'
import { Transactions } from './transactions.js'

/** What outlives a session. */
interface SessionParts {
  readonly incidents: Incidents
  readonly stalls: StallWatch
  readonly shelved: Shelved
  readonly state: OwnState
  /** Looks through a store that others have left, whether it is damaged. */
  readonly thorough: boolean
  readonly onSetAside: (path: string) => void
}

/**
 * One open store and everything that writes into it. A session ends when its file fails or is gone; the next one
 * starts from what the store and the shared memory say, never from this one's memory.
 */
export class Session {
  readonly #control: Control
  readonly #clock: AnchoredClock
  readonly #db: Database
  readonly #store: StoreWriter
  readonly #size: StoreSize
  readonly #sweeper: Sweeper
  readonly #hours: HourSums
  readonly #recovery: Recovery
  readonly #files: OpenFiles
  readonly #log: WriteAheadLog
  readonly #incidents: Incidents
  readonly #sources: Lanes
  readonly #inFlight: InFlight
  readonly #stalls: StallWatch
  readonly #state: OwnState
  readonly #lanes: SessionLanes
  readonly #transactions: Transactions
  readonly #processId: number

  /** @throws what `openForWriting` throws, and errors of SQLite */
  constructor(
    task: DrainTask,
    control: Control,
    sources: Lanes,
    clock: AnchoredClock,
    { incidents, stalls, shelved, state, thorough, onSetAside }: SessionParts,
  ) {
    this.#control = control
    this.#clock = clock
    this.#sources = sources
    this.#incidents = incidents
    this.#stalls = stalls
    this.#state = state
    const { storePath: path, retentionMs, maxBytes } = task.settings
    this.#db = openForWriting(path, { onSetAside, thorough })
    try {
      this.#store = new StoreWriter(this.#db, {
        onBadRow: error => this.#transactions.rowOwner?.refused(error.row.functionId, clock.nowUs()),
      })
      this.#processId = this.#store.registerProcess({
        boot: task.boot,
        pid: task.process.pid,
        script: task.process.script,
        host: task.process.host,
        nodeVersion: task.process.nodeVersion,
        version: task.process.version,
        startedUs: task.anchor.unixUs,
      })
      this.#files = new OpenFiles(path)
      state.forget()
      incidents.goOn(this.#files.database, openIncidents(this.#db, this.#processId))
      this.#log = new WriteAheadLog(this.#db, path, walCapBytes(maxBytes))
      this.#inFlight = new InFlight(this.#store, new InFlightRows(this.#db, this.#processId))
      this.#lanes = new SessionLanes(sources, {
        db: this.#db,
        processId: this.#processId,
        store: this.#store,
        sink: new RecordSink(this.#store, new Transcoder()),
        inFlight: this.#inFlight,
      })
      this.#transactions = new Transactions(control, clock, {
        db: this.#db,
        store: this.#store,
        processId: this.#processId,
        file: this.#files.database,
        log: this.#log,
        lanes: this.#lanes,
        incidents,
        inFlight: this.#inFlight,
        stalls,
        stallRows: new StallRows(this.#db, this.#processId),
        state,
      })
      this.#hours = new HourSums(this.#db)
      const retention = new Retention(this.#db, { path, retentionMs, maxBytes })
      this.#size = retention.size
      this.#sweeper = new Sweeper({
        retention,
        log: this.#log,
        control,
        clock,
        commonClock: new CommonClock(this.#db, this.#processId),
      })
      this.#recovery = new Recovery(this.#db, this.#store, new RecordSink(this.#store, new Transcoder()), {
        storePath: path,
        boot: task.boot,
        host: task.process.host,
        shelved,
      })
    } catch (error) {
      // Nobody else knows this connection; while the store is locked there would be a new one with every try.
      this.#db.close()
      throw error
    }
  }

  /** What has become of the files this session has open, or `null` when they are where they should be. */
  get lost(): string | null {
    return this.#files.lost
  }

  /** Which file this session has open. */
  get file(): string {
    return this.#files.database
  }

  /** Whether the write-ahead log could be cut: no reader holds it. */
  cutLog(): boolean {
    return this.#log.cutNow()
  }

  /** Whether calls that are open, or a loop that is stuck, have to be written although no record waits. */
  hasNews(): boolean {
    return (
      this.#stalls.isDirty || this.#inFlight.isNews(this.#lanes.views, monotonicMs(), this.#clock.nowUs())
    )
  }

  /**
   * Writes one batch of every lane in one transaction; `true` when more is waiting.
   *
   * @param withTotals adds the totals of the minute to the batch
   */
  write(limits: BatchLimits, withTotals: boolean): boolean {
    const lanes = [...this.#sources].filter(
      ({ lane, totals }) => lane.pending || (withTotals && totals.changed),
    )
    const news = this.hasNews() || (withTotals && this.#incidents.pending(this.file))
    if (lanes.length === 0 && !news) return false
    const share = shareOf(limits, Math.max(1, lanes.length))
    for (const { lane } of lanes) this.#state.look(lane)
    let more = false
    this.#transaction(
      lanes.map(source => this.#lanes.of(source)),
      withTotals,
      ({ batch }, nowUs) => {
        more = batch.write(share, nowUs) || more
      },
      () => this.#inFlight.write(this.#lanes.views, monotonicMs(), this.#clock.nowUs(), lanes.length === 0),
    )
    return more
  }

  /**
   * Takes one more batch of a lane whose thread is gone, down to what the thread had no time to count. With the last
   * one its account is closed: `closed`. `waiting`: its journal cannot be opened now.
   */
  close(source: LaneSource): 'more' | 'waiting' | 'closed' {
    let left: 'more' | 'waiting' | 'closed' = 'closed'
    const write = ({ batch, journal }: SessionLane, nowUs: number): void => {
      if (batch.write(FULL_BATCH, nowUs)) left = 'more'
      else if (journal.waiting) left = 'waiting'
      else batch.settle('gone', nowUs)
    }
    // What the thread left open stays open: nothing can end it any more.
    const look = (): void => this.#inFlight.writeNow([source.lane], this.#clock.nowUs())
    this.#transaction([this.#lanes.of(source)], true, write, look)
    return left
  }

  /** Forgets a lane that is closed. */
  forget(source: LaneSource): void {
    this.#lanes.forget(source)
  }

  /** Everything is stored: closes the accounts of the threads that are left, and says in the file how it ended. */
  finish(settlement: Settlement): void {
    const lanes = [...this.#sources].map(source => this.#lanes.of(source))
    const settle = ({ batch }: SessionLane, nowUs: number): void => {
      batch.start()
      batch.settle(settlement, nowUs)
    }
    this.#state.forget()
    this.#transaction(lanes, true, settle, nowUs => {
      this.#inFlight.writeNow(this.#lanes.views, this.#clock.nowUs())
      this.#store.endProcess(this.#processId, nowUs, 'clean')
    })
  }

  #transaction(...what: Parameters<Transactions['run']>): void {
    this.#sweeper.stored(this.#transactions.run(...what))
  }

  /** Says in the file that this process lives, and what is open in it, for when nothing else is written. */
  touch(): void {
    this.#transaction(
      [],
      false,
      () => {},
      nowUs => this.#inFlight.writeNow(this.#lanes.views, nowUs),
    )
  }

  /** One step of taking over what dead processes left; `true` when there is more to do. */
  recover(): boolean {
    this.#log.requireRoom()
    this.#transactions.rowOwner = this.#recovery
    return this.#recovery.step(this.#clock.nowUs())
  }

  /** Whether {@link recover} has something to do. */
  get mayRecover(): boolean {
    return this.#recovery.hasMore
  }

  /** Whether {@link recover} has left something for later, because its owner may live. */
  get recoveryWaits(): boolean {
    return this.#recovery.waits
  }

  /** Whether database and log together are larger than they may be. */
  get isTooLarge(): boolean {
    return this.#size.isTooLarge
  }

  /** Retention, beside the batches; `true` when there is more to do. */
  sweep(): boolean {
    if (this.#sweeper.sweep()) return true
    // Threads come and go as long as the process lives, and segments with them.
    this.#recovery.forgetRanges()
    this.#control.f64[ControlF64.SWEEPS]++
    return false
  }

  /** On a full disk, with what room the reserve gave: everything goes that is due. */
  sweepNow(): void {
    this.#sweeper.sweepNow()
  }

  /** Changes of sampling and capture that the file asks for. */
  tunings(): StoredTuning[] {
    return prepared(this.#db, UNCLEARED_TUNINGS_SQL).all() as StoredTuning[]
  }

  /** One step of summing the totals of hours that are over; `true` when there is more to do. */
  sumHours(): boolean {
    this.#log.requireRoom()
    return this.#hours.step(this.#clock.nowUs())
  }

  publishSizes(): void {
    const { databaseBytes, logBytes } = this.#size.onDisk
    this.#control.f64[ControlF64.STORE_BYTES] = databaseBytes
    this.#control.f64[ControlF64.WAL_BYTES] = logBytes
  }

  end(): void {
    this.#recovery.close()
    this.#db.close()
  }
}
