import { describe, expect, it } from 'vitest'
import { FrameFlag } from '../../lib/queue/layout.js'
import type { CallFilter } from '../../lib/store/queries/filter.js'
import fc from '../support/fast-check.js'
import { hex16, T0_MS } from './fixture.js'
import { newTestStore, opened } from './new-store.js'

describe('rows of the contract', () => {
  it('are those of the views, column for column and in their order', () => {
    const made = newTestStore()
    for (let i = 0; i < 20; i++) {
      const root = made.call({
        atMs: T0_MS + i * 0.7,
        args: '[1]',
        result: '"é"',
        weight: 2.5,
        durationMs: i / 3,
        shape: '["number"]',
        flags: [0, FrameFlag.slow, FrameFlag.hindsight][i % 3],
        cuts: '{"redacted":1}',
        ...(i % 2 === 0 ? { trace: -i - 1 } : {}),
      })
      if (i % 4 === 0) made.remote(-i - 1, hex16(i).repeat(2), hex16(i + 1))
      made.error({ atMs: T0_MS + i * 0.7, trace: root, parent: root, fn: `Fn${i % 3}`, stack: 'at x' })
      made.error({ atMs: T0_MS + i * 0.7, trace: -i - 1, shape: '[]', cuts: '{"items":1}' })
      made.lane(1, 9, 0, { queue_full: i + 1, serialize_failed: 1, poison: 3 }, 1, i)
      made.totals(T0_MS + i * 60_000, `Fn${i % 3}`, {
        calls: 100 + i,
        errors: i,
        sumMs: 50 * i,
        maxMs: 10 * i + 1,
        buckets: { [90 + i]: 60, [150 + i]: 40 + i },
      })
      made.drop(T0_MS + i * 60_000, i % 2 ? `Fn${i % 3}` : null, 'queue_full', i + 1)
    }
    const store = opened(made)
    expect(store.errors()).toEqual(store.sql('SELECT * FROM recent_errors'))
    expect(store.calls()).toEqual(store.sql('SELECT * FROM recent_calls'))
    expect(store.top()).toEqual(store.sql('SELECT * FROM function_totals'))
    expect(store.losses()).toEqual(store.sql('SELECT * FROM losses'))
    expect(Object.keys(store.errors()[0] ?? {})).toEqual(
      'at function error message duration_ms args stack trace_id call_id process shape parent_id fingerprint cuts'.split(
        ' ',
      ),
    )
    expect(Object.keys(store.calls()[0] ?? {})).toEqual(
      'at function outcome duration_ms args result weight trace_id parent_id call_id process shape recorded cuts'.split(
        ' ',
      ),
    )
    expect(store.calls()[0]?.at).toBe('2026-11-20T10:00:00.013Z')
  })

  it('of totals are those of the view for any latencies, minutes and functions', () => {
    const bucket = fc.integer({ min: 0, max: 290 })
    const minute = fc.record({
      minute: fc.nat(5),
      fn: fc.constantFrom('A', 'B', 'C'),
      buckets: fc.dictionary(bucket.map(String), fc.oneof(fc.nat(5), fc.nat(2 ** 40)), { maxKeys: 8 }),
      maxMs: fc.double({ min: 0.0001, max: 10_000, noNaN: true }),
    })
    const made = newTestStore()
    const store = opened(made)
    fc.assert(
      fc.property(
        fc.uniqueArray(minute, { maxLength: 12, selector: row => `${row.minute} ${row.fn}` }),
        rows => {
          made.db.exec('DELETE FROM totals')
          for (const { minute, fn, buckets, maxMs } of rows) {
            const calls = Object.values(buckets).reduce((sum, n) => sum + n, 0)
            made.totals(T0_MS + minute * 60_000, fn, { calls, buckets, maxMs, sumMs: maxMs })
          }
          const byName = (a: { function?: unknown }, b: { function?: unknown }) =>
            String(a.function).localeCompare(String(b.function))
          expect([...store.top()].sort(byName)).toEqual(
            store.sql('SELECT * FROM function_totals').sort(byName),
          )
        },
      ),
      { numRuns: 200 },
    )
  })

  it('are no rows in a store that has none', () => {
    const store = opened(newTestStore())
    expect([
      store.errors(),
      store.calls(),
      store.top(),
      store.losses(),
      store.trace('1'),
      store.error('1'),
    ]).toEqual(Array.from({ length: 6 }, () => []))
  })
})

