import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { monotonicMs, threadOriginUs } from '../../lib/queue/clock.js'

describe('the clock of a thread', () => {
  it("counts from the main thread's anchor, however long ago that was taken and whatever the wall clock says", () => {
    const anchor = { unixUs: 1_000_000_000_000_000, monotonicMs: monotonicMs() - 3_600_000 }
    const nowUs = threadOriginUs(anchor) + performance.now() * 1000
    expect(Math.round((nowUs - anchor.unixUs) / 1e6)).toBeGreaterThanOrEqual(3_600)
    expect((nowUs - anchor.unixUs) / 1e6).toBeLessThan(3_660)
  })
})

describe('the clock of the process', () => {
  it('goes on when a test framework has stopped the one the app sees', async () => {
    vi.useFakeTimers({ toFake: ['hrtime', 'performance'] })
    try {
      const seen = process.hrtime.bigint()
      const before = monotonicMs()
      await pause(5)
      expect(process.hrtime.bigint()).toBe(seen)
      expect(monotonicMs()).toBeGreaterThan(before)
    } finally {
      vi.useRealTimers()
    }
  })
})
