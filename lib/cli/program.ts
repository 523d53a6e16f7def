import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { codeOf } from '../store/errors.js'
import { visible, visibleLines } from '../wording/text.js'
import { callsCommand } from './calls.js'
import { completionCommand } from './completion.js'
import { crashCommand } from './crash.js'
import { diffCommand } from './diff.js'
import { doctorCommand } from './doctor.js'
import { errorsCommand } from './errors.js'
import { exportCommand } from './export.js'
import { lossesCommand } from './losses.js'
import type { Screen } from './screen.js'
import { setCommand } from './set.js'
import { slowCommand } from './slow.js'
import { sqlCommand } from './sql.js'
import { stallsCommand } from './stalls.js'
import { statsCommand } from './stats.js'
import { tailCommand } from './tail.js'
import { topCommand } from './top.js'
import { traceCommand } from './trace.js'
import { uiCommand } from './ui.js'
import { whyCommand } from './why.js'

/**
 * 0 fine · 1 found what one asked to be warned of: `doctor`, `diff`, `--fail-if-any` · 2 wrong usage, no readable recording, or no permission to
 * change it ·
 * 3 no data: the answer is empty.
 */
export type ExitCode = 0 | 1 | 2 | 3

/** Says how the command line ends, where that is not 0. */
export type EndWith = (code: ExitCode) => void

/** Every command, in the order of the help. */
const COMMANDS: readonly ((screen: Screen, endWith: EndWith) => Command)[] = [
  errorsCommand,
  topCommand,
  slowCommand,
  callsCommand,
  traceCommand,
  whyCommand,
  diffCommand,
  tailCommand,
  crashCommand,
  stallsCommand,
  lossesCommand,
  statsCommand,
  sqlCommand,
  exportCommand,
  setCommand,
  uiCommand,
  doctorCommand,
  completionCommand,
]

/** Runs one command line, without node and script name. Never throws for what a user can do wrong. */
export async function run(args: readonly string[], screen: Screen): Promise<ExitCode> {
  let exitCode: ExitCode = 0
  const program = new Command('callsight')
    .description('Reads what the flight recorder has recorded.')
    .version(packageVersion(), '-V, --version')
    .addHelpText(
      'after',
      '\nExamples:\n  $ callsight errors --since 10m\n  $ callsight top\n  $ callsight tail -f\n  $ callsight doctor',
    )
    .addHelpText(
      'after',
      `
Exit codes:
  0  fine
  1  found what you asked to be warned of: doctor, a function that is worse (diff), or rows with --fail-if-any
  2  wrong usage, no readable recording, or no permission to change it
  3  no data: the answer is empty`,
    )
  const endWith: EndWith = code => {
    exitCode = code
  }
  for (const make of COMMANDS) program.addCommand(make(screen, endWith))
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: text => screen.write(text),
      writeErr: text => screen.writeError(usageError(text, command === program ? '' : ` ${command.name()}`)),
    })
  }
  const missing = withoutValue(args, program)
  if (missing !== null) {
    screen.writeError(`error: option '${missing}' argument missing. Give it a value.\n`)
    return 2
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (isTooLong(error)) {
      screen.writeError('callsight: The answer is longer than a text can be. Take less: --limit, --since.\n')
      return 2
    }
    if (!codeOf(error).startsWith('CALLSIGHT_')) throw error
    // The recorder's own messages begin with its name, too.
    const message = (error as Error).message.replace(/^Callsight: /, '')
    screen.writeError(`callsight: ${visible(message)}\n`)
    return 2
  }
}

/** V8 makes no text of more than 512 MiB. */
function isTooLong(error: unknown): boolean {
  return error instanceof RangeError && error.message === 'Invalid string length'
}

/** `--since --db calls.db` would take the next option for a moment, and then read another recording. */
function withoutValue(args: readonly string[], program: Command): string | null {
  const options = program.commands.flatMap(command => command.options)
  const names = new Set(options.flatMap(({ long }) => long ?? []))
  const wanting = new Set(options.filter(({ required }) => required).flatMap(({ long }) => long ?? []))
  return args.find((arg, i) => wanting.has(arg) && names.has(args[i + 1] ?? '')) ?? null
}

/** One line that says what to do; help as it is. What is quoted back may have been pasted from anywhere. */
function usageError(text: string, command: string): string {
  const lines = visibleLines(text.trimEnd())
  if (!text.startsWith('error:')) return `${lines.join('\n')}\n`
  const line = lines.join(' ')
  const isAdvised = /Did you mean|Use a|Allowed choices/.test(line)
  return isAdvised ? `${line}\n` : `${line.replace(/\.?$/, '.')} See "callsight${command} --help".\n`
}

function packageVersion(): string {
  // Two levels up from lib/cli as from dist/cli.
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : '?'
}
