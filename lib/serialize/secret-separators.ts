import { charCodeAt } from './intrinsics.js'
import { MAX_WINDOW_UNITS, scratch } from './secret-screen.js'

const TAB = 9
const SPACE = 32
const DOUBLE_QUOTE = 34
const HASH = 35
const PERCENT = 37
const SINGLE_QUOTE = 39
const PLUS = 43
const COMMA = 44
const SLASH = 47
const THREE = 51
const COLON = 58
const LESS = 60
const EQUALS = 61
const QUESTION = 63
const CLOSING_BRACKET = 93
const BACKTICK = 96
const WIDE_COLON = 0xff1a
const WIDE_EQUALS = 0xff1d
/** Longest name and shortest name that are looked at, as `secret-name-in-text.ts` has them. */
const MAX_NAME_UNITS = 64
const MIN_NAME_UNITS = 3

/** Where in a text an assignment is looked for, in order. */
export const separators = new Uint16Array(MAX_WINDOW_UNITS)

const Kind = { none: 0, assignment: 1, percent: 2, comma: 3, element: 4, brace: 5 } as const
const kindOfByte = new Uint8Array(256)
kindOfByte[EQUALS] = kindOfByte[COLON] = Kind.assignment
kindOfByte[PERCENT] = Kind.percent
kindOfByte[COMMA] = Kind.comma
kindOfByte[LESS] = Kind.element
kindOfByte[123] = kindOfByte[125] = Kind.brace

/** What may end a name, or stand between it and its separator. Behind anything else there is no name. */
const Before = { none: 0, name: 1, gap: 2 } as const
const beforeOf = new Uint8Array(256)
for (const character of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$')
  beforeOf[character.charCodeAt(0)] = Before.name
for (const code of [SPACE, TAB, DOUBLE_QUOTE, SINGLE_QUOTE, BACKTICK, CLOSING_BRACKET, PERCENT, PLUS])
  beforeOf[code] = Before.gap

/** All places in a text at which `markAssignments` has something to look at. Returns how many. */
export function allSeparators(text: string): number {
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    const isSeparator =
      code < 256 ? kindOfByte[code] !== Kind.none : code === WIDE_COLON || code === WIDE_EQUALS
    if (isSeparator) separators[count++] = i
  }
  return count
}

/**
 * Of {@link allSeparators} of a text that is ASCII, and whose bytes are in {@link scratch}, those that are needed for the
 * same result: at the others nothing is marked and nothing remembered, by what stands right beside them and whatever
 * the names are. Such are the `:` of `file:///…/a.js:10:4`, which is most of a stack. Returns 0 when nothing can be marked.
 */
export function asciiSeparators(length: number): number {
  let count = 0
  let canMark = false
  for (let i = 0; i < length; i++) {
    const kind = kindOfByte[scratch[i] as number] as number
    if (kind === Kind.none) continue
    if (isMarking(kind, i, length)) canMark = true
    // These also end a pair of name and value.
    else if (kind < Kind.element) continue
    separators[count++] = i
  }
  return canMark ? count : 0
}

/** Whether {@link asciiSeparators} finds any. */
export function hasAsciiSeparator(length: number): boolean {
  for (let i = 0; i < length; i++) {
    const kind = kindOfByte[scratch[i] as number] as number
    if (kind !== Kind.none && isMarking(kind, i, length)) return true
  }
  return false
}

function isMarking(kind: number, at: number, length: number): boolean {
  switch (kind) {
    case Kind.assignment:
      return isAssignment(at, length)
    case Kind.percent: // %3D or %3A
      if (at + 2 >= length || scratch[at + 1] !== THREE) return false
      return ((scratch[at + 2] as number) | 0x20) === 100 || ((scratch[at + 2] as number) | 0x20) === 97
    case Kind.comma:
      return at >= 4 && isQuote(scratch[at - 1] as number)
    case Kind.element:
      if (at + 1 >= length || (at > 0 && isName(scratch[at - 1] as number))) return false
      return isName(scratch[at + 1] as number) || scratch[at + 1] === COLON || scratch[at + 1] === 46
    default:
      return false
  }
}

function isAssignment(at: number, length: number): boolean {
  if (at + 2 < length && scratch[at] === COLON && scratch[at + 1] === SLASH && scratch[at + 2] === SLASH) {
    // `file:///`: where the authority is empty, no user can be in it.
    const first = at + 3 < length ? scratch[at + 3] : 0
    return first !== SLASH && first !== QUESTION && first !== HASH
  }
  if (at === 0) return false
  const last = scratch[at - 1] as number
  const before = beforeOf[last] as number
  if (before !== Before.name) return before === Before.gap
  let start = at - 1
  while (start > 0 && at - start < MAX_NAME_UNITS && isName(scratch[start - 1] as number)) start--
  const outside = start > 0 ? (scratch[start - 1] as number) : 0
  // Encoded, as in `API%20Key=` and `user%5Bpassword%5D=`.
  if (outside === PERCENT || outside === PLUS) return true
  // `:10:4`: no name of the lists begins and ends with a digit, and such a name is not asked for.
  if (isDigit(scratch[start] as number) && isDigit(last)) return false
  if (at - start >= MIN_NAME_UNITS) return true
  // `.js:10`: too short for a name, unless words in front of it belong to it.
  return start > 1 && outside === SPACE && isName(scratch[start - 2] as number)
}

function isName(byte: number): boolean {
  return beforeOf[byte] === Before.name
}

function isQuote(byte: number): boolean {
  return byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE || byte === BACKTICK
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57
}
