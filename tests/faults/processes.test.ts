import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { injected } from '../support/figures.js'
import { type Ended, expectErrorsKept, Scene } from './harness.js'

const FAMILY = fileURLToPath(new URL('../.build/standard/family.js', import.meta.url))

class ProcessesScene extends Scene {
  family(scenario: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return this.spawn(FAMILY, [scenario, this.truth], { env }).ended
  }

  /** Pids of all processes that the store knows. */
  get pids(): number[] {
    const db = new Database(this.store, { readonly: true })
    const pids = db.prepare('SELECT pid FROM processes').pluck().all() as number[]
    db.close()
    return pids
  }
}

let scene: ProcessesScene
beforeEach(() => {
  scene = new ProcessesScene()
})
afterEach(() => scene.dispose())

interface FamilyEnds {
  readonly pids: number[]
  readonly ends: (number | string)[]
}

/** Every error and every call of these members is stored. */
function expectCallsOf(stored: readonly number[], of: (member: number) => boolean): void {
  const known = new Set(stored)
  const seen = scene.seen().calls.filter(n => of(Math.floor(n / 1_000_000)))
  expect(seen.length).toBeGreaterThan(0)
  expect(
    seen.filter(n => !known.has(n)),
    'no call is lost',
  ).toEqual([])
}

/**
 * Warnings of anything but locks: on a busy machine a process may wait so long for its turn that its breaker opens. What
 * it has is stored at its end, or by the next start.
 */
const beyondLocks = (stderr: string): string[] =>
  stderr.split('\n').filter(line => /\[\w+\]/.test(line) && !/STORE_FAILING.+database is locked/.test(line))

describe('row 14: several processes on one file', () => {
  it.each([2, 8])('%i at the same time: all equations hold, every process has its row', async count => {
    const victims = Array.from({ length: count }, (_, index) =>
      scene.start({ first: index * 1_000_000, calls: 3_000, chunk: 20, pauseMs: 1, ending: 'shutdown' }),
    )
    const ends = await Promise.all(victims.map(({ ended }) => ended))
    for (const { code, stderr, stdout } of ends) {
      expect([code, beyondLocks(stderr)]).toEqual([0, []])
      expect((JSON.parse(stdout) as Account).balanced).toBe(true)
    }
    const account = await scene.recover()
    expectErrorsKept(scene, account)
    expectCallsOf(account.calls, () => true)
    expect(scene.pids).toEqual(expect.arrayContaining(victims.map(({ child }) => child.pid)))
  })

  const kills = Number(process.env['CALLSIGHT_PROCESS_KILLS'] ?? 12)
  it(`one of three is killed and started again ${kills} times: nothing of the others is touched`, async () => {
    injected(kills)
    const steady = [1, 2].map(index =>
      scene.start({
        first: index * 1_000_000,
        calls: 600 * kills,
        chunk: 20,
        pauseMs: 5,
        ending: 'shutdown',
      }),
    )
    let seed = Number(process.env['CALLSIGHT_SEED'] ?? 20_261_121)
    for (let round = 0; round < kills; round++) {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
      const first = (10 + round) * 1_000_000
      const victim = scene.start({ first, calls: 1e9, errorEvery: 7, chunk: 50 })
      await new Promise(resolve => setTimeout(resolve, 60 + (seed / 2 ** 32) * 300))
      victim.child.kill('SIGKILL')
      expect((await victim.ended).signal).toBe('SIGKILL')
    }
    for (const { ended } of steady) {
      const { code, stderr } = await ended
      expect([code, beyondLocks(stderr)]).toEqual([0, []])
    }
    const account = await scene.recover()
    expectErrorsKept(scene, account)
    expectCallsOf(account.calls, member => member < 10)
    expect(scene.pids).toEqual(expect.arrayContaining(steady.map(({ child }) => child.pid)))
  })

  it('a recording process forks itself: its children end dry, by exit, by shutdown and by SIGKILL', async () => {
    const ended = await scene.family('fork')
    expect([ended.code, beyondLocks(ended.stderr)]).toEqual([0, []])
    const { pids, ends } = JSON.parse(ended.stdout) as FamilyEnds
    expect(ends).toEqual([0, 3, 0, 'SIGKILL'])
    const account = await scene.recover()
    expectErrorsKept(scene, account)
    expectCallsOf(account.calls, member => member < 4)
    expect(scene.pids).toEqual(expect.arrayContaining(pids))
  })

  it('node:cluster with four workers, of which some are killed and forked again', async () => {
    const clusterKills = Number(process.env['CALLSIGHT_CLUSTER_KILLS'] ?? 4)
    injected(clusterKills)
    const ended = await scene.family('cluster', { KILLS: String(clusterKills) })
    expect([ended.code, beyondLocks(ended.stderr)]).toEqual([0, []])
    const { pids, ends } = JSON.parse(ended.stdout) as FamilyEnds
    expect(ends).toEqual([0, 0, 0, 0])
    const account = await scene.recover()
    expectErrorsKept(scene, account)
    expectCallsOf(account.calls, member => member > pids.length - 4)
    expect(scene.pids).toEqual(expect.arrayContaining(pids))
  })
})
