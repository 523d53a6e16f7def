/**
 * What the programs of the benchmark print. `node --import tsx tests/bench/<program>.ts` without arguments prints its rows as a
 * JSON array of names or {@link RowEntry}; with the name of a row it runs that row and prints one line, a
 * {@link RowResult} or a {@link SkippedRow}.
 */

export const UNITS = ['ns/call', 'records/s', 'ms', 'bytes', 'ratio', 'percent'] as const
export type Unit = (typeof UNITS)[number]

export interface RowEntry {
  readonly row: string
  readonly group: string
  /** Runs for minutes: left out unless it is asked for. */
  readonly slow?: boolean
}

export interface RowResult {
  readonly row: string
  readonly unit: Unit
  readonly value: number
  readonly detail?: string
  readonly extra?: Readonly<Record<string, number>>
}

/** A row that cannot run here, and why. */
export interface SkippedRow {
  readonly row: string
  readonly skipped: string
}

export type RowOutcome = RowResult | SkippedRow

export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

/** @throws ProtocolError when the text is no list of rows */
export function parseRowList(text: string, program: string): RowEntry[] {
  const list = parsed(text, program)
  if (!Array.isArray(list)) throw new ProtocolError(`${program} printed no array of rows`)
  return list.map(entry => {
    if (isText(entry)) return { row: entry, group: program.replace(/\.ts$/, '') }
    if (!isObject(entry) || !isText(entry['row']) || !isText(entry['group'])) {
      throw new ProtocolError(`${program} lists ${JSON.stringify(entry)}, which is no row`)
    }
    return { row: entry['row'], group: entry['group'], slow: entry['slow'] === true }
  })
}

/** @throws ProtocolError when the text is not one line with the outcome of this row */
export function parseRowLine(text: string, row: string): RowOutcome {
  const lines = text.split('\n').filter(line => line.trim() !== '')
  if (lines.length !== 1) throw new ProtocolError(`"${row}" printed ${lines.length} lines instead of one`)
  const outcome = parsed(lines[0] as string, `"${row}"`)
  if (!isObject(outcome) || outcome['row'] !== row) {
    throw new ProtocolError(`"${row}" printed the line of another row: ${lines[0]}`)
  }
  if (isText(outcome['skipped'])) return { row, skipped: outcome['skipped'] }
  const { unit, value, detail, extra } = outcome
  if (!UNITS.includes(unit as Unit)) throw new ProtocolError(`"${row}" has the unknown unit ${unit}`)
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new ProtocolError(`"${row}" has no finite number as its value: ${lines[0]}`)
  }
  if (extra !== undefined && !(isObject(extra) && Object.values(extra).every(Number.isFinite))) {
    throw new ProtocolError(`"${row}" has an extra figure that is no finite number: ${lines[0]}`)
  }
  return {
    row,
    unit: unit as Unit,
    value,
    ...(isText(detail) ? { detail } : {}),
    ...(isObject(extra) ? { extra: extra as Record<string, number> } : {}),
  }
}

function parsed(text: string, who: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ProtocolError(`${who} printed no JSON: ${text.slice(0, 200)}`)
  }
}
