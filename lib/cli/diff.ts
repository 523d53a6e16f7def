import { type Command, InvalidArgumentError } from 'commander'
import type { DiffAnswer, DiffAnswerSide, FunctionDiff, MeasureDiff, Verdict } from '../store/queries/diff.js'
import { counted, formatCount, formatDuration, toMinute } from '../wording/format.js'
import { formatPercent } from './chance.js'
import { type CommonOptions, command, TIMES, withLimit, withStore, writeJson } from './options.js'
import { paragraph } from './paragraph.js'
import type { ExitCode } from './program.js'
import type { Screen, Style } from './screen.js'
import { type Column, renderTable } from './table.js'

interface Options extends CommonOptions {
  readonly a?: string
  readonly b?: string
  readonly bDb?: string
  readonly function?: string
  readonly minCalls?: number
  readonly minChange?: number
  readonly limit?: number
}

const STYLES: Readonly<Record<Verdict, Style | null>> = {
  worse: 'red',
  better: 'green',
  'no difference': null,
  'too few calls': 'dim',
}
const HELP = `
A side is a process (pid, 'script[pid]', boot id, script, last, or previous: the run of that script before the last),
node@22.1.0, all, or a span of time: 10:00..10:30, -2h..-1h, -1h.., 2026-11-20T10:00Z..2026-11-20T11:00Z.
Spans count the minutes that begin in them.
${TIMES}

Functions are matched by their names. The recording does not know the version of your program, only the script, start
and version of Node of each process: to compare two versions, name their runs, spans or recordings.

A verdict takes a difference beyond chance, and one that matters: odds of failing 1.5 times as high, p50 or p95 changed
by --min-change. A wrong one stands in at most 1 of 100 comparisons. Unsteady: it differs, but no more than
parts of one side differ among themselves.

Exit codes: 0 nothing is worse, 1 a function is worse, 2 wrong usage, 3 nothing could be compared.`

export function diffCommand(screen: Screen, exit: (code: ExitCode) => void): Command {
  const target = command('diff', 'error rate and latency of each function on two sides, from exact totals', [
    'diff --a previous --b last',
    'diff --a -2h..-1h --b -1h..',
    "diff --a 10:00..10:30 --b 11:00..11:30 --function 'Orders.*'",
    'diff --db before.db --b-db after.db --json',
  ])
    .option('--a <side>', 'what to compare with: a run or a span of time')
    .option('--b <side>', 'what to compare: a run or a span of time')
    .option('--b-db <file>', 'the recording side b is in (default: the same)')
    .option('--function <name>', "name of the function, * and ? allowed: 'Orders.*'")
    .option('--min-calls <calls>', 'calls of a function that each side must have (default: 100)', wholeNumber)
    .option('--min-change <percent>', 'least change of p50 or p95 that counts (default: 20)', percent)
    .addHelpText('after', HELP)
  return withLimit(target, 100).action((options: Options) =>
    withStore(options, store => {
      const answer = store.diff({
        a: options.a,
        b: options.b,
        bDb: options.bDb,
        function: options.function,
        minCalls: options.minCalls,
        minLatencyChange: options.minChange,
        limit: options.limit,
      })
      exit(exitCode(answer))
      if (options.json) {
        const { functions: rows, ...rest } = answer
        return writeJson(screen, { rows, coverage: null, ...rest })
      }
      screen.write(render(answer, options.limit, screen))
    }),
  )
}

/** Where nothing could be compared nobody may conclude that nothing is worse. */
function exitCode({ verdict }: DiffAnswer): ExitCode {
  if (verdict === 'worse') return 1
  return verdict === 'too few calls' ? 3 : 0
}

function render(answer: DiffAnswer, limit: number | undefined, screen: Screen): string {
  const { functions, a, b } = answer
  return [
    paragraph(screen, `A ${sideText(a)}`, 'bold'),
    paragraph(screen, `B ${sideText(b)}`, 'bold'),
    functions.length === 0 ? 'No calls.\n' : renderTable(COLUMNS, functions, screen),
    ...notes(answer, limit).map(note => paragraph(screen, note, 'dim')),
  ].join('')
}

function sideText({ label, since, until, calls, errors }: DiffAnswerSide): string {
  const span = since === null || until === null ? 'no calls' : `${toMinute(since)} to ${toMinute(until)}`
  return `${label}: ${span} · ${counted(calls, 'call')}, ${counted(errors, 'error')}`
}

function notes({ functions, leftOut, level, minCalls }: DiffAnswer, limit: number | undefined): string[] {
  const number = (fits: (row: FunctionDiff) => boolean) => functions.filter(fits).length
  const few = number(row => row.verdict === 'too few calls')
  const byCalls = number(row => row.basis === 'calls')
  const compared = functions.length - few
  const rate = `a wrong verdict in at most ${Math.round(level * 100)} of 100 such comparisons`
  return [
    `${counted(compared, 'function')} compared: ${number(row => row.verdict === 'worse')} worse, ${number(row => row.verdict === 'better')} better; ${rate}.`,
    few > 0 ? `${counted(few, 'function')} with less than ${formatCount(minCalls)} calls on a side.` : '',
    byCalls > 0
      ? `${counted(byCalls, 'function')} with too few minutes to tell what comes and goes by itself: the rate holds if calls are independent of one another.`
      : '',
    leftOut > 0 ? `Not shown: ${counted(leftOut, 'function')} beyond --limit ${limit}` : '',
  ].filter(note => note !== '')
}

const COLUMNS: readonly Column<FunctionDiff>[] = [
  { header: 'FUNCTION', value: row => row.function, style: () => 'bold', min: 10, max: 50 },
  { header: 'VERDICT', value: verdictText, style: row => STYLES[row.verdict] },
  {
    header: 'CALLS A → B',
    value: row => `${formatCount(row.a?.calls ?? 0)} → ${formatCount(row.b?.calls ?? 0)}`,
    align: 'right',
    optional: 2,
  },
  measureColumn('ERRORS', 'errors', side => formatPercent(side.errorRate)),
  { ...measureColumn('P50', 'p50', side => formatDuration(side.p50Ms)), optional: 1 },
  measureColumn('P95', 'p95', side => formatDuration(side.p95Ms)),
]

function measureColumn(
  header: string,
  measure: 'errors' | 'p50' | 'p95',
  text: (side: NonNullable<FunctionDiff['a']>) => string,
): Column<FunctionDiff> {
  return {
    header,
    value: ({ a, b }) => `${a === null ? '-' : text(a)} → ${b === null ? '-' : text(b)}`,
    style: row => STYLES[row[measure].verdict],
    align: 'right',
  }
}

function verdictText(row: FunctionDiff): string {
  const measures: readonly MeasureDiff[] = [row.errors, row.p50, row.p95]
  return measures.some(({ isUnsteady }) => isUnsteady) ? `${row.verdict}, unsteady` : row.verdict
}

function wholeNumber(value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value)
  throw new InvalidArgumentError('Use a whole number.')
}

function percent(value: string): number {
  if (/^\d{1,6}(\.\d{1,6})?%?$/.test(value)) return Number.parseFloat(value) / 100
  throw new InvalidArgumentError('Use a percentage such as 20.')
}
