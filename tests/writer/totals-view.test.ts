import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Drop } from '../../lib/queue/layout.js'
import { newLaneMemory } from '../../lib/queue/producer.js'
import type { Database } from '../../lib/store/driver.js'
import { StoreWriter } from '../../lib/store/insert.js'
import { openForWriting } from '../../lib/store/open.js'
import { BLOCK_BYTES, Block, HEADER_BYTES } from '../../lib/totals/layout.js'
import { Totals } from '../../lib/totals/totals.js'
import { LaneView } from '../../lib/writer/lane.js'
import { SecondSums } from '../../lib/writer/seconds.js'
import { TotalsView } from '../../lib/writer/totals-view.js'

const RING_BYTES = 64 * 1024
const MINUTE_US = 60_000_000
const SITES = 200
let folder: string
let open: Database[]
let totals: Totals
let lane: LaneView
let view: TotalsView
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-totals-'))
  open = []
  totals = new Totals(SITES)
  lane = new LaneView({
    ring: 0,
    memory: newLaneMemory(RING_BYTES, 0),
    ringBytes: RING_BYTES,
    totals: totals.memory,
  })
  view = new TotalsView(lane)
})
afterEach(() => {
  for (const db of open) db.close()
  rmSync(folder, { recursive: true, force: true })
})

interface File {
  readonly db: Database
  readonly store: StoreWriter
}

function session(name: string): File {
  const db = openForWriting(join(folder, name))
  open.push(db)
  const store = new StoreWriter(db)
  lane.processId = store.registerProcess({
    boot: '0123456789abcdef',
    pid: 1,
    script: '',
    host: '',
    nodeVersion: '',
    version: '',
    startedUs: 0,
  })
  view.reopen()
  return { db, store }
}

function snapshot({ store }: File, minute: number): void {
  snapshotAt(store, minute * MINUTE_US)
}

function snapshotAt(store: StoreWriter, nowUs: number): void {
  store.begin()
  write(store, nowUs)
  store.commit()
  view.commit(nowUs)
}

/** As a session writes them, in one transaction. */
function write(store: StoreWriter, nowUs: number): void {
  const seconds = new SecondSums()
  view.write(store, nowUs, seconds)
  seconds.write(store, lane.processId, nowUs)
}

function call(site: number, times: number, ms = 1): void {
  for (let n = 0; n < times; n++) totals.end(site, ms, false)
}

const minutes = ({ db }: File): unknown =>
  db
    .prepare(
      'SELECT minute, name, calls, duration_max_ns / 1e6 AS maxMs FROM totals JOIN functions USING (function_id) ORDER BY minute, name',
    )
    .all()

describe('totals of a store that was replaced', () => {
  it('hold what was counted since, not the whole life of the process in one minute', () => {
    const site = totals.register('a')
    const first = session('first.db')
    call(site, 100)
    totals.drop(site, 0)
    snapshot(first, 1)
    call(site, 7)
    const second = session('second.db')
    snapshot(second, 2)
    expect(minutes(second)).toMatchObject([{ minute: 2, calls: 7 }])
    expect(second.db.prepare('SELECT count(*) FROM drops').pluck().get()).toBe(0)
  })

  it('go on exactly when the same file is opened again, also after a batch that was not confirmed', () => {
    const site = totals.register('a')
    const first = session('first.db')
    call(site, 100)
    snapshot(first, 1)
    call(site, 5)
    first.store.begin()
    write(first.store, 2 * MINUTE_US)
    first.store.commit()
    const again = session('first.db')
    call(site, 1)
    snapshot(again, 3)
    expect(minutes(again)).toMatchObject([
      { minute: 1, calls: 100 },
      { minute: 2, calls: 5 },
      { minute: 3, calls: 1 },
    ])
  })
})

describe('the longest call of a minute', () => {
  it('is of that minute, whatever other functions were called in between', () => {
    const [a, b] = [totals.register('a'), totals.register('b')]
    const file = session('calls.db')
    call(a, 1, 10_000)
    snapshot(file, 1)
    call(a, 1, 3)
    snapshot(file, 2)
    for (const minute of [3, 4]) {
      call(b, 1, 5)
      snapshot(file, minute)
    }
    call(a, 1, 4)
    snapshot(file, 5)
    call(a, 1, 2)
    call(b, 1, 1)
    snapshot(file, 6)
    expect(minutes(file)).toEqual([
      { minute: 1, name: 'a', calls: 1, maxMs: 10_000 },
      { minute: 2, name: 'a', calls: 1, maxMs: 3 },
      { minute: 3, name: 'b', calls: 1, maxMs: 5 },
      { minute: 4, name: 'b', calls: 1, maxMs: 5 },
      { minute: 5, name: 'a', calls: 1, maxMs: 4 },
      { minute: 6, name: 'a', calls: 1, maxMs: 2 },
      { minute: 6, name: 'b', calls: 1, maxMs: 1 },
    ])
  })
})

