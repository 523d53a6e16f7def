import { describe, expect, it } from 'vitest'
import type { Database } from '../../lib/store/driver.js'
import { BadRowError, CommitLostError, classify } from '../../lib/store/errors.js'
import { StoreWriter } from '../../lib/store/insert.js'
import { openForWriting } from '../../lib/store/open.js'
import fc from '../support/fast-check.js'
import { all, column, errorRow, integrity, kept, registerProcess, T0_US, tempStore } from './temp-store.js'

type CallArgs = Parameters<StoreWriter['call']>
const callArgs = (over: { endUs?: number; salt?: number; call?: number } = {}): CallArgs => [
  over.endUs ?? T0_US,
  over.salt ?? 0,
  1,
  1,
  1_000,
  1,
  over.call ?? 1,
  1,
  0,
  0,
  null,
  null,
  null,
  null,
]
const bigIds = (db: Database, table: string) =>
  db.prepare(`SELECT id FROM ${table} ORDER BY id`).pluck().safeIntegers().all() as bigint[]

describe('call rows', () => {
  it('keep every value exactly, up to 2^53 and beyond 32 bits', () => {
    const { db, writer } = tempStore()
    const big = Number.MAX_SAFE_INTEGER
    writer.begin()
    writer.call(
      T0_US,
      2047,
      3,
      4,
      big,
      2.5,
      big,
      big - 1,
      2 ** 31,
      5,
      '["number"]',
      '"é\\u0000"',
      '[]',
      '{"a":1}',
    )
    writer.commit()
    const [row] = db.prepare('SELECT *, typeof(call) AS t, typeof(args) AS a FROM calls').safeIntegers().all()
    expect(row).toEqual({
      id: BigInt(T0_US) * 2048n + 2047n,
      function_id: 3n,
      process_id: 4n,
      duration_ns: BigInt(big),
      weight: 2.5,
      call: BigInt(big),
      trace: BigInt(big) - 1n,
      parent: 2n ** 31n,
      flags: 5n,
      shape: '["number"]',
      args: '"é\\u0000"',
      result: '[]',
      cuts: '{"a":1}',
      t: 'integer',
      a: 'text',
    })
  })

  it('are all there in any number, with the ids a simple twin gives', () => {
    const startAndSalt = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 2045, max: 2047 }))
    fc.assert(
      fc.property(
        fc.array(fc.oneof(startAndSalt, fc.tuple(fc.nat(10_000), fc.nat(2047))), {
          maxLength: 130,
          size: 'max',
        }),
        rows => {
          const { db, writer } = tempStore()
          writer.begin()
          rows.forEach(([us, salt], n) => {
            writer.call(...callArgs({ endUs: T0_US + us, salt, call: n + 1 }))
          })
          writer.commit()
          expect(column(db, 'SELECT call FROM calls ORDER BY call')).toEqual(rows.map((_, n) => n + 1))
          expect(new Set(bigIds(db, 'calls')).size).toBe(rows.length)
          // Only a collision may move a row, and never to before its start.
          const wanted = rows.map(([us, salt]) => BigInt(T0_US + us) * 2048n + BigInt(salt))
          if (new Set(wanted).size === wanted.length)
            expect(bigIds(db, 'calls')).toEqual([...wanted].sort((a, b) => (a < b ? -1 : 1)))
          db.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('read back as they were given, whatever neighbours have in common, which ids are taken and what is refused', () => {
    // A statement of several rows is written in one of two ways: mostly the same values, so that both are taken.
    const mostly = <T>(usual: T, ...others: T[]) =>
      fc.oneof(
        { weight: 400, arbitrary: fc.constant(usual) },
        { weight: 1, arbitrary: fc.constantFrom(...others) },
      )
    const row = fc.record({
      us: fc.oneof({ weight: 30, arbitrary: fc.nat(1_000_000) }, { weight: 1, arbitrary: fc.constant(7) }),
      functionId: mostly(1, 2),
      processId: mostly(3, 4),
      durationNs: fc.nat(),
      weight: mostly(1, 2.5, 0),
      parent: fc.constantFrom<number | null>(null, 5),
      flags: mostly(0, 4),
      shape: mostly<string | null>('["number"]', '[["string",3]]', null),
      args: fc.constantFrom<string | null>(null, '[1]', '["é"]'),
      result: fc.constantFrom<string | null>(null, '2'),
      cuts: mostly<string | null>(null, '{"items":1}'),
      // Numbers that are none for their column, and a name that a constraint of the user refuses.
      spoilt: mostly<'trace' | 'durationNs' | 'weight' | 'twice' | null>(
        null,
        'trace',
        'durationNs',
        'weight',
        'twice',
      ),
    })
    fc.assert(
      fc.property(fc.array(row, { maxLength: 160, size: 'max' }), rows => {
        const refused: unknown[] = []
        const { db, writer } = tempStore({ onBadRow: error => refused.push(error.row.call) })
        db.exec("CREATE UNIQUE INDEX of_the_user ON calls(result) WHERE result = 'twice'")
        writer.begin()
        for (const [n, { us, functionId, processId, durationNs, weight, parent, ...row }] of rows.entries())
          writer.call(
            T0_US + us,
            0,
            functionId,
            processId,
            row.spoilt === 'durationNs' ? Number.NaN : durationNs,
            row.spoilt === 'weight' ? Number.NaN : weight,
            n + 1,
            row.spoilt === 'trace' ? 0.5 : n,
            parent ?? 0,
            row.flags,
            row.shape,
            row.args,
            row.spoilt === 'twice' ? 'twice' : row.result,
            row.cuts,
          )
        writer.commit()
        const firstTwice = rows.findIndex(({ spoilt }) => spoilt === 'twice')
        const isKept = ({ spoilt }: (typeof rows)[number], n: number) =>
          spoilt === null || (spoilt === 'twice' && n === firstTwice)
        expect(refused).toEqual(rows.flatMap((row, n) => (isKept(row, n) ? [] : [n + 1])))
        const wanted = rows.flatMap((row, n) => {
          if (!isKept(row, n)) return []
          const { functionId, processId, durationNs, weight, parent, flags, shape, args, cuts } = row
          const result = row.spoilt === 'twice' ? 'twice' : row.result
          return [
            [functionId, processId, durationNs, weight, n + 1, n, parent, flags, shape, args, result, cuts],
          ]
        })
        const columns =
          'function_id, process_id, duration_ns, weight, call, trace, parent, flags, shape, args, result, cuts'
        expect(db.prepare(`SELECT ${columns} FROM calls ORDER BY call`).raw().all()).toEqual(wanted)
        db.close()
      }),
      { numRuns: 150 },
    )
  })

  it('that end years apart get their ids, in whatever order they come', () => {
    const { db, writer } = tempStore()
    const yearUs = 365 * 86_400e6
    const ends = Array.from({ length: 100 }, (_, n) => T0_US + [0, 40, -20, 0][n % 4]! * yearUs + n)
    writer.begin()
    for (const [n, endUs] of ends.entries()) writer.call(...callArgs({ endUs, salt: n, call: n + 1 }))
    writer.commit()
    const wanted = ends.map((endUs, n) => BigInt(endUs) * 2048n + BigInt(n))
    expect(db.prepare('SELECT id FROM calls ORDER BY call').pluck().safeIntegers().all()).toEqual(wanted)
  })

  it('of a stopped clock are all kept, and stay near their start', () => {
    const { db, writer } = tempStore()
    writer.begin()
    for (let n = 0; n < 5_000; n++) writer.call(...callArgs({ salt: n % 7, call: n + 1 }))
    writer.commit()
    const ids = bigIds(db, 'calls')
    expect(ids).toHaveLength(5_000)
    expect(ids[0]).toBe(BigInt(T0_US) * 2048n)
    expect(ids.at(-1)! - ids[0]!).toBeLessThan(2048n * 1_000n)
    expect(integrity(db)).toBe('ok')
  })

  it('that SQLite refuses are reported one by one; their neighbours are stored', () => {
    const bad: BadRowError[] = []
    const { db, writer } = tempStore({ onBadRow: error => bad.push(error) })
    writer.begin()
    const p = registerProcess(writer)
    for (let n = 1; n <= 60; n++) {
      const row = callArgs({ endUs: T0_US + n, call: n })
      if (n === 3) row[0] = Number.NaN
      if (n === 4) row[0] = 1e300
      if (n === 5) row[0] = -7
      if (n === 10) row[5] = 'heavy' as unknown as number
      if (n === 11) row[6] = 10.5
      if (n === 12) row[4] = Number.POSITIVE_INFINITY
      if (n === 13) row[10] = {} as unknown as string
      if (n === 14) row[7] = Number.NaN
      if (n === 58) row[12] = Symbol('x') as unknown as string
      row[3] = p
      writer.call(...row)
    }
    writer.commit()
    const refused = [3, 4, 5, 10, 10.5, 12, 13, 14, 58]
    expect(bad.map(error => error.row.call)).toEqual(refused)
    for (const error of bad) {
      expect(error).toBeInstanceOf(BadRowError)
      expect(classify(error)).toBe('data')
      expect(error.message).toMatch(/cannot be stored/)
    }
    expect(column(db, 'SELECT count(*) FROM calls')).toEqual([51])
    expect(integrity(db)).toBe('ok')
  })
})

describe('a trace from outside', () => {
  const ids = (fill: number) => Buffer.alloc(24, fill)
  const written = (db: Database) => column(db, 'SELECT trace FROM remote_traces ORDER BY process_id, trace')

  it('is written once however many records it has, with its ids as their hex digits read', () => {
    const { db, writer } = tempStore()
    const digits = '0af7651916cd43dd8448eb211c80319c00f067aa0ba902b7'
    // The writer reads frames out of shared memory.
    const shared = new Uint8Array(new SharedArrayBuffer(64))
    shared.set(Buffer.from(digits, 'hex'), 13)
    for (const seenUs of [T0_US, T0_US + 1]) {
      writer.begin()
      for (let n = 0; n < 3; n++) writer.remoteTrace(1, -5, shared, 13, seenUs)
      writer.remoteTrace(2, -5, ids(0xab), 0, seenUs)
      writer.commit()
    }
    expect(all(db, 'SELECT * FROM remote_traces')).toEqual([
      {
        process_id: 1,
        trace: -5,
        trace_id: digits.slice(0, 32),
        parent_id: digits.slice(32),
        seen_us: T0_US,
      },
      expect.objectContaining({ process_id: 2, trace: -5, trace_id: 'ab'.repeat(16) }),
    ])
  })

  it('is written again when its batch was rolled back, or when somebody has deleted it', () => {
    const { db, writer } = tempStore()
    writer.begin()
    writer.remoteTrace(1, -5, ids(1), 0, T0_US)
    writer.rollback()
    expect(written(db)).toEqual([])
    for (let batch = 0; batch < 2; batch++) {
      writer.begin()
      writer.remoteTrace(1, -5, ids(1), 0, T0_US)
      writer.commit()
      expect(written(db)).toEqual([-5])
      db.exec('DELETE FROM remote_traces')
    }
  })

  it('costs bounded memory: more of them than are remembered are all written', () => {
    const { db, writer } = tempStore()
    writer.begin()
    for (let round = 0; round < 2; round++)
      for (let n = 1; n <= 5_000; n++) writer.remoteTrace(1, -n, ids(n & 0xff), 0, T0_US)
    writer.commit()
    expect(written(db).length).toBe(5_000)
  })
})

describe('error rows', () => {
  it('delivered twice are stored once, also with another id', () => {
    const { db, writer } = tempStore()
    writer.begin()
    expect(writer.error(errorRow())).toBe(true)
    expect(writer.error(errorRow())).toBe(false)
    expect(writer.error(errorRow({ salt: 9, endUs: T0_US + 5 }))).toBe(false)
    writer.commit()
    writer.begin()
    expect(writer.error(errorRow())).toBe(false)
    writer.commit()
    expect(column(db, 'SELECT count(*) FROM errors')).toEqual([1])
  })

  it('agree with a set of (process, ring, seq), whatever ids collide', () => {
    const key = fc.tuple(fc.nat(1), fc.nat(2), fc.nat(6), fc.nat(2))
    fc.assert(
      fc.property(fc.array(key, { maxLength: 60, size: 'max' }), deliveries => {
        const { db, writer } = tempStore()
        const twin = new Set<string>()
        writer.begin()
        for (const [process, ring, seq, salt] of deliveries) {
          const name = `${process} ${ring} ${seq}`
          expect(writer.error(errorRow({ processId: process, ring, seq, salt }))).toBe(!twin.has(name))
          twin.add(name)
        }
        writer.commit()
        const stored = column(db, `SELECT process_id || ' ' || ring || ' ' || seq FROM errors`)
        expect(new Set(stored)).toEqual(twin)
        expect(stored).toHaveLength(twin.size)
        db.close()
      }),
      { numRuns: 60 },
    )
  })

  it('that SQLite refuses throw and leave the batch usable', () => {
    const { db, writer } = tempStore()
    writer.begin()
    expect(() => writer.error(errorRow({ endUs: Number.NaN }))).toThrow(BadRowError)
    expect(() => writer.error(errorRow({ message: null as unknown as string }))).toThrow(BadRowError)
    expect(() => writer.error(errorRow({ details: {} as unknown as string }))).toThrow(BadRowError)
    expect(writer.error(errorRow({ seq: 2 }))).toBe(true)
    writer.commit()
    expect(column(db, 'SELECT seq FROM errors')).toEqual([2])
  })
})

describe('a batch', () => {
  it('rolled back leaves nothing behind, in the file, the queue or the caches', () => {
    const { db, writer } = tempStore()
    writer.begin()
    writer.functionId('kept')
    writer.commit()
    writer.begin()
    const p = registerProcess(writer)
    const lost = writer.functionId('lost')
    for (let n = 0; n < 40; n++) writer.call(...callArgs({ endUs: T0_US + n }))
    writer.error(errorRow())
    writer.lane(p, 0, 0, 1, 1, '{}', 1)
    writer.rollback()
    writer.rollback()
    for (const table of ['calls', 'errors', 'lanes', 'processes'])
      expect(column(db, `SELECT count(*) FROM ${table}`)).toEqual([0])
    writer.begin()
    const other = writer.functionId('other')
    expect(other).toBe(lost)
    expect(writer.functionId('lost')).not.toBe(other)
    writer.commit()
    expect(all(db, 'SELECT name FROM functions ORDER BY 1')).toEqual(
      ['kept', 'lost', 'other'].map(name => ({ name })),
    )
    expect(column(db, 'SELECT count(*) FROM calls')).toEqual([0])
  })

  it('does not count as committed when COMMIT fails without a word, or the transaction was lost before', () => {
    const { db } = tempStore()
    let mute = false
    // What a thread that is being terminated sees: the statement fails, and run() just returns.
    const failing: Database = {
      get open() {
        return db.open
      },
      get inTransaction() {
        return db.inTransaction
      },
      exec: sql => db.exec(sql),
      close: () => db.close(),
      prepare: sql => {
        const statement = db.prepare(sql)
        if (sql !== 'COMMIT') return statement
        const run = (...values: unknown[]) => (mute ? undefined : statement.run(...values))
        return new Proxy(statement, {
          get: (target, key) => (key === 'run' ? run : Reflect.get(target, key)),
        })
      },
    }
    const writer = new StoreWriter(failing)
    writer.begin()
    mute = true
    expect(() => writer.commit()).toThrow(CommitLostError)
    mute = false
    writer.rollback()
    // SQLite has ended the transaction itself and something began another one.
    writer.begin()
    writer.lane(1, 0, 0, 5, 5, '{}', 5)
    db.exec('ROLLBACK; BEGIN')
    expect(() => writer.commit()).toThrow(CommitLostError)
  })

  it('waits for no one longer than the busy timeout, and says busy', () => {
    const { path, db, writer } = tempStore()
    const other = kept(openForWriting(path, { busyTimeoutMs: 1 }))
    writer.begin()
    let seen: unknown
    try {
      new StoreWriter(other).begin()
    } catch (error) {
      seen = error
    }
    expect(classify(seen)).toBe('busy')
    writer.commit()
    expect(db.inTransaction).toBe(false)
  })
})

describe('accounts', () => {
  it('a process is registered once for each boot, and its last_seen_us follows its records', () => {
    const { db, writer } = tempStore()
    writer.begin()
    const p = registerProcess(writer)
    expect(registerProcess(writer)).toBe(p)
    expect(registerProcess(writer, 'b')).not.toBe(p)
    writer.call(T0_US + 77.5, 0, 1, p, 1, 1, 1, 1, 0, 0, null, null, null, null)
    writer.error(errorRow({ endUs: T0_US + 50, processId: p }))
    writer.endProcess(p, T0_US + 90.5, 'clean')
    writer.commit()
    expect(all(db, 'SELECT last_seen_us, ended_us, ending FROM processes WHERE process_id = ?', p)).toEqual([
      { last_seen_us: T0_US + 77, ended_us: T0_US + 90, ending: 'clean' },
    ])
  })

  it('lanes and reported counters are read back as last written', () => {
    const { db, writer } = tempStore()
    expect(writer.laneState(1, 0, 0)).toBeNull()
    expect(writer.reported(1, 0, 3)).toBeNull()
    for (const n of [1, 2]) {
      writer.begin()
      writer.lane(1, 0, 0, 10 * n, 8 * n, `{"queue_full":${n}}`, 9 * n)
      writer.lane(1, 0, 1, 5, 5, '{}', 5)
      writer.setReported(1, 0, 3, `[${n}]`)
      writer.commit()
    }
    expect(writer.laneState(1, 0, 0)).toEqual({ stored: 16, storedSeq: 18 })
    expect(writer.laneState(1, 0, 1)).toEqual({ stored: 5, storedSeq: 5 })
    expect(writer.reported(1, 0, 3)).toBe('[2]')
    expect(column(db, 'SELECT dropped FROM lanes WHERE lane = 0')).toEqual(['{"queue_full":2}'])
  })

  it('totals add up, the maximum is kept, and buckets are merged', () => {
    const { db, writer } = tempStore()
    const delta = (n: number, buckets: [number, number][]) => ({
      calls: n,
      errors: 1,
      kept: 2,
      timed: n,
      durationSumNs: n + 0.4,
      durationMaxNs: n,
      buckets: new Map(buckets),
    })
    writer.begin()
    writer.addTotals(
      5,
      1,
      1,
      delta(4, [
        [1, 3],
        [2, 1],
      ]),
    )
    writer.addTotals(
      5,
      1,
      1,
      delta(3, [
        [2, 2],
        [287, 1],
      ]),
    )
    writer.addTotals(6, 1, 1, delta(1, []))
    writer.commit()
    expect(all(db, 'SELECT * FROM totals WHERE minute = 5')).toEqual([
      {
        minute: 5,
        function_id: 1,
        process_id: 1,
        calls: 7,
        errors: 2,
        kept: 4,
        timed: 7,
        duration_sum_ns: 7,
        duration_max_ns: 4,
        buckets: '{"1":3,"2":3,"287":1}',
      },
    ])
    expect(column(db, 'SELECT buckets FROM totals WHERE minute = 6')).toEqual(['{}'])
  })
})
