import { statSync } from 'node:fs'
import type { AnchoredClock } from '../queue/clock.js'
import { monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlF64, Lane, LaneF64 } from '../queue/layout.js'
import { Transcoder } from '../serialize/transcode.js'
import { type Database, prepared } from '../store/driver.js'
import { StoreWriter } from '../store/insert.js'
import { identify } from '../store/inspect.js'
import { openForWriting } from '../store/open.js'
import { Retention } from '../store/retention.js'
import { type BatchLimits, LaneBatch } from './batch.js'
import { Fault, faultPoint } from './faults.js'
import type { JournalTail } from './journal-tail.js'
import type { LaneView } from './lane.js'
import type { DrainTask } from './messages.js'
import { RecordSink } from './record-sink.js'
import { Recovery } from './recovery.js'
import type { TotalsView } from './totals-view.js'

const SWEEP_ROWS = 4_000
/** Rows an emergency sweep may delete to make room on a full disk. */
const EMERGENCY_ROWS = 20_000

/** A recording thread and what the writer knows of it beyond one session. */
export interface LaneSource {
  readonly lane: LaneView
  readonly journal: JournalTail
  readonly totals: TotalsView
}

interface LaneParts extends LaneSource {
  readonly batch: LaneBatch
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
  readonly #recovery: Recovery
  readonly #identity: string | null
  readonly #lanes: readonly LaneParts[]
  readonly #processId: number
  /** Who queued the call rows that are being written: told of those that SQLite refuses. */
  #rowOwner: LaneBatch | Recovery | null = null

  /** @throws what `openForWriting` throws, and errors of SQLite */
  constructor(
    task: DrainTask,
    control: Control,
    sources: readonly LaneSource[],
    clock: AnchoredClock,
    onSetAside: (path: string) => void,
  ) {
    this.#task = task
    this.#control = control
    this.#clock = clock
    const { storePath: path, retentionMs, maxBytes } = task.settings
    this.#db = openForWriting(path, { onSetAside })
    try {
      this.#identity = identify(path)
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
      const sink = new RecordSink(this.#store, new Transcoder())
      this.#lanes = sources.map(source => this.#adopt(source, sink))
      this.#retention = new Retention(this.#db, { path, retentionMs, maxBytes })
      this.#recovery = new Recovery(this.#db, this.#store, new RecordSink(this.#store, new Transcoder()), {
        storePath: path,
        boot: task.boot,
        host: task.process.host,
      })
    } catch (error) {
      // Nobody else knows this connection; while the store is locked there would be a new one with every try.
      this.#db.close()
      throw error
    }
  }

  get processId(): number {
    return this.#processId
  }

  /** Whether the path still names the file this session has open. */
  get inPlace(): boolean {
    return identify(this.#task.settings.storePath) === this.#identity
  }

  /** Whether any record waits. */
  get pending(): boolean {
    return this.#lanes.some(({ batch }) => batch.pending)
  }

  /**
   * Writes one batch of every lane in one transaction; `true` when more is waiting.
   *
   * @param withTotals adds the totals of the minute to the batch
   */
  write(limits: BatchLimits, withTotals: boolean): boolean {
    const nowUs = this.#clock.nowUs()
    const totals = withTotals ? this.#lanes.filter(({ totals }) => totals.changed) : []
    if (totals.length === 0 && !this.pending) return false
    let more = false
    this.#store.begin()
    try {
      for (const { batch } of this.#lanes) {
        this.#rowOwner = batch
        more = batch.write(limits, nowUs) || more
      }
      for (const { totals: view } of totals) view.write(this.#store, nowUs)
      if (!this.#store.touchProcess(this.#processId, nowUs)) throw new Error('the process row is gone')
      faultPoint(this.#control.i32, Fault.exitInTransaction)
      faultPoint(this.#control.i32, Fault.throwInDrain)
      this.#store.commit()
    } catch (error) {
      this.#store.rollback()
      for (const { batch } of this.#lanes) batch.rewind()
      throw error
    }
    faultPoint(this.#control.i32, Fault.exitAfterCommit)
    for (const { batch } of this.#lanes) batch.commit()
    for (const { totals: view } of totals) view.commit(nowUs)
    this.#control.f64[ControlF64.BATCHES]++
    this.#control.f64[ControlF64.LAST_COMMIT_MS] = monotonicMs()
    return more
  }

  /** Says in the file that this process lives, for when nothing else is written. */
  touch(): void {
    this.#store.touchProcess(this.#processId, this.#clock.nowUs())
  }

  /** One step of taking over what dead processes left; `true` when there is more to do. */
  recover(): boolean {
    this.#rowOwner = this.#recovery
    return this.#recovery.step(this.#clock.nowUs())
  }

  /** One slice of retention; `true` when there is more to do. */
  sweep(emergency = false): boolean {
    const { more, expired } = this.#retention.sweepSlice(
      this.#clock.nowUs(),
      emergency ? EMERGENCY_ROWS : SWEEP_ROWS,
    )
    this.#control.addExpired(expired)
    return more
  }

  publishSizes(): void {
    const path = this.#task.settings.storePath
    this.#control.f64[ControlF64.STORE_BYTES] = sizeOf(path)
    this.#control.f64[ControlF64.WAL_BYTES] = sizeOf(`${path}-wal`)
  }

  /** Everything is stored: says so in the file. The journal is removed by its owner, who alone knows when it is done. */
  finish(): void {
    this.#store.begin()
    this.#store.endProcess(this.#processId, this.#clock.nowUs(), 'clean')
    this.#store.commit()
  }

  close(): void {
    this.#recovery.close()
    this.#db.close()
  }

  #adopt(source: LaneSource, sink: RecordSink): LaneParts {
    const { lane, journal, totals } = source
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
    return { ...source, batch: new LaneBatch(lane, journal, this.#store, sink) }
  }

  /** Records that have left the producers so far; {@link caughtUpWith} tells when all of them are dealt with. */
  mark(): readonly number[] {
    return this.#lanes.map(({ lane: { f64 } }) => published(f64))
  }

  caughtUpWith(mark: readonly number[]): boolean {
    return this.#lanes.every(({ lane: { f64 } }, index) => dealtWith(f64) >= (mark[index] ?? 0))
  }
}

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
