import { existsSync, rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, it } from 'vitest'
import { expectErrorsKept, Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

/** Errors in the file that stands in the place of the store now. */
function errorsInPlace(): number {
  if (!existsSync(scene.store)) return 0
  const db = new Database(scene.store, { readonly: true })
  try {
    return db.prepare('SELECT count(*) FROM errors').pluck().get() as number
  } catch {
    // Its tables are being made.
    return 0
  } finally {
    db.close()
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not happen within half a minute')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

describe('row 12: the store goes away, and then the program is killed', () => {
  it.each([
    ['before it has noticed', () => Promise.resolve()],
    ['after it has begun a new one', () => until(() => errorsInPlace() > 5)],
  ])('%s: the journal has every error, and none is counted twice', async (_, notice) => {
    const victim = scene.start({ calls: 10, ending: 'watch' })
    await until(() => errorsInPlace() > 20)
    rmSync(scene.store)
    await notice()
    victim.child.kill('SIGKILL')
    await victim.ended
    expectErrorsKept(scene, await scene.recover())
  })
})
