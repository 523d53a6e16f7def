import type { TraceRow } from '../store/queries/statements.js'
import { inTreeOrder, type TreeNode } from '../store/queries/trace-order.js'
import type { Store } from '../store/read.js'
import { formatDuration } from '../wording/format.js'
import { type Html, html } from './html.js'
import { clipped, type Section, table } from './page-parts.js'

const MOST_TRACES = 12
const MOST_CALLS = 200
const MOST_LEVELS = 16
const CELL_LENGTH = 160

/** Of the newest errors and of the slowest calls. */
const TELLING_SQL = `SELECT trace_id FROM (
    SELECT * FROM (SELECT trace_id, 1 AS place FROM recent_errors LIMIT ${MOST_TRACES / 2})
    UNION ALL
    SELECT * FROM (SELECT trace_id, 2 FROM recent_calls ORDER BY duration_ms DESC LIMIT ${MOST_TRACES})
  ) GROUP BY trace_id ORDER BY min(place) LIMIT ${MOST_TRACES}`

/** Each trace as a tree beside its calls in time. */
export function traceSections(store: Store, asked: readonly string[]): Section[] {
  const ids =
    asked.length > 0
      ? asked.slice(0, MOST_TRACES)
      : store.sql(TELLING_SQL).map(row => String(row['trace_id']))
  const known = ids.filter(id => /^[0-9a-f]{32}$/i.test(id))
  const heading = () => (known.length === 0 ? html`` : html`<h2>Traces</h2>\n`)
  return [heading, ...known.map(id => () => trace(id, store.trace(id, { limit: MOST_CALLS })))]
}

function trace(id: string, rows: readonly TraceRow[]): Html {
  if (rows.length === 0) return html``
  const startUs = Math.min(...rows.map(row => row.start_us))
  const endUs = Math.max(...rows.map(row => row.start_us + row.duration_ms * 1000))
  const most =
    rows.length < MOST_CALLS ? '' : html`<p class="soft">The first ${MOST_CALLS} calls that ended.</p>\n`
  const isAcross = rows.some(row => row.process !== rows[0]?.process)
  const columns = table<TreeNode>(
    `Trace ${id}`,
    inTreeOrder(rows),
    [
      {
        header: 'Start',
        cell: ({ row }) => `+${formatDuration((row.start_us - startUs) / 1000)}`,
        kind: 'number',
      },
      { header: 'Duration', cell: ({ row }) => formatDuration(row.duration_ms), kind: 'number' },
      { header: 'Function', cell: node => indented(node), kind: 'code tree' },
      { header: 'Error', cell: ({ row }) => remark(row) },
      { header: 'In time', cell: ({ row }) => bar(row, startUs, endUs) },
      ...(isAcross ? [{ header: 'Process', cell: ({ row }: TreeNode) => row.process }] : []),
    ],
    ({ row }) => row.outcome === 'error',
  )
  return html`<section>\n<h3 class="code">${id}</h3>\n${most}${columns}</section>\n`
}

function indented({ row, depth }: TreeNode): string {
  return `${'  '.repeat(Math.min(depth, MOST_LEVELS))}${row.function}`
}

function remark(row: TraceRow): string {
  return row.outcome === 'error' ? clipped(`${row.error}: ${row.message}`, CELL_LENGTH) : ''
}

function bar(row: TraceRow, startUs: number, endUs: number): Html {
  const wholeUs = Math.max(1, endUs - startUs)
  const x = ((row.start_us - startUs) / wholeUs) * 100
  const width = Math.max(0.3, ((row.duration_ms * 1000) / wholeUs) * 100)
  const text = `from ${formatDuration((row.start_us - startUs) / 1000)} for ${formatDuration(row.duration_ms)}`
  return html`<svg role="img" aria-label="${text}"><rect x="${shareOf(x)}" width="${shareOf(width)}" height="100%"></rect></svg>`
}

function shareOf(percent: number): string {
  return `${Math.min(100, Math.max(0, percent)).toFixed(2)}%`
}
