import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { resolveSettings } from '../../lib/config/resolve.js'
import { takeAnchor } from '../../lib/queue/clock.js'
import { Control } from '../../lib/queue/control.js'
import { JournalReader } from '../../lib/queue/journal-reader.js'
import { Frame, LaneI32 } from '../../lib/queue/layout.js'
import { RecordingLane } from '../../lib/threads/recording-lane.js'
import { rescueRing, rescueRings } from '../../lib/writer/ring-rescue.js'

const boot = 'fedcba9876543210'
let folder: string
let lane: RecordingLane
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-rescue-'))
  const { settings } = resolveSettings({ store: { path: join(folder, 'calls.db') } })
  lane = new RecordingLane(settings, { boot, control: new Control(), anchor: takeAnchor() }, null)
  const site = lane.totals.register('rescued')
  const facts = { flags: 0, startMs: 1, durationMs: 1, call: 1, trace: 1, parent: 0 }
  for (let n = 0; n < 5; n++) lane.producer.recordHeader(site, facts)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Sequence numbers and call sites in all journals of the folder, in their order. */
function rescued(): (number | string)[] {
  const found: (number | string)[] = []
  for (const name of readdirSync(folder)) {
    const reader = JournalReader.open(join(folder, name))
    for (let entry = reader?.next(); entry; entry = reader?.next()) {
      if (entry.kind === 'damage') throw new Error('nothing is damaged')
      expect(entry.callsProduced).toBe(5)
      found.push(entry.kind === 'site' ? entry.name : entry.view.getFloat64(entry.offset + Frame.SEQ, true))
    }
    reader?.close()
  }
  return found
}

describe('the ring of a thread that cannot save it any more', () => {
  it('goes to a journal whose number its own thread does not come to', () => {
    Atomics.store(lane.i32, LaneI32.JOURNAL_SEGMENT, 7)
    rescueRings(boot, [lane.handle], 60_000)
    expect(rescued()).toEqual(['rescued', 1, 2, 3, 4, 5])
    const number = Number(/-(\d+)$/.exec(readdirSync(folder).map(name => basename(name))[0] ?? '')?.[1])
    expect(number).toBeGreaterThan(1_000)
  })

  it('a second time, after a full disk has ended the first one: into another file', () => {
    const filled = join(folder, `calls.db.errors-${boot}-${lane.handle.ring}-1001`)
    writeFileSync(filled, 'what came of the first try')
    expect(rescueRing(boot, lane.handle, Number.POSITIVE_INFINITY).complete).toBe(true)
    rmSync(filled)
    expect(rescued()).toEqual(['rescued', 1, 2, 3, 4, 5])
  })

  it('out of time: its newest record, which tells how many there were', () => {
    rescueRings(boot, [lane.handle], 0)
    expect(rescued()).toEqual(['rescued', 5])
  })

  it('an empty one leaves no file', () => {
    Atomics.store(lane.i32, LaneI32.HEAD, lane.i32[LaneI32.TAIL])
    rescueRings(boot, [lane.handle], 60_000)
    expect(readdirSync(folder)).toEqual([])
  })
})
