import { beforeEach, describe, expect, it } from 'vitest'
import { CommonClock } from '../../lib/store/common-clock.js'
import type { StoreWriter } from '../../lib/store/insert.js'
import { registerProcess, T0_US, tempStore } from './temp-store.js'

const DAY_US = 86_400_000_000
const MINUTE_MS = 60_000

describe('the time by which records are old, among processes of one file', () => {
  let writer: StoreWriter
  let clock: CommonClock
  let other: number
  beforeEach(() => {
    const made = tempStore()
    writer = made.writer
    clock = new CommonClock(made.db, registerProcess(writer, '00000000000000aa', T0_US))
    other = registerProcess(writer, '00000000000000bb', T0_US - DAY_US)
  })

  it('is that of a process whose clock is behind, as long as it writes', () => {
    for (let minute = 0; minute < 10; minute++) {
      const otherUs = T0_US - DAY_US + minute * MINUTE_MS * 1000
      writer.touchProcess(other, otherUs)
      expect(clock.earliestUs(T0_US + minute * MINUTE_MS * 1000, minute * MINUTE_MS)).toBe(otherUs)
    }
    expect(clock.earliestUs(T0_US, 12 * MINUTE_MS), 'silent for three minutes').toBe(T0_US)
  })

  it('is the own one when the other has ended, is ahead, or only has not been heard of for a moment', () => {
    writer.endProcess(other, T0_US - DAY_US, 'clean')
    expect(clock.earliestUs(T0_US, 0)).toBe(T0_US)
    registerProcess(writer, '00000000000000cc', T0_US + DAY_US)
    registerProcess(writer, '00000000000000dd', T0_US - 60_000_000)
    expect(clock.earliestUs(T0_US, 0)).toBe(T0_US)
  })

  it('is the own one once a process that was killed is known to be silent', () => {
    expect(clock.earliestUs(T0_US, 0)).toBe(T0_US - DAY_US)
    expect(clock.earliestUs(T0_US, 2 * MINUTE_MS)).toBe(T0_US)
  })
})
