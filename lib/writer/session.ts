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
import { type BatchLimits, FULL_BATCH, LaneBatch, type Settlement, shareOf } from './batch.js'
import { Fault, faultPoint } from './faults.js'
import type { LaneSource, Lanes } from './lanes.js'
import type { DrainTask } from './messages.js'
import { RecordSink } from './record-sink.js'
import { Recovery } from './recovery.js'

const SWEEP_ROWS = 4_000
/** Rows an emergency sweep may delete to make room on a full disk. */
const EMERGENCY_ROWS = 20_000

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
  readonly #recovery: Recovery
  readonly #identity: string | null
  readonly #sources: Lanes
  readonly #sink: RecordSink
  readonly #lanes = new Map<LaneSource, LaneParts>()
  /** Rings whose lanes are closed: what a restarted writer would have needed of them is deleted with the next batch. */
  #closedRings: number[] = []
  readonly #processId: number
  /** Who queued the call rows that are being written: told of those that SQLite refuses. */
  #rowOwner: LaneBatch | Recovery | null = null

  /** @throws what `openForWriting` throws, and errors of SQLite */
  constructor(
    task: DrainTask,
    control: Control,
    sources: Lanes,
    clock: AnchoredClock,
    onSetAside: (path: string) => void,
  ) {
    this.#task = task
    this.#control = control
    this.#clock = clock
    this.#sources = sources
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
      this.#sink = new RecordSink(this.#store, new Transcoder())
      for (const source of sources) this.#parts(source)
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
    for (const { lane } of this.#sources) if (lane.pending) return true
    return false
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
    if (lanes.length === 0) return false
    const share = shareOf(limits, lanes.length)
    let more = false
    this.#transaction(
      lanes.map(source => this.#parts(source)),
      withTotals,
      ({ batch }, nowUs) => {
        more = batch.write(share, nowUs) || more
      },
    )
    return more
  }

  /**
   * Takes one more batch of a lane whose thread is gone, down to what the thread had no time to count. With the last
   * one its account is closed: `closed`. `waiting`: its journal cannot be opened now.
   */
  close(source: LaneSource): 'more' | 'waiting' | 'closed' {
    let left: 'more' | 'waiting' | 'closed' = 'closed'
    this.#transaction([this.#parts(source)], true, ({ batch, journal }, nowUs) => {
      if (batch.write(FULL_BATCH, nowUs)) left = 'more'
      else if (journal.waiting) left = 'waiting'
      else batch.settle('gone', nowUs)
    })
    return left
  }

  /** Forgets a lane that is closed. */
  forget(source: LaneSource): void {
    this.#lanes.delete(source)
    this.#closedRings.push(source.lane.ring)
  }

  /** Everything is stored: closes the accounts of the threads that are left, and says in the file how it ended. */
  finish(settlement: Settlement): void {
    const lanes = [...this.#sources].map(source => this.#parts(source))
    const settle = ({ batch }: LaneParts, nowUs: number): void => {
      batch.start()
      batch.settle(settlement, nowUs)
    }
    this.#transaction(lanes, true, settle, nowUs => this.#store.endProcess(this.#processId, nowUs, 'clean'))
  }

  #transaction(
    lanes: readonly LaneParts[],
    withTotals: boolean,
    write: (lane: LaneParts, nowUs: number) => void,
    atLast: (nowUs: number) => void = () => {},
  ): void {
    const nowUs = this.#clock.nowUs()
    const totals = withTotals ? lanes.filter(({ totals }) => totals.changed) : []
    this.#store.begin()
    try {
      for (const lane of lanes) {
        this.#rowOwner = lane.batch
        write(lane, nowUs)
      }
      for (const { totals: view } of totals) view.write(this.#store, nowUs)
      for (const ring of this.#closedRings) {
        prepared(this.#db, 'DELETE FROM reported WHERE process_id = ? AND ring = ?').run(
          this.#processId,
          ring,
        )
      }
      if (!this.#store.touchProcess(this.#processId, nowUs)) throw new Error('the process row is gone')
      atLast(nowUs)
      faultPoint(this.#control.i32, Fault.exitInTransaction)
      faultPoint(this.#control.i32, Fault.throwInDrain)
      this.#commit()
    } catch (error) {
      this.#store.rollback()
      for (const { batch } of lanes) batch.rewind()
      throw error
    }
    faultPoint(this.#control.i32, Fault.exitAfterCommit)
    for (const { batch } of lanes) batch.commit()
    for (const { totals: view } of totals) view.commit(nowUs)
    this.#closedRings = []
    this.#control.f64[ControlF64.BATCHES]++
    this.#control.f64[ControlF64.LAST_COMMIT_MS] = monotonicMs()
  }

  #commit(): void {
    // Whoever gives up says so before it saves anything itself. Looked at after everything of this batch was read: what
    // is committed now was not saved by anybody, or is recognised by its number when it comes again.
    if (this.#control.givenUp) throw new GivenUpError('nobody waits for the writer any more')
    this.#store.commit()
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

  end(): void {
    this.#recovery.close()
    this.#db.close()
  }

  #parts(source: LaneSource): LaneParts {
    let parts = this.#lanes.get(source)
    if (parts === undefined) {
      this.#restore(source)
      parts = { ...source, batch: new LaneBatch(source.lane, source.journal, this.#store, this.#sink) }
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
