import { copyFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CSV } from '../../lib/export/csv.js'
import { CALL_COLUMNS } from '../../lib/export/format.js'
import { NDJSON } from '../../lib/export/ndjson.js'
import { keyAtSql, SLICE_RECORDS } from '../../lib/store/queries/record-slices.js'
import { openStore } from '../../lib/store/read.js'
import { scratch, T0_MS, TestStore } from '../store-read/fixture.js'
import { generate } from './generated.js'

describe('a large recording', () => {
  it('is read in slices: each record once, few at a time, nothing held between two of them', () => {
    const path = join(scratch(onTestFinished), 'calls.db')
    generate(path, { calls: 200_000, endUs: T0_MS * 1000, spanUs: 3_600_000_000 })
    const store = openStore(path)
    onTestFinished(() => store.close())
    const pieces = { count: 0, lines: 0, longest: 0, bytes: 0, outOfOrder: 0 }
    let mostRows = 0
    function* watched() {
      for (const slice of store.callSlices()) {
        mostRows = Math.max(mostRows, slice.length)
        yield slice
      }
    }
    const seen = new Set<string>()
    let last = ''
    for (const piece of NDJSON.rows(watched(), CALL_COLUMNS)) {
      pieces.count++
      pieces.bytes += piece.length
      pieces.longest = Math.max(pieces.longest, piece.length)
      for (const line of piece.split('\n').slice(0, -1)) {
        pieces.lines++
        const { call_id, at } = JSON.parse(line) as { call_id: string; at: string }
        seen.add(call_id)
        if (at < last) pieces.outOfOrder++
        last = at
      }
    }
    expect(pieces.outOfOrder).toBe(0)
    expect(pieces.lines).toBe(200_000)
    expect(seen.size).toBe(200_000)
    // Of either table at most one slice, whatever the size of the store.
    expect(mostRows).toBeLessThanOrEqual(2 * SLICE_RECORDS)
    expect(pieces.longest).toBeLessThan(1_000_000)
    expect(pieces.bytes).toBeGreaterThan(50_000_000)
    let rows = 0
    for (const piece of CSV.rows(store.errorSlices(), ['call_id'])) rows += piece.split('\r\n').length - 1
    expect(rows).toBe(1 + 1_000)
    expect([...store.callSlices({ limit: 30_000 })].flat()).toHaveLength(30_000)
  })

  it('never gives more than the limit, whatever comes between while it is read', () => {
    const path = join(scratch(onTestFinished), 'calls.db')
    const made = new TestStore(path)
    onTestFinished(() => made.close())
    for (let i = 0; i < 3 * SLICE_RECORDS; i++) made.call({ atMs: T0_MS + 10 * i })
    const store = openStore(path)
    onTestFinished(() => store.close())
    const limit = 2 * SLICE_RECORDS
    let rows = 0
    for (const slice of store.callSlices({ limit })) {
      if (rows === 0)
        for (let i = 0; i < 20; i++) made.call({ atMs: T0_MS + 10 * (2.5 * SLICE_RECORDS + i) + 5 })
      rows += slice.length
    }
    expect(rows).toBe(limit)
  })

  it('is cut along the key without sorting it', () => {
    const path = join(scratch(onTestFinished), 'calls.db')
    new TestStore(path).close()
    const store = openStore(path)
    onTestFinished(() => store.close())
    for (const table of ['calls', 'errors'] as const) {
      for (const order of ['ASC', 'DESC'] as const) {
        const plan = store.sql(`EXPLAIN QUERY PLAN ${keyAtSql(table, order)}`, { from: 0, to: 1, offset: 5 })
        expect(plan.map(row => row['detail'])).toEqual([
          `SEARCH ${table} USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)`,
        ])
      }
    }
  })

  it('does not keep the write-ahead log from being emptied while a reader takes its time', () => {
    const path = join(scratch(onTestFinished), 'calls.db')
    const made = new TestStore(path)
    onTestFinished(() => made.close())
    for (let i = 0; i < 3 * SLICE_RECORDS; i++) made.call({ atMs: T0_MS + i })
    const store = openStore(path)
    onTestFinished(() => store.close())
    const slices = store.callSlices()
    slices.next()
    made.call({ atMs: T0_MS + 1e6 })
    // busy, pages in the log, pages moved: a reader that held on would be waited for.
    const [state] = made.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all()
    expect(state).toEqual({ busy: 0, log: 0, checkpointed: 0 })
    expect(slices.next().value).toHaveLength(SLICE_RECORDS)
  })
})

describe('a recording that is written meanwhile', () => {
  it('comes out with each record once, and all that were there at the start', () => {
    const path = join(scratch(onTestFinished), 'calls.db')
    const made = new TestStore(path)
    onTestFinished(() => made.close())
    const before: string[] = []
    for (let i = 0; i < 4 * SLICE_RECORDS; i++)
      before.push(
        made
          .call({ atMs: T0_MS + i * 2 })
          .toString(16)
          .padStart(16, '0'),
      )
    const store = openStore(path)
    onTestFinished(() => store.close())
    const seen: string[] = []
    let step = 0
    for (const slice of store.callSlices()) {
      seen.push(...slice.map(row => row.call_id))
      // Newer ones, and late ones between those that are there: before and behind where the reader is.
      for (let i = 0; i < 40; i++) {
        made.call({ atMs: T0_MS + 1e6 + step * 100 + i })
        made.call({ atMs: T0_MS + ((step * 997 + i * 101) % (8 * SLICE_RECORDS)) + 1 })
        made.error({ atMs: T0_MS + ((step * 991 + i * 103) % (8 * SLICE_RECORDS)) + 1 })
      }
      step++
    }
    expect(step).toBeGreaterThanOrEqual(4)
    expect(new Set(seen).size).toBe(seen.length)
    const all = new Set(seen)
    expect(before.filter(call => !all.has(call))).toEqual([])
    const newest = store.calls({ limit: 1 })[0]?.call_id
    expect(all.has(newest ?? '')).toBe(false)
  })

  it('ends with a word when another file takes its place', () => {
    const folder = scratch(onTestFinished)
    const path = join(folder, 'calls.db')
    const made = new TestStore(path, { wal: false })
    for (let i = 0; i < 2 * SLICE_RECORDS; i++) made.call({ atMs: T0_MS + i })
    made.close()
    const store = openStore(path)
    onTestFinished(() => store.close())
    const slices = store.callSlices()
    slices.next()
    copyFileSync(path, join(folder, 'next.db'))
    renameSync(join(folder, 'next.db'), path)
    expect(() => slices.next()).toThrow(/was replaced while it was being read/)
  })
})
