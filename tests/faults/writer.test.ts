import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { Fault } from '../../lib/writer/faults.js'
import { imbalances } from '../support/store-account.js'
import { expectAllKept, expectErrorsKept, Scene, type Victim } from './harness.js'

const PATIENT = fileURLToPath(new URL('../.build/standard/patient.js', import.meta.url))

class WriterScene extends Scene {
  patient(scenario: string, fault: number): Victim {
    return this.spawn(PATIENT, [scenario, `${fault}`], {})
  }
}

let scene: WriterScene
beforeEach(() => {
  scene = new WriterScene()
})
afterEach(() => scene.dispose())

const warnings = (stderr: string): string[] => stderr.match(/\[CALLSIGHT_\w+\]/g) ?? []

describe('row 6: the writer fails', () => {
  const deaths = ['throwInDrain', 'exitAfterCommit', 'exitInTransaction', 'exitBetweenTicks'] as const
  it.each(deaths)('%s: it comes back, each record is stored once, the app goes on', async fault => {
    const ended = await scene.run({
      calls: 4_000,
      errorEvery: 10,
      chunk: 20,
      fault: Fault[fault],
      ending: 'shutdown',
    })
    expect(ended.code).toBe(0)
    const account = JSON.parse(ended.stdout) as { balanced: boolean; calls: { stored: number } }
    expect(account.balanced).toBe(true)
    expect(account.calls.stored).toBe(3_600)
    expectAllKept(scene, await scene.recover())
  })

  it('dies again and again: one warning, few starts, the state says so, errors are kept', async () => {
    const ended = await scene.patient('dies again and again', Fault.exitBetweenTicks).ended
    expect(ended.code).toBe(0)
    expect(warnings(ended.stderr)).toEqual(['[CALLSIGHT_WRITER_DIED]'])
    const seen = JSON.parse(ended.stdout) as { starts: number; state: string; reason: string }
    // At 0, 0.1 and 1.1 seconds; the next would come 10 seconds later.
    expect(seen).toMatchObject({ starts: 3, state: 'degraded', balanced: true })
    expect(seen.reason).toContain('it has died 3 times in a row')
    const account = await scene.recover()
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
    expect(account.errors.length).toBe(new Set(account.errors).size)
    expect(account.errors.length).toBeGreaterThan(100)
  })

  it('flushes that nobody can answer do not start one writer after the other', async () => {
    const ended = await scene.patient('dies while everybody flushes', Fault.exitBetweenTicks).ended
    expect(ended.code).toBe(0)
    expect(warnings(ended.stderr)).toEqual(['[CALLSIGHT_WRITER_DIED]'])
    // 200 flushes in 4 seconds: one start a second, and those that come by themselves.
    const { starts } = JSON.parse(ended.stdout) as { starts: number }
    expect(starts).toBeGreaterThan(2)
    expect(starts).toBeLessThanOrEqual(7)
  })

  it('dies behind an open breaker: the next one finds it open, since the same moment', async () => {
    mkdirSync(scene.store, { recursive: true })
    const ended = await scene.patient('dies behind an open breaker', Fault.exitBetweenTicks).ended
    const { before, ...seen } = JSON.parse(ended.stdout) as { before: number }
    expect(before).toBeGreaterThan(0)
    expect(seen).toEqual({ after: before, breaker: 'open', state: 'degraded' })
  })
})

describe('row 7: the writer runs out of memory', () => {
  it('it comes back, each record is stored once, the app goes on', async () => {
    const ended = await scene.run({
      calls: 4_000,
      errorEvery: 10,
      chunk: 20,
      fault: Fault.outOfMemory,
      ending: 'shutdown',
    })
    expect(ended.code).toBe(0)
    expect(warnings(ended.stderr)).toEqual(['[CALLSIGHT_WRITER_DIED]'])
    expect(ended.stderr).toContain('memory')
    const account = JSON.parse(ended.stdout) as Account
    expect(account).toMatchObject({ balanced: true, calls: { stored: 3_600 } })
    expectAllKept(scene, await scene.recover())
  })
})

describe('row 8: the writer never comes back from its work', () => {
  it('the state says so, one warning, errors go on to the journal; all is stored when it comes back', async () => {
    const victim = scene.start({ calls: 200, fault: Fault.wait, ending: 'watch' })
    await victim.says('state closed degraded')
    const errors = scene.seen().errors.length
    victim.child.stdin.write('go on\n')
    await victim.says('state closed degraded\nstate closed recording')
    expect(scene.seen().errors.length).toBeGreaterThan(errors)
    victim.child.stdin.end()
    const ended = await victim.ended
    expect(ended.code).toBe(0)
    expect(warnings(ended.stderr)).toEqual(['[CALLSIGHT_WRITER_STUCK]'])
    const account = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as Account
    expect(account).toMatchObject({ balanced: true, errors: { dropped: {} } })
    expectAllKept(scene, await scene.recover())
  })

  it.each(['wait', 'spin'] as const)(
    '%s: the program ends all the same, and nothing is lost',
    async fault => {
      const ended = await scene.run({ calls: 400, chunk: 20, fault: Fault[fault], ending: 'exit' })
      expect(ended).toMatchObject({ code: 7, stderr: '' })
      expectAllKept(scene, await scene.recover())
    },
  )

  it('shutdown() gives it up: what it has not stored waits in the journal', async () => {
    const ended = await scene.run({ calls: 400, chunk: 20, fault: Fault.wait, ending: 'shutdown' })
    expect(ended.code).toBe(0)
    const account = JSON.parse(ended.stdout) as Account
    expect(account.balanced).toBe(true)
    expect(account.errors.inJournal).toBeGreaterThan(0)
    expectErrorsKept(scene, await scene.recover())
  })
})
