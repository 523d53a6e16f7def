import { mkdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Health } from '../../lib/health.js'
import { MAX_WAITING_THREADS } from '../../lib/writer/shelving.js'
import type { CrewPlan } from '../fixtures/src/crew.js'
import { CrewScene, expectSound, expectStored } from '../support/crew-scene.js'
import { readStore } from '../support/store-account.js'

let scene: CrewScene
beforeEach(() => {
  scene = new CrewScene()
})
afterEach(() => scene.dispose())

/** Keeps the store locked for everybody else while `work` runs. */
async function locked<T>(work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(scene.store), { recursive: true, mode: 0o700 })
  const db = new Database(scene.store)
  try {
    db.exec('BEGIN EXCLUSIVE')
    return await work()
  } finally {
    db.close()
  }
}

describe('the writer can store nothing, and the process ends', () => {
  it('workers that have ended: their rings go to the journal, nothing is lost', async () => {
    await scene.recover()
    const ended = await locked(() => scene.crew('all end', { workers: 3 }).ended)
    expect(ended.code).toBe(0)
    const account = await scene.recover()
    expectSound(account)
    expectStored(account, scene.seen())
    expect(account.calls.length + account.errors.length).toBe(300)
  })

  it('workers that still record: what they had in their rings is stored by the next start', async () => {
    await scene.recover()
    const ended = await locked(() => scene.crew('exit in a flood', { workers: 2 }).ended)
    expect(ended.code).toBe(0)
    const account = await scene.recover()
    expectSound(account)
    expectStored(account, { calls: [], errors: scene.seen().errors })
    // A flood that nobody drains fills the rings; what is in them is there.
    expect(account.calls.length).toBeGreaterThan(2 * 1_000)
  })
})

describe('nothing can be stored, and one worker after the other ends', () => {
  it('their rings are let go, all but the newest; what was in them is stored by the next start', async () => {
    mkdirSync(scene.store, { recursive: true })
    const ended = await scene.crew('end in trouble', { workers: 40, calls: 50 }).ended
    expect(ended.code).toBe(0)
    expect(ended.stderr.match(/\[CALLSIGHT_\w+\]/g)).toEqual(['[CALLSIGHT_STORE_FAILING]'])
    const { health } = JSON.parse(ended.stdout) as { health: Health }
    // The main thread, and those that are kept.
    expect(health.writer.threads).toBe(1 + MAX_WAITING_THREADS)
    const { calls, errors } = health.account
    expect(health.account.balanced).toBe(true)
    expect([calls.produced, calls.stored, calls.dropped]).toEqual([40 * 43 + 1, 0, {}])
    expect([errors.produced, errors.stored, errors.dropped]).toEqual([40 * 7, 0, {}])
    expect(calls.inRing).toBe(MAX_WAITING_THREADS * 43 + 1)
    expect(calls.inJournal).toBe((40 - MAX_WAITING_THREADS) * 43)
    rmSync(scene.store, { recursive: true })
    const account = await scene.recover()
    expectSound(account)
    expectStored(account, scene.seen())
    expect(account.calls.length + account.errors.length).toBe(40 * 50)
  })
})

interface Looked {
  readonly health: Health
  readonly journalKib: number
}

async function twice(plan: CrewPlan): Promise<[Looked, Looked]> {
  mkdirSync(scene.store, { recursive: true })
  const victim = scene.crew('end in trouble that passes', plan)
  await victim.says('}\n')
  rmSync(scene.store, { recursive: true })
  victim.child.stdin.end()
  const ended = await victim.ended
  expect(ended.code).toBe(0)
  expect(ended.stderr.match(/\[CALLSIGHT_STORE_FAILING\]/g)).toHaveLength(1)
  return ended.stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line)) as [Looked, Looked]
}

describe('nothing can be stored, one worker after the other ends, and then the store works again', () => {
  it('the same process takes over what it had put away, and its journals are free again', async () => {
    const [before, after] = await twice({ workers: 30, calls: 50 })
    expect(before.health.account.calls.inJournal).toBe((30 - MAX_WAITING_THREADS) * 43)
    expect(before.journalKib).toBeGreaterThan(30)
    const { calls, errors, balanced } = after.health.account
    expect(balanced).toBe(true)
    expect(calls).toMatchObject({ produced: 30 * 43 + 2, stored: 30 * 43 + 2, dropped: {}, inJournal: 0 })
    expect(errors).toMatchObject({ produced: 30 * 7, stored: 30 * 7, dropped: {}, inJournal: 0 })
    expect(after.journalKib).toBe(0)
    expect(scene.journals()).toEqual([])
    const account = readStore(scene.store)
    expectSound(account)
    expectStored(account, scene.seen())
  })

  it('when the journals are at their limit: errors are put away, calls are counted', async () => {
    const [before, after] = await twice({ workers: 36, calls: 2_000, errorEvery: 100, maxBytes: 1024 ** 2 })
    const limitKib = 1024
    // What a thread had in its ring is put away as a whole.
    expect(before.journalKib).toBeLessThan(2 * limitKib)
    expect(before.health.account.calls.dropped.breaker_open).toBeGreaterThan(1_000)
    expect(before.health.account.balanced).toBe(true)
    const { calls, errors, balanced } = after.health.account
    expect(balanced).toBe(true)
    expect([calls.inJournal, errors.inJournal, after.journalKib]).toEqual([0, 0, 0])
    expect(errors.produced).toBe(36 * 20)
    expect(errors.stored + (errors.dropped.journal_full ?? 0)).toBe(errors.produced)
    const store = readStore(scene.store)
    expectSound(store)
    expect(scene.journals()).toEqual([])
  })
})

describe('the main thread has shut the recorder down', () => {
  it('workers that are terminated before they notice: what is in their rings is stored or counted', async () => {
    await scene.crewEnds('shutdown, then terminate', { workers: 2 })
    const before = readStore(scene.store)
    expectSound(before)
    const account = await scene.recover()
    expectSound(account)
    expectStored(account, { calls: [], errors: scene.seen().errors })
    expect(account.calls.length).toBeGreaterThan(before.calls.length)
    // All that the workers saw is stored or counted, also what did not fit into their rings.
    for (const worker of [1, 2]) {
      const { calls, errors } = scene.seen(of => of === worker)
      const rows = account.lanes.filter(({ boot, ring }) => boot === before.lanes[0]?.boot && ring === worker)
      const produced = rows.reduce((sum, row) => sum + row.produced, 0)
      expect(produced - calls.length - errors.length).toBeOneOf([0, 1])
    }
  })
})
