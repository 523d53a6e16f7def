import { statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { incidentsOf, rowsOf, until } from '../support/disk.js'
import { expectErrorsKept, Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

const MIB = 1024 ** 2
/** The least there is, for a store of up to 32 MiB. */
const CAP_BYTES = 8 * MIB
/** What one transaction may add to a log that was just below its cap. */
const BATCH_BYTES = 8 * MIB
const walBytes = (): number => statSync(`${scene.store}-wal`, { throwIfNoEntry: false })?.size ?? 0

describe('row 17: a reader holds a transaction under load', () => {
  it('the log stops at its cap: errors wait in the journal, calls are counted, and it goes on when the reader ends', async () => {
    const victim = scene.start({
      calls: 150_000,
      errorEvery: 400,
      chunk: 50,
      maxBytes: 32 * MIB,
      ringBytes: 64 * 1024,
      ending: 'watch',
      // Long, so that only the end of the reader can be what makes it go on.
      breaker: { resetTimeoutMs: 600_000 },
    })
    await until(() => rowsOf(scene.store, 'SELECT 1 FROM calls').length > 0, 'the first call in the store')
    const reader = new Database(scene.store, { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM calls').get()
    const heldFromUs = Date.now() * 1000
    let largest = 0
    await until(() => {
      largest = Math.max(largest, walBytes())
      return victim.output.includes('state open degraded')
    }, 'the breaker to open')
    // More calls than the ring holds.
    const before = scene.seen().calls.length
    await until(() => scene.seen().calls.length > before + 1_000, 'a thousand calls', 100)
    largest = Math.max(largest, walBytes())
    expect(largest).toBeGreaterThanOrEqual(CAP_BYTES)
    expect(largest).toBeLessThan(CAP_BYTES + BATCH_BYTES)
    const heldToUs = Date.now() * 1000
    reader.exec('COMMIT')
    reader.close()
    const open = victim.output.length
    await until(
      () => victim.output.slice(open).includes('state closed recording'),
      'the breaker to close',
      20,
    )
    await until(
      () => incidentsOf(scene.store, 'wal_pinned').some(row => row.ended_us !== null),
      'the incident',
    )
    victim.child.stdin.end()
    const ended = await victim.ended
    expect(ended.code).toBe(0)
    expect(ended.stderr.match(/CALLSIGHT_WAL_PINNED/g), 'one warning').toHaveLength(1)
    expect(ended.stderr).toMatch(/kept a read transaction open .* End that transaction/)
    const account = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as Account
    expect(account).toMatchObject({ balanced: true, errors: { dropped: {} } })
    expect(account.calls.dropped.breaker_open).toBeGreaterThan(0)
    expectErrorsKept(scene, await scene.recover())
    const [incident, ...more] = incidentsOf(scene.store, 'wal_pinned')
    expect(more).toEqual([])
    expect(incident?.started_us).toBeGreaterThanOrEqual(heldFromUs)
    expect(incident?.ended_us).toBeGreaterThanOrEqual(heldToUs)
  })

  it('and the program ends meanwhile: the log stays within its cap, and the journal keeps the rest', async () => {
    const victim = scene.start({
      calls: 60_000,
      errorEvery: 100,
      chunk: 50,
      maxBytes: 32 * MIB,
      ending: 'watch',
      breaker: { resetTimeoutMs: 600_000 },
    })
    await until(() => rowsOf(scene.store, 'SELECT 1 FROM calls').length > 0, 'the first call in the store')
    const reader = new Database(scene.store, { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM calls').get()
    await victim.says('state open degraded')
    victim.child.stdin.end()
    expect((await victim.ended).code).toBe(0)
    expect(walBytes()).toBeLessThan(CAP_BYTES + BATCH_BYTES)
    reader.close()
    expectErrorsKept(scene, await scene.recover())
  })
})
