import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { resolveSettings } from '../../lib/config/resolve.js'
import { closeLane } from '../../lib/queue/account.js'
import { takeAnchor } from '../../lib/queue/clock.js'
import { Control } from '../../lib/queue/control.js'
import { JournalBudget } from '../../lib/queue/journal-budget.js'
import { ControlI32, DROP_WORDS_PER_LANE, Drop, Lane, LaneF64, LaneI32 } from '../../lib/queue/layout.js'
import type { ProducedSite } from '../../lib/queue/produced-site.js'
import { newLaneMemory } from '../../lib/queue/producer.js'
import { RecordingLane } from '../../lib/threads/recording-lane.js'

const KIB = 1024

function threads(maxBytes: number, count: number) {
  const control = new Control()
  const lanes = Array.from({ length: count }, () => {
    const memory = newLaneMemory(64 * KIB, 0)
    return {
      budget: new JournalBudget(control.memory, memory, maxBytes),
      words: { i32: new Int32Array(memory), f64: new Float64Array(memory) },
    }
  })
  return { control, lanes }
}

describe('the limit on the journals of a process', () => {
  it('is that of all threads together: short from half of it on, then none', () => {
    const { lanes } = threads(100 * KIB, 2)
    const [a, b] = lanes.map(({ budget }) => budget)
    a?.report(20 * KIB)
    b?.report(20 * KIB)
    expect(a?.room).toBe('free')
    b?.report(30 * KIB)
    expect([a?.room, b?.room]).toEqual(['short', 'short'])
    a?.report(70 * KIB)
    expect([a?.room, b?.room]).toEqual(['none', 'none'])
    a?.report(0)
    expect([a?.room, b?.room]).toEqual(['free', 'free'])
  })

  it('is free of a thread that has ended, when its lane is closed', () => {
    const { control, lanes } = threads(100 * KIB, 2)
    lanes[0]?.budget.report(100 * KIB)
    expect(lanes[1]?.budget.room).toBe('none')
    if (lanes[0] !== undefined) closeLane(control, lanes[0].words)
    expect(lanes[1]?.budget.room).toBe('free')
  })

  it('is none by default', () => {
    const { lanes } = threads(Number.POSITIVE_INFINITY, 1)
    lanes[0]?.budget.report(2 ** 40)
    expect(lanes[0]?.budget.room).toBe('free')
  })
})

describe('threads that share the limit', () => {
  const JOURNAL_FULL = LaneF64.PRODUCER_DROPS + Lane.errors * DROP_WORDS_PER_LANE + Drop.journalFull

  function recording(count: number, maxBytes: number) {
    const folder = mkdtempSync(join(tmpdir(), 'callsight-budget-'))
    const { settings } = resolveSettings({ store: { path: join(folder, 'calls.db'), maxBytes } })
    const owner = { boot: '0123456789abcdef', control: new Control(), anchor: takeAnchor() }
    const lanes = Array.from({ length: count }, (_, n) => {
      // Threads of one test: each has a store of its own, so that their files have names of their own.
      const at = { ...settings, storePath: join(folder, `calls-${n}.db`) }
      return new RecordingLane(at, owner, null)
    })
    return { lanes, control: owner.control, dispose: () => rmSync(folder, { recursive: true, force: true }) }
  }

  function fail(lane: RecordingLane): void {
    const id = lane.totals.register('failing')
    const site = { id, captureArgs: 'none', captureResult: 'none' } as unknown as ProducedSite
    const facts = { flags: 1, startMs: 1, durationMs: 1, call: 1, trace: 1, parent: 0 }
    lane.producer.recordError(site, facts, -1, null, null, new Error('x'.repeat(500)), 1)
  }

  /** What the writer says when it has stored everything. */
  function covered(lane: RecordingLane): void {
    const { f64, i32 } = lane
    f64[LaneF64.ERRORS_REPLAYED] = f64[LaneF64.ERRORS_JOURNALED]
    f64[LaneF64.JOURNAL_COVERED_SEGMENT] = i32[LaneI32.JOURNAL_SEGMENT] as number
    f64[LaneF64.JOURNAL_COVERED_BYTES] = 1024 ** 2
  }

  it('a store that works again takes errors of all of them, whoever filled the journals', () => {
    const { lanes, control, dispose } = recording(10, 1024 ** 2)
    try {
      const [busy, ...idle] = lanes
      if (busy === undefined) throw new Error('there is one')
      while (Atomics.load(control.i32, ControlI32.JOURNAL_KIB) < 1024) for (const lane of idle) fail(lane)
      fail(busy)
      expect(busy.f64[JOURNAL_FULL]).toBe(1)
      // Everything is stored. The others have no more errors, and none of their segments is full.
      for (const lane of lanes) covered(lane)
      for (const lane of idle) lane.producer.tend()
      const shrunk = busy.f64[LaneF64.ERRORS_SHRUNK] as number
      fail(busy)
      expect(busy.f64[JOURNAL_FULL], 'none is dropped any more').toBe(1)
      expect(busy.f64[LaneF64.ERRORS_JOURNALED]).toBe(1)
      expect(busy.f64[LaneF64.ERRORS_SHRUNK], 'and none is cut').toBe(shrunk)
    } finally {
      dispose()
    }
  })
})
