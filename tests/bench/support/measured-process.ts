/**
 * Runs the programs of `tests/bench/measured` by plain `node`, as a user's program runs: under tsx each of their
 * threads would load a compiler first, and memory, start-up and the writer's thread would be those of the compiler.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Answer } from '../measured/report.js'

/** The row cannot be measured here; the message says why. */
export class SkippedRow extends Error {
  override readonly name = 'SkippedRow'
}

export interface ProcessOptions {
  /** Flags of `node` itself. */
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const root = fileURLToPath(new URL('../../..', import.meta.url))
const sources = `${root}tests/bench/measured`
const built = `${root}tests/.build/bench`
const stamp = `${built}/compiled`

/** Compiles them when one has changed since the last time. */
function compile(): void {
  const inputs = readdirSync(sources).map(file => `${sources}/${file}`)
  const changed = [...inputs, `${root}tests/bench/tsconfig.json`].some(
    file => statSync(file).mtimeMs > (statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0),
  )
  if (!changed) return
  const compiler = `${root}node_modules/typescript/bin/tsc`
  execFileSync(process.execPath, [compiler, '-p', `${root}tests/bench/tsconfig.json`], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  mkdirSync(built, { recursive: true })
  writeFileSync(stamp, '')
}

/** As it is, but for what switches the recorder: that is up to the row. */
function environment(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter(name => !/^(CALLSIGHT|NODE_OPTIONS$)/.test(name))
  return Object.fromEntries(names.map(name => [name, process.env[name]]))
}

export function start(program: string, args: readonly string[], options: ProcessOptions = {}): ChildProcess {
  compile()
  const child = fork(`${built}/measured/${program}.js`, args, {
    execArgv: [...(options.flags ?? [])],
    env: { ...environment(), ...options.env },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  return child
}

/** The next answer of a measured program. */
export function nextAnswer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown): void => {
      child.off('exit', onExit)
      const answer = message as Answer<T>
      switch (answer.kind) {
        case 'result':
          resolve(answer.result)
          break
        case 'skipped':
          reject(new SkippedRow(answer.reason))
          break
        case 'failed':
          reject(new Error(answer.reason))
          break
      }
    }
    const onExit = (code: number | null, signal: string | null): void => {
      child.off('message', onMessage)
      reject(new Error(`the measured process ended with ${signal ?? code} before it answered`))
    }
    child.once('message', onMessage)
    child.once('exit', onExit)
  })
}

/** Runs a program that answers once. */
export async function measure<T>(
  program: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<T> {
  const child = start(program, args, options)
  try {
    return await nextAnswer<T>(child)
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise(resolve => child.once('exit', resolve))
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await gone
      clearTimeout(late)
    }
  }
}
