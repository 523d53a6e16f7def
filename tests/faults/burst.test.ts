import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FrameFlag } from '../../lib/queue/layout.js'
import { expectErrorsKept, Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

describe('row 20: a burst of errors that nobody has stored yet', () => {
  const errors = 100_000
  it(`${errors} errors in the journal of a killed process: all are there, the shrunk ones are marked`, async () => {
    // The store exists, and is locked: nothing of the burst is stored before the program is killed.
    await scene.run({ calls: 1, errorEvery: 0 }, { truth: false })
    const holder = new Database(scene.store)
    holder.exec('BEGIN EXCLUSIVE')
    const victim = scene.start({ calls: errors, errorEvery: 1, ending: 'block' })
    await victim.says('blocked')
    victim.child.kill('SIGKILL')
    await victim.ended
    holder.exec('ROLLBACK')
    holder.close()
    expect(scene.seen().errors).toHaveLength(errors)
    expect(scene.journals().length, 'more than one segment').toBeGreaterThan(1)
    const account = await scene.recover()
    expectErrorsKept(scene, account)
    expect(account.errors).toHaveLength(errors)
    const db = new Database(scene.store, { readonly: true })
    const count = (where: string): number =>
      db.prepare(`SELECT count(*) FROM errors WHERE ${where}`).pluck().get() as number
    const shrunk = `flags & ${FrameFlag.shrunk}`
    expect(count(`${shrunk} = 0`), 'some are whole').toBeGreaterThan(0)
    expect(count(`${shrunk} <> 0`), 'most are above the rate').toBeGreaterThan(errors / 2)
    // Shrunk: what it was, and when; not with what, and where.
    expect(count(`${shrunk} <> 0 AND (args IS NOT NULL OR stack IS NOT NULL)`)).toBe(0)
    expect(count(`${shrunk} <> 0 AND (error <> 'Refused' OR fingerprint IS NULL OR duration_ns < 0)`)).toBe(0)
    expect(count(`${shrunk} = 0 AND (args IS NULL OR stack IS NULL)`)).toBe(0)
    db.close()
  })
})