describe('filters', () => {
  it('select what a plain walk over all records selects', () => {
    const made = newTestStore()
    const names = ['Orders.place', 'Orders.cancel', 'Db[0].q', 'Db0.q', 'orders.place']
    const classes = ['TypeError', 'RangeError']
    const records: { atMs: number; fn: string; durationMs: number; call: number; error: string | null }[] = []
    for (let i = 0; i < 200; i++) {
      const atMs = T0_MS + ((i * 7919) % 600) * 1000
      const fn = names[i % names.length] ?? ''
      const seed = { atMs, fn, durationMs: (i * 31) % 50 }
      const error = i % 3 === 0 ? (classes[i % 2] ?? '') : null
      const call = error === null ? made.call(seed) : made.error({ ...seed, error })
      records.push({ ...seed, call, error })
    }
    const nowMs = T0_MS + 600_000
    const store = opened(made, nowMs)
    const matches = (pattern: string, name: string) =>
      new RegExp(
        `^${pattern
          .replace(/[[\].]/g, '\\$&')
          .replace(/\*/g, '[^]*')
          .replace(/\?/g, '[^]')}$`,
      ).test(name)
    const seconds = fc.integer({ min: -10, max: 700 })
    const moment = fc.option(
      fc.oneof(
        seconds.map(s => ({
          ms: T0_MS + s * 1000,
          value: new Date(T0_MS + s * 1000) as Date | string | number,
        })),
        seconds.map(s => ({ ms: T0_MS + s * 1000, value: new Date(T0_MS + s * 1000).toISOString() })),
        fc.nat(700).map(s => ({ ms: nowMs - s * 1000, value: `${s}s` })),
        fc.nat(700).map(s => ({ ms: nowMs - s * 1000, value: s * 1000 })),
      ),
      { nil: undefined },
    )
    const property = fc.property(
      moment,
      moment,
      fc.constantFrom(undefined, 'Orders.*', '*.place', 'Db[0].q', 'D??.q', '?rders.place', '*', 'nobody'),
      fc.constantFrom(undefined, 'TypeError', 'Error'),
      fc.constantFrom(undefined, 'ok' as const, 'error' as const),
      fc.option(fc.nat(60), { nil: undefined }),
      fc.integer({ min: 1, max: 250 }),
      (since, until, pattern, error, outcome, minDurationMs, limit) => {
        const filter: CallFilter = {
          since: since?.value,
          until: until?.value,
          function: pattern,
          error,
          outcome,
          minDurationMs,
          limit,
        }
        const expected = records
          .filter(
            record =>
              (since === undefined || record.atMs >= since.ms) &&
              (until === undefined || record.atMs < until.ms) &&
              (pattern === undefined || matches(pattern, record.fn)) &&
              (error === undefined || record.error === error) &&
              (outcome === undefined || (record.error === null) === (outcome === 'ok')) &&
              (minDurationMs === undefined || record.durationMs >= minDurationMs),
          )
          .sort((a, b) => b.atMs - a.atMs || 0)
        const found = store.calls(filter)
        expect(found.length).toBe(Math.min(expected.length, limit))
        expect(found.map(row => Date.parse(row.at))).toEqual(
          expected.slice(0, limit).map(record => record.atMs),
        )
        if (expected.length <= limit) {
          expect(new Set(found.map(row => Number.parseInt(row.call_id, 16)))).toEqual(
            new Set(expected.map(record => record.call)),
          )
        }
        if (outcome === 'error')
          expect(store.errors(filter).map(row => row.call_id)).toEqual(found.map(row => row.call_id))
      },
    )
    fc.assert(property, { numRuns: 300 })
  })

  it('walk the key of the records, so a span of time costs what is in it', () => {
    const made = newTestStore()
    made.call({ atMs: T0_MS })
    const store = opened(made)
    const plans: string[] = []
    const explain = (sql: string) =>
      store
        .sql(`EXPLAIN QUERY PLAN ${sql}`)
        .map(row => String(row['detail']))
        .join('\n')
    for (const view of ['recent_errors', 'recent_calls'])
      plans.push(explain(`SELECT * FROM ${view} LIMIT 10`))
    expect(plans.join('\n')).not.toContain('USE TEMP B-TREE')
  })

  it('widen totals and losses to whole minutes, and totals count calls no record was made of', () => {
    const made = newTestStore()
    made.totals(T0_MS, 'A', { calls: 1_000_000, kept: 3 })
    made.totals(T0_MS + 60_000, 'A', { calls: 10 })
    made.totals(T0_MS + 120_000, 'B', { calls: 5 })
    made.drop(T0_MS, 'A', 'queue_full', 1)
    made.drop(T0_MS + 60_000, 'A', 'oversize', 2)
    const store = opened(made)
    const calls = (filter: object) =>
      store.top({ ...filter, sort: 'calls' }).map(row => [row.function, row.calls])
    expect(calls({})).toEqual([
      ['A', 1_000_010],
      ['B', 5],
    ])
    expect(calls({ since: new Date(T0_MS + 30_000), until: new Date(T0_MS + 61_000) })).toEqual([
      ['A', 1_000_010],
    ])
    expect(calls({ since: new Date(T0_MS + 60_000) })).toEqual([
      ['A', 10],
      ['B', 5],
    ])
    expect(calls({ function: 'B' })).toEqual([['B', 5]])
    expect(calls({ limit: 1 })).toEqual([['A', 1_000_010]])
    expect(store.losses({ since: new Date(T0_MS + 60_000) }).map(row => row.count)).toEqual([2])
  })

  const hostile: [string, object][] = [
    ['limit 0', { limit: 0 }],
    ['negative limit', { limit: -1 }],
    ['fractional limit', { limit: 1.5 }],
    ['limit NaN', { limit: Number.NaN }],
    ['limit beyond the maximum', { limit: 1_000_001 }],
    ['limit as text', { limit: '10; DROP TABLE calls' }],
    ['since in words', { since: 'yesterday' }],
    ['since with SQL', { since: "10m' OR 1" }],
    ['empty since', { since: '' }],
    ['two signs', { since: '--5m' }],
    ['an hour no day has', { since: '24:00' }],
    ['a minute no hour has', { until: '10:60' }],
    ['no whole time of day', { since: '10:5' }],
    ['exponent', { since: '1e9m' }],
    ['invalid date', { since: new Date(Number.NaN) }],
    ['infinite since', { since: Number.POSITIVE_INFINITY }],
    ['month 13', { until: '2026-13-01' }],
    ['object', { until: { toString: () => '10m' } }],
    ['null', { since: null }],
    ['empty function', { function: '' }],
    ['endless function', { function: '*'.repeat(100_000) }],
    ['function as number', { function: 7 }],
    ['outcome', { outcome: 'maybe' }],
    ['minimum duration', { minDurationMs: 'long' }],
    ['sort', { sort: 'name; DROP TABLE calls' }],
  ]
  it.each(hostile)('refuse a bad value with a text that says what is accepted: %s', (_, filter) => {
    const store = opened(newTestStore())
    const read = 'sort' in filter ? () => store.top(filter as never) : () => store.calls(filter)
    expect(read).toThrow(expect.objectContaining({ name: 'StoreQueryError', code: 'CALLSIGHT_QUERY' }))
  })

  it('take no memory for latency buckets that no recorder counts in', () => {
    const made = newTestStore()
    made.totals(T0_MS, 'A', { calls: 3, maxMs: 80, buckets: { 100: 2, 200: 1 } })
    const answer = opened(made).top()
    expect(answer).toMatchObject([{ calls: 3 }])
    for (const bucket of [-5, 288, 2 ** 33, 2 ** 52])
      made.run('INSERT INTO latency_buckets VALUES (?, 1)', BigInt(bucket))
    expect(opened(made).top()).toEqual(answer)
  })

  it('take moments before 1970 and after 2112 as the ends of time', () => {
    const made = newTestStore()
    made.call({ atMs: T0_MS })
    const store = opened(made)
    expect(store.calls({ since: '100000d', until: '9999-12-31' }).length).toBe(1)
    expect(store.calls({ since: '9999-12-31' }).length).toBe(0)
    expect(store.top({ until: new Date(8.64e15) })).toEqual([])
  })

  it('read a time without a zone as UTC, whatever the zone of the machine', () => {
    const made = newTestStore()
    made.call({ atMs: T0_MS })
    const store = opened(made)
    const before = process.env['TZ']
    process.env['TZ'] = 'Pacific/Kiritimati'
    try {
      expect(store.calls({ since: '2026-11-20T10:00', until: '2026-11-20T10:01' }).length).toBe(1)
    } finally {
      if (before === undefined) delete process.env['TZ']
      else process.env['TZ'] = before
    }
  })
})
