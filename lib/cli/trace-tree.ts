import type { TraceRow } from '../store/queries.js'
import { formatDuration } from './format.js'
import type { Screen } from './screen.js'
import { renderTable } from './table.js'

interface Node {
  readonly row: TraceRow
  readonly depth: number
}

/** Deeper calls keep this indentation. */
const MAX_INDENT_LEVELS = 16

/** The calls of one trace, each below the call that made it, in start order. */
export function renderTrace(rows: readonly TraceRow[], screen: Screen): string {
  const first = rows[0]
  if (first === undefined) return ''
  const startUs = rows.reduce((least, row) => Math.min(least, row.start_us), first.start_us)
  const title = `${screen.style('bold', 'Trace')} ${first.trace_id}  ${screen.style('dim', first.at)}`
  const table = renderTable<Node>(
    [
      {
        header: 'START',
        value: ({ row }) => `+${formatDuration((row.start_us - startUs) / 1000)}`,
        align: 'right',
      },
      { header: 'DURATION', value: ({ row }) => formatDuration(row.duration_ms), align: 'right' },
      { header: 'CALL', value: ({ row }) => row.call_id, style: () => 'dim' },
      {
        header: 'FUNCTION',
        value: ({ row, depth }) =>
          `${'  '.repeat(Math.min(depth, MAX_INDENT_LEVELS))}${row.function}${
            row.outcome === 'error' ? `  ${row.error}: ${row.message}` : ''
          }`,
        style: ({ row }) => (row.outcome === 'error' ? 'red' : null),
        min: 12,
      },
    ],
    inTreeOrder(rows),
    screen,
  )
  return `${title}\n${table}`
}

/**
 * Children follow their parent. A row whose parent is not in the store is a root; so is a row that no root leads to,
 * which only a damaged file has: nothing is left out and nothing loops.
 */
function inTreeOrder(rows: readonly TraceRow[]): Node[] {
  const calls = new Set(rows.map(row => row.call_id))
  const children = new Map<string, TraceRow[]>()
  for (const row of rows) {
    if (row.parent_id === null || !calls.has(row.parent_id)) continue
    const siblings = children.get(row.parent_id)
    if (siblings === undefined) children.set(row.parent_id, [row])
    else siblings.push(row)
  }
  const placed = new Set<TraceRow>()
  const order: Node[] = []
  const place = (root: TraceRow) => {
    const open: Node[] = [{ row: root, depth: 0 }]
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (placed.has(node.row)) continue
      placed.add(node.row)
      order.push(node)
      const depth = node.depth + 1
      for (const row of (children.get(node.row.call_id) ?? []).toReversed()) open.push({ row, depth })
    }
  }
  for (const row of rows) if (row.parent_id === null || !calls.has(row.parent_id)) place(row)
  for (const row of rows) place(row)
  return order
}
