import { statSync } from 'node:fs'
import type { AnchoredClock } from '../queue/clock.js'
import { monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlF64, Lane, LaneF64 } from '../queue/layout.js'
import { Transcoder } from '../serialize/transcode.js'
import { CommonClock } from '../store/common-clock.js'
import { type Database, prepared } from '../store/driver.js'
import { classify } from '../store/errors.js'
import { StoreWriter } from '../store/insert.js'
import { InFlightRows } from '../store/insert-in-flight.js'
import { StallRows } from '../store/insert-stalls.js'
import { putRecorderState } from '../store/insert-state.js'
import { openForWriting } from '../store/open.js'
import { OpenFiles } from '../store/open-files.js'
import { Retention } from '../store/retention.js'
import { HourSums } from '../store/sum-hours.js'
import { type StoredTuning, UNCLEARED_TUNINGS_SQL } from '../store/tunings.js'
import { WriteAheadLog, walCapBytes } from '../store/write-ahead-log.js'
import { type BatchLimits, FULL_BATCH, LaneBatch, type Settlement, shareOf } from './batch.js'
import { FAULTS_IN_TRANSACTION, Fault, faultPoint } from './faults.js'
import { InFlight } from './in-flight.js'
import type { Incidents, OpenIncident } from './incidents.js'
import type { LaneView } from './lane.js'
import type { LaneSource, Lanes } from './lanes.js'
import type { DrainTask } from './messages.js'
import type { OwnState } from './own-state.js'
import { RecordSink } from './record-sink.js'
import { Recovery } from './recovery.js'
import { SecondSums } from './seconds.js'
import type { Shelved } from './shelving.js'
import type { StallWatch } from './stall-watch.js'

const SWEEP_ROWS = 4_000
/** So that retention catches up with a program that goes on recording. */
const SWEPT_PER_STORED = 1.5
/** On a full disk: deleting 1,000 rows writes 90 KiB to the log, and that has to fit into what the reserve gave. */
const CRAMPED_SWEEP_ROWS = 2_000
/** As many such slices as fit into this time. */
const EMERGENCY_MS = 500

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

/** What a session adds to a lane. */
interface LaneParts extends LaneSource {
  readonly batch: LaneBatch
}

/** The owner of the writer waits no longer: it has saved what was not committed, so nothing may be from now on. */
export class GivenUpError extends Error {
  override readonly name = 'GivenUpError'
  readonly code = 'CALLSIGHT_GIVEN_UP'
}

/**
 * One open store and everything that writes into it. A session ends when its file fails or is gone; the next one
 * starts from what the store and the shared memory say, never from this one's memory.
 */
export class Session {
  readonly #task: DrainTask
  readonly #control: Control
  readonly #clock: AnchoredClock
  readonly #db: Database
  readonly #store: StoreWriter
  readonly #retention: Retention
  readonly #hours: HourSums
  readonly #commonClock: CommonClock
  readonly #recovery: Recovery
  readonly #files: OpenFiles
  readonly #log: WriteAheadLog
  readonly #incidents: Incidents
  readonly #sources: Lanes
  readonly #sink: RecordSink
  readonly #inFlight: InFlight
  readonly #stalls: StallWatch
  readonly #state: OwnState
  readonly #stallRows: StallRows
  readonly #lanes = new Map<LaneSource, LaneParts>()
  /** Rings whose lanes are closed: what a restarted writer would have needed of them is deleted with the next batch. */
  #closedRings: number[] = []
  readonly #processId: number
  /** Retention has begun, and has more to do. */
  #sweeping = false
  /** Records of the batches since the last slice of retention, while it has more to do. */
  #storedSinceSweep = 0
  /** Who queued the call rows that are being written: told of those that SQLite refuses. */
  #rowOwner: LaneBatch | Recovery | null = null

