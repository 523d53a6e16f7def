import { parseRecorded } from '../store/recorded-json.js'
import { visibleJson } from '../wording/text.js'

/** Columns that hold JSON as text. */
const JSON_COLUMNS: ReadonlySet<string> = new Set(['args', 'result', 'shape', 'cuts', 'details'])

/**
 * The value of a column as JSON on one line. Recorded JSON is taken over as it is written, so that no number loses
 * digits; what claims to be JSON and is not becomes a text.
 */
export function jsonOf(column: string, value: unknown): string {
  if (typeof value !== 'string' || !JSON_COLUMNS.has(column)) return JSON.stringify(value ?? null)
  return isJson(value) ? onOneLine(value) : JSON.stringify(value)
}

/** An object of these columns. Means the same and has no character that a terminal would obey. */
export function jsonObject<Row extends object>(row: Row, columns: readonly (keyof Row & string)[]): string {
  return visibleJson(
    `{${columns.map(name => `${JSON.stringify(name)}:${jsonOf(name, row[name])}`).join(',')}}`,
  )
}

function isJson(text: string): boolean {
  try {
    parseRecorded(text)
    return true
  } catch {
    return false
  }
}

/** A line break in valid JSON stands between two tokens only. */
function onOneLine(json: string): string {
  return /[\r\n]/.test(json) ? json.replace(/[\r\n]+/g, ' ') : json
}
