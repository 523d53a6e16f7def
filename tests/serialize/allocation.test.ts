import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { entersContext } from '../../lib/monitor/context.js'

const program = fileURLToPath(new URL('./allocation-program.ts', import.meta.url))
const FLAGS = ['--import', 'tsx', '--min-semi-space-size=64', '--max-semi-space-size=64']

/** It takes a few seconds; on a loaded machine, several times that. */
const PROGRAM_MS = 90_000
/** From Node 24 on a recorded call enters an `AsyncLocalStorage` and leaves it: two maps of all such storages. */
const CONTEXT_BYTES = entersContext ? 768 : 0
/** What another length of a list in a label, or a number that is boxed, may take. */
const SLACK_BYTES = 256

describe('heap bytes of a recorded call', () => {
  let least: Record<string, number> = {}
  const bytes = (name: string): number => {
    const found = least[name]
    if (found === undefined) throw new Error(`Nothing was measured for ${name}`)
    return found
  }

  beforeAll(() => {
    const output = execFileSync(process.execPath, [...FLAGS, program], {
      env: { ...process.env, CALLSIGHT: 'on' },
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: PROGRAM_MS,
    })
    const measured = JSON.parse(output.toString()) as { least: typeof least; dropped: object }
    // A call that was dropped has captured nothing.
    expect(measured.dropped).toEqual({})
    least = measured.least
  }, PROGRAM_MS + 5_000)

  it('are few without an object, and some descriptors with one', () => {
    expect(bytes('none')).toBeLessThan(256 + CONTEXT_BYTES)
    expect(bytes('scalars')).toBeLessThan(320 + CONTEXT_BYTES)
    expect(bytes('order')).toBeLessThan(2_048 + CONTEXT_BYTES)
  })

  it.each(['list', 'typed array', 'text', 'text in an object'])(
    'do not grow with a %s of 10 to 1,000,000',
    kind => {
      for (const size of [1_000, 100_000, 1_000_000])
        expect(bytes(`${kind} ${size}`), `${kind} ${size}`).toBeLessThan(bytes(`${kind} 10`) + SLACK_BYTES)
    },
  )

  it.each(['list of objects', 'map', 'set', 'object'])(
    'are bounded by what is shown of a %s, and small where it is shown by its shape',
    kind => {
      // 100 items, or 20 fields and the list of 1,000 names: the most that is listed of an object for the second time.
      expect(bytes(`${kind} 1000`)).toBeLessThan(20 * 1_024)
      for (const size of [100_000, 1_000_000])
        expect(bytes(`${kind} ${size}`), `${kind} ${size}`).toBeLessThan(1_024 + CONTEXT_BYTES)
    },
  )
})
