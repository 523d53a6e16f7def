import type { Command } from 'commander'
import type { LossRow } from '../store/queries/statements.js'
import { formatCount } from '../wording/format.js'
import { instantOf, namedInstantHeader } from './instant.js'
import { command, type ScopeOptions, scopeOf, withLimit, withScope } from './options.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'
import { listing, view } from './view.js'

type Loss = Omit<LossRow, 'minute'>

/** `FROM` and `UNTIL` are the span in which the records were lost. */
function lossColumns(rows: readonly Loss[], screen: Screen): Column<Loss>[] {
  const moments = rows.map(row => ({ at: row.first_at }))
  return [
    {
      header: namedInstantHeader('FROM', moments, screen),
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

export function lossesCommand(screen: Screen, endWith: EndWith): Command {
  const target = command('losses', 'what is missing, when and why: per minute, function and reason', [
    'losses',
    "losses --since 1h --function 'Orders.*'",
    'losses --since 10m --fail-if-any',
    'losses --json',
  ])
  withLimit(withScope(target), 100)
  return view<ScopeOptions>(target, screen, endWith, (store, options) =>
    listing(screen, {
      rows: store.losses(scopeOf(options)),
      coverage: store.coverage(scopeOf(options)),
      kind: 'calls',
      limit: options.limit,
      none: 'No losses.',
      table: rows => lossTable(rows, screen),
    }),
  )
}
