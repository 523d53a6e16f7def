import type { RowFormat } from './format.js'

/** RFC 4180: CRLF ends a record. */
const END = '\r\n'
const NEEDS_QUOTES = /[",\r\n]/
/** A cell that begins so is a formula to a spreadsheet; the last four are the wide forms of the first. */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/
const NUMBER = /^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/**
 * A header and one record a row, UTF-8. Nothing is an empty cell, an empty text `""`. A text that a spreadsheet would
 * take for a formula gets an apostrophe in front: captured text may be anybody's. NDJSON has every text as it is.
 */
export const CSV: RowFormat = {
  *rows(slices, columns) {
    yield `${columns.join(',')}${END}`
    for (const slice of slices)
      yield slice.map(row => columns.map(name => cell(row[name])).join(',') + END).join('')
  },
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value !== 'string') return String(value)
  if (value === '') return '""'
  const text = FORMULA.test(value) && !NUMBER.test(value) ? `'${value}` : value
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
