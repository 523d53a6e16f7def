import type { Command } from 'commander'
import { type SqlResult, type SqlRow, VIEW_NAMES } from '../store/sql.js'
import { notShown, renderFooter } from './not-shown.js'
import { type CommonOptions, command, limitNote, withLimit, withStore, writeJson } from './options.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'

interface Options extends CommonOptions {
  readonly limit: number
}

export function sqlCommand(screen: Screen): Command {
  const target = command('sql', `one read-only query; views: ${VIEW_NAMES.join(', ')}`, [
    "sql 'select function, calls, p99_ms from function_totals'",
    "sql 'select error, count(*) n from recent_errors group by error order by n desc'",
    "sql 'select * from losses' --json",
  ]).argument('<query>', 'a SELECT')
  withLimit(target, 1_000)
  return target.action((query: string, options: Options) =>
    withStore(options, store => {
      // One row more than wanted tells a cut answer from one that just fits.
      const rows = store.sql(query, [], { limit: Math.min(options.limit + 1, 1_000_000) })
      const isCut = rows.length > options.limit
      if (isCut) rows.length = options.limit
      const coverage = store.coverage()
      if (options.json) return writeJson(screen, { rows, coverage, ...(isCut ? { truncated: true } : {}) })
      screen.write(rows.length === 0 ? 'No rows.\n' : renderTable(columnsOf(rows), rows, screen))
      const more = isCut ? limitNote(rows.length, options.limit) : null
      screen.write(renderFooter(screen, notShown(coverage, 'calls', more)))
    }),
  )
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
