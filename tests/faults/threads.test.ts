import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Health } from '../../lib/health.js'
import { Fault } from '../../lib/writer/faults.js'
import { CrewScene, expectSound, expectStored, lostByRing, stored } from '../support/crew-scene.js'
import { injected } from '../support/figures.js'
import { SEED } from '../support/seed.js'
import { readStore } from '../support/store-account.js'
import { Scene } from './harness.js'

class SceneElsewhere extends Scene {
  override readonly store: string

  constructor(store: string) {
    super()
    this.store = store
  }
}

let scene: CrewScene
beforeEach(() => {
  scene = new CrewScene()
})
afterEach(() => scene.dispose())

describe('row 9: worker threads of the app killed by terminate()', () => {
  const rounds = Number(process.env['CALLSIGHT_TERMINATIONS'] ?? 25)
  it(`${rounds} in the middle of a flood: what they recorded is stored, a torn record is counted once`, async () => {
    injected(rounds)
    const { health } = await scene.crewEnds<{ health: Health }>('terminate', { rounds, seed: SEED })
    const account = readStore(scene.store)
    expectSound(account)
    expect(scene.processes).toBe(1)
    expect(account.lanes).toHaveLength(2 * (rounds + 1))
    // A thread does one thing at a time: at most one record was under way.
    expect(Math.max(...lostByRing(account.lanes))).toBeLessThanOrEqual(1)
    expectStored(account, scene.seen())
    const calm = scene.seen(worker => worker === 2_000)
    expect(calm.calls.length + calm.errors.length).toBe(1_000)
    // The threads are gone, what became of their records is not.
    expect(health.writer.threads).toBe(1)
    expect(health.account.balanced).toBe(true)
    expect(health.account.calls.stored + health.account.errors.stored).toBe(stored(account.lanes))
    expect(scene.journals()).toEqual([])
  })
})

describe('the process ends while its worker threads record', () => {
  it('process.exit on the main thread: every error kept, every account adds up', async () => {
    await scene.crewEnds('exit in a flood', { workers: 3 })
    const account = await scene.recover()
    expectSound(account)
    expectStored(account, { calls: [], errors: scene.seen().errors })
    expect(new Set(account.errors.map(n => Math.floor(n / 1e6))).size).toBe(3)
  })

  it('SIGKILL: the next start takes over the journals of all rings', async () => {
    const victim = scene.crew('wait in a flood', { workers: 3 })
    await victim.says('waiting')
    victim.child.kill('SIGKILL')
    await victim.ended
    const rings = scene.journals().map(name => /-(\d+)-\d+$/.exec(name)?.[1])
    expect(new Set(rings).size).toBe(3)
    const account = await scene.recover()
    expectSound(account)
    expectStored(account, { calls: [], errors: scene.seen().errors })
  })

  it('a journal of a thread is left alone as long as its process lives', async () => {
    const victim = scene.crew('wait quietly', { workers: 2 })
    await victim.says('waiting')
    const journals = scene.journals()
    expect(journals).toHaveLength(2)
    await scene.run({ calls: 20, ending: 'shutdown' }, { truth: false })
    expect(scene.journals()).toEqual(journals)
    victim.child.kill('SIGKILL')
    await victim.ended
    expectSound(await scene.recover())
  })
})

describe('the recorder is shut down while worker threads record', () => {
  it('what they have in their rings goes to their journals and is stored by the next start', async () => {
    expect(await scene.crewEnds('shutdown in a flood', { workers: 2 })).toEqual({ state: 'stopped' })
    expectSound({ ...readStore(scene.store) })
    const before = readStore(scene.store)
    const account = await scene.recover()
    expectSound(account)
    expectStored(account, { calls: [], errors: scene.seen().errors })
    expect(account.calls.length).toBeGreaterThan(before.calls.length)
    // What came after that was counted, not stored.
    const { calls, errors } = scene.seen()
    const produced = account.lanes.reduce((sum, row) => sum + row.produced, 0)
    expect(produced).toBeLessThanOrEqual(calls.length + errors.length + 20)
  })
})

const DEATHS = [
  'throwInDrain',
  'exitAfterCommit',
  'exitInTransaction',
  'outOfMemory',
  'exitBetweenTicks',
] as const

describe('row 6: the writer fails while worker threads record', () => {
  it.each(DEATHS)('%s: the next one gets all lanes, each record is stored once', async fault => {
    const ended = await scene.crew('writer dies', { workers: 3, calls: 5_000, fault: Fault[fault] }).ended
    expect(ended.code).toBe(0)
    const { health } = JSON.parse(ended.stdout) as { health: Health }
    expect(health.account.balanced).toBe(true)
    const account = readStore(scene.store)
    expectSound(account)
    expectStored(account, scene.seen())
    expect(scene.processes).toBe(1)
  })
})

describe('row 6: the writer dies while it closes the account of a thread that has ended', () => {
  it('health() tells the same before, while it is dead, and after', async () => {
    const { between, health } = await scene.crewEndsWithWarning<{ between: Health; health: Health }>(
      'writer dies closing',
      { workers: 3, calls: 1_000, fault: Fault.exitInClosing },
    )
    expect(between.writer.state).toBe('failed')
    for (const { account } of [between, health]) {
      expect(account).toMatchObject({ balanced: true, calls: { dropped: {} }, errors: { dropped: {} } })
      expect(account.calls.produced + account.errors.produced).toBe(3 * 1_000 + 1)
      expect(account.calls.stored + account.errors.stored).toBe(3 * 1_000 + 1)
    }
    expect(health.writer).toMatchObject({ threads: 1, restarts: 1 })
    const account = readStore(scene.store)
    expectSound(account)
    expectStored(account, scene.seen())
    expect(scene.journals()).toEqual([])
  })
})

describe('the main thread is configured after it has started a worker', () => {
  const otherStore = (): string => join(scene.folder, 'other', 'calls.db')

  it('that does not record yet: the worker keeps its journal beside the new store', async () => {
    const ended = await scene.crew('configured late', { otherStore: otherStore() }).ended
    expect(ended.signal).toBe('SIGKILL')
    expect(existsSync(dirname(scene.store))).toBe(false)
    const there = new SceneElsewhere(otherStore())
    expect(there.journals()).toHaveLength(1)
    const account = await there.recover()
    there.dispose()
    expectSound(account)
    expectStored(account, { calls: [], errors: scene.seen().errors })
    expect(account.errors).toHaveLength(14)
  })

  it('that records: it is told, and the store stays where it is', async () => {
    const seen = await scene.crewEnds<{ refused: string; path: string }>('configured too late', {
      otherStore: otherStore(),
    })
    expect(seen.refused).toMatch(
      /^CallsightConfigError: Callsight: option "store.path" must be set before .+$/,
    )
    expect(seen.path).toBe(scene.store)
    const account = readStore(scene.store)
    expectSound(account)
    expectStored(account, scene.seen())
    expect(scene.processes).toBe(1)
  })

  it('and has changed its directory: worker and main thread are in the same place', async () => {
    const { path, journals, stored } = await scene.crewEnds<{
      path: string
      journals: number
      stored: number
    }>('moved away')
    expect(path).toBe(join(realpathSync(scene.folder), 'below/here/calls.db'))
    expect(journals).toBe(1)
    expect(stored).toBe(1 + 100 - 14)
  })
})
