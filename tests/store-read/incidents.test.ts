import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { StoreQueryError } from '../../lib/store/read-errors.js'
import { hex16, OTHER_BOOT, T0_MS, traceIdOf } from './fixture.js'
import { newOpenedStore } from './new-store.js'

const newStore = () => newOpenedStore(T0_MS + 600_000)

const at = (ms: number) => new Date(T0_MS + ms).toISOString()

describe('calls in flight', () => {
  it('are shown as the last look at their thread found them, the stack from the outside in', () => {
    const { made, store } = newStore()
    made.process(2, OTHER_BOOT, { ending: 'lost' })
    made.look(T0_MS + 5_000, { open: 9, listed: 3, process: 2 })
    made.look(T0_MS + 4_000, { open: 1, process: 2, ring: 3 })
    made.look(T0_MS + 1_000, { open: 1 })
    made.open({ process: 2, call: 12, atMs: T0_MS + 100, fn: 'Http.get', depth: null, timed: false })
    made.open({ process: 2, call: 11, atMs: T0_MS + 900, fn: 'Db.query', depth: 1, trace: 10, parent: 10 })
    made.open({
      process: 2,
      call: 10,
      atMs: T0_MS + 800,
      fn: 'Orders.place',
      args: '[1]',
      shape: '["number"]',
    })
    made.open({ process: 2, call: 7, ring: 3, atMs: T0_MS, fn: 'Worker.run' })
    made.open({ call: 5, atMs: T0_MS + 2_000, fn: 'Clean.end', trace: -5, depth: null })
    made.remote(-5, 'a'.repeat(32), 'b'.repeat(16))
    const rows = store.openCalls()
    expect(rows.map(row => row.function)).toEqual([
      'Orders.place',
      'Db.query',
      'Http.get',
      'Worker.run',
      'Clean.end',
    ])
    expect(rows[0]).toEqual({
      seen_at: at(5_000),
      function: 'Orders.place',
      started_at: at(800),
      age_ms: 4_200,
      timed: 1,
      depth: 0,
      args: '[1]',
      shape: '["number"]',
      trace_id: traceIdOf(10, OTHER_BOOT),
      parent_id: null,
      call_id: hex16(10),
      process: 'app.ts[102]',
      process_ended: 'lost',
    })
    expect(rows[1]).toMatchObject({ depth: 1, parent_id: hex16(10), trace_id: traceIdOf(10, OTHER_BOOT) })
    expect(rows[2]).toMatchObject({ depth: null, timed: 0 })
    // Begun after the look by a clock that is a little off: no negative age.
    expect(rows[4]).toMatchObject({
      age_ms: 0,
      process_ended: 'clean',
      trace_id: 'a'.repeat(32),
      parent_id: 'b'.repeat(16),
    })
    expect(rows).toEqual(store.sql('SELECT * FROM open_calls'))
    expect(store.sql('SELECT * FROM died_in_flight')).toEqual(rows.slice(0, 4))
  })

  it('are found by function, process and number of rows', () => {
    const { made, store } = newStore()
    made.process(2, OTHER_BOOT, { ending: 'lost' })
    made.look(T0_MS, { open: 3, process: 2 })
    for (const fn of ['A.x', 'A.y', 'B.x']) made.open({ process: 2, atMs: T0_MS, fn })
    made.open({ atMs: T0_MS, fn: 'A.x' })
    expect(store.openCalls({ function: 'A.*' })).toHaveLength(3)
    for (const process of ['102', 'app.ts[102]', OTHER_BOOT])
      expect(store.openCalls({ function: 'A.*', process }), process).toHaveLength(2)
    expect(store.openCalls({ process: '10' })).toEqual([])
    expect(store.openCalls({ limit: 1 })).toHaveLength(1)
    // Without a look, as in no file of a recorder.
    expect(store.openCalls({ process: '101' })).toMatchObject([{ seen_at: null, age_ms: null }])
    expect(() => store.openCalls({ process: '' })).toThrow(StoreQueryError)
    expect(() => store.openCalls({ limit: 0 })).toThrow(StoreQueryError)
  })

  it('that never ended are counted, those of running programs are not', () => {
    const { made, store } = newStore()
    const now = T0_MS + 600_000
    made.process(2, OTHER_BOOT, { ending: 'lost', lastSeenMs: T0_MS + 300_000 })
    made.process(3, '3'.repeat(16), { lastSeenMs: now })
    made.process(4, '4'.repeat(16), { lastSeenMs: T0_MS + 1_000 })
    made.look(T0_MS, { open: 1 })
    made.look(T0_MS, { open: 20, listed: 2, process: 2 })
    made.look(T0_MS, { open: 4, listed: 0, process: 2, ring: 1 })
    made.look(T0_MS, { open: 300, process: 3 })
    made.look(T0_MS, { open: 4_000, process: 4 })
    for (const fn of ['A', 'B']) made.open({ process: 2, atMs: T0_MS + 60_000, fn })
    made.open({ process: 3, atMs: T0_MS, fn: 'A' })
    expect(store.coverage().neverEnded).toBe(4_025)
    expect(store.coverage({ since: new Date(T0_MS + 200_000) }).neverEnded).toBe(24)
    expect(store.coverage({ until: new Date(T0_MS - 60_000) }).neverEnded).toBe(0)
    expect(store.coverage({ function: 'A' }).neverEnded).toBe(1)
    expect(store.coverage({ function: 'A', until: new Date(T0_MS + 60_000) }).neverEnded).toBe(0)
  })
})

