import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newLaneMemory } from '../../lib/queue/producer.js'
import type { Database } from '../../lib/store/driver.js'
import { StoreWriter } from '../../lib/store/insert.js'
import { openForWriting } from '../../lib/store/open.js'
import { Totals } from '../../lib/totals/totals.js'
import { LaneView } from '../../lib/writer/lane.js'
import { TotalsView } from '../../lib/writer/totals-view.js'

const RING_BYTES = 64 * 1024
const MINUTE_US = 60_000_000
let folder: string
let open: Database[]
let totals: Totals
let lane: LaneView
let view: TotalsView
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-totals-'))
  open = []
  totals = new Totals(4)
  lane = new LaneView({
    ring: 0,
    memory: newLaneMemory(RING_BYTES, 0),
    ringBytes: RING_BYTES,
    totals: totals.memory,
  })
  view = new TotalsView(lane, 0)
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
  store.begin()
  view.write(store, minute * MINUTE_US)
  store.commit()
  view.commit(minute * MINUTE_US)
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
    view.write(first.store, 2 * MINUTE_US)
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
