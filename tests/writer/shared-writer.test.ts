import { afterEach, describe, expect, it } from 'vitest'
import { resolveSettings } from '../../lib/config/resolve.js'
import { takeAnchor } from '../../lib/queue/clock.js'
import { Control } from '../../lib/queue/control.js'
import { LaneI32, LaneState } from '../../lib/queue/layout.js'
import { nativeThread } from '../../lib/queue/process-identity.js'
import { RecordingLane } from '../../lib/threads/recording-lane.js'
import { SharedWriter } from '../../lib/threads/shared-writer.js'
import { LaneListener } from '../../lib/writer/lane-channel.js'

const boot = 'fedcba9876543210'
const control = new Control()
const { settings } = resolveSettings({ store: { path: '/nowhere/calls.db' } })
const lane = new RecordingLane(settings, { boot, control, anchor: takeAnchor() }, nativeThread())
let heard = 0
const listener = new LaneListener(boot, ({ ring }) => {
  if (ring === lane.handle.ring) heard++
})
afterEach(() => listener.close())

describe('a thread that shares the writer', () => {
  it('announces its lane again until a writer drains it, and when it was given up', () => {
    const writer = new SharedWriter(settings, boot, lane, control, () => {})
    const tends = (state: number): number => {
      Atomics.store(lane.i32, LaneI32.STATE, state)
      heard = 0
      writer.tend()
      listener.receive()
      return heard
    }
    writer.start()
    listener.receive()
    expect(heard).toBe(1)
    expect(tends(LaneState.waiting)).toBe(1)
    expect(tends(LaneState.adopted)).toBe(0)
    expect(tends(LaneState.resting)).toBe(1)
    expect(tends(LaneState.closed)).toBe(0)
    expect(Atomics.load(lane.i32, LaneI32.HEARTBEAT)).toBe(4)
  })
})
