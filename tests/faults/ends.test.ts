import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Ending, Plan } from '../fixtures/src/victim.js'
import { injected } from '../support/figures.js'
import { SEED } from '../support/seed.js'
import { imbalances, readStore } from '../support/store-account.js'
import { expectAllKept, expectErrorsKept, Scene, sorted } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

/** Addresses and our own frames differ; what the user reads must not. */
const readable = (stderr: string): string =>
  stderr
    .split('\n')
    .filter(line => !/^\s+at /.test(line))
    .join('\n')

describe('row 1: the program ends by itself', () => {
  const endings: (readonly [string, Partial<Plan>])[] = [
    ['the loop runs dry', { ending: 'natural' }],
    ...[0, 5, 20, 40].map(ms => [`process.exit after ${ms} ms`, { ending: 'exit', endAfterMs: ms }] as const),
    ['process.exit at once', { ending: 'exit' }],
    ['uncaught throw', { ending: 'throw' }],
    ['unhandled rejection', { ending: 'reject' }],
    ['async calls, then the loop runs dry', { ending: 'natural', async: true }],
  ]
  it.each(endings)('%s: every call and error is stored, and the app ends as without us', async (_, plan) => {
    const [withUs, without] = [
      await scene.run({ calls: 20, ...plan }),
      await scene.run({ calls: 20, ...plan }, { env: { CALLSIGHT: 'off' }, truth: false }),
    ]
    expect(withUs.code).toBe(without.code)
    expect(withUs.signal).toBe(without.signal)
    expect(readable(withUs.stderr)).toBe(readable(without.stderr))
    expectAllKept(scene, await scene.recover())
  })

  it('stack overflow in a monitored recursion: it is the app that fails, and nothing else is lost', async () => {
    const ended = await scene.run({ calls: 20, ending: 'overflow' })
    expect(ended.code).not.toBe(0)
    expect(ended.stderr).toContain('RangeError: Maximum call stack size exceeded')
    expect(ended.stderr).not.toContain('CALLSIGHT')
    const account = await scene.recover()
    const ordinary = account.errors.filter(n => scene.seen().errors.includes(n))
    expect(ordinary).toHaveLength(scene.seen().errors.length)
    // One error record per frame of the recursion; the deepest waited until the stack had room for them.
    const stored = account.lanes.reduce((sum, row) => sum + (row.lane === 1 ? row.stored : 0), 0)
    expect(stored).toBeGreaterThan(1_000)
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
  })
})

describe('row 2: polite signals', () => {
  const signals = [
    ['SIGTERM', 15],
    ['SIGINT', 2],
  ] as const
  it.each(signals)('%s without a handler: all is stored, the signal ends the process', async signal => {
    const victim = scene.start({ ending: 'hang' })
    await victim.says('waiting')
    victim.child.kill(signal)
    expect(await victim.ended).toMatchObject({ code: null, signal, stderr: '' })
    expectAllKept(scene, await scene.recover())
  })

  it('SIGTERM with a handler of the app: it runs once and decides', async () => {
    const victim = scene.start({ ending: 'handler' })
    await victim.says('waiting')
    victim.child.kill('SIGTERM')
    const ended = await victim.ended
    expect(ended).toMatchObject({ code: 5, signal: null })
    expect(ended.stdout.match(/handled/g)).toHaveLength(1)
    expectAllKept(scene, await scene.recover())
  })

  it('SIGTERM with a handler that listens once, set up before the first call: it decides as well', async () => {
    const victim = scene.start({ ending: 'once' })
    await victim.says('waiting')
    victim.child.kill('SIGTERM')
    expect(await victim.ended).toMatchObject({ code: 5, signal: null, stdout: 'waiting\nhandled\n' })
    expectAllKept(scene, await scene.recover())
  })

  it('SIGTERM twice in a row: all is stored', async () => {
    const victim = scene.start({ ending: 'hang' })
    await victim.says('waiting')
    victim.child.kill('SIGTERM')
    victim.child.kill('SIGTERM')
    expect((await victim.ended).signal).toBe('SIGTERM')
    expectAllKept(scene, await scene.recover())
  })
})

describe('row 3: SIGKILL at a random moment', () => {
  const kills = Number(process.env['CALLSIGHT_KILLS'] ?? 40)
  it(`${kills} kills: no error lost, none twice, lost calls counted`, async () => {
    let seed = SEED
    injected(kills)
    const random = (): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
      return seed / 2 ** 32
    }
    for (let round = 0; round < kills; round++) {
      const one = new Scene()
      try {
        const victim = one.start({ calls: 1e9, errorEvery: 7, chunk: 50, ending: 'natural' })
        // From before the writer is up to well into the flood.
        await new Promise(resolve => setTimeout(resolve, 60 + random() * 400))
        victim.child.kill('SIGKILL')
        expect((await victim.ended).signal).toBe('SIGKILL')
        await checkKilled(one, `round ${round}`)
      } finally {
        one.dispose()
      }
    }
  })

  async function checkKilled(one: Scene, round: string): Promise<void> {
    const account = await one.recover().catch((error: unknown) => {
      throw new Error(`${round}: ${String(error)}`)
    })
    expectErrorsKept(one, account)
    const { calls } = one.seen()
    const lost = account.lanes
      .filter(({ lane }) => lane === 0)
      .reduce((sum, { dropped }) => sum + (dropped['writer_lost'] ?? 0), 0)
    // What is neither stored nor counted was made after the last batch and after the last error said how many there were.
    expect(account.calls.length + lost).toBeGreaterThanOrEqual(calls.length - 7)
  }
})

describe('row 4: ends that no code of ours sees', () => {
  const endings: (readonly [Ending, string[]])[] = [
    ['abort', []],
    ['segv', []],
    ['heap', ['--max-old-space-size=40']],
  ]
  it.each(endings)('%s: every error is stored after the next start', async (ending, nodeArgs) => {
    const ended = await scene.run({ calls: 200, ending }, { nodeArgs })
    expect(ended.code === 0).toBe(false)
    expectErrorsKept(scene, await scene.recover())
  })

  it('the next start takes the errors over even when it ends at once', async () => {
    await scene.run({ calls: 200, ending: 'abort' })
    expect(scene.journals()).toHaveLength(1)
    await scene.run({ calls: 1, errorEvery: 0, ending: 'exit' }, { truth: false })
    expect(scene.journals()).toEqual([])
    const account = readStore(scene.store)
    expect(sorted(account.errors)).toEqual(sorted(scene.seen().errors))
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
  })
})

describe('row 5: the main thread is blocked for ever', () => {
  it('and then killed: what was recorded before is stored while it is blocked', async () => {
    const victim = scene.start({ calls: 200, ending: 'block' })
    await victim.says('blocked')
    // The program is in an endless loop; only its writer can do anything now.
    await scene.untilStored(200)
    victim.child.kill('SIGKILL')
    await victim.ended
    expectAllKept(scene, await scene.recover())
  })
})
