import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { incidentsOf, mountSmall, noSmallDisk, unmount, until } from '../support/disk.js'
import { expectAllKept, Scene } from './harness.js'

let scene: Scene
const folder = (): string => dirname(scene.store)
const accountIn = (stdout: string): Account => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Account

beforeEach(() => {
  scene = new Scene()
})
afterEach(() => {
  unmount(folder())
  scene.dispose()
})

const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
const PROGRAM = fileURLToPath(new URL('../.build/standard/victim.js', import.meta.url))
/** Somebody without rights has to be able to read the program all the same. */
const noNobody =
  spawnSync('setpriv', [...NOBODY.slice(1), process.execPath, PROGRAM, '{"calls":0,"ending":"natural"}'], {
    env: { CALLSIGHT: 'off' },
  }).status === 0
    ? ''
    : ' (skipped: needs root, the Debian package util-linux, and a folder that others can read)'

interface Place {
  readonly what: string
  readonly skip: string
  readonly make: () => void
  readonly wrap?: string[]
}

const PLACES: readonly Place[] = [
  {
    what: 'a file stands where its folder should be',
    skip: '',
    make: () => writeFileSync(folder(), 'a file'),
  },
  {
    what: 'its file system is read-only',
    skip: noSmallDisk,
    make: () => {
      mkdirSync(folder())
      mountSmall(folder())
      expect(spawnSync('mount', ['-o', 'remount,ro', folder()]).status).toBe(0)
    },
  },
  {
    what: 'somebody else owns its folder',
    skip: noNobody,
    make: () => {
      mkdirSync(folder())
      chmodSync(folder(), 0o755)
      chmodSync(scene.folder, 0o777)
    },
    wrap: NOBODY,
  },
]

describe('row 10: there is no disk that can be written', () => {
  for (const { what, skip, make, wrap } of PLACES) {
    it.skipIf(skip !== '')(`${what}: recording goes on in memory, with one warning${skip}`, async () => {
      make()
      const how = wrap === undefined ? {} : { wrap }
      const ended = await scene.run(
        { calls: 400, ending: 'shutdown', endAfterMs: 1_500, breaker: { resetTimeoutMs: 200 } },
        how,
      )
      expect(ended.code).toBe(0)
      expect(ended.stderr.match(/CallsightWarning/g), 'one warning').toHaveLength(1)
      expect(ended.stderr).toMatch(/CALLSIGHT_MEMORY_ONLY.*kept in memory only.*CALLSIGHT_DB/)
      const account = accountIn(ended.stdout)
      expect(account).toMatchObject({
        balanced: true,
        calls: { produced: 300, stored: 0, dropped: {}, inRing: 300 },
        errors: { produced: 100, stored: 0, dropped: {}, inJournal: 0 },
      })
      expect(account.errors.inRing + account.errors.inMemory).toBe(100)
      expect(scene.seen()).toMatchObject({ calls: { length: 300 }, errors: { length: 100 } })
    })

    it.skipIf(skip !== '')(`${what}: the program ends as it does without us${skip}`, async () => {
      make()
      const how = wrap === undefined ? {} : { wrap }
      const without = await scene.run({ calls: 40, ending: 'throw' }, { ...how, env: { CALLSIGHT: 'off' } })
      const ended = await scene.run({ calls: 40, ending: 'throw' }, how)
      expect(ended).toEqual(without)
    })
  }

  it('and later there is: all that was in memory is stored, and the time is an incident', async () => {
    writeFileSync(folder(), 'a file')
    const fromUs = Date.now() * 1000
    const victim = scene.start({ calls: 100, ending: 'watch', breaker: { resetTimeoutMs: 300 } })
    await victim.says('state open degraded')
    const openUs = Date.now() * 1000
    rmSync(folder())
    await until(
      () => incidentsOf(scene.store, 'memory_only').some(row => row.ended_us !== null),
      'the incident',
    )
    victim.child.stdin.end()
    const ended = await victim.ended
    expect(ended.code).toBe(0)
    expect(accountIn(ended.stdout)).toMatchObject({
      balanced: true,
      calls: { dropped: {} },
      errors: { dropped: {}, inMemory: 0 },
    })
    expectAllKept(scene, await scene.recover())
    const [incident, ...more] = incidentsOf(scene.store, 'memory_only')
    expect(more).toEqual([])
    expect(incident?.started_us).toBeGreaterThanOrEqual(fromUs)
    expect(incident?.started_us).toBeLessThanOrEqual(openUs)
    expect(incident?.ended_us).toBeGreaterThan(openUs)
  })
})
