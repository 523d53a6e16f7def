import type { Screen } from './screen.js'
import type { Column } from './table.js'

interface Timed {
  readonly at: string | null
}

const YEAR_LENGTH = '2026-'.length
const DATE_LENGTH = '2026-11-20'.length
const UNKNOWN = 'unknown'

/**
 * The moment of a row, mostly the end of a call. On a terminal rows of one UTC day show the time, the header the date;
 * in a pipe every line carries the whole ISO time.
 */
export function instantColumn<Row extends Timed>(rows: readonly Row[], screen: Screen): Column<Row> {
  const day = dayOf(rows, screen)
  return {
    header: day === null || day === '' ? 'AT' : `${day} UTC`,
    value: row => instantOf(row.at, rows, screen) ?? UNKNOWN,
    style: () => 'dim',
  }
}

/** As the header of {@link instantColumn} beside another moment, where the date alone does not tell which: `LAST 11-20 UTC`. */
export function namedInstantHeader(name: string, rows: readonly Timed[], screen: Screen): string {
  const day = dayOf(rows, screen)
  return day === null || day === '' ? name : `${name} ${day.slice(YEAR_LENGTH)} UTC`
}

/** Another moment of such rows, in the form of their column; one of another day has its date. */
export function instantOf(at: string | null, rows: readonly Timed[], screen: Screen): string | null {
  const day = dayOf(rows, screen)
  return day !== null && at?.startsWith(`${day}T`) ? at.slice(DATE_LENGTH + 1) : at
}

/** The day all rows are of, when that is to be left out; `''` without rows. */
function dayOf(rows: readonly Timed[], screen: Screen): string | null {
  const day = rows[0]?.at?.slice(0, DATE_LENGTH) ?? ''
  return screen.isTerminal && rows.every(row => row.at?.startsWith(`${day}T`)) ? day : null
}
