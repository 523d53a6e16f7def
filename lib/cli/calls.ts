import { type Command, Option } from 'commander'
import type { Outcome } from '../store/queries/filter.js'
import type { CallRow } from '../store/queries/statements.js'
import { formatDuration } from './format.js'
import { instantColumn } from './instant.js'
import { notShown, renderFooter } from './not-shown.js'
import {
  command,
  duration,
  limitNote,
  type ScopeOptions,
  scopeOf,
  withLimit,
  withScope,
  withStore,
  writeJson,
} from './options.js'
import type { Screen } from './screen.js'
import { argumentsText } from './shape.js'
import { type Column, renderTable } from './table.js'
import { HINDSIGHT_NOTE } from './trace-tree.js'

interface Options extends ScopeOptions {
  readonly minDuration?: string
  readonly outcome?: Outcome
}

export function callsCommand(screen: Screen): Command {
  const target = command('calls', 'recorded calls, newest first', [
    'calls --since 10m --min-duration 250ms',
    "calls --function 'Orders.*' --outcome error",
    'calls --since 2026-11-20T10:00Z --until 2026-11-20T10:05Z --json',
  ])
  withLimit(withScope(target), 100)
    .option('--min-duration <time>', 'only calls that took at least this long: 250ms, 1.5s')
    .addOption(new Option('--outcome <outcome>', 'only calls that ended so').choices(['ok', 'error']))
  return target.action((options: Options) =>
    withStore(options, store => {
      const { minDuration, outcome } = options
      const rows = store.calls({
        ...scopeOf(options),
        outcome,
        minDurationMs: minDuration === undefined ? undefined : duration(minDuration),
      })
      const coverage = store.coverage(scopeOf(options))
      if (options.json) return writeJson(screen, { rows, coverage })
      screen.write(rows.length === 0 ? 'No calls.\n' : renderTable(columnsOf(rows, screen), rows, screen))
      screen.write(renderFooter(screen, notShown(coverage, 'calls', limitNote(rows.length, options.limit))))
    }),
  )
}

function columnsOf(rows: readonly CallRow[], screen: Screen): Column<CallRow>[] {
  return [
    instantColumn(rows, screen),
    { header: 'CALL', value: row => row.call_id },
    { header: 'FUNCTION', value: row => row.function, style: () => 'bold', min: 20, max: 40 },
    { header: 'DURATION', value: row => formatDuration(row.duration_ms), align: 'right' },
    { header: 'END', value: row => row.outcome, style: row => (row.outcome === 'error' ? 'red' : 'green') },
    {
      header: 'ARGUMENTS → RESULT',
      value: row =>
        row.recorded === 'hindsight'
          ? HINDSIGHT_NOTE
          : `${argumentsText(row)}${row.result === null ? '' : ` → ${row.result}`}`,
      style: row => (row.recorded === 'hindsight' ? 'dim' : null),
      min: 0,
    },
  ]
}
