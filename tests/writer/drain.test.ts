import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { readAccount, readProcessAccount } from '../../lib/queue/account.js'
import { Control } from '../../lib/queue/control.js'
import { CELLS_PER_CALL, LaneF64, LaneI32, LaneState, OpenCell, openCallsAt } from '../../lib/queue/layout.js'
import { nativeThread } from '../../lib/queue/process-identity.js'
import { StoreWriter } from '../../lib/store/insert.js'
import { Retention } from '../../lib/store/retention.js'
import type { LaneHandle } from '../../lib/writer/messages.js'
import { imbalances, readStore } from '../support/store-account.js'
import { clock, script } from '../support/writer-clock.js'
import { BOOT, RING_BYTES, recordingThread, runWriter } from '../support/writer-scene.js'

vi.mock('../../lib/queue/clock.js', async original =>
  (await import('../support/writer-clock.js')).movedClock(await original()),
)

let folder: string
let store: string
let control: Control
let port: MessagePort
let drain: (...lanes: LaneHandle[]) => void
let maxBytes: number
beforeEach(() => {
  clock.aheadMs = 0
  clock.onLook = () => {}
  folder = mkdtempSync(join(tmpdir(), 'callsight-drain-'))
  store = join(folder, 'calls.db')
  control = new Control()
  const { port1, port2 } = new MessageChannel()
  port = port1
  maxBytes = DEFAULTS.maxBytes
  drain = (...lanes) => runWriter({ storePath: store, control, lanes, settings: { maxBytes }, inbox: port2 })
})
afterEach(() => {
  vi.restoreAllMocks()
  port.close()
  rmSync(folder, { recursive: true, force: true })
})

/** One of which the system says nothing, unless that is given. */
const thread = (
  ring: number,
  native: LaneHandle['thread'] = { id: 0, startTicks: 0 },
  ringBytes = RING_BYTES,
) => recordingThread({ storePath: store, control, ring, native, ringBytes })

const journals = (): string[] => readdirSync(folder).filter(name => name.includes('.errors-'))

describe('threads the system does not tell about', () => {
  it('are let go when they are silent, taken again when they speak, and closed when they have ended', () => {
    const owner = thread(0, null)
    const worker = thread(1)
    const stored = (): number => readAccount(worker.f64, control.f64).calls.stored
    worker.call()
    worker.fail()
    script(
      [() => stored() === 1, () => void (clock.aheadMs += 61_000)],
      [
        () => worker.state() === LaneState.resting,
        () => {
          expect(control.lanes).toBe(1)
          worker.call()
          port.postMessage(worker.handle)
        },
      ],
      [
        () => stored() === 2,
        () => {
          worker.call()
          Atomics.store(worker.i32, LaneI32.ENDED, 1)
          clock.aheadMs += 3_000
        },
      ],
      [() => worker.state() === LaneState.closed, () => control.requestStop('shutdown')],
    )
    drain(owner.handle, worker.handle)
    expect(control.writerState).toBe('stopped')
    expect(journals()).toEqual([])
    const account = readStore(store)
    expect(imbalances(account)).toEqual([0, 0])
    expect(account.lanes).toMatchObject([
      { ring: 1, lane: 0, produced: 3, stored: 3 },
      { ring: 1, lane: 1, produced: 1, stored: 1 },
    ])
    expect(readProcessAccount(control, [owner])).toMatchObject({
      calls: { stored: 3 },
      errors: { stored: 1 },
    })
  })

  it('are kept while they say that they live, and while errors wait in their memory', () => {
    const silent = thread(1)
    const speaking = thread(2)
    for (const { call } of [silent, speaking]) call()
    // As if the disk refused.
    silent.f64[LaneF64.ERRORS_HELD] = 1
    let looks = 0
    script(
      [() => readAccount(speaking.f64, control.f64).calls.stored === 1, () => void (clock.aheadMs += 59_000)],
      [
        () => Atomics.add(speaking.i32, LaneI32.HEARTBEAT, 1) >= 0 && looks++ > 50,
        () => void (clock.aheadMs += 59_000),
      ],
      [() => looks++ > 150, () => control.requestStop('shutdown')],
    )
    drain(thread(0, null).handle, silent.handle, speaking.handle)
    expect([silent.state(), speaking.state()]).toEqual([LaneState.left, LaneState.left])
  })
})

