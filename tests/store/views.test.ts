import { describe, expect, it } from 'vitest'
import { FrameFlag } from '../../lib/queue/layout.js'
import { bucketUpperNs } from '../../lib/totals/layout.js'
import { bucketOf } from '../../lib/totals/totals.js'
import fc from '../support/fast-check.js'
import { all, column, errorRow, registerProcess, T0_US, tempStore } from './temp-store.js'

const plan = (db: Parameters<typeof all>[0], sql: string) =>
  all(db, `EXPLAIN QUERY PLAN ${sql}`).map(step => String(step['detail']))

describe('the views are the contract', () => {
  it.each([
    [
      'recent_errors',
      'at function error message duration_ms args stack trace_id call_id process shape parent_id fingerprint cuts',
    ],
    [
      'recent_calls',
      'at function outcome duration_ms args result weight trace_id parent_id call_id process shape recorded cuts',
    ],
    ['function_totals', 'function calls errors mean_ms p50_ms p95_ms p99_ms max_ms'],
    ['losses', 'minute function reason count first_at last_at detail'],
    [
      'open_calls',
      'seen_at function started_at age_ms timed depth args shape trace_id parent_id call_id process process_ended',
    ],
    [
      'died_in_flight',
      'seen_at function started_at age_ms timed depth args shape trace_id parent_id call_id process process_ended',
    ],
    ['recent_stalls', 'at duration_ms ended function share on_cpu calls process'],
    ['recent_incidents', 'at until kind detail process'],
  ])('%s has its columns in order', (view, columns) => {
    const { db } = tempStore()
    expect(all(db, `PRAGMA table_info(${view})`).map(c => c['name'])).toEqual(columns.split(' '))
  })

  it('show calls and errors newest first, with the values written', () => {
    const { db, writer } = tempStore()
    writer.begin()
    const p = registerProcess(writer)
    const f = writer.functionId('Orders.place')
    const args = '[{"id":1,"naïve":"✓"}]'
    writer.call(T0_US, 5, f, p, 1_500_000, 4, 1, 1, 0, 0, null, args, 'true', null)
    writer.call(T0_US + 2_000, 5, f, p, 1_000, 1, 3, 1, 1, 0, '["number"]', null, null, '{"items":1}')
    writer.error(
      errorRow({
        endUs: T0_US + 1_000,
        functionId: f,
        processId: p,
        call: 2,
        trace: 1,
        parent: 1,
        shape: '["string"]',
      }),
    )
    writer.commit()
    const trace = '00000000000000aa0000000000000001'
    expect(all(db, 'SELECT * FROM recent_calls')).toEqual([
      {
        at: '2026-01-02T03:04:05.680Z',
        function: 'Orders.place',
        outcome: 'ok',
        duration_ms: 0.001,
        args: null,
        result: null,
        weight: 1,
        trace_id: trace,
        parent_id: '0000000000000001',
        call_id: '0000000000000003',
        process: 'app.js[4711]',
        shape: '["number"]',
        recorded: 'sampled',
        cuts: '{"items":1}',
      },
      expect.objectContaining({
        at: '2026-01-02T03:04:05.679Z',
        outcome: 'error',
        duration_ms: 2.5,
        result: null,
        weight: 1,
        shape: '["string"]',
        recorded: 'error',
      }),
      expect.objectContaining({
        at: '2026-01-02T03:04:05.678Z',
        outcome: 'ok',
        duration_ms: 1.5,
        args: '[{"id":1,"naïve":"✓"}]',
        result: 'true',
        weight: 4,
        parent_id: null,
      }),
    ])
    expect(all(db, 'SELECT * FROM recent_errors')).toEqual([
      {
        at: '2026-01-02T03:04:05.679Z',
        function: 'Orders.place',
        error: 'TypeError',
        message: 'no',
        duration_ms: 2.5,
        args: '[1]',
        stack: 'TypeError: no\n  at x',
        trace_id: trace,
        call_id: '0000000000000002',
        process: 'app.js[4711]',
        shape: '["string"]',
        parent_id: '0000000000000001',
        fingerprint: '0123456789abcdef',
        cuts: null,
      },
    ])
  })

  it.each([
    ['sampled', 0],
    ['slow', FrameFlag.slow | FrameFlag.argsAfter],
    ['hindsight', FrameFlag.hindsight],
    ['hindsight', FrameFlag.hindsight | FrameFlag.slow | FrameFlag.remote],
  ])('say why a call is in the store: %s', (recorded, flags) => {
    const { db, writer } = tempStore()
    writer.begin()
    const p = registerProcess(writer)
    const f = writer.functionId('f')
    const weight = recorded === 'hindsight' ? 0 : 1
    writer.call(T0_US, 0, f, p, 1, weight, 1, 1, 0, flags, null, null, null, null)
    writer.commit()
    expect(all(db, 'SELECT recorded, weight FROM recent_calls')).toEqual([{ recorded, weight }])
  })

  it('show the trace and the parent that a trace from outside came with', () => {
    const { db, writer } = tempStore()
    writer.begin()
    const p = registerProcess(writer)
    const other = registerProcess(writer, '00000000000000bb')
    const f = writer.functionId('f')
    const ids = Buffer.from(`ff${'0af7651916cd43dd8448eb211c80319c'}${'00f067aa0ba902b7'}ff`, 'hex')
    writer.remoteTrace(p, -7, ids, 1, T0_US)
    writer.call(T0_US, 0, f, p, 1, 1, 8, -7, 0, FrameFlag.remote, null, null, null, null)
    writer.error(errorRow({ endUs: T0_US + 1, functionId: f, processId: p, call: 9, trace: -7, parent: 8 }))
    writer.error(errorRow({ endUs: T0_US + 2, functionId: f, processId: p, call: 10, trace: -7, seq: 2 }))
    // The same number in another process is another trace.
    writer.call(T0_US + 3, 0, f, other, 1, 1, 8, -7, 0, 0, null, null, null, null)
    writer.commit()
    const remote = { trace_id: '0af7651916cd43dd8448eb211c80319c' }
    expect(all(db, 'SELECT call_id, trace_id, parent_id FROM recent_calls')).toEqual([
      { call_id: '0000000000000008', trace_id: '00000000000000bbfffffffffffffff9', parent_id: null },
      { call_id: '000000000000000a', ...remote, parent_id: '00f067aa0ba902b7' },
      { call_id: '0000000000000009', ...remote, parent_id: '0000000000000008' },
      { call_id: '0000000000000008', ...remote, parent_id: '00f067aa0ba902b7' },
    ])
    expect(all(db, 'SELECT call_id, trace_id, parent_id FROM recent_errors')).toEqual([
      { call_id: '000000000000000a', ...remote, parent_id: '00f067aa0ba902b7' },
      { call_id: '0000000000000009', ...remote, parent_id: '0000000000000008' },
    ])
  })

  it('read the newest rows through the primary key, without sorting the table', () => {
    const { db, writer } = tempStore()
    writer.begin()
    const p = registerProcess(writer)
    const f = writer.functionId('f')
    for (let n = 0; n < 3_000; n++) {
      if (n % 2 === 0) writer.remoteTrace(p, -n - 1, Buffer.alloc(24, n & 0xff), 0, T0_US)
      writer.call(T0_US + n, 0, f, p, 1, 1, n + 1, -n - 1, 0, 0, null, null, null, null)
      if (n % 3 === 0) writer.error(errorRow({ endUs: T0_US + n, functionId: f, processId: p, seq: n + 1 }))
    }
    writer.commit()
    for (const view of ['recent_calls', 'recent_errors']) {
      for (const stats of [false, true]) {
        if (stats) db.exec('ANALYZE')
        const steps = plan(db, `SELECT * FROM ${view} LIMIT 10`).join('\n')
        expect(steps).not.toMatch(/TEMP B-TREE|AUTOMATIC/)
        expect(steps).toMatch(/SCAN r\n(.*LEFT-JOIN\n)*RIGHT\nSCAN r|^SCAN e\n/)
      }
    }
    const ats = column(db, 'SELECT at FROM recent_calls LIMIT 500')
    expect(ats).toEqual([...ats].sort().reverse())
  })
})

