import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../../lib/store/read.js'
import { Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

interface StateRow {
  readonly breaker: number
  readonly openings: number
  readonly opened_us: number | null
  readonly closed_us: number | null
  readonly queue_bytes: number
  readonly highest_bytes: number
  readonly writer_cpu_ms: number | null
  readonly batches: number
}

/** Of the one process; `undefined` while there is none, or no file. */
const ownState = () => query('SELECT * FROM recorder_states') as StateRow | undefined

function query(sql: string): unknown {
  try {
    const db = new Database(scene.store, { readonly: true, fileMustExist: true })
    try {
      return db.prepare(sql).get()
    } finally {
      db.close()
    }
  } catch {
    return undefined
  }
}

function openings() {
  using store = openStore(scene.store)
  return store.incidents({ kind: 'breaker_open' })
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 120_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('it did not happen within two minutes')
    await new Promise(resolve => setTimeout(resolve, 20))
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

describe('another process holds the store', () => {
  const plan = { calls: 10, ending: 'watch', ringBytes: 64 * 1024 } as const

  it('the breaker opens and closes: the file tells when, once, however often it was tried', async () => {
    const victim = scene.start({ ...plan, breaker: { failureThreshold: 1, resetTimeoutMs: 300 } })
    await until(() => ownState() !== undefined)
    expect(ownState()).toMatchObject({ breaker: 0, openings: 0, opened_us: null, closed_us: null })
    expect(openings()).toEqual([])
    const release = lock()
    await victim.says('state open')
    // A probe that fails opens it again, and it is still the same time.
    await until(() => [...victim.output.matchAll(/^state open /gm)].length > 1)
    release()
    await until(() => ownState()?.breaker === 0 && ownState()?.closed_us !== null)
    await until(() => openings()[0]?.until !== null)
    const state = ownState()
    victim.child.stdin.end()
    expect(await victim.ended).toMatchObject({ code: 0 })
    expect(state?.openings).toBe(1)
    const found = openings()
    expect(found).toHaveLength(1)
    expect(found[0]?.detail).toContain('locked')
    expect(query("SELECT started_us, ended_us FROM incidents WHERE kind = 'breaker_open'")).toEqual({
      started_us: state?.opened_us,
      ended_us: state?.closed_us,
    })
    expect(ownState()).toMatchObject({ breaker: 0, openings: 1, queue_bytes: 0 })
    expect(ownState()?.highest_bytes).toBeGreaterThan(0)
    expect(ownState()?.highest_bytes).toBeLessThanOrEqual(plan.ringBytes)
  })

  it('the program ends as soon as the store is free, and the breaker never closed: the incident has both ends', async () => {
    const victim = scene.start({ ...plan, breaker: { failureThreshold: 1, resetTimeoutMs: 3_600_000 } })
    await until(() => ownState() !== undefined)
    const release = lock()
    await victim.says('state open')
    release()
    victim.child.stdin.end()
    expect(await victim.ended).toMatchObject({ code: 0 })
    expect(openings()).toMatchObject([{ until: expect.any(String) as string }])
    expect(ownState()).toMatchObject({ breaker: 1, openings: 1, closed_us: expect.any(Number) as number })
  })
})

describe('a flood', () => {
  it('is seen in the ring, and what it cost; at the end nothing is left in it', async () => {
    const ended = await scene.run({ calls: 50_000, errorEvery: 0, ending: 'shutdown' }, { truth: false })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const state = ownState()
    expect(state).toMatchObject({ breaker: 0, openings: 0, queue_bytes: 0 })
    expect(state?.highest_bytes).toBeGreaterThan(0)
    expect(state?.batches).toBeGreaterThan(0)
    if (process.platform === 'linux') expect(state?.writer_cpu_ms).toBeGreaterThan(0)
    using store = openStore(scene.store)
    const [recorder] = store.stats().recorders
    expect(recorder).toMatchObject({
      breaker: 'closed',
      openings: 0,
      lastOpenedAt: null,
      queue: { usedBytes: 0, highestBytes: state?.highest_bytes },
      cost: { writerCpuMs: state?.writer_cpu_ms },
    })
    expect(recorder?.queue.highestShare).toBeGreaterThan(0)
    expect(recorder?.queue.highestShare).toBeLessThanOrEqual(1)
    expect(recorder?.queue.capacityBytes).toBeGreaterThanOrEqual(recorder?.queue.highestBytes ?? Number.NaN)
  })
})
