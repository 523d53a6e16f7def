import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Health } from '../../lib/health.js'
import type { Account } from '../../lib/queue/account.js'
import { expectAllKept, expectErrorsKept, Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

const has = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0
const canTrace = has('strace', '-f', '-o', '/dev/null', 'true')
const canLimit = has('prlimit', '--nofile=64', 'true')
const accountIn = (stdout: string): Account => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Account

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not happen within a minute')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

describe('row 24: out of descriptors', () => {
  it.skipIf(!canLimit).each([22, 24, 28, 32, 40])(
    'with %i descriptors the app is none the wiser',
    async nofile => {
      const limit = (env: NodeJS.ProcessEnv) =>
        scene.run({ calls: 40, ending: 'natural' }, { wrap: ['prlimit', `--nofile=${nofile}`], env })
      const without = await limit({ CALLSIGHT: 'off' })
      if (without.code !== 0) return
      const before = scene.seen()
      const withUs = await limit({})
      expect(withUs.code).toBe(0)
      expect(withUs.stdout).toBe(without.stdout)
      const { calls, errors } = scene.seen()
      expect([calls.length, errors.length]).toEqual([2 * before.calls.length, 2 * before.errors.length])
    },
  )

  it('a store that stays locked costs no descriptor with every try', async () => {
    await scene.run({ calls: 1, errorEvery: 1 }, { truth: false })
    const holder = new Database(scene.store)
    holder.exec('BEGIN IMMEDIATE')
    const victim = scene.start({ calls: 10, ending: 'watch', breaker: { failureThreshold: 1_000 } })
    await victim.says('state')
    const { pid } = victim.child
    let most = 0
    for (let look = 0; look < 60; look++) {
      await new Promise(resolve => setTimeout(resolve, 50))
      const links = execFileSync('sh', ['-c', `ls -l /proc/${pid}/fd | grep -c '${scene.store}$' || true`])
      most = Math.max(most, Number(links.toString()))
    }
    holder.exec('ROLLBACK')
    holder.close()
    victim.child.stdin.end()
    const account = accountIn((await victim.ended).stdout)
    expect(account.balanced).toBe(true)
    expect(most).toBeLessThanOrEqual(2)
    expectAllKept(scene, await scene.recover())
  })
})

describe('row 24: out of processes', () => {
  // Root is never refused a thread.
  const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const canBeNobody = canLimit && has(NOBODY[0] ?? '', ...NOBODY.slice(1), process.execPath, '-e', '')
  const why = canBeNobody ? '' : ' (skipped: needs root, and setpriv and prlimit of the package util-linux)'

  it.skipIf(!canBeNobody)(
    `the app lives with as many threads as it needs, and one is missing to the writer${why}`,
    async () => {
      chmodSync(scene.folder, 0o777)
      const limit = (nproc: number, env: NodeJS.ProcessEnv, before: readonly string[] = []) =>
        scene.run(
          { calls: 40, print: 'health now' },
          { wrap: [...before, ...NOBODY, 'prlimit', `--nproc=${nproc}`], env, truth: false },
        )
      // With a thread too few Node 20 ends at its start. Node 24 says so, and hangs in one place or another.
      const livesWithout = async (nproc: number) => {
        const ended = await limit(nproc, { CALLSIGHT: 'off' }, ['timeout', '-s', 'KILL', '15'])
        return ended.code === 0 && ended.stderr === ''
      }
      // The least that will do is found out from above.
      let nproc = 24
      while (await livesWithout(nproc - 1)) nproc--
      const ended = await limit(nproc, {})
      expect(ended.code).toBe(0)
      expect(ended.stderr.match(/\[CALLSIGHT_\w+\]/g)).toEqual(['[CALLSIGHT_WRITER_DIED]'])
      expect(JSON.parse(ended.stdout)).toMatchObject({
        state: 'degraded',
        reason: expect.stringContaining('the writer thread is being restarted') as string,
        account: { balanced: true, errors: { inJournal: 10 } },
      })
      const account = await scene.recover()
      expect(account.errors).toHaveLength(10)
    },
  )
})

describe('row 24: out of address space', () => {
  const MIB = 2 ** 20
  it.skipIf(!canLimit).each([800, 1_000, 1_200, 1_400, 1_500, 1_600, 1_700, 1_800, 1_900, 2_500, 4_000])(
    'with %i MiB the app is none the wiser',
    async mebibytes => {
      const limit = (env: NodeJS.ProcessEnv) =>
        scene.run({ calls: 40, print: 'health now' }, { wrap: ['prlimit', `--as=${mebibytes * MIB}`], env })
      const without = await limit({ CALLSIGHT: 'off' })
      if (without.code !== 0) return
      const before = scene.seen()
      const withUs = await limit({})
      expect(withUs.code).toBe(0)
      const { calls, errors } = scene.seen()
      expect([calls.length, errors.length]).toEqual([2 * before.calls.length, 2 * before.errors.length])
      const { state, reason } = JSON.parse(withUs.stdout) as Health
      const said = withUs.stderr.match(/\[CALLSIGHT_\w+\]/g) ?? []
      if (state === 'off') {
        expect(reason).toMatch(/limited to \d+ MiB, of which \d+ are left and \d+ are needed/)
        expect(said).toEqual(['[CALLSIGHT_NO_MEMORY]'])
      } else {
        expect([state, said]).toEqual(['recording', []])
      }
      if (mebibytes === 4_000) expect(state).toBe('recording')
    },
  )
})

describe('a store that fails', () => {
  it('is not asked again without a pause', async () => {
    mkdirSync(scene.store, { recursive: true })
    const ended = await scene.run({
      calls: 1,
      errorEvery: 0,
      ending: 'heartbeat',
      endAfterMs: 1_000,
      breaker: { failureThreshold: 1e6 },
    })
    // 10 a second at the drain interval, a few more for the first two pauses.
    expect(Number(/heartbeat (\d+)/.exec(ended.stdout)?.[1])).toBeLessThan(40)
  })
})

describe('row 17: a reader holds a transaction', () => {
  it('all is stored meanwhile, and the log is cut once the reader is gone', async () => {
    const victim = scene.start({ calls: 2_000, ending: 'watch' })
    await until(() => existsSync(scene.store) && scene.seen().errors.length > 10)
    await until(() => hasRows(scene.store))
    const reader = new Database(scene.store, { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM calls').get()
    const seen = scene.seen().calls.length
    await until(() => scene.seen().calls.length > seen + 200)
    reader.exec('COMMIT')
    reader.close()
    victim.child.stdin.end()
    const account = accountIn((await victim.ended).stdout)
    expect(account).toMatchObject({ balanced: true, calls: { dropped: {} }, errors: { dropped: {} } })
    expectAllKept(scene, await scene.recover())
  })
})

function hasRows(path: string): boolean {
  try {
    const db = new Database(path, { readonly: true, fileMustExist: true })
    try {
      return (db.prepare('SELECT count(*) FROM calls').pluck().get() as number) > 0
    } finally {
      db.close()
    }
  } catch {
    return false
  }
}

describe('row 8: the writer stalls in the kernel', () => {
  it.skipIf(!canTrace)('ordinary calls are counted, no error is lost', async () => {
    mkdirSync(dirname(scene.store), { recursive: true })
    // Only SQLite syncs; the journal is written by the app's own thread and must go on.
    const stall = 'inject=fsync,fdatasync:delay_enter=5000000:when=1'
    const ended = await scene.run(
      { calls: 20_000, chunk: 100, ringBytes: 64 * 1024, ending: 'shutdown' },
      { wrap: ['strace', '-f', '-q', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync', '-e', stall] },
    )
    expect(ended.code).toBe(0)
    const account = accountIn(ended.stdout)
    expect(account).toMatchObject({ balanced: true, errors: { dropped: {} } })
    expect(account.calls.dropped.queue_full).toBeGreaterThan(0)
    expectErrorsKept(scene, await scene.recover())
  })
})
