import type { Command } from 'commander'
import type { LossRow } from '../store/queries.js'
import { formatCount } from './format.js'
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

const COLUMNS: readonly Column<LossRow>[] = [
  { header: 'MINUTE', value: row => row.minute, style: () => 'dim' },
  { header: 'RECORDS', value: row => formatCount(row.count), align: 'right', style: () => 'yellow' },
  { header: 'REASON', value: row => row.reason },
  { header: 'FUNCTION', value: row => row.function, style: () => 'bold', min: 20 },
]

export function lossesCommand(screen: Screen): Command {
  const target = command('losses', 'records that were lost, per minute, function and reason', [
    'losses',
    "losses --since 1h --function 'Orders.*'",
    'losses --json',
  ])
  withLimit(withScope(target), 100)
  return target.action((options: ScopeOptions) =>
    withStore(options, store => {
      const rows = store.losses(scopeOf(options))
      const coverage = store.coverage(scopeOf(options))
      if (options.json) return writeJson(screen, { rows, coverage })
      screen.write(rows.length === 0 ? 'No losses.\n' : renderTable(COLUMNS, rows, screen))
      screen.write(renderFooter(screen, notShown(coverage, 'calls', limitNote(rows.length, options.limit))))
    }),
  )
}
