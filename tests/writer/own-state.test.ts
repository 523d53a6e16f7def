import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Control } from '../../lib/queue/control.js'
import { ControlI32 } from '../../lib/queue/layout.js'
import { nativeThread, threadCpuMs } from '../../lib/queue/process-identity.js'
import type { LaneView } from '../../lib/writer/lane.js'
import { OwnState } from '../../lib/writer/own-state.js'

const clock = vi.hoisted(() => ({ ms: 0 }))
vi.mock('../../lib/queue/clock.js', async original => ({
  ...(await original<typeof import('../../lib/queue/clock.js')>()),
  monotonicMs: () => clock.ms,
}))

const SETTINGS = { retentionMs: 6.4, maxBytes: 1_000 }
const NOBODY = { id: 0, startTicks: 0 }
let control: Control
let state: OwnState
beforeEach(() => {
  clock.ms = 5_000
  control = new Control()
  state = new OwnState(control, SETTINGS, NOBODY)
})

/** A ring as the writer finds it, and as it leaves it. */
const ring = (pendingBytes: number, ringBytes: number, unreadBytes = 0) =>
  ({ ringBytes, consumer: { pendingBytes, unreadBytes } }) as LaneView

function write(lanes: LaneView[], withTotals = false) {
  for (const lane of lanes) state.look(lane)
  const row = state.stage(lanes, 1_000.5, withTotals)
  state.commit()
  return row
}

describe('what the writer says of itself', () => {
  it('is said at the first batch, then once a second', () => {
    expect(write([ring(8, 64)])).toMatchObject({
      writtenUs: 1_000,
      capacityBytes: 64,
      batches: 1,
      retentionMs: 6,
      maxBytes: 1_000,
      openedUs: null,
    })
    clock.ms += 999
    expect(write([ring(8, 64)], true)).toBeNull()
    clock.ms += 1
    expect(write([ring(8, 64)])).not.toBeNull()
    expect(write([ring(8, 64)])).toBeNull()
  })

  it('is said again at once when the breaker has moved, when the queue has run empty, and in another file', () => {
    write([ring(48, 64, 40)])
    expect(write([ring(40, 64, 32)], true)).toBeNull()
    expect(write([ring(32, 64)])).toBeNull()
    expect(write([ring(0, 64)], true)).toMatchObject({ queueBytes: 0 })
    control.i32[ControlI32.BREAKER_STATE] = 2
    expect(write([ring(0, 64)])).toMatchObject({ breaker: 2 })
    state.forget()
    expect(write([ring(0, 64)])).not.toBeNull()
  })

  it('is not taken for said when the batch was not committed', () => {
    expect(state.stage([], 1, false)).not.toBeNull()
    expect(state.stage([], 1, false)).not.toBeNull()
  })

  it('knows the fullest ring by its share, also after the death of the writer thread', () => {
    write([ring(30, 64), ring(50, 128)])
    state = new OwnState(control, SETTINGS, NOBODY)
    expect(write([ring(40, 128, 8), ring(8, 64, 8)])).toMatchObject({
      queueBytes: 16,
      capacityBytes: 192,
      highestBytes: 30,
      highestOfBytes: 64,
    })
    state.forget()
    expect(write([ring(500, 64)])).toMatchObject({ highestBytes: 64, highestOfBytes: 64 })
  })

  it('leaves out what the system does not tell', () => {
    expect(write([])).toMatchObject({ writerCpuMs: null })
  })

  it.runIf(process.platform === 'linux')('adds the processor time of all its threads', () => {
    const own = nativeThread()
    const before = threadCpuMs(own) ?? Number.NaN
    expect(before).toBeGreaterThan(0)
    while ((threadCpuMs(own) ?? 0) < before + 20);
    state = new OwnState(control, SETTINGS, own)
    const first = write([])?.writerCpuMs ?? Number.NaN
    expect(first).toBeGreaterThanOrEqual(before + 20)
    // As if the thread after it had taken as much.
    state = new OwnState(control, SETTINGS, own)
    expect(write([])?.writerCpuMs).toBeGreaterThanOrEqual(2 * first)
  })
})
