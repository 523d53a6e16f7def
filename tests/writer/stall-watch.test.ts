import { beforeEach, describe, expect, it } from 'vitest'
import { Control } from '../../lib/queue/control.js'
import { ControlF64, LaneF64, LaneI32 } from '../../lib/queue/layout.js'
import { newLaneMemory } from '../../lib/queue/producer.js'
import type { Database } from '../../lib/store/driver.js'
import type { StoreWriter } from '../../lib/store/insert.js'
import { StallRows } from '../../lib/store/insert-stalls.js'
import { Totals } from '../../lib/totals/totals.js'
import { LaneView } from '../../lib/writer/lane.js'
import { StallWatch } from '../../lib/writer/stall-watch.js'
import { all, registerProcess, T0_US, tempStore } from '../store/temp-store.js'

const RING_BYTES = 64 * 1024
const STEP_MS = 100

let nowMs: number
let control: Control
let lane: LaneView
let watch: StallWatch
let db: Database
let writer: StoreWriter
let rows: StallRows
let processId: number
const thresholdMs = 500

function newWatch(): StallWatch {
  const clock = { nowUs: () => T0_US + nowMs * 1000 }
  return new StallWatch({ control, clock, thresholdMs, pid: 0, lane: () => lane, nowMs: () => nowMs })
}

beforeEach(() => {
  nowMs = 10_000
  control = new Control()
  const memory = newLaneMemory(RING_BYTES, T0_US)
  lane = new LaneView({ ring: 0, memory, ringBytes: RING_BYTES, totals: new Totals(2).memory })
  ;({ db, writer } = tempStore())
  processId = registerProcess(writer)
  rows = new StallRows(db, processId)
  watch = newWatch()
})

const beat = (): void => {
  lane.f64[LaneF64.LOOP_BEAT_MS] = nowMs
}
/** Time passes, and the writer looks as often as it should. */
function passes(ms: number, turning = false): void {
  for (const endMs = nowMs + ms; nowMs < endMs; ) {
    nowMs += STEP_MS
    if (turning) beat()
    watch.tick()
  }
}
/** Time passes in which nobody runs. */
const stops = (ms: number): void => {
  nowMs += ms
}
function write(): void {
  writer.begin()
  watch.write(writer, rows)
  writer.commit()
  watch.commit()
}
function stored(): unknown[] {
  if (watch.isDirty) write()
  return all(
    db,
    `SELECT (started_us - ${T0_US}) / 1000 AS began, (seen_us - ${T0_US}) / 1000 AS seen,
       (ended_us - ${T0_US}) / 1000 AS ended, looks FROM stalls ORDER BY stall_id`,
  )
}

describe('the watch over an event loop', () => {
  it('finds one that is stuck for longer than the threshold, and when it turns again', () => {
    beat()
    passes(1_000, true)
    passes(500)
    expect(stored()).toEqual([])
    passes(300)
    expect(stored()).toEqual([{ began: 11_000, seen: 11_800, ended: null, looks: 3 }])
    expect(control.f64[ControlF64.STALLED_SINCE_MS]).toBe(11_000)
    beat()
    passes(100)
    expect(stored()).toEqual([{ began: 11_000, seen: 11_800, ended: 11_800, looks: 3 }])
    expect([control.f64[ControlF64.STALLS], control.f64[ControlF64.STALLED_MS]]).toEqual([1, 800])
    expect(control.f64[ControlF64.STALLED_SINCE_MS]).toBe(0)
  })

  it('watches nothing before the loop has said that it turns', () => {
    passes(5_000)
    expect(stored()).toEqual([])
  })

  it.each([
    ['just after the loop has turned', 0, true],
    ['long after the loop has turned', 100, false],
  ])('leaves out time in which it did not run itself, %s', (_, restMs, unseen) => {
    beat()
    passes(1_000, true)
    passes(restMs)
    if (unseen) beat()
    stops(60_000)
    watch.tick()
    passes(400)
    beat()
    passes(1_000, true)
    expect(stored()).toEqual([])
    expect(control.f64[ControlF64.STALLS]).toBe(0)
  })

  it('has two stalls when it did not run in the middle of one', () => {
    beat()
    passes(700)
    stops(60_000)
    watch.tick()
    passes(700)
    beat()
    passes(100)
    expect(stored()).toEqual([
      { began: 10_000, seen: 10_700, ended: 10_700, looks: 2 },
      { began: 70_700, seen: 71_400, ended: 71_400, looks: 2 },
    ])
    expect(control.f64[ControlF64.STALLED_MS]).toBe(1_400)
  })

  it('blames nobody for the end of the process', () => {
    beat()
    control.requestStop('processEnd')
    passes(2_000)
    expect(stored()).toEqual([])
  })

  it('keeps what could not be written, up to a limit', () => {
    beat()
    for (let stalls = 0; stalls < 20; stalls++) {
      passes(700)
      beat()
      passes(100, true)
    }
    expect(control.f64[ControlF64.STALLS]).toBe(20)
    expect(stored()).toHaveLength(16)
    expect(watch.isDirty).toBe(false)
  })

  it('writes again what was rolled back', () => {
    beat()
    passes(700)
    writer.begin()
    watch.write(writer, rows)
    writer.rollback()
    watch.rollback()
    expect(watch.isDirty).toBe(true)
    expect(stored()).toHaveLength(1)
  })

  it('a writer that is started again ends the stall that the one before has left open', () => {
    beat()
    passes(700)
    expect(stored()).toEqual([{ began: 10_000, seen: 10_700, ended: null, looks: 2 }])
    watch = newWatch()
    rows = new StallRows(db, processId)
    beat()
    passes(100, true)
    write()
    expect(stored()).toEqual([{ began: 10_000, seen: 10_700, ended: 10_700, looks: 2 }])
  })

  it.each([
    ['shutdown', 0],
    ['processEnd', null],
  ] as const)('at %s', (reason, ended) => {
    beat()
    passes(700)
    control.requestStop(reason)
    if (ended === null) Atomics.store(lane.i32, LaneI32.OPEN_DEPTH, 1)
    watch.finish(reason)
    expect(stored()).toEqual([
      { began: 10_000, seen: 10_700, ended: ended === null ? null : 10_700, looks: 2 },
    ])
  })
})
