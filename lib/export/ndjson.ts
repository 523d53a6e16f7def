import type { RowFormat } from './format.js'
import { jsonObject } from './json.js'

/** One JSON object a line. */
export const NDJSON: RowFormat = {
  *rows(slices, columns) {
    for (const slice of slices) yield slice.map(row => `${jsonObject(row, columns)}\n`).join('')
  },
}
