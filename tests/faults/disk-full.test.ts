import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import type { Health } from '../../lib/health.js'
import type { Account } from '../../lib/queue/account.js'
import { reserveBytes } from '../../lib/store/reserve.js'
import { CrewScene, expectSound, expectStored } from '../support/crew-scene.js'
import {
  fill,
  incidentsOf,
  LoopDisk,
  mountSmall,
  noLoopDisk,
  noSmallDisk,
  pause,
  rowsOf,
  unmount,
  until,
} from '../support/disk.js'
import { injected } from '../support/figures.js'
import { readStore } from '../support/store-account.js'
import { expectAllKept, expectErrorsKept, Scene, type Victim } from './harness.js'

let scene: Scene
const folder = (): string => dirname(scene.store)
const hog = (): string => join(folder(), 'hog')
const reserve = (): string => `${scene.store}.reserve`
/** With all of its bytes: while it is written, the disk may be filled before it. */
const reserveStands = (): boolean =>
  (statSync(reserve(), { throwIfNoEntry: false })?.size ?? 0) >= reserveBytes(DEFAULTS.maxBytes)
const accountIn = (stdout: string): Account => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Account

beforeEach(() => {
  scene = new Scene()
  mkdirSync(folder())
})
afterEach(() => {
  unmount(folder())
  scene.dispose()
})

const QUICK = { resetTimeoutMs: 300 }

/** Waits for a state of the breaker that the program sees after `from` characters of its output. */
async function sees(victim: Victim, state: string, from: number): Promise<void> {
  await until(() => {
    expect(victim.child.exitCode).toBeNull()
    return victim.output.slice(from).includes(`state ${state}`)
  }, state)
}

