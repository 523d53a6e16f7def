import type { TraceRow } from '../store/queries/statements.js'
import { formatDuration } from './format.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'
import { visible } from './text.js'

interface Node {
  readonly row: TraceRow
  readonly depth: number
}

const PROCESS_COLUMN: Column<Node> = {
  header: 'PROCESS',
  value: ({ row }) => row.process,
  style: () => 'dim',
  min: 8,
  max: 24,
}

/** Deeper calls keep this indentation. */
const MAX_INDENT_LEVELS = 16

/** Says of a call that it was not chosen by sampling, and what that means. */
export const HINDSIGHT_NOTE = '(hindsight: arguments not captured)'

/** The calls of one trace, each below the call that made it, in start order, whatever program made it. */
export function renderTrace(rows: readonly TraceRow[], screen: Screen): string {
  const first = rows[0]
  if (first === undefined) return ''
  const startUs = rows.reduce((least, row) => Math.min(least, row.start_us), first.start_us)
  const title = `${screen.style('bold', 'Trace')} ${visible(first.trace_id)}  ${screen.style('dim', first.at)}`
  const isAcrossProcesses = rows.some(row => row.process !== first.process)
  const table = renderTable<Node>(
    [
      {
        header: 'START',
        value: ({ row }) => `+${formatDuration((row.start_us - startUs) / 1000)}`,
        align: 'right',
      },
      { header: 'DURATION', value: ({ row }) => formatDuration(row.duration_ms), align: 'right' },
      { header: 'CALL', value: ({ row }) => row.call_id, style: () => 'dim' },
      ...(isAcrossProcesses ? [PROCESS_COLUMN] : []),
      {
        header: 'FUNCTION',
        value: ({ row, depth }) =>
          `${'  '.repeat(Math.min(depth, MAX_INDENT_LEVELS))}${row.function}${remarkOn(row)}`,
        style: ({ row }) => (row.outcome === 'error' ? 'red' : row.recorded === 'hindsight' ? 'dim' : null),
        min: 12,
      },
    ],
    inTreeOrder(rows),
    screen,
  )
  return `${title}\n${table}`
}

function remarkOn(row: TraceRow): string {
  if (row.outcome === 'error') return `  ${row.error}: ${row.message}`
  return row.recorded === 'hindsight' ? `  ${HINDSIGHT_NOTE}` : ''
}

/**
 * Children follow their parent. A row whose parent is not in the store is a root; so is a row that no root leads to,
 * which only a damaged file has: nothing is left out and nothing loops.
 */
function inTreeOrder(rows: readonly TraceRow[]): Node[] {
  const parents = parentsOf(rows)
  const children = new Map<TraceRow, TraceRow[]>()
  for (const [row, parent] of parents) {
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [row])
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
      for (const row of (children.get(node.row) ?? []).toReversed()) open.push({ row, depth })
    }
  }
  for (const row of rows) if (!parents.has(row)) place(row)
  for (const row of rows) place(row)
  return order
}

/** A call id is unique within its process; only where that has no such call was the caller another program. */
function parentsOf(rows: readonly TraceRow[]): Map<TraceRow, TraceRow> {
  const keyOf = (process: string, call: string) => `${call} ${process}`
  const inProcess = new Map(rows.map(row => [keyOf(row.process, row.call_id), row]))
  const anywhere = new Map(rows.map(row => [row.call_id, row]))
  const parents = new Map<TraceRow, TraceRow>()
  for (const row of rows) {
    if (row.parent_id === null) continue
    const parent = inProcess.get(keyOf(row.process, row.parent_id)) ?? anywhere.get(row.parent_id)
    if (parent !== undefined) parents.set(row, parent)
  }
  return parents
}
