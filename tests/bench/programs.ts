import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ProtocolError, parseRowLine, parseRowList, type RowEntry, type RowOutcome } from './protocol.js'

/** In the order of the table. */
const PROGRAMS = [
  'rows.ts',
  'peers.ts',
  'turns.ts',
  'pipeline.ts',
  'large-store.ts',
  'service.ts',
  'loop.ts',
  'growth.ts',
  'memory.ts',
  'start-up.ts',
] as const

const LONGEST_ROW_MS = 5 * 60_000
const LONGEST_SLOW_ROW_MS = 60 * 60_000
const LONGEST_OUTPUT_BYTES = 16 * 1024 ** 2

/** A row and the program that runs it. */
export interface Runnable extends RowEntry {
  readonly program: string
}

/** A program ended without a result. */
export class RowError extends Error {
  override readonly name = 'RowError'
}

/** @throws RowError or ProtocolError when a program cannot list its rows, or two have a row of the same name */
export async function listRows(tree: string): Promise<Runnable[]> {
  const programs = PROGRAMS.filter(program => existsSync(pathOf(tree, program)))
  const lists = await Promise.all(
    programs.map(async program => parseRowList(await run(tree, program, [], LONGEST_ROW_MS), program)),
  )
  const rows = lists.flatMap((list, index) =>
    list.map(entry => ({ ...entry, program: programs[index] as string })),
  )
  const double = rows.find(({ row }, index) => rows.findIndex(other => other.row === row) !== index)
  if (double !== undefined) throw new ProtocolError(`two programs have a row "${double.row}"`)
  return rows
}

/** Runs a row in a process of its own, so that it meets no code that another row has warmed up. */
export async function runRow(tree: string, { row, program, slow }: Runnable): Promise<RowOutcome> {
  const timeoutMs = slow === true ? LONGEST_SLOW_ROW_MS : LONGEST_ROW_MS
  return parseRowLine(await run(tree, program, [row], timeoutMs), row)
}

const pathOf = (tree: string, program: string): string => join(tree, 'tests', 'bench', program)

/** The environment of a user's program: nothing that switches the recorder, no flags for Node. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env }
  for (const name of Object.keys(env))
    if (/^(CALLSIGHT(?!_BENCH_)|OTEL_|AUTOMETRICS_|NODE_OPTIONS)/.test(name)) delete env[name]
  return env
}

async function run(tree: string, program: string, args: string[], timeoutMs: number): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', pathOf(tree, program), ...args],
      {
        cwd: tree,
        env: plainEnvironment(),
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: LONGEST_OUTPUT_BYTES,
      },
    )
    return stdout
  } catch (error) {
    const {
      stderr = '',
      killed = false,
      code,
    } = error as { stderr?: string; killed?: boolean; code?: unknown }
    const why = killed
      ? `was still running after ${timeoutMs / 60_000} minutes`
      : (reason(stderr) ?? `ended with ${code}`)
    throw new RowError(why)
  }
}

/** The line of an uncaught error that says what was wrong. */
function reason(stderr: string): string | undefined {
  const lines = stderr.split('\n').map(line => line.trim())
  return lines.find(line => /^(\w*Error\b|\[?ERR_)/.test(line)) ?? lines.findLast(line => line !== '')
}