  /** @throws what `openForWriting` throws, and errors of SQLite */
  constructor(
    task: DrainTask,
    control: Control,
    sources: Lanes,
    clock: AnchoredClock,
    { incidents, stalls, shelved, state, thorough, onSetAside }: SessionParts,
  ) {
    this.#task = task
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
        onBadRow: error => this.#rowOwner?.refused(error.row.functionId, clock.nowUs()),
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
      incidents.goOn(this.#files.database, this.#openIncidents())
      this.#log = new WriteAheadLog(this.#db, path, walCapBytes(maxBytes))
      this.#sink = new RecordSink(this.#store, new Transcoder())
      this.#inFlight = new InFlight(this.#store, new InFlightRows(this.#db, this.#processId))
      this.#stallRows = new StallRows(this.#db, this.#processId)
      for (const source of sources) this.#parts(source)
      this.#commonClock = new CommonClock(this.#db, this.#processId)
      this.#hours = new HourSums(this.#db)
      this.#retention = new Retention(this.#db, { path, retentionMs, maxBytes })
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

  #openIncidents(): OpenIncident[] {
    const sql = `SELECT incident_id AS id, kind, detail, started_us AS startedUs FROM incidents
      WHERE process_id = ? AND ended_us IS NULL`
    return prepared(this.#db, sql).all(this.#processId) as OpenIncident[]
  }

  get processId(): number {
    return this.#processId
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

  /** Whether any record waits. */
  get pending(): boolean {
    for (const { lane } of this.#sources) if (lane.pending) return true
    return false
  }

  /** Whether calls that are open, or a loop that is stuck, have to be written although no record waits. */
  hasNews(): boolean {
    return this.#stalls.isDirty || this.#inFlight.isNews(this.#views(), monotonicMs(), this.#clock.nowUs())
  }

  #views(): LaneView[] {
    return [...this.#sources].map(({ lane }) => lane)
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
      lanes.map(source => this.#parts(source)),
      withTotals,
      ({ batch }, nowUs) => {
        more = batch.write(share, nowUs) || more
      },
      () => this.#inFlight.write(this.#views(), monotonicMs(), this.#clock.nowUs(), lanes.length === 0),
    )
    return more
  }

  /**
   * Takes one more batch of a lane whose thread is gone, down to what the thread had no time to count. With the last
   * one its account is closed: `closed`. `waiting`: its journal cannot be opened now.
   */
  close(source: LaneSource): 'more' | 'waiting' | 'closed' {
    let left: 'more' | 'waiting' | 'closed' = 'closed'
    const write = ({ batch, journal }: LaneParts, nowUs: number): void => {
      if (batch.write(FULL_BATCH, nowUs)) left = 'more'
      else if (journal.waiting) left = 'waiting'
      else batch.settle('gone', nowUs)
    }
    // What the thread left open stays open: nothing can end it any more.
    const look = (): void => this.#inFlight.writeNow([source.lane], this.#clock.nowUs())
    this.#transaction([this.#parts(source)], true, write, look)
    return left
  }

  /** Forgets a lane that is closed. */
  forget(source: LaneSource): void {
    this.#lanes.delete(source)
    this.#inFlight.forget(source.lane)
    this.#closedRings.push(source.lane.ring)
  }

  /** Everything is stored: closes the accounts of the threads that are left, and says in the file how it ended. */
  finish(settlement: Settlement): void {
    const lanes = [...this.#sources].map(source => this.#parts(source))
    const settle = ({ batch }: LaneParts, nowUs: number): void => {
      batch.start()
      batch.settle(settlement, nowUs)
    }
    this.#state.forget()
    this.#transaction(lanes, true, settle, nowUs => {
      this.#inFlight.writeNow(this.#views(), this.#clock.nowUs())
      this.#store.endProcess(this.#processId, nowUs, 'clean')
    })
  }

  #transaction(
    lanes: readonly LaneParts[],
    withTotals: boolean,
    write: (lane: LaneParts, nowUs: number) => void,
    atLast: (nowUs: number) => void = () => {},
  ): void {
    this.#log.requireRoom()
    const nowUs = this.#clock.nowUs()
    const totals = withTotals ? lanes.filter(({ totals }) => totals.changed) : []
    this.#store.begin()
    try {
      for (const lane of lanes) {
        this.#rowOwner = lane.batch
        write(lane, nowUs)
      }
      const seconds = new SecondSums()
      for (const { totals: view } of totals)
        view.write(this.#store, nowUs, seconds, () => this.#clock.nowUs())
      seconds.write(this.#store, this.#processId, nowUs)
      this.#incidents.write(this.#store, this.#processId, this.file)
      for (const ring of this.#closedRings) {
        prepared(this.#db, 'DELETE FROM reported WHERE process_id = ? AND ring = ?').run(
          this.#processId,
          ring,
        )
      }
      if (!this.#store.touchProcess(this.#processId, nowUs)) throw new Error('the process row is gone')
      this.#stalls.write(this.#store, this.#stallRows)
      atLast(nowUs)
      this.#writeState(nowUs, withTotals)
      for (const fault of FAULTS_IN_TRANSACTION) faultPoint(this.#control.i32, fault)
      this.#commit()
    } catch (error) {
      this.#store.rollback()
      for (const { batch } of lanes) batch.rewind()
      this.#inFlight.rollback()
      this.#stalls.rollback()
      throw error
    }
    faultPoint(this.#control.i32, Fault.exitAfterCommit)
    for (const { batch } of lanes) this.#storedSinceSweep += batch.commit()
    for (const { totals: view } of totals) view.commit(nowUs)
    this.#incidents.commit()
    this.#inFlight.commit()
    this.#stalls.commit()
    this.#state.commit()
    this.#closedRings = []
    this.#control.f64[ControlF64.BATCHES]++
    this.#control.f64[ControlF64.LAST_COMMIT_MS] = monotonicMs()
  }

  #writeState(nowUs: number, withTotals: boolean): void {
    const row = this.#state.stage(this.#views(), nowUs, withTotals)
    if (row === null) return
    try {
      putRecorderState(this.#db, this.#processId, row)
    } catch (error) {
      // Figures about the recording are no reason to lose a batch of it; a file that cannot be written is.
      const failure = classify(error)
      if (!this.#db.inTransaction || (failure !== 'data' && failure !== 'other')) throw error
    }
  }

  #commit(): void {
    // Whoever gives up says so before it saves anything itself. Looked at after everything of this batch was read: what
    // is committed now was not saved by anybody, or is recognised by its number when it comes again.
    if (this.#control.givenUp) throw new GivenUpError('nobody waits for the writer any more')
    this.#store.commit()
  }

  /** Says in the file that this process lives, and what is open in it, for when nothing else is written. */
  touch(): void {
    this.#transaction(
      [],
      false,
      () => {},
      nowUs => this.#inFlight.writeNow(this.#views(), nowUs),
    )
  }

  /** One step of taking over what dead processes left; `true` when there is more to do. */
  recover(): boolean {
    this.#log.requireRoom()
    this.#rowOwner = this.#recovery
    return this.#recovery.step(this.#clock.nowUs())
  }

  /** Whether {@link recover} has left something for later, because its owner may live. */
  get recoveryWaits(): boolean {
    return this.#recovery.waits
  }

  /** Whether database and log together are larger than they may be. */
  get isTooLarge(): boolean {
    const { storePath, maxBytes } = this.#task.settings
    return sizeOf(storePath) + this.#log.bytes > maxBytes
  }

  /**
   * Slices of retention, as many as delete more than was stored since the last ones: a flood must not fill the disk
   * faster than it is emptied. The first one is alone, since what came in the whole interval before would take seconds,
   * in which the rings run over. `true` when there is more to do.
   */
  sweep(): boolean {
    const due = this.#sweeping ? this.#storedSinceSweep * SWEPT_PER_STORED : 0
    this.#sweeping = false
    this.#storedSinceSweep = 0
    this.#log.requireRoom()
    let more = true
    for (let rows = 0; more && rows <= due; rows += SWEEP_ROWS) more = this.#sweepSlice(SWEEP_ROWS, false)
    this.#sweeping = more
    // Threads come and go as long as the process lives, and segments with them.
    if (!more) {
      this.#recovery.forgetRanges()
      this.#control.f64[ControlF64.SWEEPS]++
    }
    return more
  }

  /** On a full disk, with what room the reserve gave: everything goes that is due. */
  sweepNow(): void {
    const deadlineMs = monotonicMs() + EMERGENCY_MS
    while (monotonicMs() < deadlineMs) {
      try {
        if (!this.#sweepSlice(CRAMPED_SWEEP_ROWS, true)) return
      } catch (error) {
        // What was deleted so far may have made the database small enough to take its log in.
        if (classify(error) !== 'full' || !this.#retention.emptyLog()) throw error
      }
    }
  }

  #sweepSlice(rows: number, cramped: boolean): boolean {
    const now = this.#commonClock.earliestUs(this.#clock.nowUs(), monotonicMs())
    const { more, expired } = this.#retention.sweepSlice(now, rows, cramped)
    this.#control.addExpired(expired)
    return more
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
    const path = this.#task.settings.storePath
    this.#control.f64[ControlF64.STORE_BYTES] = sizeOf(path)
    this.#control.f64[ControlF64.WAL_BYTES] = this.#log.bytes
  }

  end(): void {
    this.#recovery.close()
    this.#db.close()
  }

  #parts(source: LaneSource): LaneParts {
    let parts = this.#lanes.get(source)
    if (parts === undefined) {
      this.#restore(source)
      const { lane, journal } = source
      const onEnd = this.#inFlight.endsOf(lane)
      parts = { ...source, batch: new LaneBatch(lane, journal, this.#store, this.#sink, onEnd) }
      this.#lanes.set(source, parts)
    }
    return parts
  }

  /** The lane goes on from what this file knows of it. */
  #restore({ lane, journal, totals }: LaneSource): void {
    lane.processId = this.#processId
    for (const which of [Lane.calls, Lane.errors] as const) {
      const row = prepared(
        this.#db,
        'SELECT stored, dropped, stored_seq FROM lanes WHERE process_id = ? AND ring = ? AND lane = ?',
      ).get(this.#processId, lane.ring, which) as
        | { stored: number; dropped: string; stored_seq: number }
        | undefined
      // A new file knows nothing of this process: the counters in shared memory stay, they count for all files.
      if (row === undefined) continue
      lane.restore(which, row.stored, JSON.parse(row.dropped) as Record<string, number>)
      if (which === Lane.calls) lane.storedSeq = row.stored_seq
      else lane.storedErrorSeq = row.stored_seq
    }
    lane.consumer.rewind()
    journal.rewind()
    totals.reopen()
  }

  /** Records that have left the producers so far; {@link caughtUpWith} tells when all of them are dealt with. */
  mark(): Mark {
    return new Map([...this.#sources].map(source => [source, published(source.lane.f64)]))
  }

  caughtUpWith(mark: Mark): boolean {
    for (const [{ lane }, records] of mark) if (dealtWith(lane.f64) < records) return false
    return true
  }
}

type Mark = ReadonlyMap<LaneSource, number>

function published(f64: Float64Array): number {
  return (
    f64[LaneF64.CALLS_PUBLISHED] +
    f64[LaneF64.ERRORS_PUBLISHED] +
    f64[LaneF64.CALLS_JOURNALED] +
    f64[LaneF64.ERRORS_JOURNALED]
  )
}

function dealtWith(f64: Float64Array): number {
  return (
    f64[LaneF64.CALLS_CONSUMED] +
    f64[LaneF64.ERRORS_CONSUMED] +
    f64[LaneF64.CALLS_REPLAYED] +
    f64[LaneF64.ERRORS_REPLAYED]
  )
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
