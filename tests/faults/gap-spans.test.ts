import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { pause, rowsOf, until } from '../support/disk.js'
import { Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

interface Gap {
  readonly name: string
  readonly count: number
  readonly firstUs: number
  readonly lastUs: number
}

function gap(reason: string): Gap | undefined {
  const rows = rowsOf<Gap>(
    scene.store,
    `SELECT name, sum(count) AS count, min(first_us) AS firstUs, max(last_us) AS lastUs
     FROM drops JOIN functions USING (function_id) WHERE lane = 0 AND reason = '${reason}' GROUP BY name`,
  )
  expect(rows.length, 'one function lost them').toBeLessThanOrEqual(1)
  return rows[0]
}

const lastLine = <T>(stdout: string): T => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T

describe('what is missing, when and why: every gap has the span of time in which it happened', () => {
  it('queue_full', async () => {
    const fromUs = Date.now() * 1000
    const ended = await scene.run({ calls: 30_000, errorEvery: 0, ringBytes: 64 * 1024, ending: 'shutdown' })
    const toUs = Date.now() * 1000
    const { calls } = lastLine<Account>(ended.stdout)
    expect(calls.dropped.queue_full).toBeGreaterThan(0)
    const found = gap('queue_full')
    expect(found).toMatchObject({ name: 'work', count: calls.dropped.queue_full })
    // Not before the process, nor after its end; and not a moment only.
    expect(found?.firstUs).toBeGreaterThan(fromUs - 1_000_000)
    expect(found?.lastUs).toBeLessThanOrEqual(toUs)
    expect(found?.lastUs).toBeGreaterThan(found?.firstUs ?? 0)
  })

  it('breaker_open', async () => {
    const victim = scene.start({
      calls: 10,
      errorEvery: 0,
      ringBytes: 64 * 1024,
      ending: 'watch',
      breaker: { resetTimeoutMs: 400, failureThreshold: 1 },
    })
    await until(() => rowsOf(scene.store, 'SELECT 1 FROM calls').length > 0, 'the first call in the store')
    const holder = new Database(scene.store)
    holder.exec('BEGIN EXCLUSIVE')
    await victim.says('state open degraded')
    const seen = scene.seen().calls.length
    await until(() => scene.seen().calls.length > seen + 600, 'more calls than the ring holds')
    // From here on every call is dropped until the lock is let go.
    const surelyFromUs = Date.now() * 1000
    await pause(300)
    const surelyToUs = Date.now() * 1000
    holder.exec('ROLLBACK')
    holder.close()
    await until(() => (gap('breaker_open')?.count ?? 0) > 0, 'the gap in the store')
    victim.child.stdin.end()
    const { calls } = lastLine<Account>((await victim.ended).stdout)
    const found = gap('breaker_open')
    expect(found).toMatchObject({ name: 'work', count: calls.dropped.breaker_open })
    expect(found?.firstUs).toBeLessThanOrEqual(surelyFromUs)
    expect(found?.lastUs).toBeGreaterThanOrEqual(surelyToUs)
  })

  it('shutdown', async () => {
    const ended = await scene.run({ calls: 50, errorEvery: 0, ending: 'late calls' })
    const { account, late } = lastLine<{ account: Account; late: { fromMs: number; toMs: number } }>(
      ended.stdout,
    )
    expect(account.calls.dropped.shutdown).toBe(100)
    const found = gap('shutdown')
    expect(found).toMatchObject({ name: 'work', count: 100 })
    expect(found?.firstUs).toBeLessThanOrEqual(late.fromMs * 1000)
    // The clock of the program has whole milliseconds.
    expect(found?.lastUs).toBeGreaterThanOrEqual(late.toMs * 1000 - 1000)
  })
})
