import { displayWidth, pad, truncate, visible, wrap } from '../wording/text.js'
import type { Screen, Style } from './screen.js'

export interface Column<Row> {
  readonly header: string
  /** Text of a cell; control characters are made visible by the table. */
  readonly value: (row: Row) => string
  readonly align?: 'left' | 'right'
  readonly style?: (row: Row) => Style | null
  /** Columns it may be cut down to; absent: never cut. */
  readonly min?: number
  /** Columns it takes at most, however wide the screen; the last column ignores it. */
  readonly max?: number
  /** Left out where there is no room: the one with the largest number goes first. Absent: it always stays. */
  readonly optional?: number
}

export interface TableOptions<Row> {
  /** Text printed below a row, wrapped and indented; nothing for `null` or an empty one. */
  readonly below?: (row: Row) => string | null
}

const GAP = '  '
const BELOW_INDENT = '    '
const BELOW_MAX_LINES = 3

/** Aligned columns that together fit the screen; on a pipe the last column has any length. */
export function renderTable<Row>(
  allColumns: readonly Column<Row>[],
  rows: readonly Row[],
  screen: Screen,
  options: TableOptions<Row> = {},
): string {
  const columns = affordable(allColumns, rows, screen.width)
  const cells = rows.map(row => columns.map(column => visible(column.value(row))))
  // Names of columns can come from a query, and are text like any other.
  const headers = columns.map(column => visible(column.header))
  const widths = fitWidths(columns, [headers, ...cells], screen.width)
  const lines = [line(columns, headers, widths, screen, () => 'dim')]
  rows.forEach((row, i) => {
    lines.push(line(columns, cells[i] ?? [], widths, screen, column => column.style?.(row) ?? null))
    const below = options.below?.(row) ?? ''
    if (below !== '') lines.push(...belowLines(below, screen.width))
  })
  return `${lines.join('\n')}\n`
}

/** Columns that have room when those that can be cut are as narrow as they may be. */
function affordable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  screenWidth: number | null,
): readonly Column<Row>[] {
  if (screenWidth === null || columns.every(({ optional }) => optional === undefined)) return columns
  const least = new Map(columns.map(column => [column, leastWidth(column, rows)]))
  const kept = [...columns]
  const isTooWide = () =>
    kept.reduce((sum, column) => sum + (least.get(column) ?? 0), GAP.length * (kept.length - 1)) > screenWidth
  while (isTooWide()) {
    const [next] = kept
      .filter(({ optional }) => optional !== undefined)
      .sort((a, b) => (b.optional ?? 0) - (a.optional ?? 0))
    if (next === undefined) break
    kept.splice(kept.indexOf(next), 1)
  }
  return kept
}

function leastWidth<Row>({ min, header, value }: Column<Row>, rows: readonly Row[]): number {
  const natural = rows.reduce(
    (most, row) => Math.max(most, displayWidth(visible(value(row)))),
    displayWidth(visible(header)),
  )
  return min === undefined ? natural : Math.min(min, natural)
}

function belowLines(text: string, width: number | null): string[] {
  const room = width === null ? Number.POSITIVE_INFINITY : width - BELOW_INDENT.length
  return wrap(visible(text), room, BELOW_MAX_LINES).map(piece => BELOW_INDENT + piece)
}

function line<Row>(
  columns: readonly Column<Row>[],
  cells: readonly string[],
  widths: readonly number[],
  screen: Screen,
  styleOf: (column: Column<Row>) => Style | null,
): string {
  const last = columns.length - 1
  let used = 0
  const pieces = columns.map((column, i) => {
    // A screen narrower than the uncuttable columns still gets no line longer than itself.
    const room = screen.width === null ? Number.POSITIVE_INFINITY : Math.max(0, screen.width - used)
    // Without room not even a combining character stays: it has no width, but it would bring a gap.
    const text = room === 0 ? '' : truncate(truncate(cells[i] ?? '', widths[i] ?? 0), room)
    const align = column.align ?? 'left'
    const padded = i === last && align === 'left' ? text : pad(text, Math.min(widths[i] ?? 0, room), align)
    used += displayWidth(padded) + GAP.length
    return screen.style(styleOf(column), padded)
  })
  return screen.width === null ? pieces.join(GAP).trimEnd() : joinWithin(pieces).trimEnd()
}

/** Columns that found no room are empty and get no gap. */
function joinWithin(pieces: readonly string[]): string {
  return pieces.filter((piece, i) => i === 0 || piece !== '').join(GAP)
}

function fitWidths<Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
  screenWidth: number | null,
): number[] {
  const widths = columns.map((column, i) => {
    const natural = cells.reduce((most, row) => Math.max(most, displayWidth(row[i] ?? '')), 0)
    return i === columns.length - 1 || screenWidth === null
      ? natural
      : Math.min(natural, column.max ?? natural)
  })
  if (screenWidth === null) return widths
  let excess = widths.reduce((sum, width) => sum + width, GAP.length * (columns.length - 1)) - screenWidth
  while (excess > 0) {
    const widest = widestToCut(columns, widths)
    if (widest === -1) break
    widths[widest] = (widths[widest] ?? 0) - 1
    excess--
  }
  return widths
}

function widestToCut<Row>(columns: readonly Column<Row>[], widths: readonly number[]): number {
  let found = -1
  columns.forEach((column, i) => {
    const width = widths[i] ?? 0
    if (column.min !== undefined && width > column.min && width > (widths[found] ?? 0)) found = i
  })
  return found
}
