import { execFile } from 'node:child_process'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface HowToRun {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
}

const RUN_TIMEOUT_MS = 60_000
const MAX_OUTPUT_BYTES = 16 * 1024 ** 2

/** Runs a command as a user's shell would: without what the test runner and `npm test` have put in the environment. */
export function run(command: string, args: readonly string[], how: HowToRun): Promise<Ended> {
  const options = {
    cwd: how.cwd,
    env: { ...userEnvironment(), ...how.env },
    timeout: how.timeoutMs ?? RUN_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_BYTES,
  } as const
  return new Promise((resolve, reject) => {
    execFile(command, args, options, (error, stdout, stderr) => {
      if (typeof error?.code === 'string') reject(error)
      else if (error?.killed) reject(new Error(`${command} ${args.join(' ')} did not end in time: ${stderr}`))
      else resolve({ code: error === null ? 0 : (error.code ?? null), stdout, stderr })
    })
  })
}

/** As {@link run}; a failure is an error that shows the output. */
export async function runWell(command: string, args: readonly string[], how: HowToRun): Promise<Ended> {
  const ended = await run(command, args, how)
  if (ended.code === 0) return ended
  throw new Error(`${command} ${args.join(' ')} ended with ${ended.code}:\n${ended.stdout}${ended.stderr}`)
}

/** The registry, proxy and build settings of npm stay; which project it runs in does not. */
function userEnvironment(): NodeJS.ProcessEnv {
  const foreign =
    /^(CALLSIGHT|VITEST|NODE_OPTIONS$|NODE_ENV$|INIT_CWD$|npm_(?!config_)|npm_config_local_prefix$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
}
