import { isProxy } from 'node:util/types'

const MAX_TEXT_LENGTH = 60
/** Characters JSON leaves as they are although they break a line or reorder it on screen. */
const UNPRINTABLE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/**
 * A value as it may stand in an error message: one short line. Runs nothing of the value: no getter, no
 * `toString`, no Proxy trap.
 */
export function renderValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return quoted(value)
    case 'number':
      return Object.is(value, -0) ? '-0' : `${value}`
    case 'boolean':
    case 'undefined':
      return `${value}`
    // The digits of a huge one take seconds to find.
    case 'bigint':
      return 'a bigint'
    case 'symbol':
      return 'a symbol'
    case 'function':
      return isProxy(value) ? 'a Proxy' : 'a function'
    case 'object':
      if (value === null) return 'null'
      if (isProxy(value)) return 'a Proxy'
      return Array.isArray(value) ? `a list of ${value.length}` : 'an object'
  }
}

function quoted(text: string): string {
  const shown = text.length > MAX_TEXT_LENGTH ? text.slice(0, MAX_TEXT_LENGTH) : text
  const escaped = JSON.stringify(shown).replace(UNPRINTABLE, escapeUnit)
  return shown === text ? escaped : `${escaped}… (${text.length} characters)`
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
