import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/disk.js'
import { readErrors } from '../support/store-account.js'
import { Scene, sorted } from './harness.js'

const FLIPS = Number(process.env['CALLSIGHT_FLIPS'] ?? 12)
const FILES = ['', '-wal', '-shm'] as const

let dead: Scene
beforeAll(async () => {
  dead = new Scene()
  // Half of it in the database, half in the log.
  await dead.run({ calls: 2_000, chunk: 100 }, { truth: false })
  const victim = dead.start({ calls: 2_000, chunk: 100, ending: 'hang' }, { truth: false })
  await victim.says('waiting')
  await until(() => existsSync(`${dead.store}-wal`) && readFileSync(`${dead.store}-wal`).length > 100_000)
  victim.child.kill('SIGKILL')
  await victim.ended
})
afterAll(() => dead.dispose())

function random(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function flip(path: string, below: (limit: number) => number): void {
  const bytes = readFileSync(path)
  for (let count = 1 + below(40); count > 0; count--) {
    const at = below(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8))
  }
  writeFileSync(path, bytes)
}

describe('row 15: bytes of the files of a dead process have changed', () => {
  it.each(Array.from({ length: FLIPS }, (_, index) => index + 1))(
    'seed %i: the next start does its work, its errors are kept',
    async seed => {
      const scene = new Scene()
      try {
        const below = random(seed * 7_919)
        mkdirSync(dirname(scene.store))
        for (const suffix of FILES) {
          if (suffix !== '-shm' || below(2) === 0) copyFileSync(dead.store + suffix, scene.store + suffix)
        }
        const where = below(3)
        if (where !== 1) flip(scene.store, below)
        if (where !== 0) flip(`${scene.store}-wal`, below)
        const ended = await scene.run({ calls: 400, ending: 'shutdown', breaker: { resetTimeoutMs: 300 } })
        expect(ended.code).toBe(0)
        expect(ended.stderr.replace(/^\(.*\n/gm, ''), 'nothing but warnings').toBe('')
        const { balanced } = JSON.parse(ended.stdout) as { balanced: boolean }
        expect(balanced).toBe(true)
        // One that is not known as ours any more is left alone, and the errors wait in the journal.
        if (ended.stderr.includes('CALLSIGHT_STORE_FAILING')) {
          for (const suffix of FILES) rmSync(scene.store + suffix, { force: true })
        }
        if (scene.journals().length > 0 || !existsSync(scene.store))
          await scene.run({ calls: 0, ending: 'recover' }, { truth: false })
        const account = readErrors(scene.store)
        const seen = scene.seen().errors
        expect(seen).toHaveLength(100)
        const stored = sorted(account.errors)
        expect(seen.filter(n => !stored.includes(n))).toEqual([])
        expect(account.integrity).toBe('ok')
      } finally {
        scene.dispose()
      }
    },
  )
})
