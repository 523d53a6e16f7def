import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, it } from 'vitest'
import { Journal } from '../../lib/queue/journal.js'
import { journalPath } from '../../lib/queue/journal-format.js'
import { DROP_REASONS, Drop, Frame, Lane, LaneF64, LaneI32 } from '../../lib/queue/layout.js'
import { newLaneMemory } from '../../lib/queue/producer.js'
import { Transcoder } from '../../lib/serialize/transcode.js'
import type { Database } from '../../lib/store/driver.js'
import type { StoreWriter } from '../../lib/store/insert.js'
import { Totals } from '../../lib/totals/totals.js'
import { FULL_BATCH, LaneBatch } from '../../lib/writer/batch.js'
import { JournalTail } from '../../lib/writer/journal-tail.js'
import { LaneView } from '../../lib/writer/lane.js'
import { RecordSink } from '../../lib/writer/record-sink.js'
import { all, column, registerProcess, tempStore } from '../store/temp-store.js'
import { errorFrame } from '../support/journal-maker.js'

const BOOT = '00000000000000aa'
const RING_BYTES = 64 * 1024
const NOW_US = Date.now() * 1000

let path: string
let db: Database
let store: StoreWriter
let processId: number
let journal: Journal
let lane: LaneView
let batch: LaneBatch
beforeEach(() => {
  const made = tempStore()
  path = made.path
  db = made.db
  store = made.writer
  processId = registerProcess(store, BOOT)
  const identity = { boot: BOOT, ring: 0, pid: 1, startTicks: 0, originUnixUs: NOW_US }
  journal = new Journal(path, identity, () => 'site', 60 * 1024)
  const totals = new Totals(2)
  totals.register('site')
  lane = new LaneView({
    ring: 0,
    memory: newLaneMemory(RING_BYTES, NOW_US),
    ringBytes: RING_BYTES,
    totals: totals.memory,
  })
  batch = newBatch()
})

/** What a writer thread begins with: the memory it shares with the producer, and what the file says. */
function newBatch(): LaneBatch {
  lane.processId = processId
  return new LaneBatch(
    lane,
    new JournalTail(lane, path, BOOT),
    store,
    new RecordSink(store, new Transcoder()),
    () => {},
  )
}

function append(n: number, frame = errorFrame(n, 0)): void {
  expect(journal.appendCopy(frame, 0, 0)).toBe(true)
  lane.f64[LaneF64.ERRORS_PRODUCED]++
  lane.f64[LaneF64.ERRORS_JOURNALED]++
  Atomics.store(lane.i32, LaneI32.JOURNAL_SEGMENT, journal.segment)
}

/** @param dies the writer ends after its COMMIT, before it could say so in shared memory */
function write(dies = false): void {
  store.begin()
  batch.write(FULL_BATCH, NOW_US)
  store.commit()
  if (!dies) batch.commit()
}

const seqs = () => column(db, 'SELECT seq FROM errors ORDER BY seq')
const poison = () => lane.f64[LaneF64.WRITER_DROPS + 16 * Lane.errors + Drop.poison]
const inJournal = () => lane.f64[LaneF64.ERRORS_JOURNALED] - lane.f64[LaneF64.ERRORS_REPLAYED]

function damage(n: number): void {
  const file = journalPath(path, BOOT, 0, 1)
  const bytes = readFileSync(file)
  bytes.writeUInt8(0, bytes.indexOf(`number ${n} is`))
  writeFileSync(file, bytes)
}

describe('row 16: the journal of a living thread is damaged', () => {
  it('what stands behind the damage is stored, what stood in it is counted and told, and nothing waits', () => {
    for (let n = 1; n <= 6; n++) append(n)
    damage(3)
    write()
    expect(seqs()).toEqual([1, 2, 4, 5, 6])
    // Only when another batch finds nothing more is it certain.
    expect([poison(), inJournal()]).toEqual([0, 1])
    write()
    expect([poison(), inJournal(), lane.pending]).toEqual([1, 0, false])
    expect(column(db, 'SELECT kind FROM incidents')).toEqual(['journal_damaged'])
    expect(all(db, 'SELECT reason, count FROM drops')).toEqual([
      { reason: DROP_REASONS[Drop.poison], count: 1 },
    ])
    append(7)
    write()
    expect(seqs()).toEqual([1, 2, 4, 5, 6, 7])
    expect(column(db, 'SELECT produced - stored FROM lanes WHERE lane = 1')).toEqual([1])
  })

  it('a file that was cut costs what was not stored yet; the errors behind the gap are stored', () => {
    append(1)
    write()
    append(2)
    truncateSync(journalPath(path, BOOT, 0, 1), 0)
    append(3)
    write()
    write()
    expect(seqs()).toEqual([1, 3])
    expect([poison(), inJournal()]).toEqual([1, 0])
  })

  it('an entry that is being written is waited for', () => {
    append(1)
    append(2)
    const file = journalPath(path, BOOT, 0, 1)
    const whole = readFileSync(file)
    truncateSync(file, statSync(file).size - 50)
    // As the reader may see it: the number of errors is raised only after the write.
    lane.f64[LaneF64.ERRORS_JOURNALED]--
    write()
    write()
    expect(seqs()).toEqual([1])
    writeFileSync(file, whole)
    lane.f64[LaneF64.ERRORS_JOURNALED]++
    write()
    expect(seqs()).toEqual([1, 2])
    expect([poison(), inJournal()]).toEqual([0, 0])
    expect(column(db, 'SELECT kind FROM incidents')).toEqual([])
  })

  it('an entry that is counted as damaged is not counted again after the writer died behind its COMMIT', () => {
    const spoilt = errorFrame(2, 0)
    spoilt[Frame.HEADER_BYTES] = 0xc1
    append(1)
    append(2, spoilt)
    append(3)
    write(true)
    batch = newBatch()
    const row = store.laneState(processId, 0, Lane.errors)
    lane.restore(Lane.errors, row?.stored ?? 0, { poison: 1 })
    append(4)
    write()
    expect(seqs()).toEqual([1, 3, 4])
    expect([poison(), inJournal()]).toEqual([1, 0])
    expect(all(db, 'SELECT produced, stored, dropped FROM lanes WHERE lane = 1')).toEqual([
      { produced: 4, stored: 3, dropped: '{"poison":1}' },
    ])
  })
})
