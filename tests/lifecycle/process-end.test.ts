import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { CrewScene, expectSound } from '../support/crew-scene.js'
import { readStore } from '../support/store-account.js'

type ProcessEndModule = typeof import('../../lib/lifecycle/process-end.js')
const EVENTS = ['exit', 'SIGTERM', 'SIGINT'] as const
const listeners = (): number[] => EVENTS.map(event => process.listenerCount(event))

describe('the end of a process', () => {
  it('twenty copies of the module share one listener for each event, and the last takes it away', async () => {
    const before = listeners()
    const removers: (() => void)[] = []
    for (let copy = 0; copy < 20; copy++) {
      vi.resetModules()
      const { onProcessEnd } = (await import('../../lib/lifecycle/process-end.js')) as ProcessEndModule
      removers.push(onProcessEnd({ end: () => {}, hint: () => {} }, copy % 2 === 0))
    }
    expect(listeners()).toEqual(before.map(count => count + 1))
    for (const remove of removers) remove()
    expect(listeners()).toEqual(before)
  })
})

describe('a signal that comes again', () => {
  it('does not end the process while the first one is dealt with', async () => {
    const module = new URL('../../lib/lifecycle/process-end.ts', import.meta.url).href
    const program = `
      import { writeSync } from 'node:fs'
      import { onProcessEnd } from ${JSON.stringify(module)}
      const end = () => {
        writeSync(1, 'begun ')
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
        writeSync(1, 'done')
      }
      onProcessEnd({ end, hint: () => {} }, true)
      setInterval(() => {}, 1_000)
      writeSync(1, 'ready ')`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program])
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (/(ready|begun) $/.test(output)) child.kill('SIGTERM')
    })
    const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    expect([output, signal]).toEqual(['ready begun done', 'SIGTERM'])
  }, 30_000)
})

describe('two copies of the package in one thread', () => {
  const scene = new CrewScene()
  afterEach(() => scene.dispose())

  it('SIGTERM ends the process as if there were none, and both have stored everything', async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url))
    const copy = join(scene.folder, 'copy')
    cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true })
    cpSync(join(root, 'package.json'), join(copy, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    const victim = scene.crew('copies wait', { copy: join(copy, 'dist', 'index.js') })
    await victim.says('waiting')
    victim.child.kill('SIGTERM')
    // It would go on if each took the other for a listener of the app.
    const { signal } = await victim.ended
    expect(signal).toBe('SIGTERM')
    const account = readStore(scene.store)
    expectSound(account)
    expect(account.calls).toHaveLength(2)
    expect(account.lanes.map(({ ending }) => ending)).toEqual(['clean', 'clean', 'clean', 'clean'])
  }, 30_000)
})