describe('function_totals', () => {
  const deltaOf = (durations: readonly number[]) => {
    const buckets = new Map<number, number>()
    for (const ns of durations) buckets.set(bucketOf(ns), (buckets.get(bucketOf(ns)) ?? 0) + 1)
    return {
      calls: durations.length,
      errors: 1,
      kept: 0,
      timed: durations.length,
      durationSumNs: durations.reduce((a, b) => a + b, 0),
      durationMaxNs: Math.max(...durations),
      buckets,
    }
  }

  it('agrees with a sorted list of all durations, to the bucket, however the deltas were cut', () => {
    const duration = fc.integer({ min: 1, max: 10_000_000_000 })
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.integer({ min: 0, max: 2 }), fc.array(duration, { minLength: 1, maxLength: 30 })),
          {
            minLength: 1,
            maxLength: 6,
          },
        ),
        parts => {
          const { db, writer } = tempStore()
          writer.begin()
          const p = registerProcess(writer)
          const f = writer.functionId('f')
          for (const [minute, durations] of parts) writer.addTotals(100 + minute, f, p, deltaOf(durations))
          writer.commit()
          const sorted = parts.flatMap(([, d]) => d).sort((a, b) => a - b)
          const max = sorted.at(-1)!
          const percentile = (q: number) => {
            const nth = sorted[Math.ceil(q * sorted.length) - 1]!
            return Math.min(bucketUpperNs(bucketOf(nth)), max) / 1e6
          }
          const [row] = all(db, 'SELECT * FROM function_totals')
          expect(row).toMatchObject({
            function: 'f',
            calls: sorted.length,
            errors: parts.length,
            max_ms: max / 1e6,
          })
          expect(row?.['p50_ms']).toBeCloseTo(percentile(0.5), 9)
          expect(row?.['p95_ms']).toBeCloseTo(percentile(0.95), 9)
          expect(row?.['p99_ms']).toBeCloseTo(percentile(0.99), 9)
          expect(row?.['mean_ms']).toBeCloseTo(sorted.reduce((a, b) => a + b, 0) / sorted.length / 1e6, 6)
          db.close()
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('losses', () => {
  it('adds up by minute, function and reason, and keeps the span of the gap', () => {
    const { db, writer } = tempStore()
    writer.begin()
    const a = registerProcess(writer, '00000000000000aa')
    const b = registerProcess(writer, '00000000000000bb')
    const f = writer.functionId('f')
    const us = 29_000_000 * 60_000_000
    writer.addDrops(29_000_000, f, a, 0, 'queue_full', 3, us + 50_000, us + 60_000)
    writer.addDrops(29_000_000, f, a, 0, 'queue_full', 4, us + 40_000, us + 55_000)
    writer.addDrops(29_000_000, f, b, 0, 'queue_full', 10, us + 1_000, us + 2_000)
    writer.addDrops(29_000_001, 0, a, 0, 'oversize', 1, us + 60_007_000, us + 60_007_000)
    writer.commit()
    expect(all(db, 'SELECT * FROM losses')).toEqual([
      {
        minute: '2025-02-19T21:21Z',
        function: '(unknown)',
        reason: 'oversize',
        count: 1,
        first_at: '2025-02-19T21:21:00.007Z',
        last_at: '2025-02-19T21:21:00.007Z',
        detail: null,
      },
      {
        minute: '2025-02-19T21:20Z',
        function: 'f',
        reason: 'queue_full',
        count: 17,
        first_at: '2025-02-19T21:20:00.001Z',
        last_at: '2025-02-19T21:20:00.060Z',
        detail: null,
      },
    ])
    expect(
      all(db, 'SELECT count, first_us, last_us FROM drops WHERE process_id = ? AND function_id = ?', a, f),
    ).toEqual([{ count: 7, first_us: us + 40_000, last_us: us + 60_000 }])
  })

  it('tells what only the account of the error lane knows, at the last sign of life, and nothing twice', () => {
    const { db, writer } = tempStore()
    writer.begin()
    const p = registerProcess(writer, '00000000000000aa', 0)
    writer.touchProcess(p, 29_000_005 * 60_000_000)
    writer.lane(p, 0, 0, 9, 0, '{"queue_full":9}', 0)
    writer.addDrops(29_000_000, 0, p, 0, 'queue_full', 9, 1, 2)
    writer.lane(p, 0, 1, 20, 3, '{"queue_full":5,"serialize_failed":1,"poison":2,"writer_lost":4}', 0)
    writer.lane(p, 1, 1, 2, 0, '{"queue_full":2}', 0)
    // Both are given to the minutes as well, where retention may have deleted them.
    writer.addDrops(29_000_001, 0, p, 1, 'poison', 1, 1, 2)
    writer.commit()
    expect(all(db, 'SELECT minute, function, reason, count FROM losses')).toEqual([
      { minute: '2025-02-19T21:25Z', function: '(unknown)', reason: 'queue_full', count: 7 },
      { minute: '2025-02-19T21:25Z', function: '(unknown)', reason: 'serialize_failed', count: 1 },
      { minute: '2025-02-19T21:21Z', function: '(unknown)', reason: 'poison', count: 1 },
      { minute: '2025-02-19T21:20Z', function: '(unknown)', reason: 'queue_full', count: 9 },
    ])
  })

  it('name the files that were set aside or are gone, of which nobody knows what was in them', () => {
    const { db, writer } = tempStore()
    writer.begin()
    const p = registerProcess(writer)
    const us = 29_000_000 * 60_000_000
    writer.addDrops(29_000_000, 0, p, 0, 'queue_full', 3, us, us)
    const aside = writer.incident(p, 'store_set_aside', us + 5_000_000.7, null, '/tmp/calls.db.corrupt-1')
    writer.incident(p, 'journal_set_aside', us + 65_000_000, us + 66_000_000, '/tmp/journal')
    writer.incident(p, 'breaker_open', us + 6_000_000, us + 7_000_000, 'locked')
    writer.incident(p, 'store_gone', us - 1_000_000, us, '/tmp/calls.db')
    writer.commit()
    const taken = { function: '(all)', count: null }
    const rows = [
      {
        ...taken,
        minute: '2025-02-19T21:21Z',
        reason: 'journal_set_aside',
        first_at: '2025-02-19T21:21:05.000Z',
        last_at: '2025-02-19T21:21:06.000Z',
        detail: '/tmp/journal',
      },
      {
        minute: '2025-02-19T21:20Z',
        function: '(unknown)',
        reason: 'queue_full',
        count: 3,
        first_at: '2025-02-19T21:20:00.000Z',
        last_at: '2025-02-19T21:20:00.000Z',
        detail: null,
      },
      {
        ...taken,
        minute: '2025-02-19T21:20Z',
        reason: 'store_set_aside',
        first_at: '2025-02-19T21:20:05.000Z',
        last_at: '2025-02-19T21:20:05.000Z',
        detail: '/tmp/calls.db.corrupt-1',
      },
      {
        ...taken,
        minute: '2025-02-19T21:19Z',
        reason: 'store_gone',
        first_at: '2025-02-19T21:19:59.000Z',
        last_at: '2025-02-19T21:20:00.000Z',
        detail: '/tmp/calls.db',
      },
    ]
    expect(all(db, 'SELECT * FROM losses')).toEqual(rows)
    writer.endIncident(aside, us + 8_000_000)
    expect(column(db, "SELECT last_at FROM losses WHERE reason = 'store_set_aside'")).toEqual([
      '2025-02-19T21:20:08.000Z',
    ])
    expect(all(db, 'SELECT * FROM recent_incidents').map(row => [row['kind'], row['until']])).toEqual([
      ['journal_set_aside', '2025-02-19T21:21:06.000Z'],
      ['breaker_open', '2025-02-19T21:20:07.000Z'],
      ['store_set_aside', '2025-02-19T21:20:08.000Z'],
      ['store_gone', '2025-02-19T21:20:00.000Z'],
    ])
  })
})
