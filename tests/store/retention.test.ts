import { readFileSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { MAX_IN_FLIGHT, MAX_STALLS } from '../../lib/store/age-limit.js'
import type { Database } from '../../lib/store/driver.js'
import type { StoreWriter } from '../../lib/store/insert.js'
import { InFlightRows } from '../../lib/store/insert-in-flight.js'
import { StallRows } from '../../lib/store/insert-stalls.js'
import { Retention, type SweepResult } from '../../lib/store/retention.js'
import { DELETE_TRACES } from '../../lib/store/retention-slice.js'
import fc from '../support/fast-check.js'
import { all, column, errorRow, integrity, registerProcess, T0_US, tempStore } from './temp-store.js'

const MINUTE_US = 60_000_000
const NO_LIMIT = 1024 ** 4

function sweep(retention: Retention, nowUs: number, budgetRows = 1_000): SweepResult[] {
  const slices: SweepResult[] = []
  do slices.push(retention.sweepSlice(nowUs, budgetRows))
  while (slices.at(-1)!.more && slices.length < 10_000)
  return slices
}

function fill(writer: StoreWriter, rows: number, text: string, withErrors = 0): void {
  writer.begin()
  const p = registerProcess(writer)
  const f = writer.functionId('f')
  for (let n = 0; n < rows; n++)
    writer.call(T0_US + n, 0, f, p, 1, 1, n + 1, n + 1, 0, 0, null, text, null, null)
  for (let n = 0; n < withErrors; n++)
    writer.error(errorRow({ endUs: T0_US + n, functionId: f, processId: p, seq: n + 1, stack: text }))
  writer.commit()
}

const starts = (db: Database, table: string) => column(db, `SELECT id >> 11 FROM ${table} ORDER BY id`)
const count = (db: Database, table: string) => Number(column(db, `SELECT count(*) FROM ${table}`)[0])

describe('traces from outside', () => {
  it('go with the last of their records, whatever the slices, and no others do', () => {
    const record = fc.record({
      us: fc.integer({ min: 0, max: 40 }),
      trace: fc.integer({ min: -4, max: 2 }),
      process: fc.integer({ min: 1, max: 2 }),
      fails: fc.boolean(),
    })
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 40 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 0, max: 60 }),
        (records, budget, now) => {
          const { path, db, writer } = tempStore()
          writer.begin()
          registerProcess(writer, '00000000000000aa')
          registerProcess(writer, '00000000000000bb')
          for (const [n, { us, trace, process, fails }] of records.entries()) {
            if (trace < 0) writer.remoteTrace(process, trace, Buffer.alloc(24, 1), 0, T0_US + us)
            if (fails)
              writer.error(errorRow({ endUs: T0_US + us, salt: n, processId: process, seq: n, trace }))
            else writer.call(T0_US + us, n, 1, process, 1, 1, n, trace, 0, 0, null, null, null, null)
          }
          writer.commit()
          sweep(new Retention(db, { path, retentionMs: 0.01, maxBytes: NO_LIMIT }), T0_US + now, budget)
          const left = records.filter(({ us, trace }) => trace < 0 && us >= now - 10)
          expect(column(db, "SELECT process_id || ' ' || trace FROM remote_traces ORDER BY 1")).toEqual(
            [...new Set(left.map(({ process, trace }) => `${process} ${trace}`))].sort(),
          )
          db.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('go by size as well, and are found without a walk over all of them', () => {
    const { path, db, writer } = tempStore()
    writer.begin()
    const p = registerProcess(writer)
    for (let n = 1; n <= 2_000; n++) {
      writer.remoteTrace(p, -n, Buffer.alloc(24, 1), 0, T0_US + n)
      writer.call(T0_US + n, 0, 1, p, 1, 1, n, -n, 0, 0, null, 'x'.repeat(1_000), null, null)
    }
    writer.commit()
    sweep(new Retention(db, { path, retentionMs: 1e9, maxBytes: 1024 ** 2 }), T0_US + 2_000)
    expect(count(db, 'calls')).toBeGreaterThan(100)
    expect(count(db, 'calls')).toBeLessThan(1_500)
    expect(column(db, 'SELECT -trace FROM remote_traces ORDER BY 1')).toEqual(
      column(db, 'SELECT call FROM calls ORDER BY 1'),
    )
    writer.begin()
    for (let n = 1; n <= 500; n++)
      writer.error(errorRow({ endUs: T0_US + n, processId: p, seq: n, trace: n }))
    writer.commit()
    db.exec('ANALYZE')
    for (const sql of Object.values(DELETE_TRACES)) {
      const steps = all(db, `EXPLAIN QUERY PLAN ${sql}`, 1n, 1n).map(step => String(step['detail']))
      expect(steps[0]).toBe('SEARCH remote_traces USING PRIMARY KEY (process_id=? AND trace=?)')
      expect(steps.join('\n')).toMatch(/SEARCH (calls|errors) USING INTEGER PRIMARY KEY \(rowid<\?\)/)
      expect(steps.join('\n')).not.toContain('SCAN')
    }
  })

  it('go with their process when a refused record left one behind', () => {
    const { path, db, writer } = tempStore()
    writer.begin()
    const dead = registerProcess(writer, '00000000000000aa')
    writer.remoteTrace(dead, -1, Buffer.alloc(24, 1), 0, T0_US)
    registerProcess(writer, '00000000000000bb')
    writer.commit()
    sweep(new Retention(db, { path, retentionMs: 1, maxBytes: NO_LIMIT }), T0_US + 10_000_000)
    expect([count(db, 'processes'), count(db, 'remote_traces')]).toEqual([1, 0])
  })
})

describe('the age limit', () => {
  it('agrees with a filtered array, whatever the slices, and counts what expired', () => {
    const offset = fc.integer({ min: 0, max: 50 })
    fc.assert(
      fc.property(
        fc.array(offset, { maxLength: 60 }),
        fc.array(offset, { maxLength: 30 }),
        fc.array(fc.integer({ min: 0, max: 70 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 40 }),
        (calls, errors, nows, budget) => {
          const { path, db, writer } = tempStore()
          writer.begin()
          const p = registerProcess(writer)
          calls.forEach((us, n) => {
            writer.call(T0_US + us, n, 1, p, 1, 1, n, n, 0, 0, null, null, null, null)
          })
          errors.forEach((us, n) => {
            writer.error(errorRow({ endUs: T0_US + us, salt: n, processId: p, seq: n }))
          })
          writer.commit()
          // 0.01 ms of window: a row is too old when it started more than 10 us before now.
          const retention = new Retention(db, { path, retentionMs: 0.01, maxBytes: NO_LIMIT })
          let cutoff = 0
          for (const now of nows) {
            cutoff = Math.max(cutoff, now - 10)
            const slices = sweep(retention, T0_US + now, budget)
            for (const slice of slices) expect(slice.deleted).toBeLessThanOrEqual(budget)
          }
          const young = (list: number[]) =>
            list
              .filter(us => us >= cutoff)
              .sort((a, b) => a - b)
              .map(us => T0_US + us)
          expect(starts(db, 'calls')).toEqual(young(calls))
          expect(starts(db, 'errors')).toEqual(young(errors))
          const expired = all(db, 'SELECT * FROM expired ORDER BY kind')
          const expected = [['calls', calls] as const, ['errors', errors] as const].flatMap(
            ([kind, list]) => {
              const old = list.filter(us => us < cutoff)
              return old.length === 0 ? [] : [{ kind, rows: old.length, up_to_us: T0_US + Math.max(...old) }]
            },
          )
          expect(expired).toEqual(expected)
          expect(integrity(db)).toBe('ok')
          db.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('keeps a row exactly at the limit, and takes the one a microsecond older', () => {
    const { path, db, writer } = tempStore()
    writer.begin()
    for (const us of [-1, 0]) {
      writer.call(T0_US + us, us === 0 ? 0 : 2047, 1, 1, 1, 1, 1, 1, 0, 0, null, null, null, null)
      writer.error(errorRow({ endUs: T0_US + us, salt: us === 0 ? 0 : 2047, seq: us + 2 }))
    }
    writer.commit()
    sweep(new Retention(db, { path, retentionMs: 1, maxBytes: NO_LIMIT }), T0_US + 1_000)
    expect(starts(db, 'calls')).toEqual([T0_US])
    expect(starts(db, 'errors')).toEqual([T0_US])
  })

  it('takes whole minutes of totals and drops, and keeps the minute the limit is in', () => {
    const { path, db, writer } = tempStore()
    const minute = Math.floor(T0_US / MINUTE_US)
    writer.begin()
    const p = registerProcess(writer)
    for (const m of [minute - 2, minute - 1, minute]) {
      const zero = { calls: 1, errors: 0, kept: 0, timed: 0, durationSumNs: 0, durationMaxNs: 0 }
      writer.addTotals(m, 1, p, { ...zero, buckets: new Map() })
      writer.addDrops(m, 1, p, 0, 'queue_full', 1, 1, 1)
    }
    writer.commit()
    const retention = new Retention(db, { path, retentionMs: 0, maxBytes: NO_LIMIT })
    sweep(retention, (minute - 1) * MINUTE_US + 30_000_000, 1)
    expect(column(db, 'SELECT minute FROM totals')).toEqual([minute - 1, minute])
    expect(column(db, 'SELECT minute FROM drops')).toEqual([minute - 1, minute])
  })

  it('removes a dead process with its account only when nothing of it is left', () => {
    const { path, db, writer } = tempStore()
    const retention = new Retention(db, { path, retentionMs: 1, maxBytes: NO_LIMIT })
    writer.begin()
    const empty = registerProcess(writer, '00000000000000a1')
    const withDrop = registerProcess(writer, '00000000000000a2')
    const busy = registerProcess(writer, '00000000000000a3')
    const live = registerProcess(writer, '00000000000000a4')
    const newest = registerProcess(writer, '00000000000000a5')
    writer.addDrops(Math.floor((T0_US + 9_000) / MINUTE_US), 1, withDrop, 0, 'oversize', 1, 1, 1)
    writer.call(T0_US + 8_500, 0, 1, busy, 1, 1, 1, 1, 0, 0, null, null, null, null)
    writer.touchProcess(live, T0_US + 9_000)
    for (const p of [empty, withDrop, busy, live, newest]) {
      writer.lane(p, 0, 0, 1, 1, '{}', 1)
      writer.setReported(p, 0, 0, '{}')
    }
    writer.endProcess(empty, T0_US + 1, 'clean')
    writer.commit()
    sweep(retention, T0_US + 9_000)
    expect(column(db, 'SELECT process_id FROM processes')).toEqual([withDrop, busy, live, newest])
    expect(column(db, 'SELECT process_id FROM lanes')).toEqual([withDrop, busy, live, newest])
    expect(column(db, 'SELECT process_id FROM reported')).toEqual([withDrop, busy, live, newest])
    // A process that only slept is told, and gets an id nobody else has.
    expect(writer.touchProcess(empty, T0_US + 9_000)).toBe(false)
    expect(registerProcess(writer, '00000000000000a1')).toBeGreaterThan(newest)
  })

  it('deletes nothing when the time it is given is nonsense or lies before every record', () => {
    const { path, db, writer } = tempStore()
    fill(writer, 10, '1', 10)
    const retention = new Retention(db, { path, retentionMs: 1_000, maxBytes: NO_LIMIT })
    for (const now of [0, -1, Number.NaN, T0_US - 86_400_000_000]) sweep(retention, now)
    expect([count(db, 'calls'), count(db, 'errors')]).toEqual([10, 10])
  })

  it('refuses to run inside a batch', () => {
    const { path, db, writer } = tempStore()
    const retention = new Retention(db, { path, retentionMs: 1, maxBytes: NO_LIMIT })
    writer.begin()
    expect(() => retention.sweepSlice(T0_US, 1)).toThrow(/inside a batch/)
    writer.rollback()
  })
})

describe('the size limit', () => {
  it('takes the oldest calls first, keeps the youngest and all errors, and shrinks the file', () => {
    const { path, db, writer } = tempStore()
    fill(writer, 8_000, `"${'x'.repeat(400)}"`, 500)
    const maxBytes = 3_000_000
    const retention = new Retention(db, { path, retentionMs: 3_600_000, maxBytes })
    const slices = sweep(retention, T0_US + 10_000, 500)
    const left = starts(db, 'calls')
    expect(slices[0]!.bytesBefore).toBeGreaterThan(maxBytes)
    expect(slices.at(-1)!.bytesAfter).toBeLessThanOrEqual(maxBytes)
    expect(statSync(path).size + statSync(`${path}-wal`).size).toBeLessThanOrEqual(maxBytes)
    expect(left.length).toBeGreaterThan(2_000)
    expect(left).toEqual(Array.from({ length: left.length }, (_, n) => T0_US + 8_000 - left.length + n))
    expect(count(db, 'errors')).toBe(500)
    expect(all(db, 'SELECT kind, rows FROM expired')).toEqual([{ kind: 'calls', rows: 8_000 - left.length }])
    expect(integrity(db)).toBe('ok')
  })

  it('takes errors when nothing else is left, and ends when even an empty store is too large', () => {
    const { path, db, writer } = tempStore()
    fill(writer, 2_000, `"${'x'.repeat(400)}"`, 2_000)
    const roomy = new Retention(db, { path, retentionMs: 3_600_000, maxBytes: 1_000_000 })
    sweep(roomy, T0_US + 10_000, 300)
    expect(count(db, 'calls')).toBe(0)
    const left = starts(db, 'errors')
    expect(left.length).toBeGreaterThan(200)
    expect(left.at(-1)).toBe(T0_US + 1_999)
    const tiny = new Retention(db, { path, retentionMs: 3_600_000, maxBytes: 10_000 })
    const slices = sweep(tiny, T0_US + 10_000)
    expect(slices.at(-1)!.more).toBe(false)
    expect(count(db, 'errors')).toBe(0)
    expect(integrity(db)).toBe('ok')
  })

  it('gives the space of expired rows back but for a small reserve', () => {
    const { path, db, writer } = tempStore()
    fill(writer, 20_000, `"${'x'.repeat(400)}"`)
    const retention = new Retention(db, { path, retentionMs: 1, maxBytes: NO_LIMIT })
    const slices = sweep(retention, T0_US + 1_000_000_000, 3_000)
    expect(slices[0]!.bytesBefore).toBeGreaterThan(9_000_000)
    expect(statSync(path).size).toBeLessThan(1_500_000)
    expect(readFileSync(path).length).toBe(Number(column(db, 'PRAGMA page_count')[0]) * 4096)
    expect(integrity(db)).toBe('ok')
  })

  it('a reader that holds the log neither stops the sweep nor costs every call', () => {
    const { path, db, writer } = tempStore()
    fill(writer, 4_000, `"${'x'.repeat(400)}"`)
    const reader = new (db.constructor as new (path: string) => Database)(path)
    reader.exec('BEGIN')
    expect(count(reader, 'calls')).toBe(4_000)
    const retention = new Retention(db, { path, retentionMs: 3_600_000, maxBytes: 2_000_000 })
    sweep(retention, T0_US + 10_000, 500)
    expect(count(db, 'calls')).toBeGreaterThan(1_000)
    expect(count(reader, 'calls')).toBe(4_000)
    reader.close()
    sweep(retention, T0_US + 10_000, 500)
    expect(statSync(path).size + statSync(`${path}-wal`).size).toBeLessThanOrEqual(2_000_000)
  })
})

describe('calls in flight, stalls and incidents', () => {
  const open = { functionId: 1, timed: true, trace: 1, parent: 0, depth: 0, shape: null, args: null }
  const stall = { ring: 0, endedUs: null, looks: 1, onCpu: null }
  const called = { functionId: 1, depth: 0, startedUs: T0_US, timed: true, trace: 1, looks: 1, innerLooks: 1 }

  function fillAt(db: Database, processId: number, us: number, ring = 0): void {
    const rows = new InFlightRows(db, processId)
    rows.put(ring, { ...open, call: us - T0_US + 1, startedUs: us })
    rows.look(ring, us, 1, 1)
    const stalls = new StallRows(db, processId)
    const stallId = stalls.put({ ...stall, startedUs: us, seenUs: us })
    stalls.putCall(stallId, { ...called, call: 1, shape: null, args: null })
  }
  const tables = ['in_flight', 'in_flight_looks', 'stalls', 'stall_calls', 'incidents', 'processes']
  const counts = (db: Database): number[] => tables.map(table => count(db, table))

  it('go with the window, in slices of any size; their process stays as long as they do', () => {
    const { path, db, writer } = tempStore()
    const [old, young] = [registerProcess(writer, 'a'.repeat(16)), registerProcess(writer, 'b'.repeat(16))]
    // The newest process stays anyway.
    registerProcess(writer, 'c'.repeat(16), T0_US + 10_000)
    fillAt(db, old, T0_US + 1)
    fillAt(db, young, T0_US + 2_000)
    for (const [process, ended] of [
      [old, T0_US + 1],
      [young, T0_US + 2_000],
      [old, null],
    ])
      db.prepare("INSERT INTO incidents VALUES (NULL, ?, 'x', ?, ?, '')").run(process, T0_US, ended)
    expect(counts(db)).toEqual([2, 2, 2, 2, 3, 3])
    const retention = new Retention(db, { path, retentionMs: 1, maxBytes: NO_LIMIT })
    sweep(retention, T0_US + 1_001, 1)
    expect(counts(db), 'a row exactly at the limit stays').toEqual([2, 2, 2, 2, 2, 3])
    sweep(retention, T0_US + 1_002, 1)
    expect(counts(db)).toEqual([1, 1, 1, 1, 1, 2])
    expect(column(db, 'SELECT process_id FROM in_flight')).toEqual([young])
    sweep(retention, T0_US + 3_001)
    expect(counts(db)).toEqual([0, 0, 0, 0, 0, 1])
  })

  it('an incident that goes on is as old as the last sign of life of its process', () => {
    const { path, db, writer } = tempStore()
    const process = registerProcess(writer)
    db.prepare("INSERT INTO incidents VALUES (NULL, ?, 'x', ?, NULL, '')").run(process, T0_US)
    writer.touchProcess(process, T0_US + 5_000)
    const retention = new Retention(db, { path, retentionMs: 1, maxBytes: NO_LIMIT })
    sweep(retention, T0_US + 5_500)
    expect(count(db, 'incidents')).toBe(1)
    sweep(retention, T0_US + 6_001)
    expect(count(db, 'incidents')).toBe(0)
  })

  it('of one process no more are kept than there is room for, the youngest', () => {
    const { path, db, writer } = tempStore()
    const [one, other] = [registerProcess(writer, 'a'.repeat(16)), registerProcess(writer, 'b'.repeat(16))]
    writer.begin()
    const perRing = 100
    for (let n = 0; n < MAX_STALLS + 10; n++) {
      new StallRows(db, one).put({ ...stall, startedUs: T0_US + n, seenUs: T0_US + n })
    }
    const rings = MAX_IN_FLIGHT / (perRing + 1) + 3
    for (let ring = 0; ring < rings; ring++) {
      const rows = new InFlightRows(db, one)
      for (let call = 1; call <= perRing; call++) rows.put(ring, { ...open, call, startedUs: T0_US })
      rows.look(ring, T0_US + ring, perRing, perRing)
    }
    writer.commit()
    fillAt(db, other, T0_US)
    sweep(new Retention(db, { path, retentionMs: 1e6, maxBytes: NO_LIMIT }), T0_US + 1_000)
    expect(column(db, 'SELECT count(*) FROM stalls GROUP BY process_id ORDER BY process_id')).toEqual([
      MAX_STALLS,
      1,
    ])
    expect(column(db, 'SELECT min(started_us) FROM stalls')).toEqual([T0_US])
    expect(column(db, `SELECT min(started_us) FROM stalls WHERE process_id = ${one}`)).toEqual([T0_US + 10])
    const [kept] = column(db, `SELECT count(*) FROM in_flight WHERE process_id = ${one}`) as number[]
    expect(kept).toBeLessThanOrEqual(MAX_IN_FLIGHT)
    expect(kept).toBeGreaterThan(MAX_IN_FLIGHT - 2 * (perRing + 1) - MAX_IN_FLIGHT / perRing)
    expect(column(db, `SELECT max(ring) FROM in_flight WHERE process_id = ${one}`)).toEqual([
      Math.ceil(rings) - 1,
    ])
    expect(count(db, 'in_flight') - kept!).toBe(1)
  })
})

describe('every table of the store', () => {
  /** These hold no records: names, constants, and what has been deleted. */
  const KEPT = ['functions', 'latency_buckets', 'expired', 'sqlite_stat1']
  const OLD_US = T0_US
  const TIMES = /^(minute|second|id)$|_us$/

  it('is cleaned of what is older than the window', () => {
    const { path, db, writer } = tempStore()
    const [old, newest] = [registerProcess(writer, 'a'.repeat(16)), registerProcess(writer, 'b'.repeat(16))]
    const tables = column(
      db,
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    ).filter(name => !KEPT.includes(String(name)))
    expect(tables).toContain('journal_ranges')
    for (const table of tables.filter(name => name !== 'processes')) {
      const columns = db.prepare(`SELECT name, type FROM pragma_table_info('${String(table)}')`).all() as {
        name: string
        type: string
      }[]
      const value = ({ name, type }: { name: string; type: string }): string => {
        if (name === 'process_id') return String(old)
        if (name === 'id') return String(BigInt(OLD_US) << 11n)
        if (name === 'minute') return String(Math.floor(OLD_US / MINUTE_US))
        if (name === 'hour') return String(Math.floor(OLD_US / (60 * MINUTE_US)))
        if (name === 'second') return String(Math.floor(OLD_US / 1e6))
        if (TIMES.test(name)) return String(OLD_US)
        return type === 'TEXT' ? "'{}'" : '1'
      }
      db.exec(`INSERT INTO ${String(table)} VALUES (${columns.map(value).join(', ')})`)
    }
    for (const table of tables) expect(count(db, String(table)), String(table)).toBeGreaterThan(0)
    writer.touchProcess(newest, OLD_US + 100 * MINUTE_US)
    sweep(new Retention(db, { path, retentionMs: 60_000, maxBytes: NO_LIMIT }), OLD_US + 100 * MINUTE_US, 3)
    const left = tables.filter(table => count(db, String(table)) > 0)
    expect(left).toEqual(['processes'])
    expect(column(db, 'SELECT process_id FROM processes')).toEqual([newest])
  })
})
