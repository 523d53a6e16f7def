import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openForWriting } from '../../lib/store/open.js'
import { openStore, type Store } from '../../lib/store/read.js'
import { APPLICATION_ID, SCHEMA_VERSION } from '../../lib/store/schema.js'
import { onTerminal } from '../cli/terminal.js'
import { hex16, OTHER_BOOT, scratch, T0_MS, TestStore, traceIdOf } from '../store-read/fixture.js'
import { generate } from './generated.js'

const MINUTE_MS = 60_000
const OUTSIDE = 'ab'.repeat(16)

/** Two processes, an hour apart in part, a trace through both, and all that belongs to recordings. */
function scene(made: TestStore): void {
  made.process(2, OTHER_BOOT, { script: 'api.ts', ending: 'lost', lastSeenMs: T0_MS + 70 * MINUTE_MS })
  made.run('UPDATE processes SET last_seen_us = ? WHERE process_id = 1', (T0_MS + 70 * MINUTE_MS) * 1000)
  for (let i = 0; i < 10; i++) made.call({ atMs: T0_MS + i * MINUTE_MS, fn: 'Old.call' })
  made.error({ atMs: T0_MS + 2 * MINUTE_MS, fn: 'Old.error' })
  const late = T0_MS + 65 * MINUTE_MS
  made.call({ call: 500, trace: 0, fn: 'Client.ask', atMs: late + 20, durationMs: 20, args: '["secret"]' })
  made.remote(-7, traceIdOf(500), hex16(500), 2)
  made.call({
    process: 2,
    call: 501,
    trace: -7,
    fn: 'Api.answer',
    atMs: late + 15,
    durationMs: 5,
    result: '"secret"',
  })
  made.error({
    process: 2,
    call: 502,
    trace: -7,
    parent: 501,
    fn: 'Db.query',
    atMs: late + 14,
    message: 'secret',
    stack: 'TypeError: secret\n    at query (db.ts:1:2)',
    details: '{"cause":"secret"}',
  })
  made.remote(-9, OUTSIDE, hex16(77), 2)
  made.call({ process: 2, trace: -9, fn: 'Api.other', atMs: late + 30 })
  made.totals(T0_MS, 'Old.call', { calls: 10 })
  made.totals(late, 'Client.ask', { calls: 41, kept: 1 })
  made.totals(late, 'Never.recorded', { calls: 3, kept: 0 })
  made.drop(T0_MS, 'Old.call', 'queue_full', 5)
  made.drop(late, 'Client.ask', 'queue_full', 12)
  made.lane(0, 60, 12, { queue_full: 17 })
  made.lane(1, 9, 2, { oversize: 3 }, 2, 4)
  made.stall({
    atMs: late,
    seenMs: late + 900,
    endedMs: late + 950,
    calls: [['Client.ask', 0, 1, 1, '["secret"]']],
  })
  made.stall({ atMs: T0_MS, seenMs: T0_MS + 900, endedMs: T0_MS + 950 })
  made.look(late, { open: 1, process: 2 })
  made.open({ atMs: late, process: 2, fn: 'Api.open', args: '["secret"]' })
  made.incident(late, 'breaker_open', 'three failures', late + 30_000)
  made.incident(T0_MS, 'disk_full', 'long ago', T0_MS + 1_000)
  made.second(late, 'Client.ask', { calls: 41 })
  made.expired('calls', 1_000, T0_MS - MINUTE_MS)
}

function stored(fill: (made: TestStore) => void): string {
  const made = new TestStore(join(scratch(onTestFinished), 'calls.db'))
  fill(made)
  made.close()
  return made.path
}

async function bundled(db: string, ...args: string[]) {
  const folder = join(scratch(onTestFinished), 'incident')
  const { code, out, err } = await onTerminal(['export', '--bundle', folder, '--db', db, ...args], 80)
  expect([code, err]).toEqual([0, ''])
  const path = join(folder, 'calls.db')
  const store = openStore(path)
  onTestFinished(() => store.close())
  return { folder, path, store, out, page: readFileSync(join(folder, 'incident.html'), 'utf8') }
}

const late = new Date(T0_MS + 60 * MINUTE_MS).toISOString()
const ids = (store: Store) => store.calls({ limit: 100_000 }).map(row => `${row.process} ${row.call_id}`)

