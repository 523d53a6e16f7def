import { cpSync, existsSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Health } from '../../lib/health.js'
import { MAX_WAITING_THREADS } from '../../lib/writer/shelving.js'
import type { CrewPlan } from '../fixtures/src/crew.js'
import type { Plan } from '../fixtures/src/victim.js'
import { imbalances } from '../support/store-account.js'
import { type Ended, expectErrorsKept, Scene } from './harness.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packages = join(realpathSync(join(root, 'node_modules')))

/** Version 12 of better-sqlite3 has one, compiled or unpacked; version 13 brings some along. */
const BINDINGS = ['build/Release/better_sqlite3.node', 'prebuilds'].filter(part =>
  existsSync(join(packages, 'better-sqlite3', part)),
)

/** A scene with an installation of the package of its own, in which something can be missing. */
class InstalledScene extends Scene {
  readonly installed = join(this.folder, 'installed')

  install(): void {
    mkdirSync(join(this.installed, 'node_modules'), { recursive: true })
    for (const part of ['dist', 'package.json', 'tests/.build/standard']) {
      cpSync(join(root, part), join(this.installed, part), { recursive: true })
    }
    for (const name of ['bindings', 'file-uri-to-path', 'reflect-metadata']) {
      symlinkSync(join(packages, name), join(this.installed, 'node_modules', name))
    }
    this.installDriver(['package.json', 'lib', ...BINDINGS])
  }

  installDriver(parts: readonly string[]): void {
    for (const part of parts) {
      const own = join('better-sqlite3', part)
      cpSync(join(packages, own), join(this.installed, 'node_modules', own), { recursive: true })
    }
  }

  removeBinding(): void {
    expect(BINDINGS).not.toEqual([])
    for (const part of BINDINGS) this.remove(`node_modules/better-sqlite3/${part}`)
  }

  remove(part: string): void {
    rmSync(join(this.installed, part), { recursive: true })
  }

  write(part: string, text: string): void {
    this.remove(part)
    mkdirSync(join(this.installed, part, '..'), { recursive: true })
    writeFileSync(join(this.installed, part), text)
  }

  runInstalled(plan: Partial<Plan>, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const complete = {
      calls: 200,
      errorEvery: 4,
      chunk: 10,
      pauseMs: 90,
      endAfterMs: -1,
      ending: 'natural',
      truth: this.truth,
      ...plan,
    }
    const victim = join(this.installed, 'tests/.build/standard/victim.js')
    return this.spawn(victim, [JSON.stringify(complete)], { env }).ended
  }

  crewInstalled(scenario: string, plan: CrewPlan): Promise<Ended> {
    const crew = join(this.installed, 'tests/.build/standard/crew.js')
    return this.spawn(crew, [scenario, JSON.stringify(plan)], {}).ended
  }
}

let scene: InstalledScene
beforeEach(() => {
  scene = new InstalledScene()
  scene.install()
})
afterEach(() => scene.dispose())

/** The app saw what it would have seen without us, was told once, and nothing is lost in the end. */
async function expectLivedWithout(
  warning: string,
  starts: number,
  {
    env = {},
    plan = {},
    state = 'degraded',
  }: { env?: NodeJS.ProcessEnv; plan?: Partial<Plan>; state?: Health['state'] } = {},
): Promise<void> {
  const ended = await scene.runInstalled({ print: 'health now', ...plan }, env)
  expect(ended.code).toBe(0)
  expect(scene.seen()).toMatchObject({ calls: { length: 150 }, errors: { length: 50 } })
  expect(ended.stderr.match(/\[CALLSIGHT_\w+\]/g)).toEqual([`[${warning}]`])
  // The warning and the line in which Node says how to see more of it.
  expect(ended.stderr.trim().split('\n').length).toBeLessThanOrEqual(2)
  const health = JSON.parse(ended.stdout) as Health
  expect(health).toMatchObject({ state, account: { balanced: true, errors: { dropped: {} } } })
  expect(health.writer.restarts + 1).toBe(starts)
  expect(scene.journals().length).toBeGreaterThan(0)
  expectErrorsKept(scene, await scene.recover())
}

describe('row 7: the writer cannot start', () => {
  /** Within the 2 seconds that the program runs: at 0, 0.1 and 1.1 seconds. */
  const STARTS = 3

  it('the binding of better-sqlite3 is missing', async () => {
    scene.removeBinding()
    // The thread lives, the store cannot be opened: a matter of the circuit breaker.
    await expectLivedWithout('CALLSIGHT_STORE_FAILING', 1)
  })

  it('better-sqlite3 is not installed', async () => {
    scene.remove('node_modules/better-sqlite3')
    await expectLivedWithout('CALLSIGHT_STORE_FAILING', 1)
  })

  it('no thread can be made', async () => {
    const preload = join(scene.installed, 'no-threads.cjs')
    const source = `require('node:worker_threads').Worker = class { constructor() { throw new Error('no threads') } }`
    writeFileSync(preload, source)
    await expectLivedWithout('CALLSIGHT_WRITER_DIED', STARTS, {
      env: { NODE_OPTIONS: `--require ${preload}` },
    })
  })

  it.each([
    ['is missing', null],
    ['throws when it is loaded', 'throw new Error("not today")'],
    ['ends its thread when it is loaded', 'process.exit(3)'],
    ['does nothing', 'export default 5'],
  ])("the writer's own file %s", async (_, source) => {
    if (source === null) scene.remove('dist/writer/thread.js')
    else scene.write('dist/writer/thread.js', source)
    await expectLivedWithout('CALLSIGHT_WRITER_DIED', STARTS)
  })

  it("the writer's thread hangs before it comes to life", async () => {
    scene.write('dist/writer/thread.js', 'setInterval(() => {}, 1_000)')
    // 18 seconds: it is given up after 15 of them, and started again.
    await expectLivedWithout('CALLSIGHT_WRITER_DIED', 2, { plan: { pauseMs: 900 }, state: 'recording' })
  })

  it('the rings of threads that end meanwhile are let go, all but the newest', async () => {
    scene.remove('dist/writer/thread.js')
    const ended = await scene.crewInstalled('end in trouble', { workers: 40, calls: 50, errorEvery: 7 })
    expect(ended.code).toBe(0)
    const { account } = (JSON.parse(ended.stdout) as { health: Health }).health
    expect(account).toMatchObject({ balanced: true, calls: { stored: 0, dropped: {} } })
    expect(account.calls.inRing).toBe(MAX_WAITING_THREADS * 43 + 1)
    expect(account.calls.inJournal).toBe((40 - MAX_WAITING_THREADS) * 43)
    const stored = await scene.recover()
    expect(imbalances(stored)).toEqual(stored.lanes.map(() => 0))
    expect(stored.calls.length + stored.errors.length).toBe(40 * 50)
  })

  it('healthy again, the same installation stores what it could not', async () => {
    scene.removeBinding()
    await scene.runInstalled({ pauseMs: 0 })
    expect(scene.journals()).toHaveLength(1)
    scene.installDriver(BINDINGS)
    const ended = await scene.runInstalled({ calls: 0, ending: 'recover' })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(scene.journals()).toEqual([])
    expectErrorsKept(scene, await scene.recover())
  })
})
