import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { codeOf } from '../store/errors.js'
import { callsCommand } from './calls.js'
import { doctorCommand } from './doctor.js'
import { errorsCommand } from './errors.js'
import { lossesCommand } from './losses.js'
import type { Screen } from './screen.js'
import { sqlCommand } from './sql.js'
import { visible, visibleLines } from './text.js'
import { topCommand } from './top.js'
import { traceCommand } from './trace.js'

/** 0 fine · 1 `doctor` found something to see to · 2 wrong usage, or no readable recording. */
export type ExitCode = 0 | 1 | 2

/** Runs one command line, without node and script name. Never throws for what a user can do wrong. */
export function run(args: readonly string[], screen: Screen): ExitCode {
  let exitCode: ExitCode = 0
  const program = new Command('callsight')
    .description('Reads what the flight recorder has recorded.')
    .version(packageVersion(), '-V, --version')
    .addHelpText(
      'after',
      '\nExamples:\n  $ callsight errors --since 10m\n  $ callsight top\n  $ callsight doctor',
    )
    .addHelpText(
      'after',
      '\nExit codes: 0 fine, 1 doctor found something to see to, 2 wrong usage or no recording.',
    )
  const doctor = doctorCommand(screen, code => {
    exitCode = code
  })
  const makers = [errorsCommand, callsCommand, topCommand, sqlCommand, lossesCommand, traceCommand]
  for (const command of [...makers.map(make => make(screen)), doctor]) program.addCommand(command)
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: text => screen.write(text),
      // What is quoted back may have been pasted from anywhere.
      writeErr: text => screen.writeError(`${visibleLines(text.trimEnd()).join('\n')}\n`),
    })
  }
  try {
    program.parse(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (!codeOf(error).startsWith('CALLSIGHT_')) throw error
    screen.writeError(`callsight: ${visible((error as Error).message)}\n`)
    return 2
  }
}

function packageVersion(): string {
  // Two levels up from lib/cli as from dist/cli.
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : '?'
}
