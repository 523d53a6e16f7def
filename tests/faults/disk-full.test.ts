import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { expectAllKept, Scene } from './harness.js'

const mount = (folder: string): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]).status === 0
const unmount = (folder: string): void => {
  spawnSync('umount', ['-l', folder])
}

function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-mount-'))
  const mounted = mount(folder)
  if (mounted) unmount(folder)
  rmSync(folder, { recursive: true, force: true })
  return mounted
}

let scene: Scene
beforeEach(() => {
  scene = new Scene()
  mkdirSync(dirname(scene.store))
  mount(dirname(scene.store))
})
afterEach(() => {
  unmount(dirname(scene.store))
  scene.dispose()
})

/** Writes until not one more byte fits. */
function fill(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(8 * 1024 * 1024))
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
  }
}

describe('row 10: the disk is full', () => {
  it.skipIf(!mayMount()).each([
    ['from the start', true],
    ['after a while', false],
  ])('%s: the app goes on, and once there is space everything is stored', async (_, atOnce) => {
    const hog = join(dirname(scene.store), 'hog')
    if (atOnce) fill(hog)
    const victim = scene.start({ calls: 10, ending: 'watch', breaker: { resetTimeoutMs: 300 } })
    await victim.says('state closed recording')
    if (!atOnce) fill(hog)
    await victim.says('state open degraded')
    await new Promise(resolve => setTimeout(resolve, 500))
    rmSync(hog)
    const open = victim.output.length
    while (!victim.output.slice(open).includes('state closed')) {
      expect(victim.child.exitCode).toBeNull()
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    victim.child.stdin.end()
    const ended = await victim.ended
    expect(ended.code).toBe(0)
    const account = JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as Account
    expect(account).toMatchObject({ balanced: true, calls: { dropped: {} }, errors: { dropped: {} } })
    expectAllKept(scene, await scene.recover())
  })
})
