import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Scenario } from '../fixtures/src/unclean.js'
import type { StoreAccount } from '../support/store-account.js'
import { expectAllKept, expectErrorsKept, Scene, type Victim } from './harness.js'

const PROGRAM = fileURLToPath(new URL('../.build/standard/unclean.js', import.meta.url))

class UncleanScene extends Scene {
  unclean(scenario: Scenario, nodeArgs: string[] = []): Victim {
    return this.spawn(PROGRAM, [scenario, this.truth], { nodeArgs })
  }
}

let scene: UncleanScene
beforeEach(() => {
  scene = new UncleanScene()
})
afterEach(() => scene.dispose())

const lostCalls = ({ lanes }: StoreAccount): number =>
  lanes.reduce((sum, { lane, dropped }) => sum + (lane === 0 ? (dropped['writer_lost'] ?? 0) : 0), 0)

describe('row 3: what is lost by a SIGKILL', () => {
  it('ordinary calls of the last drain only; all before are stored, and what is lost is counted up to the last batch', async () => {
    const victim = scene.unclean('counted')
    const lines = () => readFileSync(scene.truth, 'utf8').split('\n').slice(0, -1)
    await expect
      .poll(() => victim.child.exitCode ?? batchesIn(lines()).at(-1)?.batch ?? 0, { timeout: 60_000 })
      .toBeGreaterThan(8)
    victim.child.kill('SIGKILL')
    await victim.ended
    const account = await scene.recover()
    expectErrorsKept(scene, account)
    const batches = batchesIn(lines())
    const last = batches.at(-1)?.batch ?? 0
    // Batch k + 2 began after batch k + 1 was stored, which is after the program saw k: it has all that was made before.
    const covered = batches.findLast(({ batch }) => batch <= last - 2)
    expect(covered?.calls).toBeGreaterThan(0)
    const stored = new Set(account.calls)
    const early = scene.seen().calls.slice(0, covered?.calls)
    expect(
      early.filter(n => !stored.has(n)),
      'calls before the last batches',
    ).toEqual([])
    expect(account.calls.length + lostCalls(account)).toBeGreaterThanOrEqual(early.length)
    expect(account.calls.length + lostCalls(account)).toBeLessThanOrEqual(scene.seen().calls.length + 1)
  })

  it('and as many as the last error told of are counted exactly', async () => {
    const victim = scene.start({ calls: 1e9, errorEvery: 50, chunk: 10, pauseMs: 1, ending: 'natural' })
    await expect.poll(() => scene.seen().errors.length, { timeout: 60_000 }).toBeGreaterThan(40)
    victim.child.kill('SIGKILL')
    await victim.ended
    const account = await scene.recover()
    expectErrorsKept(scene, account)
    const { calls, errors } = scene.seen()
    const told = calls.filter(n => n < (errors.at(-1) ?? 0)).length
    expect(account.calls.length + lostCalls(account)).toBeGreaterThanOrEqual(told)
    expect(account.calls.length + lostCalls(account)).toBeLessThanOrEqual(calls.length + 1)
  })
})

/** For each batch the program saw: how many calls it had made before. */
function batchesIn(lines: readonly string[]): { batch: number; calls: number }[] {
  let calls = 0
  return lines.flatMap(line => {
    if (!line.startsWith('B ')) {
      calls++
      return []
    }
    return [{ batch: Number(line.slice(2)), calls }]
  })
}

describe('row 4: ends that no code of ours sees, in a worker thread and in native code', () => {
  it('a worker reaches the limit of its heap: only it ends, and everything it recorded is stored', async () => {
    const ended = await scene.unclean('worker heap').ended
    expect(ended.code).toBe(0)
    expect(ended.stdout).toContain('{"code":1,"error":"ERR_WORKER_OUT_OF_MEMORY"}')
    const account = await scene.recover()
    expectAllKept(scene, account)
    expect(lostCalls(account)).toBe(0)
  })

  it('a worker ends the process by SIGSEGV: every error of both threads is kept', async () => {
    const ended = await scene.unclean('worker segv').ended
    expect(ended.signal).toBe('SIGSEGV')
    const account = await scene.recover()
    expectErrorsKept(scene, account)
    expect(scene.seen().errors.length).toBe(65)
    // What the last error of each thread told of is stored or counted.
    expect(account.calls.length + lostCalls(account)).toBeGreaterThanOrEqual(scene.seen().calls.length - 6)
  })

  it('the stack of the system ends, by a recursion node was told to allow: every error is kept', async () => {
    const ended = await scene.unclean('native overflow', ['--stack-size=1000000']).ended
    expect(ended.signal).toBe('SIGSEGV')
    const account = await scene.recover()
    expectErrorsKept(scene, account)
    expect(scene.seen().errors).toHaveLength(25)
    const stored = new Set(account.calls)
    expect(
      scene.seen().calls.filter(n => n <= 60 && !stored.has(n)),
      'calls before the last drain',
    ).toEqual([])
    expect(account.calls.length + lostCalls(account)).toBe(scene.seen().calls.length)
  })
})
