import { type Command, Option } from 'commander'
import { TOTAL_ORDERS, type TotalOrder } from '../store/queries/filter.js'
import type { FunctionTotals } from '../store/queries/statements.js'
import type { Trend } from '../store/queries/trends.js'
import { formatCount, formatDuration } from '../wording/format.js'
import { command, type ScopeOptions, scopeOf, withLimit, withScope } from './options.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { sparkline, TREND_STEPS } from './sparkline.js'
import { type Column, renderTable } from './table.js'
import { listing, view } from './view.js'

interface Options extends ScopeOptions {
  readonly sort?: TotalOrder
}

/** Totals of one function, its part of all time spent, and how its calls went. */
interface TopRow extends FunctionTotals, Pick<Trend, 'share' | 'series'> {}

/** On a narrow terminal the first to go are those that say least beside the others. */
const DURATIONS = [
  ['mean', 4],
  ['p50', 3],
  ['p95', 2],
  ['p99', undefined],
  ['max', 5],
] as const

const columnsOf = (screen: Screen): readonly Column<TopRow>[] => [
  { header: 'FUNCTION', value: row => row.function, style: () => 'bold', min: 12, max: 60 },
  { header: 'CALLS', value: row => formatCount(row.calls), align: 'right' },
  {
    header: 'ERRORS',
    value: row => formatCount(row.errors),
    align: 'right',
    style: row => (row.errors > 0 ? 'red' : 'dim'),
  },
  { header: 'TIME', value: row => percent(row.share), align: 'right', optional: 1 },
  ...DURATIONS.map(
    ([name, optional]): Column<TopRow> => ({
      header: name.toUpperCase(),
      value: row => formatDuration(row[`${name}_ms`]),
      align: 'right',
      ...(optional === undefined ? {} : { optional }),
    }),
  ),
  { header: 'TREND', value: row => sparkline(row.series.calls, screen), style: () => 'cyan', optional: 6 },
]

/** `12.3 %`; less than a tenth of one is not nothing. */
function percent(share: number): string {
  if (share > 0 && share < 0.001) return '<0.1 %'
  return `${(share * 100).toFixed(1)} %`
}

export function topCommand(screen: Screen, endWith: EndWith): Command {
  const target = command(
    'top',
    'functions by time spent, from exact totals of every call, in whole minutes',
    ['top', 'top --since 10m --sort errors', "top --function 'Orders.*' --json"],
  )
  withLimit(withScope(target), 20).addOption(
    new Option('--sort <by>', 'largest first by').choices(TOTAL_ORDERS).default('total'),
  )
  return view<Options>(target, screen, endWith, (store, options) => {
    const scope = scopeOf(options)
    const trends = new Map(
      store.trends({ ...scope, steps: TREND_STEPS }).map(trend => [trend.function, trend]),
    )
    const none = { share: 0, series: { startMs: 0, stepMs: 0, calls: [] } }
    return listing(screen, {
      rows: store.top({ ...scope, sort: options.sort }).map((row): TopRow => {
        const { share, series } = trends.get(row.function) ?? none
        return { ...row, share, series }
      }),
      coverage: store.coverage(scope),
      kind: 'totals',
      limit: options.limit,
      none: 'No calls.',
      table: rows => renderTable(columnsOf(screen), rows, screen),
    })
  })
}
