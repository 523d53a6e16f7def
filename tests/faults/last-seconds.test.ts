import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../../lib/store/read.js'
import { expectErrorsKept, Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

interface Sum {
  readonly function_id: number
  readonly calls: number
  readonly errors: number
  readonly timed: number
  readonly ns: number
}

/** Of the first process of the file. */
function sums(path: string, table: 'totals' | 'seconds'): Sum[] {
  const db = new Database(path, { readonly: true })
  try {
    return db
      .prepare(
        `SELECT function_id, sum(calls) AS calls, sum(errors) AS errors, sum(timed) AS timed, sum(duration_sum_ns) AS ns
         FROM ${table} WHERE process_id = 1 GROUP BY function_id ORDER BY function_id`,
      )
      .all() as Sum[]
  } finally {
    db.close()
  }
}

describe('the last seconds of a program', () => {
  it('that ran for a short time are its totals', async () => {
    const ended = await scene.run({ calls: 40, errorEvery: 4, chunk: 5, pauseMs: 150 })
    expect(ended.code).toBe(0)
    expect(sums(scene.store, 'seconds')).toEqual(sums(scene.store, 'totals'))
    expect(sums(scene.store, 'totals')).toMatchObject([{ calls: 40, errors: 10, timed: 40 }])
  })

  it('that was killed stay, and so does what happened to it: it is found dead before any other start', async () => {
    const victim = scene.start({ calls: 1_000_000, errorEvery: 4, chunk: 5, pauseMs: 20, ending: 'hang' })
    while (!hasSeconds()) await new Promise(resolve => setTimeout(resolve, 20))
    victim.child.kill('SIGKILL')
    await victim.ended
    const store = openStore(scene.store)
    const report = store.crash()
    expect(report).toMatchObject({
      process: expect.stringMatching(/^victim\.js\[\d+\]$/),
      state: 'ended uncleanly',
      otherCount: 0,
    })
    expect(report?.seconds.reduce((sum, row) => sum + row.calls, 0)).toBeGreaterThan(0)
    expect(report?.errors.length).toBeGreaterThan(0)
    expect(store.coverage().processes).toEqual({ writing: 0, ended: 0, endedUncleanly: 1 })
    store.close()
    const before = sums(scene.store, 'seconds')
    expect(before).toEqual(sums(scene.store, 'totals'))
    expectErrorsKept(scene, await scene.recover())
    const again = openStore(scene.store)
    expect(again.crash()).toMatchObject({ process: report?.process, journals: 0, unaccounted: 0 })
    again.close()
    expect(sums(scene.store, 'seconds')).toEqual(before)
  })
})

function hasSeconds(): boolean {
  try {
    return sums(scene.store, 'seconds').length > 0
  } catch {
    // Not made yet.
    return false
  }
}
