import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { expectAllKept, Scene, type Victim } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

/** How long the other process holds the lock. */
const seconds = Number(process.env['CALLSIGHT_LOCK_SECONDS'] ?? 3)
const accountIn = (stdout: string): Account => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Account
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 120_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('it did not happen within two minutes')
    await pause(20)
  }
}

function hasRows(): boolean {
  try {
    const db = new Database(scene.store, { readonly: true, fileMustExist: true })
    try {
      return (db.prepare('SELECT count(*) FROM calls').pluck().get() as number) > 0
    } finally {
      db.close()
    }
  } catch {
    return false
  }
}

/** Takes the write lock of the store; returns what gives it back. */
function lock(): () => void {
  const holder = new Database(scene.store)
  holder.exec('BEGIN EXCLUSIVE')
  return () => {
    holder.exec('ROLLBACK')
    holder.close()
  }
}

/** The states of the breaker that the program has printed, in their order. */
const states = (victim: Victim): string[] =>
  [...victim.output.matchAll(/^state (\w+) /gm)].map(([, state]) => state ?? '')

describe(`row 13: another process holds the write lock for ${seconds} s`, () => {
  // The ring is large enough for what is made meanwhile, so that ordinary calls wait too.
  const plan = { calls: 10, ending: 'watch', ringBytes: 16 * 1024 * 1024 } as const

  it('CLOSED, OPEN, CLOSED; everything made meanwhile is stored', { timeout: 300_000 }, async () => {
    const victim = scene.start({ ...plan, breaker: { resetTimeoutMs: 400 } })
    await until(hasRows)
    const release = lock()
    await victim.says('state open')
    await pause(seconds * 1_000)
    const meanwhile = scene.seen().errors.length
    release()
    await until(() => states(victim).at(-1) === 'closed')
    victim.child.stdin.end()
    const ended = await victim.ended
    expect(ended.code).toBe(0)
    const seen = states(victim)
    expect(seen[0]).toBe('closed')
    // Every reset time it is tried once, and found locked.
    expect(seen.slice(1, -1).filter(state => state === 'closed')).toEqual([])
    expect(ended.stderr.match(/CALLSIGHT_STORE_FAILING/g), 'one warning per episode').toHaveLength(1)
    expect(meanwhile).toBeGreaterThan(seconds)
    const account = accountIn(ended.stdout)
    expect(account).toMatchObject({ balanced: true, calls: { dropped: {} }, errors: { dropped: {} } })
    expectAllKept(scene, await scene.recover())
  })

  it('the program ends meanwhile: the next start stores what it had', { timeout: 300_000 }, async () => {
    const victim = scene.start(plan)
    await until(hasRows)
    const release = lock()
    await pause(seconds * 500)
    victim.child.kill('SIGTERM')
    expect(await victim.ended).toMatchObject({ code: null, signal: 'SIGTERM' })
    expect(scene.journals().length, 'what could not be stored waits in the journal').toBeGreaterThan(0)
    release()
    expectAllKept(scene, await scene.recover())
  })

  it('the program is killed meanwhile: no error is lost', { timeout: 300_000 }, async () => {
    const victim = scene.start(plan)
    await until(hasRows)
    const release = lock()
    const before = scene.seen().errors.length
    await until(() => scene.seen().errors.length > before + 50)
    victim.child.kill('SIGKILL')
    await victim.ended
    release()
    const account = await scene.recover()
    expect([...account.errors].sort((a, b) => a - b)).toEqual(scene.seen().errors)
    // The calls lay in the memory that died; the last error said how many there had been.
    const lost = account.lanes.reduce(
      (sum, { lane, dropped }) => sum + (lane === 0 ? (dropped['writer_lost'] ?? 0) : 0),
      0,
    )
    expect(lost).toBeGreaterThan(0)
    expect(account.calls.length + lost).toBeGreaterThanOrEqual(scene.seen().calls.length - 4)
  })
})

/**
 * Another process that writes without a pause: it holds the lock for longer than anybody waits in one go, and takes it
 * again in the moment it has given it.
 */
const GREEDY = `
  const [driver, store, ms] = process.argv.slice(1)
  const db = new (require(driver))(store, { timeout: 10_000 })
  const word = new Int32Array(new SharedArrayBuffer(4))
  for (const end = Date.now() + Number(ms); Date.now() < end; ) {
    db.exec('BEGIN IMMEDIATE')
    db.exec('UPDATE processes SET last_seen_us = last_seen_us + 1')
    Atomics.wait(word, 0, 0, 200)
    db.exec('COMMIT')
  }
  db.close()
`

describe('row 14: others write to the store without a pause', () => {
  it('is no failure of the store: the breaker stays closed, and everything is stored', async () => {
    const victim = scene.start({
      calls: 10,
      ending: 'watch',
      ringBytes: 16 * 1024 * 1024,
      breaker: { failureThreshold: 2 },
    })
    await until(hasRows)
    const driver = createRequire(import.meta.url).resolve('better-sqlite3')
    const greedy = spawn(process.execPath, ['-e', GREEDY, driver, scene.store, '6000'], { stdio: 'inherit' })
    expect(await once(greedy, 'exit')).toEqual([0, null])
    victim.child.stdin.end()
    const ended = await victim.ended
    expect(ended.stderr).toBe('')
    expect(states(victim)).toEqual(['closed'])
    expect(accountIn(ended.stdout)).toMatchObject({
      balanced: true,
      calls: { dropped: {} },
      errors: { dropped: {} },
    })
    expectAllKept(scene, await scene.recover())
  })
})
