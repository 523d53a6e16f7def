import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
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
