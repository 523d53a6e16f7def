import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { expectAllKept, expectErrorsKept, Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

const accountIn = (stdout: string): Account => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Account

describe('the store cannot be written for a while', () => {
  it('row 13: another process holds the lock: CLOSED, OPEN, CLOSED again, nothing lost', async () => {
    const victim = scene.start({ calls: 10, ending: 'watch', breaker: { resetTimeoutMs: 500 } })
    await victim.says('state closed recording')
    await until(() => hasRows(scene.store))
    const holder = new Database(scene.store)
    holder.exec('BEGIN EXCLUSIVE')
    await victim.says('state open degraded')
    holder.exec('ROLLBACK')
    holder.close()
    await until(() => victim.output.lastIndexOf('state closed') > victim.output.lastIndexOf('state open'))
    victim.child.stdin.end()
    const ended = await victim.ended
    expect(ended.code).toBe(0)
    expect(ended.stderr).toMatch(/CALLSIGHT_STORE_FAILING.*database is locked/)
    expect(ended.stderr.match(/CALLSIGHT_STORE_FAILING/g), 'one warning per episode').toHaveLength(1)
    const account = accountIn(ended.stdout)
    expect(account).toMatchObject({ balanced: true, calls: { dropped: {} }, errors: { dropped: {} } })
    expectAllKept(scene, await scene.recover())
  })

  it('with a small ring the calls that do not fit are counted as breaker_open, and no error is lost', async () => {
    const victim = scene.start({
      calls: 10,
      ending: 'watch',
      ringBytes: 64 * 1024,
      breaker: { resetTimeoutMs: 60_000, failureThreshold: 1 },
    })
    await until(() => hasRows(scene.store))
    const holder = new Database(scene.store)
    holder.exec('BEGIN EXCLUSIVE')
    await victim.says('state open degraded')
    // Time for more calls than 64 KiB can hold; nothing leaves the ring meanwhile.
    await until(() => scene.seen().calls.length > 1_000)
    holder.exec('ROLLBACK')
    holder.close()
    victim.child.stdin.end()
    const account = accountIn((await victim.ended).stdout)
    expect(account.balanced).toBe(true)
    expect(account.calls.dropped.breaker_open).toBeGreaterThan(0)
    // The stop asked for one forced attempt past the open breaker.
    expect(account.calls.stored + (account.calls.dropped.breaker_open ?? 0)).toBe(account.calls.produced)
    expectErrorsKept(scene, await scene.recover())
  })

  it('a file of somebody else in its place is left alone; errors wait in the journal', async () => {
    mkdirSync(dirname(scene.store), { recursive: true })
    writeFileSync(scene.store, 'my diary')
    const ended = await scene.run({ calls: 40, ending: 'shutdown', breaker: { failureThreshold: 1 } })
    expect(ended.code).toBe(0)
    expect(ended.stderr).toMatch(/CALLSIGHT_STORE_FAILING/)
    const account = accountIn(ended.stdout)
    expect(account.balanced).toBe(true)
    expect(account.errors).toMatchObject({ produced: 10, stored: 0, inJournal: 10 })
    rmSync(scene.store)
    expectErrorsKept(scene, await scene.recover())
  })
})

function hasRows(path: string): boolean {
  try {
    const db = new Database(path, { readonly: true, fileMustExist: true })
    try {
      return (db.prepare('SELECT count(*) FROM calls').pluck().get() as number) > 0
    } finally {
      db.close()
    }
  } catch {
    return false
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not happen within a minute')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
