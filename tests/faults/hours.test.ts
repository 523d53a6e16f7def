import { afterEach, beforeEach, expect, it } from 'vitest'
import { loadDriver } from '../../lib/store/driver.js'
import { StoreWriter } from '../../lib/store/insert.js'
import { openForWriting } from '../../lib/store/open.js'
import { openStore } from '../../lib/store/read.js'
import { Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

const HOURS = 5

/** A call in each minute of the last hours, by a process that has ended. */
function fill(path: string): void {
  const db = openForWriting(path)
  const store = new StoreWriter(db)
  const nowMinute = Math.floor(Date.now() / 60_000)
  store.begin()
  const processId = store.registerProcess({
    boot: '00000000000000aa',
    pid: 1,
    script: 'old.js',
    host: 'elsewhere',
    nodeVersion: '',
    version: '',
    startedUs: (nowMinute - HOURS * 60) * 60e6,
  })
  const delta = {
    calls: 1,
    errors: 0,
    kept: 0,
    timed: 1,
    durationSumNs: 7,
    durationMaxNs: 7,
    buckets: new Map([[3, 1]]),
  }
  for (let n = 1; n <= HOURS * 60; n++)
    store.addTotals(nowMinute - n, store.functionId('old'), processId, delta)
  store.endProcess(processId, nowMinute * 60e6, 'clean')
  store.commit()
  db.close()
}

it('a running program sums the hours it finds, and the answers stay what they were', async () => {
  fill(scene.store)
  const asked = () => {
    using store = openStore(scene.store)
    return store.top({ function: 'old' })
  }
  const before = asked()
  expect(before).toMatchObject([{ calls: HOURS * 60 }])
  const victim = scene.start({ calls: 4, ending: 'hang' })
  await victim.says('waiting')
  const db = new (loadDriver())(scene.store, { readonly: true, fileMustExist: true })
  const summed = db.prepare('SELECT count(*) FROM hours_summed WHERE summed_up_to IS NULL').pluck()
  try {
    // The first of them is the oldest, and the last may not be over.
    while ((summed.get() as number) < HOURS - 2) await new Promise(resolve => setTimeout(resolve, 50))
  } finally {
    db.close()
  }
  expect(asked()).toEqual(before)
  victim.child.kill('SIGKILL')
  await victim.ended
})
