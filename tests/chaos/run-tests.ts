import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Figures } from '../support/figures.js'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface TestResult {
  readonly name: string
  readonly status: 'passed' | 'failed' | 'skipped'
  readonly durationMs: number
  readonly messages: readonly string[]
  readonly figures: Figures | null
}

interface JsonReport {
  readonly testResults: readonly {
    readonly name: string
    readonly message: string
    readonly status: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly duration?: number
      readonly failureMessages: readonly string[]
      readonly meta: { readonly figures?: Figures }
    }[]
  }[]
}

/** A full count may take this long. */
const TEST_TIMEOUT_MS = 3_600_000

/** Test files with this in their text, relative to the tree. */
export function filesWith(pattern: RegExp): string[] {
  return readdirSync(join(ROOT, 'tests'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.ts'))
    .map(name => join('tests', name))
    .filter(name => pattern.test(readFileSync(join(ROOT, name), 'utf8')))
    .sort()
}

/** Test files in which a test, or a group of tests, has this row in its name. */
export const filesOfRow = (row: number): string[] => filesWith(new RegExp(`\\(\\s*['\`]row ${row}:`))

/** Runs the tests of these files whose full name fits, one after the other, in a process of their own. */
export async function runTests(
  files: readonly string[],
  namePattern: string,
  how: { env?: NodeJS.ProcessEnv; root?: string; timeoutMs?: number } = {},
): Promise<TestResult[]> {
  const { root = ROOT, env = {}, timeoutMs = TEST_TIMEOUT_MS } = how
  const folder = mkdtempSync(join(tmpdir(), 'callsight-chaos-'))
  const report = join(folder, 'report.json')
  try {
    const output = await run(
      [
        join(root, 'node_modules/vitest/vitest.mjs'),
        'run',
        ...files,
        '--testNamePattern',
        namePattern,
        '--no-file-parallelism',
        `--testTimeout=${timeoutMs}`,
        `--hookTimeout=${timeoutMs}`,
        '--reporter=json',
        `--outputFile.json=${report}`,
      ],
      root,
      env,
    )
    return results(report, output, new RegExp(namePattern))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function run(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      output += text.toString()
    })
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve(output))
  })
}

function results(path: string, output: string, pattern: RegExp): TestResult[] {
  let report: JsonReport
  try {
    report = JSON.parse(readFileSync(path, 'utf8')) as JsonReport
  } catch {
    return [broken('vitest', output.slice(-2_000))]
  }
  return report.testResults.flatMap(file => {
    const tests = file.assertionResults.filter(({ fullName }) => pattern.test(fullName))
    // A file that could not be loaded, or whose hooks outside of tests failed.
    if (file.status === 'failed' && !tests.some(({ status }) => status === 'failed')) {
      return [broken(file.name, file.message)]
    }
    return tests.map(({ fullName, status, duration, failureMessages, meta }) => ({
      name: fullName,
      status: status === 'passed' || status === 'failed' ? status : ('skipped' as const),
      durationMs: duration ?? 0,
      messages: failureMessages,
      figures: meta.figures ?? null,
    }))
  })
}

const broken = (name: string, message: string): TestResult => ({
  name,
  status: 'failed',
  durationMs: 0,
  messages: [message],
  figures: null,
})
