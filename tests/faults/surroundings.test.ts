import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Health } from '../../lib/health.js'
import { type Ended, expectAllKept, Scene } from './harness.js'

const FAMILY = fileURLToPath(new URL('../.build/standard/family.js', import.meta.url))

class FamilyScene extends Scene {
  family(scenario: string, env: NodeJS.ProcessEnv = {}) {
    return this.spawn(FAMILY, [scenario], { env }).ended
  }
}

let scene: FamilyScene
beforeEach(() => {
  scene = new FamilyScene()
})
afterEach(() => scene.dispose())

const MODEL = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission'
/** What Node itself says of its permission model is not ours. */
const ours = (stderr: string): string[] =>
  stderr
    .split('\n')
    .filter(line => line !== '' && !/ExperimentalWarning|SecurityWarning|--trace-warnings/.test(line))

describe('the permission model of Node', () => {
  const flags = (): Record<string, string> => ({
    worker: '--allow-worker',
    addons: '--allow-addons',
    write: `--allow-fs-write=${join(dirname(scene.store), '*')}`,
  })
  const run = (allowed: string[]): Promise<Ended> =>
    scene.run(
      { calls: 40, print: 'health now' },
      { nodeArgs: [MODEL, '--allow-fs-read=*', `--allow-fs-write=${scene.truth}`, ...allowed] },
    )

  it.each(['worker', 'addons', 'write', 'worker, addons, write'])(
    'without %s: the app goes on, one warning names what to add, nothing is written',
    async denied => {
      const wanted = denied.split(', ').map(name => flags()[name] ?? '')
      const ended = await run(Object.values(flags()).filter(flag => !wanted.includes(flag)))
      expect(ended.code).toBe(0)
      expect(scene.seen()).toMatchObject({ calls: { length: 30 }, errors: { length: 10 } })
      const said = ours(ended.stderr)
      expect(said).toHaveLength(1)
      expect(said[0]).toContain('[CALLSIGHT_PERMISSION]')
      expect(said[0]?.endsWith(`add ${wanted.join(' ')}`)).toBe(true)
      expect(JSON.parse(ended.stdout) as Health).toMatchObject({
        state: 'off',
        reason: expect.stringContaining(wanted.join(' ')) as string,
      })
      expect(existsSync(dirname(scene.store))).toBe(false)
    },
  )

  it('with what the warning asks for, everything is stored', async () => {
    const ended = await run(Object.values(flags()))
    expect(ours(ended.stderr)).toEqual([])
    expectAllKept(scene, await scene.recover())
  })
})

describe('a system that does not say who it is', () => {
  const HIDDEN = `data:text/javascript,
    import os from 'node:os'
    import { syncBuiltinESMExports } from 'node:module'
    os.hostname = () => { throw new Error('no name') }
    syncBuiltinESMExports()
    process.argv[1] = undefined`

  it('os.hostname() throws: recorded all the same', async () => {
    const ended = await scene.run({ calls: 40 }, { nodeArgs: ['--import', HIDDEN.replace(/\s*\n\s*/g, ';')] })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expectAllKept(scene, await scene.recover())
  })

  const WITHOUT_PROC = ['unshare', '--mount', 'sh', '-c', 'umount -l /proc && exec "$@"', 'sh']
  const canHide = spawnSync(WITHOUT_PROC[0] ?? '', [...WITHOUT_PROC.slice(1), 'true']).status === 0
  const why = canHide ? '' : ' (skipped: needs root and the program unshare of the package util-linux)'
  it.skipIf(!canHide)(`no /proc: recorded all the same${why}`, async () => {
    const ended = await scene.run({ calls: 40 }, { wrap: WITHOUT_PROC })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expectAllKept(scene, await scene.recover())
  })
})

describe('a process that forks itself while it records', () => {
  it('the child is another process on the same store, its environment is its own', async () => {
    const ended = await scene.family('environment')
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const db = new Database(scene.store, { readonly: true })
    const rows = db
      .prepare(
        `SELECT json_extract(args, '$[0]') AS who, boot, pid FROM calls JOIN processes USING (process_id)
         ORDER BY who`,
      )
      .all() as { who: string; boot: string; pid: number }[]
    db.close()
    expect(rows.map(({ who }) => who)).toEqual(['child', 'parent', 'parent again'])
    expect(new Set(rows.map(({ boot }) => boot)).size).toBe(2)
    expect(new Set(rows.map(({ pid }) => pid)).size).toBe(2)
    expect(rows[1]?.boot).toBe(rows[2]?.boot)
    // The second child was started with CALLSIGHT=off in its environment.
    expect(ended.stdout.trim().split('\n').sort()).toEqual(['child recording', 'child off'].sort())
  })
})
