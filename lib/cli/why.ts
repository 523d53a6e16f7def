import { type Command, Option } from 'commander'
import { type Separation, type SideCounts, WHY_OF, type WhyAnswer, type WhyOf } from '../store/queries/why.js'
import { counted, formatCount, formatDuration, toMinute } from '../wording/format.js'
import { formatPercent, formatProbability } from './chance.js'
import { renderFooter } from './footer.js'
import { type CommonOptions, command, duration, scopeOf, withSpan, withStore, writeJson } from './options.js'
import { paragraph } from './paragraph.js'
import type { ExitCode } from './program.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'

interface Options extends CommonOptions {
  readonly of?: WhyOf
  readonly since?: string
  readonly until?: string
  readonly minDuration?: string
}

export function whyCommand(screen: Screen, exit: (code: ExitCode) => void): Command {
  const target = command(
    'why',
    'which arguments and circumstances separate slow or failed calls from the rest',
    [
      'why Orders.quote',
      'why Orders.quote --of errors --since 1h',
      'why Orders.quote --min-duration 250ms --json',
    ],
  )
  return withSpan(target)
    .argument('<function>', 'name of one function, exactly')
    .addOption(new Option('--of <which>', 'what to explain').choices(WHY_OF).default('slow'))
    .option(
      '--min-duration <time>',
      'slow is what took at least this long (default: the p95 of the function)',
    )
    .addHelpText(
      'after',
      '\nThe newest 10,000 calls that returned and 10,000 that failed are looked at. Of each condition shown: how many of\nthe calls with it were slow (or failed), and how many of those without. P: by chance, corrected for all tried.',
    )
    .action((name: string, options: Options) =>
      withStore(options, store => {
        const { since, until } = scopeOf(options)
        const answer = store.why({
          function: name,
          of: options.of,
          since,
          until,
          minDurationMs: options.minDuration === undefined ? undefined : duration(options.minDuration),
        })
        if (answer.lookedAt === 0) exit(3)
        if (options.json) {
          const { separations: rows, ...rest } = answer
          return writeJson(screen, { rows, coverage: store.coverage({ since, until }), ...rest })
        }
        screen.write(render(answer, screen))
      }),
    )
}

function render(answer: WhyAnswer, screen: Screen): string {
  const { separations, note, caveats } = answer
  const table = (rows: readonly Separation[]) =>
    renderTable(columnsOf(answer), rows, screen, { below: row => belowOf(row) })
  const level = `Found by chance in at most ${Math.round(answer.level * 100)} of 100 such answers; ${counted(answer.conditionsTried, 'condition')} tried.`
  // Nothing was looked at: no span of time either.
  if (answer.lookedAt === 0) return paragraph(screen, `${answer.function}: ${note}`)
  return [
    paragraph(screen, headline(answer), 'bold'),
    note === null ? table(separations) : paragraph(screen, note),

    ...(note === null ? [paragraph(screen, level, 'dim')] : []),
    ...caveats.map(caveat => renderFooter(screen, caveat)),
  ].join('')
}

function headline({ function: name, of, thresholdMs, hits, lookedAt, range }: WhyAnswer): string {
  const slow = `took ${formatDuration(thresholdMs)} or longer`
  const what = of === 'errors' ? 'failed' : thresholdMs === null ? 'were slow' : slow
  const span = `${toMinute(new Date(range.sinceMs).toISOString())} to ${toMinute(new Date(range.untilMs).toISOString())}`
  return `${name}: ${formatCount(hits)} of ${counted(lookedAt, 'recorded call')} ${what}, ${span}`
}

function columnsOf({ of }: WhyAnswer): readonly Column<Separation>[] {
  const what = of === 'errors' ? 'FAILED' : 'SLOW'
  return [
    { header: 'CONDITION', value: row => row.condition, style: () => 'bold', min: 20, max: 60 },
    { header: `${what} WITH IT`, value: row => shareOf(row.with), align: 'right' },
    { header: `${what} WITHOUT`, value: row => shareOf(row.without), align: 'right' },
    {
      header: 'TIMES',
      value: row =>
        row.ratio === null
          ? '-'
          : `${row.ratio < 10 ? row.ratio.toFixed(1) : formatCount(Math.round(row.ratio))}×`,
      align: 'right',
    },
    { header: 'P', value: row => formatProbability(row.pValue), align: 'right', style: () => 'dim' },
  ]
}

/** Estimates, from records that stand for several calls, carry a `~`. */
function shareOf({ calls, hits, records }: SideCounts): string {
  const isEstimate = Math.abs(calls - records) > 0.5
  const all = `${isEstimate ? '~' : ''}${formatCount(Math.round(calls))}`
  return `${formatPercent(calls > 0 ? hits / calls : 0)} of ${all}`
}

function belowOf({ same, examples }: Separation): string {
  const also = same.length === 0 ? [] : [`the same calls: ${same.join(' · ')}`]
  return [...also, `such as call ${examples.join(', ')}`].join(' · ')
}
