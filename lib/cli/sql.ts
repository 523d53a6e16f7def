import type { Command } from 'commander'
import { MAX_LIMIT } from '../store/queries/filter.js'
import { type SqlResult, type SqlRow, VIEW_NAMES } from '../store/sql.js'
import { type CommonOptions, command, withLimit } from './options.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'
import { listing, view } from './view.js'

interface Options extends CommonOptions {
  readonly limit: number
}

export function sqlCommand(screen: Screen, endWith: EndWith): Command {
  const target = command('sql', `one read-only query; views: ${VIEW_NAMES.join(', ')}`, [
    "sql 'select function, calls, p99_ms from function_totals'",
    "sql 'select error, count(*) n from recent_errors group by error order by n desc'",
    "sql 'select * from losses' --json",
  ]).argument('<query>', 'a SELECT')
  withLimit(target, 1_000)
  return view<Options>(target, screen, endWith, (store, { limit }, [query = '']) => {
    // One row more than wanted tells a cut answer from one that just fits.
    const rows = store.sql(query, [], { limit: Math.min(limit + 1, MAX_LIMIT) })
    const isCut = rows.length > limit
    if (isCut) rows.length = limit
    const answer = listing(screen, {
      rows,
      coverage: store.coverage(),
      kind: 'calls',
      limit: isCut ? limit : undefined,
      none: 'No rows.',
      table: all => renderTable(columnsOf(all), all, screen),
    })
    return isCut ? { ...answer, truncated: true } : answer
  })
}

function columnsOf(rows: readonly SqlRow[]): Column<SqlRow>[] {
  return Object.keys(rows[0] ?? {}).map(name => ({
    header: name,
    value: row => cell(row[name] ?? null),
    align: rows.every(row => typeof row[name] === 'number' || typeof row[name] === 'bigint')
      ? 'right'
      : 'left',
    min: 6,
  }))
}

function cell(value: SqlResult): string {
  if (value === null) return ''
  return Buffer.isBuffer(value) ? `0x${value.toString('hex')}` : String(value)
}
