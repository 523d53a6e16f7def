import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Fault } from '../../lib/writer/faults.js'
import { expectAllKept, Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

describe('row 6: the writer fails', () => {
  it.each(Object.entries(Fault))(
    '%s: it comes back, each record is stored once, the app goes on',
    async (_, fault) => {
      const ended = await scene.run({ calls: 4_000, errorEvery: 10, chunk: 20, fault, ending: 'shutdown' })
      expect(ended.code).toBe(0)
      const account = JSON.parse(ended.stdout) as { balanced: boolean; calls: { stored: number } }
      expect(account.balanced).toBe(true)
      expect(account.calls.stored).toBe(3_600)
      expectAllKept(scene, await scene.recover())
    },
  )
})