describe('a call that ended while a snapshot was taken', () => {
  it('is whole after the next one, though no other call came', () => {
    const site = totals.register('a')
    const file = session('calls.db')
    const words = new Uint32Array(totals.memory)
    const word = (HEADER_BYTES + site * BLOCK_BYTES) >>> 2
    call(site, 1)
    // The first snapshot comes when the last call is counted, and nothing else of it.
    words[word]++
    snapshot(file, 1)
    words[word + (Block.ERRORS >>> 2)]++
    words[word + (Block.TIMED >>> 2)]++
    snapshot(file, 2)
    totals.keep(site)
    snapshot(file, 3)
    const sums = 'sum(calls) AS calls, sum(errors) AS errors, sum(timed) AS timed'
    const whole = { calls: 2, errors: 1, timed: 2 }
    expect(file.db.prepare(`SELECT ${sums}, sum(kept) AS kept FROM totals`).get()).toEqual({
      ...whole,
      kept: 1,
    })
    expect(file.db.prepare(`SELECT max(second) AS second, ${sums} FROM seconds`).get()).toEqual({
      second: 120,
      ...whole,
    })
  })
})

describe('seconds', () => {
  const SECOND_US = 1_000_000
  const sumsOf = ({ db }: File, table: 'totals' | 'seconds'): unknown =>
    db
      .prepare(
        `SELECT function_id, sum(calls) AS calls, sum(errors) AS errors, sum(timed) AS timed,
           sum(duration_sum_ns) AS ns FROM ${table} GROUP BY function_id ORDER BY function_id`,
      )
      .all()
  const rows = ({ db }: File): unknown[] =>
    db
      .prepare(
        `SELECT second, coalesce(name, '-') AS name, calls, errors FROM seconds
         LEFT JOIN functions USING (function_id) ORDER BY second, calls DESC`,
      )
      .all()

  it('add up to exactly what the totals say, function by function, over several threads and writers', () => {
    const [a, b] = [totals.register('a'), totals.register('b')]
    const other = new Totals(SITES)
    const otherLane = new LaneView({
      ring: 1,
      memory: newLaneMemory(RING_BYTES, 1),
      ringBytes: RING_BYTES,
      totals: other.memory,
    })
    const otherView = new TotalsView(otherLane)
    other.register('b')
    let file = session('calls.db')
    for (let n = 0; n < 40; n++) {
      call(a, n, 0.1 + n / 7)
      totals.end(b, -1, n % 3 === 0)
      other.end(0, n / 3, false)
      if (n % 10 === 9) {
        // A writer that died after its commit, and one that takes over.
        file.store.begin()
        write(file.store, n * 300_000)
        file.store.commit()
        file = session('calls.db')
        otherView.reopen()
        continue
      }
      otherLane.processId = lane.processId
      const seconds = new SecondSums()
      file.store.begin()
      view.write(file.store, n * 300_000, seconds)
      otherView.write(file.store, n * 300_000, seconds)
      seconds.write(file.store, lane.processId, n * 300_000)
      file.store.commit()
      view.commit(n * 300_000)
      otherView.commit(n * 300_000)
    }
    expect(sumsOf(file, 'seconds')).toEqual(sumsOf(file, 'totals'))
    expect(sumsOf(file, 'totals')).toMatchObject([{ calls: 79 }, { calls: 780 }])
  })

  it('list the 32 functions with most calls, 32 more with errors, and the rest together', () => {
    const file = session('calls.db')
    for (let n = 0; n < 150; n++) {
      const site = totals.register(`f${n}`)
      call(site, 150 - n)
      // 40 of those that are called least.
      if (n >= 110) totals.end(site, 1, true)
    }
    snapshotAt(file.store, 5 * SECOND_US)
    const listed = rows(file) as { name: string; calls: number; errors: number }[]
    expect(listed).toHaveLength(65)
    expect(listed.filter(row => row.errors === 0).map(row => row.name)).toEqual(
      Array.from({ length: 32 }, (_, n) => `f${n}`),
    )
    expect(listed.filter(row => row.name !== '-' && row.errors > 0)).toHaveLength(32)
    expect(listed.find(row => row.name === '-')).toMatchObject({ errors: 8 })
    expect(listed.reduce((sum, row) => sum + row.calls, 0)).toBe((150 * 151) / 2 + 40)
  })

  it('stay as few when a second sees several snapshots', () => {
    const file = session('calls.db')
    for (let round = 0; round < 4; round++) {
      for (let n = 0; n < 40; n++) call(totals.register(`f${round}.${n}`), 1)
      snapshotAt(file.store, 5 * SECOND_US + round)
    }
    expect(rows(file)).toHaveLength(33)
    expect(rows(file)[0]).toMatchObject({ name: '-', calls: 128 })
    call(totals.register('f0.0'), 3)
    snapshotAt(file.store, 5 * SECOND_US + 9)
    expect(rows(file)).toContainEqual({ second: 5, name: 'f0.0', calls: 4, errors: 0 })
  })

  it('older than two minutes go with the next snapshot, those of other processes stay', () => {
    const file = session('calls.db')
    const site = totals.register('a')
    file.store.addSecond(lane.processId + 1, 1, 1, { calls: 1, errors: 0, timed: 0, durationSumNs: 0 })
    for (const second of [10, 100, 130, 131]) {
      call(site, 1)
      snapshotAt(file.store, second * SECOND_US)
    }
    const seconds = (): unknown[] =>
      file.db.prepare('SELECT second FROM seconds ORDER BY second').pluck().all()
    expect(seconds()).toEqual([1, 100, 130, 131])
    // Without calls nothing is written.
    snapshotAt(file.store, 1_000 * SECOND_US)
    expect(seconds()).toEqual([1, 100, 130, 131])
    call(site, 1)
    snapshotAt(file.store, 1_001 * SECOND_US)
    expect(seconds()).toEqual([1, 1_001])
  })

  it('of a batch that is rolled back are not there', () => {
    const file = session('calls.db')
    call(totals.register('a'), 1)
    file.store.begin()
    write(file.store, SECOND_US)
    file.store.rollback()
    expect(rows(file)).toEqual([])
    file.store.begin()
    write(file.store, 2 * SECOND_US)
    file.store.commit()
    expect(rows(file)).toMatchObject([{ second: 2, calls: 1 }])
  })
})

