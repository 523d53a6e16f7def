import { CLASS_KEY, REDACTED_TEXT, REST_KEY, WORDS, Word } from '../../serialize/markers.js'
import { parseRecorded } from '../recorded-json.js'
import type { Columns } from './why-columns.js'

/** `args[0].order.customer.tier` is three below an argument; a recorder captures no deeper by default. */
const MOST_DEPTH = 3
const MOST_KEYS = 50
const MOST_ARGUMENTS = 16
const LONGEST_KEY = 48
const LONGEST_TYPE = 64
/** A marker stands for what is not there; these words say what a value is. */
const TELLING = [
  Word.undefined,
  Word.nan,
  Word.infinity,
  Word.negativeInfinity,
  Word.circular,
  Word.invalidDate,
]
const WORD_VALUES = new Map<string, string>(
  TELLING.map(word => WORDS[word].text).map(text => [text, text.slice(1, -1)]),
)
const MARKER = /^\[.*\]$/s
const REST_OF_LIST = /^\[(\d{1,15}) more: \w+\]$/
const REST_OF_TEXT = /…\[\d+ more: \w+\]$/
const IDENTIFIER = /^[\p{L}_$][\p{L}\p{N}_$]*$/u
const UNITS: Readonly<Record<string, string>> = { string: 'characters', object: 'keys' }

/** Adds what the shape of the arguments tells: how many there are, and type and size of each. */
export function addShape(columns: Columns, record: number, shape: string | null): void {
  const list = parsed(shape)
  if (!Array.isArray(list)) return
  columns.value(record, 'number of arguments', String(list.length))
  for (const [index, entry] of list.slice(0, MOST_ARGUMENTS).entries()) {
    const [type, size] = Array.isArray(entry) ? (entry as unknown[]) : [entry]
    if (typeof type !== 'string' || type === 'redacted' || type.length > LONGEST_TYPE) continue
    const name = `args[${index}]`
    columns.value(record, `type of ${name}`, type)
    if (typeof size === 'number') columns.size(record, name, type, UNITS[type] ?? 'items', size)
  }
}

/** Adds the values that were captured of the arguments. */
export function addArguments(columns: Columns, record: number, args: string | null): void {
  const list = parsed(args)
  if (!Array.isArray(list)) return
  for (const [index, value] of list.slice(0, MOST_ARGUMENTS).entries()) {
    addValue(columns, record, `args[${index}]`, value, 0)
  }
}

function addValue(columns: Columns, record: number, name: string, value: unknown, depth: number): void {
  if (typeof value === 'string') addText(columns, record, name, value, depth)
  else if (Array.isArray(value)) addList(columns, record, name, value, depth)
  else if (typeof value === 'object' && value !== null) addObject(columns, record, name, value, depth)
  else {
    if (typeof value === 'number') columns.number(record, name, value)
    columns.value(record, name, String(value))
  }
}

function addText(columns: Columns, record: number, name: string, value: string, depth: number): void {
  if (MARKER.test(value)) {
    const word = WORD_VALUES.get(value)
    if (word !== undefined) columns.value(record, name, word)
    return
  }
  // What was taken out may be what tells two texts apart.
  if (value.includes(REDACTED_TEXT) || REST_OF_TEXT.test(value)) return
  columns.value(record, name, JSON.stringify(value))
  // Of an argument itself the shape tells the size.
  if (depth > 0) columns.size(record, name, 'string', 'characters', value.length)
}

function addList(
  columns: Columns,
  record: number,
  name: string,
  list: readonly unknown[],
  depth: number,
): void {
  columns.value(record, name, 'a list')
  if (depth === 0) return
  const last = list.at(-1)
  const rest = typeof last === 'string' ? REST_OF_LIST.exec(last) : null
  const items = rest === null ? list.length : list.length - 1 + Number(rest[1])
  columns.size(record, name, 'array', 'items', items)
}

function addObject(columns: Columns, record: number, name: string, value: object, depth: number): void {
  columns.value(record, name, 'an object')
  if (depth === MOST_DEPTH) return
  const keys = Object.keys(value)
  if (keys.length > MOST_KEYS) columns.isCut = true
  const shown = keys.slice(0, MOST_KEYS).filter(key => key !== REST_KEY && key.length <= LONGEST_KEY)
  // Of one that was cut nobody knows which keys it does not have.
  if (shown.length === keys.length) columns.keys(record, name, shown.map(member))
  for (const key of shown) {
    const path = key === CLASS_KEY ? `class of ${name}` : name + member(key)
    addValue(columns, record, path, (value as Record<string, unknown>)[key], depth + 1)
  }
}

function member(key: string): string {
  return IDENTIFIER.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

function parsed(json: string | null): unknown {
  if (json === null) return null
  try {
    return parseRecorded(json)
  } catch {
    return null
  }
}
