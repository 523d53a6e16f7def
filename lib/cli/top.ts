import { type Command, Option } from 'commander'
import { TOTAL_ORDERS, type TotalOrder } from '../store/queries/filter.js'
import type { FunctionTotals } from '../store/queries/statements.js'
import { formatCount, formatDuration } from './format.js'
import { notShown, renderFooter } from './not-shown.js'
import {
  command,
  limitNote,
  type ScopeOptions,
  scopeOf,
  withLimit,
  withScope,
  withStore,
  writeJson,
} from './options.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'

interface Options extends ScopeOptions {
  readonly sort?: TotalOrder
}

const DURATIONS = ['mean', 'p50', 'p95', 'p99', 'max'] as const

const COLUMNS: readonly Column<FunctionTotals>[] = [
  { header: 'FUNCTION', value: row => row.function, style: () => 'bold', min: 12, max: 60 },
  { header: 'CALLS', value: row => formatCount(row.calls), align: 'right' },
  {
    header: 'ERRORS',
    value: row => formatCount(row.errors),
    align: 'right',
    style: row => (row.errors > 0 ? 'red' : 'dim'),
  },
  ...DURATIONS.map(
    (name): Column<FunctionTotals> => ({
      header: name.toUpperCase(),
      value: row => formatDuration(row[`${name}_ms`]),
      align: 'right',
    }),
  ),
]

export function topCommand(screen: Screen): Command {
  const target = command(
    'top',
    'functions by time spent, from exact totals of every call, in whole minutes',
    ['top', 'top --since 10m --sort errors', "top --function 'Orders.*' --json"],
  )
  withLimit(withScope(target), 20).addOption(
    new Option('--sort <by>', 'largest first by').choices(TOTAL_ORDERS).default('total'),
  )
  return target.action((options: Options) =>
    withStore(options, store => {
      const rows = store.top({ ...scopeOf(options), sort: options.sort })
      const coverage = store.coverage(scopeOf(options))
      if (options.json) return writeJson(screen, { rows, coverage })
      screen.write(rows.length === 0 ? 'No calls.\n' : renderTable(COLUMNS, rows, screen))
      screen.write(renderFooter(screen, notShown(coverage, 'totals', limitNote(rows.length, options.limit))))
    }),
  )
}