describe('drops', () => {
  interface DropRow {
    readonly lane: number
    readonly reason: string
    readonly count: number
    readonly first_us: number
    readonly last_us: number
  }
  const drops = ({ db }: File): DropRow[] =>
    db
      .prepare('SELECT lane, reason, count, first_us, last_us FROM drops ORDER BY minute, lane')
      .all() as DropRow[]

  /** A snapshot whose counters are read a little after its transaction has begun. */
  function slowSnapshot({ store }: File, minute: number, readUs: number): void {
    store.begin()
    view.write(store, minute * MINUTE_US, new SecondSums(), () => readUs)
    store.commit()
    view.commit(minute * MINUTE_US)
  }

  it('of both lanes have their function, and a span from the look before to the moment they were read', () => {
    const file = session('a.db')
    const site = totals.register('f')
    totals.drop(site, Drop.queueFull)
    snapshot(file, 1)
    totals.drop(site, Drop.queueFull)
    totals.dropError(site, Drop.journalFull)
    slowSnapshot(file, 2, 2 * MINUTE_US + 7.5)
    expect(drops(file)).toEqual([
      // Nobody looked before: it may have been at any time since the thread began.
      { lane: 0, reason: 'queue_full', count: 1, first_us: 0, last_us: MINUTE_US },
      { lane: 0, reason: 'queue_full', count: 1, first_us: MINUTE_US, last_us: 2 * MINUTE_US + 8 },
      { lane: 1, reason: 'journal_full', count: 1, first_us: MINUTE_US, last_us: 2 * MINUTE_US + 8 },
    ])
  })

  it('that happened while the writer was being started again begin when the one before it looked last', () => {
    const file = session('a.db')
    const site = totals.register('f')
    call(site, 1)
    snapshot(file, 3)
    totals.drop(site, Drop.queueFull)
    view = new TotalsView(lane)
    view.reopen()
    snapshot(file, 9)
    expect(drops(file)).toEqual([
      { lane: 0, reason: 'queue_full', count: 1, first_us: 3 * MINUTE_US, last_us: 9 * MINUTE_US },
    ])
  })
})
