import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { type CountLimits, type Counts, judgeCounts, limitsFrom, readLimits, takeCounts } from './counts.js'

const TREE = fileURLToPath(new URL('../..', import.meta.url))
const DIST = join(TREE, 'dist')
const UNSAMPLED = 'unsampled, timed'
const RECORDED = 'recorded, 2 arguments + result'

// Counts do not depend on how long it takes, so neither should the test.
vi.setConfig({ testTimeout: 600_000 })

const build = join(TREE, 'tests', '.build')
mkdirSync(build, { recursive: true })
const folder = mkdtempSync(join(build, 'regressed-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('what a call does', () => {
  it('keeps the limits in counts.json', async () => {
    const verdicts = judgeCounts(readLimits(), await takeCounts(DIST))
    expect(verdicts.length).toBeGreaterThan(20)
    expect(verdicts.filter(({ state }) => state === 'exceeded')).toEqual([])
  })
})

describe('the limits are exceeded by', () => {
  it.each([
    {
      change: 'one Atomics operation in the wrapper',
      scene: UNSAMPLED,
      count: 'atomics',
      before: 'const regressedWord = new Int32Array(new SharedArrayBuffer(4))',
      inCall: 'Atomics.load(regressedWord, 0)',
    },
    {
      change: 'a third look at the clock',
      scene: UNSAMPLED,
      count: 'clock reads',
      before: '',
      inCall: 'performance.now()',
    },
    {
      change: 'one more function, which the compiler would inline',
      scene: UNSAMPLED,
      count: 'functions',
      before: 'const regressedMore = value => value',
      inCall: 'regressedMore(1)',
    },
  ])('$change', async ({ scene, count, before, inCall }) => {
    expect(await exceeded(scene, before, inCall)).toEqual([count])
  })

  it.skipIf(readLimits().heapOfNode !== Number(process.versions.node.split('.')[0]))(
    'one empty object (counted on the version of Node that the limit is of)',
    async () => {
      expect(await exceeded(RECORDED, 'const regressedKept = [{}]', 'regressedKept[0] = {}')).toEqual([
        'heap bytes',
      ])
    },
  )
})

const own = new Map<string, Promise<Counts>>()
function ownCounts(scene: string): Promise<Counts> {
  const counts = own.get(scene) ?? takeCounts(DIST, scene)
  own.set(scene, counts)
  return counts
}

/** What is exceeded in this scene by a build whose wrapper also does this in each call. */
async function exceeded(scene: string, before: string, inCall: string): Promise<string[]> {
  const regressed = mkdtempSync(join(folder, 'dist-'))
  cpSync(DIST, regressed, { recursive: true })
  expect(regress(regressed, before, inCall), 'wrappers found in dist by their text').toBeGreaterThan(0)
  const limits = limitsFrom(await ownCounts(scene), readLimits())
  return judgeCounts(limits, await takeCounts(regressed, scene))
    .filter(({ state }) => state === 'exceeded')
    .map(({ count }) => count)
}

/** The wrapper as it stands in the build, bundled or not. */
const WRAPPER = /\bmonitored\(\.\.\.args\) \{/g

function regress(dist: string, before: string, inCall: string): number {
  let places = 0
  for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.js')) continue
    const file = join(dist, name)
    const text = readFileSync(file, 'utf8')
    const found = text.match(WRAPPER)?.length ?? 0
    if (found > 0) writeFileSync(file, `${text.replace(WRAPPER, `$&\n${inCall}\n`)}\n${before}\n`)
    places += found
  }
  return places
}

describe('the verdict on a count', () => {
  const limits: CountLimits = { heapOfNode: 20, scenes: { scene: { functions: 5, 'heap bytes': 100 } } }
  const states = (counts: Record<string, number>, node = 20) =>
    judgeCounts(limits, { scene: counts }, node).map(({ count, state }) => [count, state])

  it('is exceeded above the limit, and when the count is not taken any more', () => {
    expect(states({ functions: 5, 'heap bytes': 101 })).toEqual([
      ['functions', 'kept'],
      ['heap bytes', 'kept'],
    ])
    expect(states({ functions: 5.001, 'heap bytes': 103 })).toEqual([
      ['functions', 'exceeded'],
      ['heap bytes', 'exceeded'],
    ])
    expect(states({ functions: 4 })).toEqual([
      ['functions', 'below'],
      ['heap bytes', 'exceeded'],
    ])
  })

  it('leaves out the heap of another version of Node', () => {
    expect(states({ functions: 9, 'heap bytes': 200 }, 22)).toEqual([
      ['functions', 'exceeded'],
      ['heap bytes', 'skipped'],
    ])
  })
})
