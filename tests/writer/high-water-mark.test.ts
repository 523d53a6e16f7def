import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Control } from '../../lib/queue/control.js'
import { LaneF64 } from '../../lib/queue/layout.js'
import { HighWaterMark } from '../../lib/writer/high-water-mark.js'
import { Lanes } from '../../lib/writer/lanes.js'
import { tempFolder } from '../store/temp-store.js'
import { BOOT, recordingThread } from '../support/writer-scene.js'

it('is reached when what was there is dealt with, in every ring and journal, whatever has come since', () => {
  const storePath = join(tempFolder(), 'calls.db')
  const control = new Control()
  const threads = [0, 1].map(ring => recordingThread({ storePath, control, ring }))
  const lanes = new Lanes(BOOT, control)
  for (const { handle } of threads) lanes.adopt(handle)
  expect(new HighWaterMark(lanes).isReached).toBe(true)
  for (const { call, fail } of threads) {
    call()
    fail()
  }
  const mark = new HighWaterMark(lanes)
  const reached: boolean[] = []
  for (const { f64, call } of threads) {
    for (const word of [LaneF64.CALLS_CONSUMED, LaneF64.ERRORS_REPLAYED]) {
      call()
      reached.push(mark.isReached)
      f64[word] = 1
    }
  }
  expect(reached).toEqual([false, false, false, false])
  expect(mark.isReached).toBe(true)
  expect(new HighWaterMark(lanes).isReached).toBe(false)
})
