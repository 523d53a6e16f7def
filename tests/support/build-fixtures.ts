import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const DIALECTS = ['standard', 'legacy']

/** Compiles the programs under test in both decorator dialects, by the compiler users have. */
export default function setup(): void {
  for (const dialect of DIALECTS) {
    execFileSync(
      process.execPath,
      [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}tests/fixtures/tsconfig.${dialect}.json`],
      { stdio: 'inherit' },
    )
  }
}