describe('the recording of a bundle', () => {
  it('is a store like any other, which a program could go on with', async () => {
    const { path, folder, store } = await bundled(stored(scene))
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder).sort()).toEqual(['calls.db', 'incident.html'])
    store.close()
    const db = new Database(path)
    expect(db.pragma('application_id', { simple: true })).toBe(APPLICATION_ID)
    expect(db.pragma('user_version', { simple: true })).toBe(SCHEMA_VERSION)
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    expect(db.pragma('auto_vacuum', { simple: true })).toBe(2)
    db.close()
    openForWriting(path).close()
    for (const view of ['errors', 'calls', 'top', 'losses', 'stalls', 'crash', 'doctor']) {
      const { code, err } = await onTerminal([view, '--db', path], 120)
      expect([view, code === 2, err]).toEqual([view, false, ''])
    }
  })

  it('has every row as it was when all of it is taken', async () => {
    const db = stored(scene)
    const whole = openStore(db)
    onTestFinished(() => whole.close())
    const { store } = await bundled(db)
    expect(store.calls({ limit: 1_000 })).toEqual(whole.calls({ limit: 1_000 }))
    expect(store.errors()).toEqual(whole.errors())
    expect(store.error(hex16(502))).toEqual(whole.error(hex16(502)))
    expect(store.top()).toEqual(whole.top())
    expect(store.losses()).toEqual(whole.losses())
    expect(store.stalls()).toEqual(whole.stalls())
    expect(store.openCalls()).toEqual(whole.openCalls())
    expect(store.processes()).toEqual(whole.processes())
    expect(store.trace(OUTSIDE)).toEqual(whole.trace(OUTSIDE))
    expect(store.coverage()).toEqual(whole.coverage())
    expect(store.incidents().slice(1)).toEqual(whole.incidents())
    expect(store.crash()).toEqual({ ...whole.crash(), incidents: expect.anything() })
  })

  it('of a span has what ended in it and what belongs to that time, and says what it leaves out', async () => {
    const db = stored(scene)
    const { store, out } = await bundled(db, '--since', late)
    expect(store.calls().map(row => row.function)).toEqual([
      'Api.other',
      'Client.ask',
      'Api.answer',
      'Db.query',
    ])
    expect(store.top().map(row => [row.function, row.calls])).toEqual([
      ['Client.ask', 41],
      ['Never.recorded', 3],
    ])
    expect(store.losses().map(row => row.reason)).toEqual(['oversize', 'queue_full'])
    expect(store.stalls()).toHaveLength(1)
    expect(store.incidents().map(row => row.kind)).toEqual(['cut_out', 'breaker_open'])
    const { expired, leftOut, sampledOut } = store.coverage()
    expect(sampledOut).toBe(43)
    expect(expired).toEqual({
      calls: { rows: 1_000, upTo: new Date(T0_MS - MINUTE_MS).toISOString() },
      errors: null,
    })
    expect(leftOut).toEqual({
      calls: { rows: 10, noRoom: 0, upTo: new Date(T0_MS + 9 * MINUTE_MS).toISOString() },
      errors: { rows: 1, noRoom: 0, upTo: new Date(T0_MS + 2 * MINUTE_MS).toISOString() },
    })
    // Nothing of that is missing from the span that was asked for.
    expect(store.coverage({ since: late }).leftOut).toEqual({ calls: null, errors: null })
    expect(store.sql('SELECT name FROM functions ORDER BY 1').map(row => row['name'])).toEqual([
      'Api.answer',
      'Api.open',
      'Api.other',
      'Client.ask',
      'Db.query',
      'Never.recorded',
    ])
    const [cut] = store.incidents({ kind: 'cut_out' })
    expect(cut?.detail).toMatch(
      /^Cut out of calls\.db at .*: what was recorded from 2026-11-20T11:00:00\.000Z on\. Not in it: 10 calls and 1 error of/,
    )
    expect(out).toContain(cut?.detail)
  })

  it.each([
    ['of the trace', traceIdOf(500)],
    ['of a call', hex16(501)],
  ])('%s has that trace, of every process', async (_, id) => {
    const { store } = await bundled(stored(scene), id)
    expect(store.trace(traceIdOf(500)).map(row => row.function)).toEqual([
      'Client.ask',
      'Api.answer',
      'Db.query',
    ])
    expect(ids(store)).toHaveLength(3)
    expect(store.processes()).toHaveLength(2)
    expect(store.coverage()).toMatchObject({
      expired: { calls: { rows: 1_000 } },
      leftOut: { calls: { rows: 11, noRoom: 0 } },
    })
    expect(store.openCalls()).toHaveLength(1)
  })

  it('of a fingerprint has its errors and their traces', async () => {
    const db = stored(made => {
      scene(made)
      made.run("UPDATE errors SET fingerprint = '00000000000000fe' WHERE call = 502")
    })
    const { store, page } = await bundled(db, '00000000000000FE')
    expect(store.calls().map(row => row.function)).toEqual(['Client.ask', 'Api.answer', 'Db.query'])
    expect(page).toContain(traceIdOf(500))
    expect(store.coverage().leftOut.errors).toMatchObject({ rows: 1, noRoom: 0 })
  })

  it('says of what it left out that it did, and only of what had expired that it expired', async () => {
    const { path, page } = await bundled(stored(scene), '--since', late)
    const left =
      '10 left out of this bundle (10 not asked for) · 1 errors left out of this bundle (1 not asked for)'
    const gone = `1,000 expired before 2026-11-20T09:59Z · ${left}`
    for (const command of ['calls', 'losses', 'slow', 'tail']) {
      const { out } = await onTerminal([command, '--db', path], 1_000)
      expect(out, command).toContain(gone)
    }
    expect(page).toContain(gone)
    expect((await onTerminal(['errors', '--db', path], 1_000)).out).toContain(
      ' · 1 left out of this bundle (1 not asked for) · ',
    )
    expect((await onTerminal(['top', '--db', path], 1_000)).out).toMatch(
      /\nNot shown: totals beyond the time and the processes of this bundle/,
    )
    for (const args of [
      ['trace', 'ffff'],
      ['errors', 'ffff'],
      ['export', 'ffff', '--bundle', `${path}-2`],
    ])
      expect((await onTerminal([...args, '--db', path], 80)).err).toContain('been left out of this bundle.')
  })

  it('holds nothing the program worked on with --no-args', async () => {
    const { path, page, store } = await bundled(stored(scene), '--no-args')
    expect(readFileSync(path).includes('secret')).toBe(false)
    expect(page).not.toContain('secret')
    expect(store.errors()[0]).toMatchObject({ message: '', args: null, stack: '    at query (db.ts:1:2)' })
    expect(store.incidents({ kind: 'cut_out' })[0]?.detail).toContain('arguments, results and messages')
  })

  it('keeps to its size whatever else there is in the recording', async () => {
    const big = 'x'.repeat(50_000)
    const db = stored(made => {
      made.error({ atMs: T0_MS, message: 'kept', args: big.repeat(100) })
      made.error({ atMs: T0_MS + 1, message: 'kept', args: big })
      for (let i = 0; i < 50; i++) {
        made.open({ atMs: T0_MS, fn: `Open${i}`, args: big })
        made.stall({ atMs: T0_MS, seenMs: T0_MS + 1, calls: [[`Stalled${i}`, 0, 1, 1, big]] })
        made.incident(T0_MS, 'disk_full', big)
        made.totals(T0_MS + i * MINUTE_MS, 'Orders.place', { calls: 1, buckets: { [big]: 1 } })
      }
    })
    const { folder, store } = await bundled(db, '--max-size', '1MB')
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
    expect(bytes).toBeLessThanOrEqual(1_000_000)
    expect(store.errors()).toHaveLength(1)
  })

  it.each([500_000, 2_000_000])('keeps to %i bytes: the oldest ordinary calls go first', async maxSize => {
    const db = join(scratch(onTestFinished), 'calls.db')
    generate(db, {
      calls: 12_000,
      callsPerError: 100,
      argsLength: 6_000,
      endUs: T0_MS * 1000,
      spanUs: 3_600_000_000,
    })
    const { store, folder, out } = await bundled(db, '--max-size', String(maxSize))
    const bytes = ['calls.db', 'incident.html'].reduce(
      (sum, name) => sum + statSync(join(folder, name)).size,
      0,
    )
    expect(bytes).toBeLessThanOrEqual(maxSize)
    // It is used, too.
    expect(bytes).toBeGreaterThan(maxSize * 0.4)
    const whole = openStore(db)
    onTestFinished(() => whole.close())
    const errors = store.errors({ limit: 1_000 })
    const calls = store.calls({ limit: 100_000, outcome: 'ok' })
    expect(errors).toEqual(whole.errors({ limit: errors.length }))
    expect(calls).toEqual(whole.calls({ limit: calls.length || 1, outcome: 'ok' }).slice(0, calls.length))
    if (calls.length > 0) expect(errors).toHaveLength(120)
    const { expired, leftOut } = store.coverage()
    expect(expired).toEqual({ calls: null, errors: null })
    for (const [left, kept, all] of [
      [leftOut.calls, calls.length, 11_880],
      [leftOut.errors, errors.length, 120],
    ] as const)
      expect([left?.rows ?? 0, left?.noRoom ?? 0]).toEqual([all - kept, all - kept])
    expect(out).toMatch(/for lack of room (ordinary calls|all calls and errors) before 2026/)
  })
})

