import type { ComponentChildren } from 'preact'
import { go, linkHere, usePlace } from '../data/place.js'
import { ScrollBox } from './scroll-box.js'

export interface Column<Row> {
  /** In the address when rows are sorted by it. */
  readonly key: string
  readonly header: string
  readonly cell: (row: Row) => ComponentChildren
  /** How wide: `main` and `text` share the room that the others leave. */
  readonly kind?: 'main' | 'number' | 'text' | 'short' | 'shape'
  /** Makes the column one to sort by; rows without a value come last. */
  readonly sort?: (row: Row) => number | string | null
  /** Left out on narrow screens. */
  readonly isWide?: boolean
}

interface Props<Row> {
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly rowKey: (row: Row, index: number) => string
  readonly rowClass?: (row: Row) => string
}

/** Rows in the order the address asks for (`sort`, `order`), else in the order they came in. */
export function Table<Row>({ caption, columns, rows, rowKey, rowClass }: Props<Row>) {
  const { query } = usePlace()
  const sorted = columns.find(column => column.sort !== undefined && column.key === query.get('sort'))
  const isUp = query.get('order') === 'up'
  const shown = sorted?.sort === undefined ? rows : inOrder(rows, sorted.sort, isUp)
  return (
    <ScrollBox label={caption}>
      <table>
        <caption class="sr">{caption}</caption>
        <thead>
          <tr>
            {columns.map(column => (
              <th
                key={column.key}
                scope="col"
                class={classOf(column)}
                aria-sort={column === sorted ? (isUp ? 'ascending' : 'descending') : undefined}
              >
                {column.sort === undefined ? (
                  column.header
                ) : (
                  <button type="button" onClick={() => sortBy(column.key, column === sorted && !isUp)}>
                    {column.header}
                    <span aria-hidden="true">{column === sorted ? (isUp ? ' ↑' : ' ↓') : ''}</span>
                  </button>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row, index) => (
            <tr key={rowKey(row, index)} class={rowClass?.(row)}>
              {columns.map(column => (
                <td key={column.key} class={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  )
}

function sortBy(key: string, isUp: boolean): void {
  go(linkHere({ sort: key, order: isUp ? 'up' : null }), 'replace')
}

function classOf<Row>({ kind = 'text', isWide = false }: Column<Row>): string {
  return isWide ? `${kind} wide` : kind
}

function inOrder<Row>(
  rows: readonly Row[],
  value: (row: Row) => number | string | null,
  isUp: boolean,
): Row[] {
  const direction = isUp ? 1 : -1
  return rows.toSorted((left, right) => {
    const a = value(left)
    const b = value(right)
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1
    if (typeof a === 'string' || typeof b === 'string') return direction * String(a).localeCompare(String(b))
    return direction * (a - b)
  })
}
