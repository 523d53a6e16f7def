import { REDACTED_TEXT } from '../serialize/markers.js'
import { KeyTrait, PAIR_NAMES, Redaction } from '../serialize/redaction.js'
import { parseRecorded } from './recorded-json.js'

/** Something that capture has hidden, named by where it stood; its value is not known any more. */
export interface HiddenValue {
  /**
   * Names from the top down, in the form that the option `redact` takes: `0.card.number` in arguments, `card.number`
   * elsewhere; items of a list have no name. Empty for the whole of a result, message or stack.
   */
  readonly name: string
  /** A part of a text was hidden, not a value. */
  readonly inText: boolean
}

/** Capture goes 16 levels deep, and a cause may stand below. Deeper JSON is not from a recorder. */
const MAX_DEPTH = 64

/** What the default list says of a name. */
const defaults = Redaction.compile({})

/** What is hidden in a recorded text that is no JSON. */
export function hiddenInText(text: string | null): HiddenValue[] {
  return text?.includes(REDACTED_TEXT) === true ? [{ name: '', inText: true }] : []
}

/**
 * What is hidden in recorded JSON, each name once.
 *
 * @param isArguments the top is the list of arguments, whose positions are part of a name
 */
export function hiddenInJson(json: string | null, isArguments = false): HiddenValue[] {
  if (json?.includes(REDACTED_TEXT) !== true) return []
  let value: unknown
  try {
    value = parseRecorded(json)
  } catch {
    return hiddenInText(json)
  }
  const found = new Map<string, HiddenValue>()
  if (isArguments && Array.isArray(value)) {
    const args: readonly unknown[] = value
    for (const [position, argument] of args.entries())
      walk(argument, join(`${position}`, pairName(args, position)), found, 0)
  } else walk(value, '', found, 0)
  return [...found.values()]
}

function walk(value: unknown, name: string, found: Map<string, HiddenValue>, depth: number): void {
  if (typeof value === 'string') note(value, name, found)
  else if (depth > MAX_DEPTH) found.set(`text ${name}`, { name, inText: true })
  else if (Array.isArray(value)) {
    const items: readonly unknown[] = value
    for (const [index, item] of items.entries())
      walk(item, join(name, pairName(items, index)), found, depth + 1)
  } else if (typeof value === 'object' && value !== null) {
    const entries = value as Readonly<Record<string, unknown>>
    for (const [key, field] of Object.entries(entries)) {
      const below = join(name, fieldName(entries, key))
      // The name itself may have held a secret, as the keys of a Map do.
      if (key.includes(REDACTED_TEXT)) found.set(`text ${below}`, { name: below, inText: true })
      walk(field, below, found, depth + 1)
    }
  }
}

function note(text: string, name: string, found: Map<string, HiddenValue>): void {
  if (!text.includes(REDACTED_TEXT)) return
  const inText = text !== REDACTED_TEXT
  found.set(`${inText ? 'text' : 'value'} ${name}`, { name, inText })
}

function join(name: string, below: string): string {
  return name === '' || below === '' ? name + below : `${name}.${below}`
}

/**
 * The name of a value in `['password', value]`. Only what is a secret name by the default list is taken for one:
 * what stands before a value that was hidden for another reason may itself be a value.
 */
function pairName(list: readonly unknown[], index: number): string {
  const before = list[index - 1]
  return list[index] === REDACTED_TEXT && isSecretName(before) ? before : ''
}

function fieldName(entries: Readonly<Record<string, unknown>>, key: string): string {
  if (entries[key] !== REDACTED_TEXT || (defaults.keyTraits(key) & KeyTrait.pairValue) === 0) return key
  return PAIR_NAMES.map(nameKey => entries[nameKey]).find(isSecretName) ?? key
}

function isSecretName(value: unknown): value is string {
  return typeof value === 'string' && defaults.isSecretName(value)
}
