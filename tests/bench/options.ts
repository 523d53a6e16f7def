import { Command, CommanderError, InvalidArgumentError } from 'commander'

export interface BenchOptions {
  /** Only rows whose names contain one of these; all when there is none. */
  readonly parts: readonly string[]
  readonly rounds: number
  readonly slow: boolean
  readonly list: boolean
  /** Where the figures go as JSON; `-` is standard output. */
  readonly json: string | null
  readonly against: string | null
  readonly check: boolean
  readonly short: boolean
  /** Makes the counts of this build the limits. */
  readonly update: boolean
}

/** The command line was wrong, or only asked for help. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  constructor(
    message: string,
    readonly exitCode: 0 | 2 = 2,
  ) {
    super(message)
  }
}

const DEFAULT_ROUNDS = 3
const MOST_ROUNDS = 100

const EXPLANATION = `
Each row runs in a process of its own, rounds are interleaved over all rows, and the figures are medians.
--check compares ratios of rows with tests/bench/budgets.json; --check --short compares exact counts
(calls, clock reads, bytes, files) with tests/bench/counts.json, on any machine in the same way.`

/** @throws UsageError with one line, or with the text of `--help` and exit code 0 */
export function parseOptions(args: readonly string[]): BenchOptions {
  let help = ''
  const command = new Command('npm run bench --')
    .argument('[part...]', 'only rows whose names contain one of these')
    .option('--rounds <number>', 'rounds over all rows', wholeNumber, DEFAULT_ROUNDS)
    .option('--slow', 'also the rows that take minutes; a row that is named runs in any case', false)
    .option('--list', 'prints the names of the rows and runs none', false)
    .option('--json [file]', 'the figures as JSON, to standard output or a file that ends in .json')
    .option('--against <ref>', 'compares with another commit of this repository')
    .option('--check', 'compares ratios with the budgets; exit code 1 when one is exceeded', false)
    .option('--short', 'with --check: exact counts instead of times', false)
    .option('--update', 'with --check --short: makes the counts of this build the limits', false)
    .addHelpText('after', EXPLANATION)
    .exitOverride()
    .configureOutput({
      writeOut: text => {
        help += text
      },
      writeErr: () => {},
    })
  try {
    command.parse([...args], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code === 'commander.helpDisplayed') throw new UsageError(help.trimEnd(), 0)
    throw new UsageError(error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' '))
  }
  const given = command.opts<Omit<BenchOptions, 'parts' | 'json' | 'against'>>()
  const { json = false, against = null } = command.opts<{ json?: string | boolean; against?: string }>()
  if (typeof json === 'string' && !json.endsWith('.json')) {
    throw new UsageError(`--json ${json}: the file must end in .json; parts of row names go before --json`)
  }
  if (given.short && !given.check) throw new UsageError('--short needs --check')
  if (given.update && !given.short) throw new UsageError('--update needs --check --short')
  if (given.check && against !== null) throw new UsageError('--check and --against exclude each other')
  const parts = command.args
  if (given.check && parts.length > 0)
    throw new UsageError(`--check takes no row: leave out ${parts.join(' ')}`)
  return { ...given, parts, against, json: json === true ? '-' : json === false ? null : json }
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > MOST_ROUNDS) {
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST_ROUNDS}.`)
  }
  return value
}