describe('stalls', () => {
  const seeded = () => {
    const { made, store } = newStore()
    made.process(2, OTHER_BOOT, { ending: 'lost' })
    made.stall({
      atMs: T0_MS,
      seenMs: T0_MS + 900,
      endedMs: T0_MS + 1_500,
      looks: 10,
      onCpu: 1,
      calls: [
        ['Server.handle', 0, 10, 2],
        ['Report.build', 1, 4, 4, '["small"]'],
        ['Report.build', 1, 3, 3, '["large"]'],
        ['Db.query', 2, 1, 1],
      ],
    })
    made.stall({ atMs: T0_MS + 60_000, seenMs: T0_MS + 72_400, process: 2, looks: 100, onCpu: 99 })
    return { made, store }
  }

  it('are newest first, with the function that was innermost most often', () => {
    const { store } = seeded()
    const rows = store.stalls()
    expect(rows).toEqual([
      {
        at: at(60_000),
        duration_ms: 12_400,
        ended: 0,
        function: null,
        share: null,
        on_cpu: 0.99,
        calls: '[]',
        process: 'app.ts[102]',
      },
      {
        at: at(0),
        duration_ms: 1_500,
        ended: 1,
        function: 'Report.build',
        share: 0.7,
        on_cpu: 0.1,
        calls: expect.any(String),
        process: 'app.ts[101]',
      },
    ])
    expect(JSON.parse(rows[1]?.calls ?? '')).toEqual([
      { function: 'Server.handle', looks: 10, innermost: 2, calls: 1, args: null, shape: null },
      { function: 'Report.build', looks: 7, innermost: 7, calls: 2, args: '["small"]', shape: null },
      { function: 'Db.query', looks: 1, innermost: 1, calls: 1, args: null, shape: null },
    ])
    expect(rows).toEqual(store.sql('SELECT * FROM recent_stalls'))
  })

  it('are found by any function on the stack, by process and by the time they touch', () => {
    const { store } = seeded()
    expect(store.stalls({ function: 'Server.*' })).toHaveLength(1)
    expect(store.stalls({ function: 'Nobody' })).toEqual([])
    expect(store.stalls({ process: '102' })).toHaveLength(1)
    expect(store.stalls({ limit: 1 })).toHaveLength(1)
    expect(store.stalls({ since: new Date(T0_MS + 70_000) })).toHaveLength(1)
    expect(store.stalls({ until: new Date(T0_MS + 1) })).toHaveLength(1)
    expect(store.stalls({ since: new Date(T0_MS + 1_501), until: new Date(T0_MS + 60_000) })).toEqual([])
  })

  it('of a system that does not tell say nothing about the processor', () => {
    const { made, store } = newStore()
    made.stall({ atMs: T0_MS, seenMs: T0_MS + 1, looks: 0 })
    expect(store.stalls()).toMatchObject([{ on_cpu: null, share: null, function: null }])
  })

  it('with more calls than any recorder writes are cut, from the outside', () => {
    const { made, store } = newStore()
    const calls = Array.from({ length: 300 }, (_, depth) => [`f${depth}`, depth, 1, 0] as const)
    made.stall({ atMs: T0_MS, seenMs: T0_MS + 1, calls })
    const stack = JSON.parse(store.stalls()[0]?.calls ?? '') as { function: string }[]
    expect([stack.length, stack[0]?.function, stack.at(-1)?.function]).toEqual([100, 'f200', 'f299'])
  })
})