describe('threads the system tells about', () => {
  it('what a thread had just begun when it ended stays listed as open', () => {
    const gone = thread(1, { id: nativeThread().id, startTicks: 1 })
    const cells = new Float64Array(gone.handle.memory, openCallsAt(RING_BYTES).stack, CELLS_PER_CALL)
    cells[OpenCell.CALL] = 7
    cells[OpenCell.MARK] = -1
    // So young that it is not worth a look by itself, however long the writer takes.
    cells[OpenCell.START] = 1e9
    gone.i32[LaneI32.OPEN_DEPTH] = 1
    script([() => gone.state() === LaneState.closed, () => control.requestStop('shutdown')])
    drain(thread(0, null).handle, gone.handle)
    const db = new Database(store, { readonly: true })
    const rows = db.prepare('SELECT ring, call, depth FROM in_flight').all()
    db.close()
    expect(rows).toEqual([{ ring: 1, call: 7, depth: 0 }])
  })

  it('a lane is not closed while its thread lives, and is closed for good once it is gone', () => {
    const alive = thread(1, nativeThread())
    // No thread ever had these.
    const gone = thread(2, { id: nativeThread().id, startTicks: 1 })
    for (const { call, fail } of [alive, gone]) {
      call()
      fail()
    }
    // Torn: it had its number, and its thread ended.
    gone.f64[LaneF64.CALLS_PRODUCED]++
    // Written, and the thread ended before it could say so.
    gone.i32[LaneI32.JOURNAL_SEGMENT] = 0
    gone.f64[LaneF64.ERRORS_JOURNALED]--
    script([() => gone.state() === LaneState.closed, () => control.requestStop('shutdown')])
    drain(thread(0, null).handle, alive.handle, gone.handle)
    expect(alive.state()).toBe(LaneState.left)
    const account = readStore(store)
    expect(account.errors).toHaveLength(2)
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
    expect(account.lanes.filter(({ ring }) => ring === 2)).toMatchObject([
      { produced: 2, stored: 1, dropped: { writer_lost: 1 } },
      { produced: 1, stored: 1, dropped: {} },
    ])
    expect(journals()).toEqual([`calls.db.errors-${BOOT}-1-1`])
    // A closed lane is not drained again, whoever announces it.
    expect(control.lanes).toBe(2)
  })

  it('the end finds a thread that has ended while the lanes of others were being closed', () => {
    const gone = [1, 2].map(ring => thread(ring, { id: nativeThread().id, startTicks: 1 }))
    const native = { ...nativeThread() }
    const last = thread(3, native)
    for (const { fail } of [...gone, last]) fail()
    let between: unknown[] = []
    script([
      () => gone[0]?.state() === LaneState.closed,
      () => {
        between = [gone[1]?.state(), last.state()]
        native.startTicks = 1
        control.requestStop('processEnd')
      },
    ])
    drain(thread(0, null).handle, ...[...gone, last].map(({ handle }) => handle))
    expect(between, 'the stop comes between two closings').toEqual([LaneState.adopted, LaneState.adopted])
    expect(control.lanes).toBe(1)
    expect(journals()).toEqual([])
    expect(readStore(store).errors).toHaveLength(3)
  })
})

