import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { table } from './matrix.js'
import { type Edit, PROTECTIONS, type Protection } from './protections.js'
import { ROOT, runTests, type TestResult } from './run-tests.js'

/** What the tests need of the tree. */
const COPIED = ['lib', 'tests', 'package.json', 'tsconfig.json', 'vitest.config.ts']
const TEST_TIMEOUT_MS = 120_000

/**
 * Takes each protective measure away in a copy of the tree, and shows which test notices. Before that the same test has
 * to pass in the copy as it is.
 */
export async function protectionsSection(
  progress: (line: string) => void,
): Promise<{ text: string; proven: boolean }> {
  const copy = new Copy()
  const passed = new Map<string, boolean>()
  const rows: string[][] = []
  let proven = true
  try {
    for (const protection of PROTECTIONS) {
      const key = `${protection.file} ${protection.test}`
      const sound = passed.get(key) ?? succeeded(await copy.test(protection))
      passed.set(key, sound)
      const { noticed, found } = sound
        ? await without(protection, copy)
        : { noticed: false, found: 'the test does not pass with the measure either' }
      progress(`${protection.name}: ${noticed ? 'noticed' : found}`)
      proven &&= noticed
      rows.push([protection.name, [...new Set(protection.edits.map(edit => edit.in))].join(', '), found])
    }
  } finally {
    copy.dispose()
  }
  return { text: `${EXPLANATION}\n\n${table(['measure', 'in', 'taken away'], rows)}`, proven }
}

const EXPLANATION = `Each measure was taken away in a copy of the tree, the copy was built, and the named test, which passes with it,
was run; then it was put back. A measure that no test misses is a fault.`

async function without(protection: Protection, copy: Copy): Promise<{ noticed: boolean; found: string }> {
  try {
    const wrong = copy.apply(protection.edits)
    if (wrong !== null) return { noticed: false, found: wrong }
    const failed = (await copy.test(protection)).filter(({ status }) => status === 'failed')
    if (failed.length === 0) return { noticed: false, found: 'REMOVED AND NOTHING FAILS' }
    const [{ name, messages }] = failed as [TestResult, ...TestResult[]]
    // Folders of this machine tell a reader nothing.
    const reason = (messages[0] ?? '')
      .split('\n')[0]
      ?.replaceAll(/\/[\w./-]*callsight-[\w./-]*/g, '…')
      .slice(0, 160)
    return { noticed: true, found: `\`${basename(protection.file)}\` fails: ${name} (${reason})` }
  } finally {
    copy.restore(protection.edits)
  }
}

const succeeded = (tests: readonly TestResult[]): boolean =>
  tests.length > 0 && tests.every(({ status }) => status === 'passed')

/** A copy of the tree in a folder of its own, with the installed packages linked. */
class Copy {
  readonly #root = mkdtempSync(join(tmpdir(), 'callsight-protections-'))

  constructor() {
    for (const name of COPIED) cpSync(join(ROOT, name), join(this.#root, name), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(this.#root, 'node_modules'))
    const wrong = this.#build()
    if (wrong !== null) throw new Error(wrong)
  }

  /** Edits the sources and builds them; what is wrong with the edits, or `null`. */
  apply(edits: readonly Edit[]): string | null {
    for (const { in: file, text, becomes } of edits) {
      const path = join(this.#root, file)
      const before = readFileSync(path, 'utf8')
      if (before.split(text).length !== 2) return `the text to take away does not stand once in ${file}`
      writeFileSync(
        path,
        before.replace(text, () => becomes),
      )
    }
    return this.#build()
  }

  restore(edits: readonly Edit[]): void {
    for (const { in: file } of edits) cpSync(join(ROOT, file), join(this.#root, file))
    this.#build()
  }

  test({ file, test }: Protection): Promise<TestResult[]> {
    const pattern = test.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    return runTests([file], pattern, { root: this.#root, timeoutMs: TEST_TIMEOUT_MS })
  }

  dispose(): void {
    rmSync(this.#root, { recursive: true, force: true })
  }

  /** Names that an edit leaves unused are no reason to refuse it. */
  #build(): string | null {
    const relaxed = [
      '--noUnusedLocals',
      'false',
      '--noUnusedParameters',
      'false',
      '--allowUnreachableCode',
      'true',
    ]
    try {
      execFileSync(
        process.execPath,
        [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', join(this.#root, 'tsconfig.json'), ...relaxed],
        { cwd: this.#root, stdio: 'pipe' },
      )
      return null
    } catch (error) {
      return `does not build: ${String((error as { stdout?: Buffer }).stdout).slice(0, 300)}`
    }
  }
}
