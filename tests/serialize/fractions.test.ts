import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const program = fileURLToPath(new URL('./fractions-program.ts', import.meta.url))

it('fractions on their way into JSON leave nothing in the cache of the engine', () => {
  const output = execFileSync(process.execPath, ['--import', 'tsx', '--expose-gc', program], {
    encoding: 'utf8',
    timeout: 90_000,
  })
  const { stays, characters } = JSON.parse(output) as { stays: number; characters: number }
  expect(characters).toBeGreaterThan(100_000 * 10)
  // The texts of so many numbers take 2 MB there.
  expect(stays).toBeLessThan(1_000_000)
}, 95_000)