describe('a program that never stops recording', () => {
  /** More than two batches. */
  const LARGE_RING_BYTES = 1024 ** 2

  /** After each batch the ring is full again; then comes `more`. */
  function flood(ringBytes: number, more: (stored: number) => void): LaneHandle {
    const owner = thread(0, null, ringBytes)
    const { f64 } = owner
    let consumed = -1
    clock.onLook = () => {
      if (f64[LaneF64.CALLS_CONSUMED] !== consumed) {
        consumed = f64[LaneF64.CALLS_CONSUMED] as number
        for (let before = -1; f64[LaneF64.CALLS_PUBLISHED] !== before; ) {
          before = f64[LaneF64.CALLS_PUBLISHED] as number
          owner.call()
        }
      }
      more(f64[LaneF64.CALLS_STORED] as number)
    }
    return owner.handle
  }

  /** Retention that always has more to do: how many slices it was asked for, and of how many rows they may be. */
  function endlessRetention(): { slices: number; rows: number } {
    const asked = { slices: 0, rows: 0 }
    vi.spyOn(Retention.prototype, 'sweepSlice').mockImplementation((_, rows) => {
      asked.slices++
      asked.rows += rows
      return { more: true, expired: 0, deleted: rows, bytesBefore: 0, bytesAfter: 0 }
    })
    return asked
  }

  it('does not outgrow the limit of the store: its size is looked at between the intervals', () => {
    maxBytes = 1024 ** 2
    let largest = 0
    const handle = flood(RING_BYTES, stored => {
      clock.aheadMs += 5
      largest = Math.max(largest, statSync(store, { throwIfNoEntry: false })?.size ?? 0)
      if (stored > 30_000) control.requestStop('shutdown')
    })
    drain(handle)
    expect(imbalances(readStore(store))).toEqual([0, 0])
    const db = new Database(store, { readonly: true })
    const expired = db.prepare('SELECT rows FROM expired').pluck().get() as number
    db.close()
    expect(expired).toBeGreaterThan(10_000)
    expect(largest).toBeLessThan(1.5 * maxBytes)
  })

  it('is kept pace with: slices may delete more than is stored between them', () => {
    const asked = endlessRetention()
    let storedBefore = 0
    let storedAtLast = 0
    const handle = flood(LARGE_RING_BYTES, stored => {
      storedAtLast = stored
      if (asked.slices === 0) {
        clock.aheadMs += 1_000
        storedBefore = stored
      }
      if (stored > storedBefore + 100_000) control.requestStop('shutdown')
    })
    drain(handle)
    expect(asked.rows).toBeGreaterThan(storedAtLast - storedBefore)
  })

  it('does not wait at one go for the deletion of all that came in the interval before', () => {
    const asked = endlessRetention()
    let [storedThen, slicesThen, most] = [0, 0, 0]
    const handle = flood(LARGE_RING_BYTES, stored => {
      if (asked.slices === 0 && stored > 60_000) clock.aheadMs += 60_000
      if (stored !== storedThen) [storedThen, slicesThen] = [stored, asked.slices]
      most = Math.max(most, asked.slices - slicesThen)
      if (asked.slices > 20) control.requestStop('shutdown')
    })
    drain(handle)
    // Five batches of 4,000 records, and slices of as many for 1.5 times that.
    expect(most).toBeLessThan(10)
  })

  it('does not ask retention that fails again and again, however large the store is', () => {
    maxBytes = 64 * 1024
    let asked = 0
    vi.spyOn(Retention.prototype, 'sweepSlice').mockImplementation(() => {
      asked++
      throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' })
    })
    let untilMs = Number.POSITIVE_INFINITY
    const handle = flood(LARGE_RING_BYTES, () => {
      if (asked > 0) untilMs = Math.min(untilMs, clock.aheadMs + 5_000)
      clock.aheadMs += 20
      if (clock.aheadMs > untilMs) control.requestStop('shutdown')
    })
    drain(handle)
    expect(asked).toBe(1)
    expect(imbalances(readStore(store))).toEqual([0, 0])
  })
})

describe('a writer nobody waits for any more', () => {
  it('commits nothing: what its owner has saved stays the only copy', () => {
    const owner = thread(0, null)
    owner.call()
    owner.fail()
    const touch = StoreWriter.prototype.touchProcess
    vi.spyOn(StoreWriter.prototype, 'touchProcess').mockImplementation(function (this: StoreWriter, ...args) {
      // The batch is read; at this moment the owner's time runs out.
      if (!control.givenUp) {
        control.giveUp()
        owner.producer.saveRing()
      }
      return touch.apply(this, args)
    })
    drain(owner.handle)
    const account = readAccount(owner.f64, control.f64)
    expect(account).toMatchObject({ balanced: true, calls: { stored: 0, inRing: 1, inJournal: 0 } })
    expect(account.errors).toMatchObject({ stored: 0, inJournal: 1 })
    expect(readStore(store).calls).toEqual([])
    expect(control.writerState).toBe('failed')
  })
})
