import { mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { JOURNAL_FRAME_OFFSET, Journal } from '../../lib/queue/journal.js'
import { journalPath } from '../../lib/queue/journal-format.js'
import { Frame, FrameKind, LaneI32 } from '../../lib/queue/layout.js'
import { newLaneMemory } from '../../lib/queue/producer.js'
import { Totals } from '../../lib/totals/totals.js'
import { JournalTail } from '../../lib/writer/journal-tail.js'
import { LaneView } from '../../lib/writer/lane.js'

const BOOT = '0123456789abcdef'
const RING_BYTES = 64 * 1024
let folder: string
let store: string
let journal: Journal
let lane: LaneView
let tail: JournalTail
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-tail-'))
  store = join(folder, 'store', 'calls.db')
  const identity = { boot: BOOT, ring: 0, pid: 1, startTicks: 0, originUnixUs: 0 }
  journal = new Journal(store, identity, () => 'site', 32 * 1024)
  lane = new LaneView({
    ring: 0,
    memory: newLaneMemory(RING_BYTES, 0),
    ringBytes: RING_BYTES,
    totals: new Totals(2).memory,
  })
  tail = new JournalTail(lane, store, BOOT)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function append(...seqs: number[]): void {
  for (const seq of seqs) {
    const frame = journal.buffer.subarray(JOURNAL_FRAME_OFFSET)
    frame.writeUInt32LE(96, Frame.SIZE)
    frame.writeUInt32LE(FrameKind.record, Frame.META)
    frame.writeDoubleLE(seq, Frame.SEQ)
    expect(journal.append(96, 0, 0)).toBe(true)
    Atomics.store(lane.i32, LaneI32.JOURNAL_SEGMENT, journal.segment)
  }
}

function nextSegment(): void {
  journal.close()
}

function read(from: JournalTail = tail): number[] {
  const seqs: number[] = []
  for (let entry = from.next(); entry !== null; entry = from.next()) {
    if (entry.kind === 'record') seqs.push(entry.view.getFloat64(entry.offset + Frame.SEQ, true))
  }
  return seqs
}

const stored = (count: number) => ({ replayed: count, stored: count, poison: 0 })

describe('the journal of a living thread', () => {
  it('keeps a segment that cannot be opened now: it is neither passed over nor removed', () => {
    append(1, 2)
    nextSegment()
    append(3)
    const path = journalPath(store, BOOT, 0, 1)
    renameSync(path, `${path}.away`)
    symlinkSync(path, path)
    expect(read()).toEqual([])
    tail.commit(stored(0))
    tail.confirm()
    rmSync(path)
    renameSync(`${path}.away`, path)
    expect(read()).toEqual([1, 2, 3])
  })

  it('does not begin again when a batch finds nothing to read after one that failed', () => {
    append(1, 2)
    expect(read()).toEqual([1, 2])
    tail.commit(stored(2))
    const path = journalPath(store, BOOT, 0, 1)
    const later = new JournalTail(lane, store, BOOT)
    renameSync(path, `${path}.away`)
    symlinkSync(path, path)
    expect(read(later)).toEqual([])
    later.commit(stored(0))
    rmSync(path)
    renameSync(`${path}.away`, path)
    append(3)
    expect(read(later)).toEqual([3])
  })

  it('is read to its end after its folder was removed, and goes on in the next segment', () => {
    append(1)
    expect(read()).toEqual([1])
    tail.commit(stored(1))
    rmSync(join(folder, 'store'), { recursive: true })
    append(2)
    tail.rewind()
    journal.leaveLostSegment()
    append(3)
    expect(read()).toEqual([2, 3])
  })

  it('gives a segment again whose folder was removed while reading had gone on to the next', () => {
    append(1)
    expect(read()).toEqual([1])
    tail.commit(stored(1))
    tail.confirm()
    rmSync(join(folder, 'store'), { recursive: true })
    append(2)
    journal.leaveLostSegment()
    append(3)
    expect(read()).toEqual([2, 3])
    tail.commit(stored(2))
    expect(tail.resend()).toEqual(stored(2))
    expect(read()).toEqual([2, 3])
    tail.commit(stored(2))
    tail.confirm()
    append(4)
    expect(read()).toEqual([4])
    tail.rewind()
    expect(read()).toEqual([4])
  })

  it('gives again what was stored since the store was last seen, over segments, and only that', () => {
    append(1)
    expect(read()).toEqual([1])
    tail.commit(stored(1))
    tail.confirm()
    append(2)
    expect(read()).toEqual([2])
    tail.commit(stored(1))
    nextSegment()
    append(3, 4)
    expect(read()).toEqual([3, 4])
    tail.commit({ replayed: 2, stored: 1, poison: 1 })
    expect(tail.resend()).toEqual({ replayed: 3, stored: 2, poison: 1 })
    expect(read()).toEqual([2, 3, 4])
    tail.rewind()
    expect(read()).toEqual([2, 3, 4])
    tail.commit(stored(3))
    tail.confirm()
    expect(tail.resend()).toEqual(stored(0))
    expect(read()).toEqual([])
  })
})