describe('making a bundle', () => {
  it('replaces nothing without --force', async () => {
    const db = stored(scene)
    const folder = join(scratch(onTestFinished), 'incident')
    const args = ['export', '--bundle', folder, '--db', db]
    expect((await onTerminal(args, 80)).code).toBe(0)
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    const again = await onTerminal(args, 80)
    expect(again.code).toBe(2)
    expect(again.err).toMatch(/is there already.*--force/)
    expect((await onTerminal([...args, '--force', traceIdOf(500)], 80)).code).toBe(0)
    expect(readdirSync(folder).sort()).toEqual(['calls.db', 'incident.html', 'notes.txt'])
    const store = openStore(join(folder, 'calls.db'))
    onTestFinished(() => store.close())
    expect(ids(store)).toHaveLength(3)
  })

  it('with --force has nothing of what was there, not even of what SQLite had not yet put into its place', async () => {
    const db = stored(scene)
    const folder = join(scratch(onTestFinished), 'incident')
    const args = ['export', '--bundle', folder, '--db', db]
    expect((await onTerminal(args, 80)).code).toBe(0)
    const file = join(folder, 'calls.db')
    const left = new Database(file)
    left.pragma('journal_mode = WAL')
    left.pragma('wal_autocheckpoint = 0')
    left.exec(`UPDATE calls SET args = '["secret"]'`)
    const log = readFileSync(`${file}-wal`)
    left.close()
    // As a process leaves it that is killed.
    writeFileSync(`${file}-wal`, log)
    expect((await onTerminal([...args, '--force', '--no-args'], 80)).code).toBe(0)
    expect(readdirSync(folder).sort()).toEqual(['calls.db', 'incident.html'])
    const store = openStore(file)
    onTestFinished(() => store.close())
    expect(store.calls().filter(({ args }) => args !== null)).toEqual([])
  })

  it('ends with 3 when nothing was recorded', async () => {
    const folder = scratch(onTestFinished)
    const path = stored(() => undefined)
    const { code, err } = await onTerminal(['export', '--bundle', join(folder, 'incident'), '--db', path], 80)
    expect([code, err]).toEqual([3, 'Nothing was recorded in that time: there is nothing to bundle.\n'])
    expect(readdirSync(folder)).toEqual([])
  })

  it('takes no row twice and none half from a recording that is written meanwhile', async () => {
    const made = new TestStore(join(scratch(onTestFinished), 'calls.db'))
    onTestFinished(() => made.close())
    for (let i = 0; i < 3_000; i++) made.call({ atMs: T0_MS + i })
    const writing = setInterval(() => {
      for (let i = 0; i < 5; i++) made.call({ atMs: T0_MS + 10_000 + Math.random() * 1_000 })
    }, 0)
    onTestFinished(() => clearInterval(writing))
    const { store } = await bundled(made.path)
    clearInterval(writing)
    expect(
      store.calls({ limit: 100_000 }).filter(row => row.at < new Date(T0_MS + 10_000).toISOString()),
    ).toHaveLength(3_000)
    expect(new Set(ids(store)).size).toBe(ids(store).length)
  })
})
