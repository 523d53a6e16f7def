import type { Command } from 'commander'
import type { SlowCall } from '../store/queries/slow.js'
import { formatDuration } from '../wording/format.js'
import { callTable, DURATION } from './calls.js'
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
import type { Column } from './table.js'
import { listing, view } from './view.js'

const COLUMNS: readonly Column<SlowCall>[] = [
  {
    ...DURATION,
    // Among the slowest hundredth of all calls of its function.
    style: row => (row.p99_ms !== null && row.duration_ms >= row.p99_ms ? 'red' : null),
  },
  { header: 'P95', value: row => formatDuration(row.p95_ms), align: 'right', optional: 3 },
  { header: 'P99', value: row => formatDuration(row.p99_ms), align: 'right', optional: 1 },
]

export function slowCommand(screen: Screen, endWith: EndWith): Command {
  const target = command('slow', 'the slowest recorded calls, beside what calls of their function take', [
    'slow --since 10m',
    "slow --function 'Orders.*' --limit 5",
    'slow --outcome ok --min-duration 1s --json',
  ])
  withOutcome(withRecords(withLimit(withScope(target), 20)))
  return view<RecordOptions>(target, screen, endWith, (store, options) => {
    const filter = recordsOf(options)
    screen.working('Looking for the slowest calls')
    try {
      return listing(screen, {
        rows: store.slow(filter),
        coverage: store.coverage(scopeOf(options)),
        kind: 'calls',
        limit: options.limit,
        none: 'No calls.',
        table: rows => callTable(COLUMNS, rows, screen),
      })
    } finally {
      screen.working(null)
    }
  })
}
