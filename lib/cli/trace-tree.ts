import type { TraceRow } from '../store/queries/statements.js'
import { inTreeOrder, type TreeNode } from '../store/queries/trace-order.js'
import { formatDuration } from '../wording/format.js'
import { visible } from '../wording/text.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'

const PROCESS_COLUMN: Column<TreeNode> = {
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
  const title = `${screen.style('bold', 'Trace')} ${visible(first.trace_id)}  ${screen.style('dim', startedText(startUs))}`
  const known = new Set(rows.map(row => row.call_id))
  const isAcrossProcesses = rows.some(row => row.process !== first.process)
  const table = renderTable<TreeNode>(
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
    { below: node => calledFrom(node, known) },
  )
  return `${title}\n${table}`
}

function startedText(startUs: number): string {
  const date = new Date(startUs / 1000)
  return Number.isNaN(date.getTime()) ? 'at an unknown time' : `began ${date.toISOString()}`
}

/** The call that made a root is in another program's recording, was not sampled, or has expired. */
function calledFrom({ row, depth }: TreeNode, known: ReadonlySet<string>): string | null {
  return depth > 0 || row.parent_id === null || known.has(row.parent_id)
    ? null
    : `called by ${row.parent_id}, which is not in this recording`
}

function remarkOn(row: TraceRow): string {
  if (row.outcome === 'error') return `  ${row.error}: ${row.message}`
  return row.recorded === 'hindsight' ? `  ${HINDSIGHT_NOTE}` : ''
}
