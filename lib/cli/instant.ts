import type { Screen } from './screen.js'
import type { Column } from './table.js'

interface Timed {
  readonly at: string
}

const DATE_LENGTH = '2026-11-20'.length

/**
 * The moment a call ended. On a terminal rows of one UTC day show the time, the header the date; in a pipe every line
 * carries the whole ISO time.
 */
export function instantColumn<Row extends Timed>(rows: readonly Row[], screen: Screen): Column<Row> {
  const day = rows[0]?.at.slice(0, DATE_LENGTH) ?? ''
  if (screen.isTerminal && rows.every(row => row.at.startsWith(`${day}T`))) {
    return {
      header: day === '' ? 'AT' : `${day} UTC`,
      value: row => row.at.slice(DATE_LENGTH + 1),
      style: () => 'dim',
    }
  }
  return { header: 'AT', value: row => row.at, style: () => 'dim' }
}