/** Each of its threads: a signal takes a moment to reach the last one. */
function standsStill(pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.every(id => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${id}/status`, 'utf8')))
}

/** While the program stands still: what it gives up in the middle of this would go as well. */
function fillUnder(victim: Victim): void {
  victim.child.kill('SIGSTOP')
  while (!standsStill(victim.child.pid as number));
  fill(hog())
  victim.child.kill('SIGCONT')
}

async function stop(victim: Victim): Promise<Account> {
  victim.child.stdin.end()
  const ended = await victim.ended
  expect(ended.code).toBe(0)
  return accountIn(ended.stdout)
}

describe('row 10: the disk is full', () => {
  it.skipIf(noSmallDisk !== '').each([
    ['from the start', true],
    ['after a while', false],
  ])(`%s: the app goes on, and once there is space everything is stored${noSmallDisk}`, async (_, atOnce) => {
    mountSmall(folder())
    if (atOnce) fill(hog())
    const victim = scene.start({ calls: 10, ending: 'watch', breaker: QUICK })
    await victim.says('state closed recording')
    if (!atOnce) {
      await until(reserveStands, 'the reserve')
      fill(hog())
    }
    await victim.says('state open degraded')
    await pause(500)
    expect(existsSync(reserve()), 'the reserve has been given').toBe(false)
    const fromUs = Date.now() * 1000
    rmSync(hog())
    await sees(victim, 'closed', victim.output.length)
    await until(() => existsSync(reserve()), 'the reserve made again')
    await until(
      () => incidentsOf(scene.store, 'disk_full').some(row => row.ended_us !== null),
      'the incident',
    )
    expect(await stop(victim)).toMatchObject({
      balanced: true,
      calls: { dropped: {} },
      errors: { dropped: {} },
    })
    const account = await scene.recover()
    expectAllKept(scene, account)
    const [incident, ...more] = incidentsOf(scene.store, 'disk_full')
    expect(more).toEqual([])
    expect(incident?.started_us).toBeLessThan(fromUs)
    expect(incident?.ended_us).toBeGreaterThan(fromUs)
  })

  const moments = Number(process.env['CALLSIGHT_DISK_MOMENTS'] ?? 6)
  it.skipIf(noSmallDisk !== '')(
    `at ${moments} moments of a start and of work: errors lost 0, each time${noSmallDisk}`,
    async () => {
      injected(moments)
      for (let moment = 0; moment < moments; moment++) {
        scene.dispose()
        scene = new Scene()
        mkdirSync(folder())
        mountSmall(folder())
        const victim = scene.start({ calls: 50, chunk: 5, ending: 'watch', breaker: QUICK })
        // From before the writer has booted to long after.
        await pause((600 * moment) / moments)
        fill(hog())
        await sees(victim, 'open', 0)
        rmSync(hog())
        await sees(victim, 'closed', victim.output.lastIndexOf('state open'))
        const account = await stop(victim)
        expect(account).toMatchObject({ balanced: true, errors: { dropped: {} } })
        expectErrorsKept(scene, await scene.recover())
        unmount(folder())
      }
    },
  )

  it.skipIf(noSmallDisk !== '')(
    `and the program is killed then: the reserve holds its last errors${noSmallDisk}`,
    async () => {
      mountSmall(folder())
      // A breaker that never opens would go on asking, one that opened would say nothing of this.
      const victim = scene.start({
        calls: 10,
        errorEvery: 1,
        ending: 'watch',
        breaker: { failureThreshold: 1 },
      })
      await until(reserveStands, 'the reserve')
      fillUnder(victim)
      const full = scene.seen().errors.length
      await until(() => scene.seen().errors.length > full + 60, 'errors on a full disk')
      victim.child.kill('SIGKILL')
      await victim.ended
      rmSync(hog())
      expectErrorsKept(scene, await scene.recover())
    },
  )

  it.skipIf(noSmallDisk !== '')(
    `and stays so: what is due goes, with the room of the reserve, and that makes room enough${noSmallDisk}`,
    async () => {
      mountSmall(folder(), 24)
      const victim = scene.start({
        calls: 60_000,
        errorEvery: 0,
        chunk: 100,
        retention: '4s',
        sweepInterval: 60_000,
        ending: 'watch',
        breaker: QUICK,
      })
      await until(reserveStands, 'the reserve')
      await until(() => scene.seen().calls.length >= 60_000, 'the load')
      // As after a while of work: the log is short, and all is in the database.
      const other = new Database(scene.store)
      other.pragma('wal_checkpoint(TRUNCATE)')
      other.close()
      fillUnder(victim)
      await sees(victim, 'open degraded', 0)
      expect(existsSync(reserve()), 'the writer has given the reserve').toBe(false)
      await sees(victim, 'closed recording', victim.output.lastIndexOf('state open'))
      expect(existsSync(reserve()), 'and made it again').toBe(true)
      expect((await stop(victim)).balanced).toBe(true)
      expect(readStore(scene.store).integrity).toBe('ok')
    },
  )

  it.skipIf(noSmallDisk !== '')(
    `and the program ends then: what waits in memory is in the journal${noSmallDisk}`,
    async () => {
      mountSmall(folder())
      fill(hog())
      const victim = scene.start({ calls: 300, errorEvery: 1, ringBytes: 64 * 1024, ending: 'watch' })
      await victim.says('state open')
      rmSync(hog())
      victim.child.kill('SIGTERM')
      expect(await victim.ended).toMatchObject({ signal: 'SIGTERM' })
      expectErrorsKept(scene, await scene.recover())
    },
  )

  it.skipIf(noSmallDisk !== '')(`under worker threads of the app: errors lost 0${noSmallDisk}`, async () => {
    const crew = new CrewScene()
    scene.dispose()
    scene = crew
    mkdirSync(folder())
    mountSmall(folder())
    fill(hog())
    const program = crew.crew('stay to the end', { workers: 3, calls: 400 })
    await program.says('waiting')
    rmSync(hog())
    const seen = crew.seen().errors.length
    expect(seen).toBeGreaterThan(100)
    await until(
      () => (rowsOf<{ n: number }>(scene.store, 'SELECT count(*) AS n FROM errors')[0]?.n ?? 0) >= seen,
      'all errors in the store',
    )
    program.child.stdin.end()
    const ended = await program.ended
    expect(ended.code).toBe(0)
    const { health } = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as { health: Health }
    expect(health.account).toMatchObject({ balanced: true, errors: { dropped: {}, inMemory: 0 } })
    const account = readStore(scene.store)
    expectSound(account)
    expectStored(account, { calls: [], errors: crew.seen().errors })
  })
})

describe('row 10: the quota is reached', () => {
  it('under load the store stays within it, and errors are the last to go', async () => {
    const maxBytes = 4 * 1024 * 1024
    const victim = scene.start({
      calls: 60_000,
      errorEvery: 500,
      chunk: 100,
      maxBytes,
      sweepInterval: 200,
      ending: 'watch',
    })
    await until(() => (rowsOf(scene.store, 'SELECT 1 FROM expired').length ?? 0) > 0, 'the first to expire')
    await until(() => scene.seen().calls.length > 50_000, 'the load')
    const account = await stop(victim)
    expect(account).toMatchObject({ balanced: true, errors: { dropped: {} } })
    expect(account.expired).toBeGreaterThan(0)
    expect(victim.output).not.toContain('open')
    const size = statSync(scene.store).size
    // One batch may come between two looks.
    expect(size).toBeLessThan(1.5 * maxBytes)
    expectErrorsKept(scene, await scene.recover())
  })
})

describe('row 10: the disk becomes read-only while the store is open', () => {
  it.skipIf(noLoopDisk !== '')(
    `and comes back: the app goes on, errors lost 0, one warning an episode${noLoopDisk}`,
    async () => {
      const disk = LoopDisk.format(join(scene.folder, 'disk.img'), folder())
      if (disk === null) throw new Error('there was a disk a moment ago')
      const victim = scene.start({ calls: 10, ending: 'watch', breaker: QUICK })
      await victim.says('state closed recording')
      await until(() => rowsOf(scene.store, 'SELECT 1 FROM errors').length > 5, 'the first errors')
      // What the system has not written yet would be lost with such a disk: that is not what is tested here.
      victim.child.kill('SIGSTOP')
      expect(disk.goReadOnly()).toBe(true)
      victim.child.kill('SIGCONT')
      await sees(victim, 'open degraded', 0)
      await pause(300)
      expect(disk.comeBack()).toBe(true)
      await sees(victim, 'closed', victim.output.lastIndexOf('state open'))
      await until(
        () => incidentsOf(scene.store, 'memory_only').some(row => row.ended_us !== null),
        'the incident',
      )
      victim.child.stdin.end()
      const ended = await victim.ended
      expect(ended.code).toBe(0)
      expect(ended.stderr.match(/CALLSIGHT_MEMORY_ONLY/g)).toHaveLength(1)
      expect(accountIn(ended.stdout)).toMatchObject({ balanced: true, errors: { dropped: {} } })
      expectErrorsKept(scene, await scene.recover())
    },
  )
})