describe('incidents', () => {
  it('are newest first, and found by kind, process and the time they touch', () => {
    const { made, store } = newStore()
    made.incident(T0_MS + 2_000, 'breaker_open', 'locked', T0_MS + 4_000)
    made.incident(T0_MS + 1_000, 'store_set_aside', '/a', T0_MS + 1_000)
    made.incident(T0_MS + 3_000, 'memory_only', 'no disk')
    expect(store.incidents()).toEqual([
      { at: at(3_000), until: null, kind: 'memory_only', detail: 'no disk', process: 'app.ts[101]' },
      { at: at(2_000), until: at(4_000), kind: 'breaker_open', detail: 'locked', process: 'app.ts[101]' },
      { at: at(1_000), until: at(1_000), kind: 'store_set_aside', detail: '/a', process: 'app.ts[101]' },
    ])
    expect(store.incidents()).toEqual(store.sql('SELECT * FROM recent_incidents'))
    expect(store.incidents({ kind: 'breaker_open' })).toHaveLength(1)
    expect(store.incidents({ process: '7' })).toEqual([])
    expect(store.incidents({ since: new Date(T0_MS + 3_500) })).toHaveLength(2)
    expect(store.incidents({ until: new Date(T0_MS + 2_000) })).toHaveLength(1)
    expect(() => store.incidents({ kind: '' })).toThrow(StoreQueryError)
  })

  it('that took records away are losses, of every function, and leave no answer complete', () => {
    const { made, store } = newStore()
    made.drop(T0_MS, 'A', 'queue_full', 2)
    made.incident(T0_MS + 60_000, 'store_set_aside', '/a')
    made.incident(T0_MS + 60_000, 'breaker_open', 'locked')
    expect(store.losses()).toEqual(store.sql('SELECT * FROM losses'))
    expect(store.losses().map(row => [row.reason, row.count, row.detail])).toEqual([
      ['store_set_aside', null, '/a'],
      ['queue_full', 2, null],
    ])
    expect(store.losses({ function: 'B' }).map(row => row.function)).toEqual(['(all)'])
    expect(store.losses({ until: new Date(T0_MS + 60_000) })).toHaveLength(1)
    expect(store.losses({ since: new Date(T0_MS + 120_000) })).toEqual([])
    expect(store.coverage()).toMatchObject({ lostFiles: 1, dropped: { calls: { queue_full: 2 } } })
    expect(store.coverage({ until: new Date(T0_MS + 60_000) }).lostFiles).toBe(0)
  })
})

describe('the views', () => {
  it('are read by the sqlite3 of a system that is years old', context => {
    const { made } = newStore()
    made.look(T0_MS, { open: 1 })
    made.open({ atMs: T0_MS })
    made.stall({ atMs: T0_MS, seenMs: T0_MS + 1, calls: [['f', 0, 1, 1]] })
    made.incident(T0_MS, 'store_gone', '/a')
    try {
      execFileSync('sqlite3', ['-version'])
    } catch {
      context.skip('sqlite3 is not installed')
    }
    for (const view of ['open_calls', 'recent_stalls', 'recent_incidents', 'losses']) {
      const out = execFileSync('sqlite3', [made.path, `SELECT count(*) FROM (SELECT * FROM ${view} LIMIT 9)`])
      expect(out.toString().trim(), view).toBe('1')
    }
  })
})
