import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))
const TSX = import.meta.resolve('tsx')
export const NODE_ARGS = ['--import', TSX, MAIN]

export interface Answer {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs `callsight` as a process of its own, with its output in pipes. */
export function callsight(args: readonly string[], options: { env?: object; cwd?: string } = {}): Answer {
  const { CALLSIGHT_DB: _, COLUMNS: __, ...env } = process.env
  const result = spawnSync(process.execPath, [...NODE_ARGS, ...args], {
    encoding: 'utf8',
    cwd: options.cwd ?? ROOT,
    env: { ...env, ...options.env },
    maxBuffer: 1024 ** 3,
  })
  return { code: result.status, out: result.stdout, err: result.stderr }
}
