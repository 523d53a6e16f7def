import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { StoreQueryError } from '../../lib/store/read-errors.js'
import { OTHER_BOOT, T0_MS } from './fixture.js'
import { newOpenedStore } from './new-store.js'

const at = (ms: number) => new Date(T0_MS + ms).toISOString()

describe('the report of a crash', () => {
  it('is not there when every process ended cleanly or is running', () => {
    const { made, store } = newOpenedStore()
    expect(store.crash()).toBeNull()
    made.process(2, OTHER_BOOT, { host: hostname(), pid: process.pid, lastSeenMs: Date.now() })
    expect(store.crash()).toBeNull()
  })

  it('is of the process that was seen last of those that died, and names the others', () => {
    const { made, store } = newOpenedStore()
    made.process(2, '2'.repeat(16), { ending: 'lost', lastSeenMs: T0_MS + 1_000 })
    made.process(3, '3'.repeat(16), { ending: 'lost', lastSeenMs: T0_MS + 9_000 })
    made.process(4, '4'.repeat(16), { ending: 'lost', lastSeenMs: T0_MS + 5_000 })
    made.process(5, '5'.repeat(16), { ending: 'clean', lastSeenMs: T0_MS + 99_000 })
    const report = store.crash()
    expect(report).toMatchObject({
      process: 'app.ts[103]',
      boot: '3'.repeat(16),
      host: 'elsewhere',
      nodeVersion: 'v20',
      state: 'ended uncleanly',
      startedAt: at(0),
      lastSeenAt: at(9_000),
      machineStartedAt: null,
      otherCount: 2,
      others: [
        { process: 'app.ts[104]', boot: '4'.repeat(16), lastSeenAt: at(5_000) },
        { process: 'app.ts[102]', boot: '2'.repeat(16), lastSeenAt: at(1_000) },
      ],
    })
  })

  it('can be asked for by pid, name and boot id, also of a process that ended cleanly', () => {
    const { made, store } = newOpenedStore()
    made.process(2, '2'.repeat(16), { ending: 'lost', pid: 7 })
    made.process(3, '3'.repeat(16), { ending: 'lost', pid: 7, lastSeenMs: T0_MS + 1 })
    made.process(4, '4'.repeat(16), { ending: 'clean', pid: 7, lastSeenMs: T0_MS + 2 })
    // Of one name the newest that died.
    expect(store.crash('7')?.boot).toBe('3'.repeat(16))
    expect(store.crash('app.ts[7]')?.boot).toBe('3'.repeat(16))
    expect(store.crash('2'.repeat(16))?.boot).toBe('2'.repeat(16))
    expect(store.crash('101')).toMatchObject({ state: 'ended', process: 'app.ts[101]', otherCount: 2 })
    expect(() => store.crash('8')).toThrow(/No process 8 in .*The newest are app\.ts\[7\]/)
    expect(() => store.crash('')).toThrow(StoreQueryError)
  })

  it('finds a process dead at once on its own machine, and another one’s when it has been silent for a minute', () => {
    const gone = spawnSync(process.execPath, ['-e', '0']).pid
    const seen = Date.now()
    let now = seen + 1
    const { made, store } = newOpenedStore(() => now)
    made.process(2, '2'.repeat(16), { lastSeenMs: seen, host: hostname(), pid: gone })
    expect(store.crash()?.process).toBe(`app.ts[${gone}]`)
    made.process(3, '3'.repeat(16), { lastSeenMs: seen + 1, pid: gone })
    expect(store.crash()?.otherCount).toBe(0)
    now = seen + 60_002
    expect(store.crash()).toMatchObject({ boot: '3'.repeat(16), otherCount: 1 })
  })

  it('takes a pid that somebody else has by now for dead', () => {
    const { made, store } = newOpenedStore()
    made.process(2, '2'.repeat(16), {
      host: hostname(),
      pid: process.pid,
      lastSeenMs: Math.floor(Date.now() - performance.now() - 60_000),
    })
    if (process.platform === 'linux') expect(store.crash()?.boot).toBe('2'.repeat(16))
  })

  it('says when the machine was started again since', () => {
    const { made, store } = newOpenedStore(Date.now)
    made.process(2, '2'.repeat(16), { ending: 'lost', host: hostname(), lastSeenMs: 1_000 })
    const started = Date.parse(store.crash()?.machineStartedAt ?? '')
    expect(started).toBeGreaterThan(1_000)
    expect(started).toBeLessThanOrEqual(Date.now())
  })

  it('has calls in flight thread by thread, and how far the look is to be trusted', () => {
    const { made, store } = newOpenedStore()
    made.process(2, OTHER_BOOT, { ending: 'lost', lastSeenMs: T0_MS + 5_000 })
    made.look(T0_MS + 4_916, { open: 40, listed: 2, process: 2 })
    made.look(T0_MS + 5_001, { open: 1, process: 2, ring: 4 })
    made.open({ process: 2, ring: 4, atMs: T0_MS, fn: 'Worker.run' })
    made.open({ process: 2, atMs: T0_MS + 2, fn: 'B', depth: 1 })
    made.open({ process: 2, atMs: T0_MS + 1, fn: 'A' })
    made.open({ process: 1, atMs: T0_MS, fn: 'Other' })
    expect(store.crash()?.inFlight).toMatchObject({
      open: 41,
      listed: 3,
      threads: [
        { thread: 0, open: 40, listed: 2, lookedAt: at(4_916), blindMs: 84 },
        { thread: 4, open: 1, listed: 1, lookedAt: at(5_001), blindMs: 0 },
      ],
      calls: [
        { thread: 0, function: 'A', age_ms: 4_915 },
        { thread: 0, function: 'B' },
        { thread: 4, function: 'Worker.run' },
      ],
    })
  })

  it('tells the stall it ended in, and none that was over', () => {
    const { made, store } = newOpenedStore()
    made.process(2, OTHER_BOOT, { ending: 'lost' })
    made.stall({ atMs: T0_MS, seenMs: T0_MS + 100, process: 2 })
    made.stall({ atMs: T0_MS + 200, seenMs: T0_MS + 900, process: 2, calls: [['f', 0, 1, 1]] })
    made.stall({ atMs: T0_MS + 300, seenMs: T0_MS + 400, process: 1 })
    expect(store.crash()?.stall).toMatchObject({ at: at(200), duration_ms: 700, function: 'f' })
    made.stall({ atMs: T0_MS + 500, seenMs: T0_MS + 600, endedMs: T0_MS + 700, process: 2 })
    expect(store.crash()?.stall).toBeNull()
  })

  it('has the last errors of that process only', () => {
    const { made, store } = newOpenedStore()
    made.process(2, OTHER_BOOT, { ending: 'lost' })
    for (let n = 0; n < 7; n++) {
      made.error({ atMs: T0_MS + n, process: 2, message: `of it ${n}` })
      made.error({ atMs: T0_MS + 100 + n, process: 1, message: 'of another' })
    }
    expect(store.crash()?.errors.map(row => row.message)).toEqual([6, 5, 4, 3, 2].map(n => `of it ${n}`))
    expect(store.crash('101')?.errors).toHaveLength(5)
  })

  it('has the ten seconds before its last sign of life, those without calls too', () => {
    const { made, store } = newOpenedStore()
    made.process(2, OTHER_BOOT, { ending: 'lost', lastSeenMs: T0_MS + 30_500 })
    made.second(T0_MS + 20_000, 'early', { calls: 1, process: 2 })
    made.second(T0_MS + 21_000, 'A', { calls: 3, errors: 1, sumMs: 6, process: 2 })
    made.second(T0_MS + 21_000, 'B', { calls: 7, sumMs: 1, process: 2 })
    made.second(T0_MS + 21_000, null, { calls: 90, sumMs: 93, process: 2 })
    made.second(T0_MS + 30_000, null, { calls: 2, process: 2 })
    made.second(T0_MS + 30_000, 'A', { calls: 2, process: 1 })
    const report = store.crash()
    const none = { calls: 0, errors: 0, mean_ms: null, function: null, function_calls: 0 }
    expect(report?.seconds).toEqual([
      { at: at(21_000), calls: 100, errors: 1, mean_ms: 1, function: 'B', function_calls: 7 },
      ...[22, 23, 24, 25, 26, 27, 28, 29].map(second => ({ ...none, at: at(second * 1_000) })),
      { at: at(30_000), calls: 2, errors: 0, mean_ms: 1, function: null, function_calls: 0 },
    ])
    expect(report?.lastCountedAt).toBe(at(30_000))
  })

  it('has no seconds from before it was started', () => {
    const { made, store } = newOpenedStore()
    made.process(2, OTHER_BOOT, { ending: 'lost', lastSeenMs: T0_MS + 2_500 })
    expect(store.crash()?.seconds.map(row => row.at)).toEqual([at(0), at(1_000), at(2_000)])
    expect(store.crash()?.lastCountedAt).toBeNull()
  })

  it('has what is missing of it: losses, incidents, records that nobody has counted, journals', () => {
    const { made, store } = newOpenedStore()
    made.process(2, OTHER_BOOT, { ending: 'lost', lastSeenMs: T0_MS + 2_000 })
    const drop = (process: number, count: number, ms: number) =>
      made.run(
        'INSERT INTO drops VALUES (?, ?, ?, 0, ?, ?, ?, ?)',
        Math.floor((T0_MS + ms) / 60_000),
        made.fn('A'),
        process,
        'queue_full',
        count,
        (T0_MS + ms) * 1_000,
        (T0_MS + ms + 5) * 1_000,
      )
    drop(2, 3, 0)
    drop(2, 4, 60_000)
    drop(1, 50, 0)
    made.lane(0, 20, 3, {}, 2)
    made.lane(1, 4, 1, { serialize_failed: 3 }, 2)
    made.incident(T0_MS, 'breaker_open', 'locked', T0_MS + 1, 2)
    made.incident(T0_MS, 'disk_full', '', null, 1)
    for (const boot of [OTHER_BOOT, '9'.repeat(16)]) writeFileSync(`${made.path}.errors-${boot}-0-1`, '')
    expect(store.crash()).toMatchObject({
      losses: [
        { function: 'A', reason: 'queue_full', count: 7, first_at: at(0), last_at: at(60_005) },
        { function: '(unknown)', reason: 'serialize_failed', count: 3, first_at: at(0), last_at: at(2_000) },
      ],
      incidents: [{ kind: 'breaker_open', detail: 'locked' }],
      unaccounted: 17,
      journals: 1,
    })
    expect(store.crash()?.losses).toHaveLength(2)
  })
})
