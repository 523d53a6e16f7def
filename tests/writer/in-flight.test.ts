import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configure, monitor, shutdown } from 'callsight'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { live } from '../../dist/monitor/recording.js'
import type { Database } from '../../lib/store/driver.js'
import type { StoreWriter } from '../../lib/store/insert.js'
import { InFlightRows } from '../../lib/store/insert-in-flight.js'
import { InFlight } from '../../lib/writer/in-flight.js'
import { LaneView } from '../../lib/writer/lane.js'
import { NEWEST_PENDING, OLDEST_PENDING } from '../../lib/writer/open-calls.js'
import { all, column, registerProcess, tempStore } from '../store/temp-store.js'

const RING_BYTES = 64 * 1024
const folder = mkdtempSync(join(tmpdir(), 'callsight-in-flight-'))
configure({ store: { path: join(folder, 'calls.db') }, writer: { ringBytes: RING_BYTES } })
afterAll(async () => {
  await shutdown()
  rmSync(folder, { recursive: true, force: true })
})

const settle: (() => void)[] = []
const wait = monitor((_: number) => new Promise<void>(resolve => settle.push(resolve)), { name: 'wait' })
const untimed = monitor((_: number) => new Promise<void>(resolve => settle.push(resolve)), {
  name: 'untimed',
  timing: 'sampled',
  sample: 0,
})
async function settleAll(): Promise<void> {
  for (const end of settle.splice(0)) end()
  await new Promise(setImmediate)
}

/** The memory of this thread, as if it were that of a thread with this ring. */
function laneOf(ring: number): LaneView {
  if (live.recording === null) throw new Error('not recording')
  const { producer, totals } = live.recording
  const memory = producer.slots.cells.buffer as SharedArrayBuffer
  return new LaneView({ ring, memory, ringBytes: RING_BYTES, totals: totals.memory })
}

let db: Database
let writer: StoreWriter
let processId: number
let lane: LaneView
let inFlight: InFlight
/** Milliseconds that have passed since the first look. */
let afterMs: number
let beganMs: number
function nowUs(): number {
  if (beganMs === -1) beganMs = performance.timeOrigin + performance.now()
  return (beganMs + afterMs) * 1000
}
const isNews = (): boolean => inFlight.isNews([lane], afterMs, nowUs())

function look(alone = false, lanes = [lane]): void {
  writer.begin()
  inFlight.write(lanes, afterMs, nowUs(), alone)
  writer.commit()
  inFlight.commit()
}
const listed = (): unknown[] => column(db, 'SELECT args FROM in_flight ORDER BY call')

beforeEach(async () => {
  monitor(() => {}, { name: 'first' })()
  await settleAll()
  ;({ db, writer } = tempStore())
  processId = registerProcess(writer)
  lane = laneOf(0)
  inFlight = new InFlight(writer, new InFlightRows(db, processId))
  afterMs = 0
  beganMs = -1
})

