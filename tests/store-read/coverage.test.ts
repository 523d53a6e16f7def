import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { OTHER_BOOT, T0_MS } from './fixture.js'
import { newOpenedStore } from './new-store.js'

const newStore = (nowMs = T0_MS + 600_000) => newOpenedStore(nowMs)

describe('coverage', () => {
  it('of an untouched store is complete', () => {
    const { store } = newStore()
    expect(store.coverage()).toEqual({
      calls: 0,
      errors: 0,
      sampledOut: 0,
      totalsSince: null,
      dropped: { calls: {}, errors: {} },
      expired: { calls: null, errors: null },
      leftOut: { calls: null, errors: null },
      processes: { writing: 0, ended: 1, endedUncleanly: 0 },
      neverEnded: 0,
      lostFiles: 0,
      unaccounted: 0,
      unreadable: 0,
    })
  })

  it('adds up what was sampled out, dropped by reason and lane, and expired', () => {
    const { made, store } = newStore()
    made.totals(T0_MS, 'A', { calls: 100, errors: 3, kept: 10 })
    made.totals(T0_MS + 60_000, 'B', { calls: 50, kept: 50 })
    made.drop(T0_MS, 'A', 'queue_full', 2)
    made.drop(T0_MS + 60_000, 'A', 'queue_full', 5)
    made.drop(T0_MS, 'B', 'oversize', 1)
    made.drop(T0_MS, null, 'poison', 4, 1)
    made.expired('calls', 7, T0_MS - 1)
    expect(store.coverage()).toMatchObject({
      calls: 150,
      errors: 3,
      sampledOut: 90,
      totalsSince: '2026-11-20T10:00:00.000Z',
      dropped: { calls: { queue_full: 7, oversize: 1 }, errors: { poison: 4 } },
      expired: { calls: { rows: 7, upTo: '2026-11-20T09:59:59.999Z' }, errors: null },
    })
    expect(store.coverage({ function: 'B' })).toMatchObject({
      calls: 50,
      sampledOut: 0,
      dropped: { calls: { oversize: 1 } },
    })
    expect(store.coverage({ since: new Date(T0_MS + 60_000) })).toMatchObject({
      sampledOut: 0,
      dropped: { calls: { queue_full: 5 } },
    })
  })

  it('and losses tell of errors that only the account of their lane knows, at the last sign of life', () => {
    const { made, store } = newStore()
    made.process(2, OTHER_BOOT, { ended: true, lastSeenMs: T0_MS + 120_000 })
    made.drop(T0_MS, 'A', 'queue_full', 2, 0)
    made.drop(T0_MS, null, 'poison', 1, 1)
    made.lane(0, 9, 7, { queue_full: 2 })
    made.lane(1, 9, 3, { queue_full: 5, poison: 1 })
    made.lane(1, 9, 2, { queue_full: 3, serialize_failed: 2, writer_lost: 2 }, 2)
    const unknown = {
      minute: '2026-11-20T10:02Z',
      function: '(unknown)',
      first_at: '2026-11-20T10:00:00.000Z',
      last_at: '2026-11-20T10:02:00.000Z',
      detail: null,
    }
    expect(store.losses()).toEqual(store.sql('SELECT * FROM losses'))
    expect(store.losses().slice(0, 2)).toEqual([
      { ...unknown, reason: 'queue_full', count: 3 },
      { ...unknown, reason: 'serialize_failed', count: 2 },
    ])
    expect(store.coverage().dropped).toEqual({
      calls: { queue_full: 2 },
      errors: { queue_full: 8, serialize_failed: 2, poison: 1 },
    })
    const late = { since: new Date(T0_MS + 60_000) }
    expect(store.losses(late).map(row => row.count)).toEqual([3, 2])
    expect(store.coverage(late).dropped.errors).toEqual({ queue_full: 3, serialize_failed: 2 })
    // Whose they are is not known.
    expect(store.losses({ function: '*' }).map(row => row.function)).toEqual(['A'])
    expect(store.coverage({ function: '*' }).dropped.errors).toEqual({})
  })

  it('does not count rows that had expired before the span asked for', () => {
    const { made, store } = newStore()
    made.expired('errors', 7, T0_MS)
    expect(store.coverage({ since: new Date(T0_MS) }).expired.errors).toEqual({
      rows: 7,
      upTo: '2026-11-20T10:00:00.000Z',
    })
    expect(store.coverage({ since: new Date(T0_MS + 1) }).expired.errors).toBeNull()
  })

  it('tells programs that write from those that ended, cleanly or not', () => {
    const nowMs = T0_MS + 600_000
    const { made, store } = newStore(nowMs)
    made.process(2, OTHER_BOOT, { ending: 'lost' })
    made.process(3, '3'.repeat(16), { lastSeenMs: nowMs - 1_000 })
    made.process(4, '4'.repeat(16), { lastSeenMs: nowMs - 120_000 })
    made.process(5, '5'.repeat(16), { lastSeenMs: Date.now(), host: hostname(), pid: process.pid })
    made.process(6, '6'.repeat(16), { lastSeenMs: nowMs - 120_000, host: hostname(), pid: 0 })
    made.process(7, '7'.repeat(16), { lastSeenMs: nowMs - 120_000, host: hostname(), pid: -1 })
    expect(store.processes().map(process => process.state)).toEqual([
      'ended',
      'ended uncleanly',
      'writing',
      'ended uncleanly',
      'writing',
      'ended uncleanly',
      'ended uncleanly',
    ])
    expect(store.coverage().processes).toEqual({ writing: 2, ended: 1, endedUncleanly: 4 })
  })

  it('counts records of unclean ends that are neither stored nor dropped, and of those only', () => {
    const { made, store } = newStore()
    made.process(2, OTHER_BOOT, { ending: 'lost' })
    const lane = (process: number, ring: number, produced: number, stored: number, dropped: object) =>
      made.run(
        'INSERT INTO lanes VALUES (?, ?, 0, ?, ?, ?, 0)',
        process,
        ring,
        produced,
        stored,
        JSON.stringify(dropped),
      )
    lane(1, 1, 100, 50, {})
    lane(2, 1, 100, 90, { queue_full: 3, oversize: 2 })
    lane(2, 2, 10, 12, {})
    expect(store.coverage().unaccounted).toBe(5)
  })
})
