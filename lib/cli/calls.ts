import type { Command } from 'commander'
import type { CallRow } from '../store/queries/statements.js'
import { formatDuration } from '../wording/format.js'
import { exchangeText } from '../wording/shape.js'
import { instantColumn } from './instant.js'
import {
  command,
  type RecordOptions,
  recordsOf,
  scopeOf,
  withLimit,
  withOutcome,
  withRecords,
  withScope,
} from './options.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'
import { HINDSIGHT_NOTE } from './trace-tree.js'
import { listing, view } from './view.js'

/** Narrower than this what went in and came out gets a line of its own. */
const ONE_LINE_WIDTH = 120

export function callsCommand(screen: Screen, endWith: EndWith): Command {
  const target = command('calls', 'recorded calls, newest first', [
    'calls --since 10m --min-duration 250ms',
    "calls --function 'Orders.*' --outcome error",
    'calls --since 2026-11-20T10:00Z --until 2026-11-20T10:05Z --json',
  ])
  withOutcome(withRecords(withLimit(withScope(target), 100)))
  return view<RecordOptions>(target, screen, endWith, (store, options) =>
    listing(screen, {
      rows: store.calls(recordsOf(options)),
      coverage: store.coverage(scopeOf(options)),
      kind: 'calls',
      limit: options.limit,
      none: 'No calls.',
      table: rows => callTable([], rows, screen),
    }),
  )
}

/** @param first columns before those that every list of calls has */
export function callTable<Row extends CallRow>(
  first: readonly Column<Row>[],
  rows: readonly Row[],
  screen: Screen,
): string {
  const stacked = screen.width !== null && screen.width < ONE_LINE_WIDTH
  const exchange = (row: Row) => (row.recorded === 'hindsight' ? HINDSIGHT_NOTE : exchangeText(row))
  const columns: Column<Row>[] = [
    ...first,
    instantColumn(rows, screen),
    { header: 'CALL', value: row => row.call_id },
    { header: 'FUNCTION', value: row => row.function, style: () => 'bold', min: 16, max: 40 },
    ...(first.length > 0 ? [] : [DURATION]),
    {
      header: 'END',
      value: row => row.outcome,
      style: row => (row.outcome === 'error' ? 'red' : 'green'),
      optional: 4,
    },
  ]
  const last: Column<Row> = {
    header: 'ARGUMENTS → RESULT',
    value: exchange,
    style: row => (row.recorded === 'hindsight' ? 'dim' : null),
    min: 0,
  }
  return renderTable(stacked ? columns : [...columns, last], rows, screen, stacked ? { below: exchange } : {})
}

export const DURATION: Column<CallRow> = {
  header: 'DURATION',
  value: row => formatDuration(row.duration_ms),
  align: 'right',
}
