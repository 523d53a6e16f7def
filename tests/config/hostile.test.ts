import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Ended, Scene } from '../faults/harness.js'

const PROGRAM = fileURLToPath(new URL('../.build/standard/settings.js', import.meta.url))

class SettingsScene extends Scene {
  settings(scenario: string, env: NodeJS.ProcessEnv = {}, ...more: string[]): Promise<Ended> {
    return this.spawn(PROGRAM, [scenario, ...more], { env: { CALLSIGHT_DB: '', ...env } }).ended
  }
}

let scene: SettingsScene
beforeEach(() => {
  scene = new SettingsScene()
})
afterEach(() => scene.dispose())

describe('options that make no sense', () => {
  const runs = process.env['CALLSIGHT_FUZZ_RUNS'] ?? '60'
  const seed = process.env['CALLSIGHT_SEED'] ?? `${Date.now() % 1e9}`
  it(`every option, ${runs} values each, seed ${seed}: refused in one line or taken, nothing is created`, async () => {
    const ended = await scene.settings('fuzz', {}, seed, runs)
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const seen = JSON.parse(ended.stdout) as { options: number }
    expect(seen.options).toBeGreaterThan(30)
    expect(seen).toMatchObject({ problems: [], created: [], stored: 1, state: 'recording' })
  })
})

describe('an environment that makes no sense', () => {
  const everything = {
    CALLSIGHT: 'maybe',
    CALLSIGHT_DB: ':memory:',
    CALLSIGHT_SAMPLE: '150%',
  }
  const defaults = (): object => ({
    code: 0,
    state: 'recording',
    path: join(realpathSync(scene.folder), '.callsight/calls.db'),
    main: 20,
    all: 40,
  })

  it.each(Object.entries(everything))('%s=%s: one warning, and the default holds', async (name, text) => {
    const ended = await scene.settings('environment', { [name]: text })
    expect(ended.code).toBe(0)
    expect(JSON.parse(ended.stdout)).toEqual(defaults())
    const said = ended.stderr.split('\n').filter(line => line.includes('[CALLSIGHT_ENVIRONMENT]'))
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(
      new RegExp(`the environment variable ${name} must be .+, but is .+; it is ignored$`),
    )
  })

  it('all of them: a warning each', async () => {
    const ended = await scene.settings('environment', everything)
    expect(JSON.parse(ended.stdout)).toEqual(defaults())
    expect(ended.stderr.match(/\[CALLSIGHT_\w+\]/g)).toEqual(
      Object.keys(everything).map(() => '[CALLSIGHT_ENVIRONMENT]'),
    )
  })
})