describe('what is written of calls in flight', () => {
  it('a call is worth a transaction of its own once it is open for an interval, its end is at once', async () => {
    wait(1)
    expect(isNews(), 'it may end soon').toBe(false)
    afterMs = 101
    expect(isNews()).toBe(true)
    look(true)
    expect(listed()).toEqual(['[1]'])
    afterMs = 5_000
    expect(isNews(), 'nothing has changed').toBe(false)
    await settleAll()
    afterMs = 5_050
    expect(isNews(), 'not looked at so soon again').toBe(false)
    afterMs = 5_101
    expect(isNews()).toBe(true)
    look(true)
    expect(listed()).toEqual([])
    expect(all(db, 'SELECT open, listed FROM in_flight_looks')).toEqual([{ open: 0, listed: 0 }])
    afterMs = 10_000
    expect(isNews()).toBe(false)
  })

  it('a short call comes with a batch; alone it would have to be taken out again and again', () => {
    wait(1)
    look(true)
    expect(listed()).toEqual([])
    expect(all(db, 'SELECT open, listed FROM in_flight_looks')).toEqual([{ open: 1, listed: 0 }])
    afterMs = 150
    wait(2)
    look(false)
    expect(listed()).toEqual(['[1]', '[2]'])
  })

  it('a flood of batches is looked at once in an interval', () => {
    look()
    wait(1)
    afterMs = 99
    look()
    expect(listed()).toEqual([])
    afterMs = 100
    look()
    expect(listed()).toEqual(['[1]'])
  })

  it('what was rolled back is written with the next batch', () => {
    wait(1)
    writer.begin()
    inFlight.write([lane], afterMs, nowUs(), false)
    writer.rollback()
    inFlight.rollback()
    expect(listed()).toEqual([])
    look()
    expect(listed()).toEqual(['[1]'])
    expect(column(db, 'SELECT count(*) FROM functions')).toEqual([1])
  })

  it('a new session goes on from what the file says, with the time at which a call without a clock was first seen', async () => {
    wait(1)
    untimed(2)
    look()
    const before = all(db, 'SELECT * FROM in_flight')
    expect(before).toMatchObject([{ timed: 1 }, { timed: 0, started_us: Math.round(nowUs()) }])
    afterMs = 2_000
    inFlight = new InFlight(writer, new InFlightRows(db, processId))
    expect(isNews()).toBe(false)
    look()
    expect(all(db, 'SELECT * FROM in_flight')).toEqual(before)
    await settleAll()
    afterMs = 4_000
    inFlight = new InFlight(writer, new InFlightRows(db, processId))
    expect(isNews()).toBe(true)
    look()
    expect(listed()).toEqual([])
  })

  it('rows that retention has deleted come back', () => {
    wait(1)
    look()
    db.exec('DELETE FROM in_flight')
    inFlight.reload()
    afterMs = 1_000
    look()
    expect(listed()).toEqual(['[1]'])
  })

  it('a row that does not say what is in memory is put right by the next look', () => {
    wait(1)
    look()
    const before = all(db, 'SELECT * FROM in_flight')
    const { cells, first } = live.recording?.producer.slots ?? { cells: new Float64Array(), first: 0 }
    const at = cells.length > 0 ? cells.findIndex((value, cell) => cell % 8 === 1 && value > 0) - 1 : first
    // As if the look before had read a torn call.
    for (const [column, cell, wrong] of [
      ['started_us', 0, 17],
      ['trace', 2, 17],
      ['parent', 3, 17],
    ] as const) {
      const right = cells[at + cell] as number
      cells[at + cell] = wrong
      afterMs += 100
      expect(isNews(), column).toBe(true)
      look()
      expect(all(db, 'SELECT * FROM in_flight'), column).not.toEqual(before)
      cells[at + cell] = right
      afterMs += 100
      expect(isNews(), column).toBe(true)
      look()
      expect(all(db, 'SELECT * FROM in_flight'), column).toEqual(before)
      afterMs += 100
      expect(isNews(), column).toBe(false)
    }
  })

  it('a call of which the same transaction stores a record is taken off, whether it is time to look or not', () => {
    wait(1)
    wait(2)
    look()
    const [{ call }] = all(db, 'SELECT call FROM in_flight ORDER BY call') as [{ call: number }]
    const store = (how: 'commit' | 'rollback', withLook: boolean): void => {
      writer.begin()
      inFlight.endsOf(lane)(call)
      inFlight.endsOf(lane)(call)
      if (withLook) inFlight.writeNow([lane], nowUs())
      writer[how]()
      inFlight[how]()
    }
    store('rollback', true)
    store('rollback', false)
    expect(listed()).toEqual(['[1]', '[2]'])
    store('commit', false)
    expect(listed()).toEqual(['[2]'])
    expect(all(db, 'SELECT open, listed FROM in_flight_looks')).toEqual([{ open: 1, listed: 1 }])
  })

  it('one look adds a bounded number of calls, of all threads together; the next adds the rest', () => {
    const pending = OLDEST_PENDING + NEWEST_PENDING
    for (let n = 0; n < pending; n++) wait(n)
    const lanes = [0, 1, 2, 3].map(laneOf)
    look(false, lanes)
    const perRing = 'SELECT count(*) FROM in_flight GROUP BY ring ORDER BY ring'
    expect(column(db, perRing)).toEqual([pending, pending, 512 - 2 * pending])
    expect(column(db, 'SELECT listed FROM in_flight_looks ORDER BY ring')).toEqual([192, 192, 128, 0])
    afterMs = 100
    look(false, lanes)
    expect(column(db, perRing)).toEqual([192, 192, 192, 192])
  })
})
