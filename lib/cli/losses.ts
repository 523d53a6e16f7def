import type { Command } from 'commander'
import type { LossRow } from '../store/queries/statements.js'
import { formatCount } from './format.js'
import { instantColumn, instantOf } from './instant.js'
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

type Loss = Omit<LossRow, 'minute'>

/** `FROM` and `UNTIL` are the span in which the records were lost. */
function lossColumns(rows: readonly Loss[], screen: Screen): Column<Loss>[] {
  const moments = rows.map(row => ({ at: row.first_at }))
  const from = instantColumn(moments, screen)
  return [
    {
      header: from.header === 'AT' ? 'FROM' : from.header,
      value: row => instantOf(row.first_at, moments, screen) ?? 'unknown',
      style: () => 'dim',
    },
    {
      header: 'UNTIL',
      value: row => instantOf(row.last_at, moments, screen) ?? 'unknown',
      style: () => 'dim',
    },
    {
      header: 'RECORDS',
      value: row => (row.count === null ? 'unknown' : formatCount(row.count)),
      align: 'right',
      style: () => 'yellow',
    },
    { header: 'REASON', value: row => row.reason },
    { header: 'FUNCTION', value: row => row.function, style: () => 'bold', min: 12 },
  ]
}

export function lossTable(rows: readonly Loss[], screen: Screen): string {
  return renderTable(lossColumns(rows, screen), rows, screen, { below: row => row.detail })
}

export function lossesCommand(screen: Screen): Command {
  const target = command('losses', 'what is missing, when and why: per minute, function and reason', [
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
      screen.write(rows.length === 0 ? 'No losses.\n' : lossTable(rows, screen))
      screen.write(renderFooter(screen, notShown(coverage, 'calls', limitNote(rows.length, options.limit))))
    }),
  )
}
