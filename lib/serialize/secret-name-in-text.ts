import { charCodeAt, decodeComponent, stringSlice, toLowerCase } from './intrinsics.js'
import { isDigit } from './secret-cards.js'

/** What is asked about the name in front of a `=` or `:`. */
export interface NameJudge {
  isSecretName(text: string): boolean
  /** Whether the unquoted value of this name runs to the end of the line, as a header's does. */
  isWholeLineName(text: string): boolean
}

const MIN_NAME_UNITS = 3
const MAX_NAME_UNITS = 64
const MAX_NAME_WORDS = 3
export const MAX_GAP_UNITS = 8
const ASCII = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
const TAB = 9
const SPACE = 32
const DOUBLE_QUOTE = 34
const PERCENT = 37
const SINGLE_QUOTE = 39
const PLUS = 43
const DOT = 46
const AT = 64
const BACKSLASH = 92
const BACKTICK = 96
const NO_BREAK_SPACE = 0xa0
const WIDE_SPACE = 0x3000

/** The secret name that ends before the separator at `at`, of up to three words (`API Key`); empty for none. */
export function secretNameBefore(text: string, at: number, names: NameJudge): string {
  const end = nameEnd(text, at)
  let start = wordStart(text, end, end)
  if (isEncodedAt(text, start - 1)) {
    const decoded = encodedName(text, start, end)
    if (names.isSecretName(decoded)) return decoded
  }
  // Times and line numbers; no name of the lists begins and ends with a digit.
  if (start < end && isDigit(charCodeAt(text, start)) && isDigit(charCodeAt(text, end - 1))) return ''
  for (let words = 1; ; words++) {
    if (end - start >= MIN_NAME_UNITS || (end - start === 2 && charCodeAt(text, start) > 127)) {
      const name = stringSlice(text, start, end)
      if (names.isSecretName(name)) return name
    }
    if (words === MAX_NAME_WORDS || !isWordBefore(text, start)) return ''
    start = wordStart(text, start - 1, end)
  }
}

function isEncodedAt(text: string, at: number): boolean {
  return at >= 0 && (charCodeAt(text, at) === PERCENT || charCodeAt(text, at) === PLUS)
}

/** A name as URLs and forms write it (`API%20Key`, `user%5Bpassword`), decoded, without what stands around it. */
function encodedName(text: string, from: number, end: number): string {
  let start = from
  while (isEncodedAt(text, start - 1) && end - start < MAX_NAME_UNITS) start = wordStart(text, start - 1, end)
  let name = ''
  for (let i = start; i < end; i++) {
    let code = charCodeAt(text, i)
    if (code === PLUS) code = SPACE
    else if (code === PERCENT && hexValue(text, i + 1) >= 0 && hexValue(text, i + 2) >= 0) {
      code = hexValue(text, i + 1) * 16 + hexValue(text, i + 2)
      i += 2
      if (code > 127) return wideName(stringSlice(text, start, end))
    }
    name =
      (isNameUnit(code) && code < 128) || code === SPACE || code === DOT || code === AT
        ? name + ASCII[code]
        : ''
  }
  return name
}

/** The same for a name with letters beyond ASCII. */
function wideName(encoded: string): string {
  let name: string
  try {
    name = decodeComponent(encoded)
  } catch {
    return ''
  }
  return stringSlice(name, wordStart(name, name.length, name.length))
}

function hexValue(text: string, at: number): number {
  const code = unitAt(text, at)
  if (isDigit(code)) return code - 48
  const letter = code | 0x20
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

/** A single space with a word in front of it. */
function isWordBefore(text: string, start: number): boolean {
  return start > 1 && charCodeAt(text, start - 1) === SPACE && isNameUnit(charCodeAt(text, start - 2))
}

export function wordStart(text: string, from: number, end: number): number {
  let start = from
  while (start > 0 && end - start < MAX_NAME_UNITS && isNameUnit(charCodeAt(text, start - 1))) start--
  return start
}

/** Where the name ends before the separator at `at`: without its quotes, brackets and spaces. */
export function nameEnd(text: string, at: number): number {
  let end = at
  while (end > 0 && at - end < MAX_GAP_UNITS && isSpace(charCodeAt(text, end - 1))) end--
  if (end > 0 && isQuote(charCodeAt(text, end - 1))) {
    end--
    while (end > 0 && charCodeAt(text, end - 1) === BACKSLASH) end--
  }
  if (end > 0 && charCodeAt(text, end - 1) === 93) end--
  else if (
    end > 3 &&
    charCodeAt(text, end - 3) === PERCENT &&
    toLowerCase(stringSlice(text, end - 2, end)) === '5d'
  )
    end -= 3
  if (end > 0 && isQuote(charCodeAt(text, end - 1))) end--
  return end
}

export function unitAt(text: string, at: number): number {
  return at < text.length ? charCodeAt(text, at) : 0
}

export function isSpace(code: number): boolean {
  return code === SPACE || code === TAB || code === NO_BREAK_SPACE || code === WIDE_SPACE
}

export function isQuote(code: number): boolean {
  return code === DOUBLE_QUOTE || code === SINGLE_QUOTE || code === BACKTICK
}

export function isNameUnit(code: number): boolean {
  const letter = code | 0x20
  return (
    (letter >= 97 && letter <= 122) ||
    (code >= 48 && code <= 57) ||
    code === 95 ||
    code === 45 ||
    code === 36 ||
    isWideLetter(code)
  )
}

/** Letters beyond ASCII, and the invisible characters among them: all but the spaces and the punctuation of CJK. */
function isWideLetter(code: number): boolean {
  if (code < 0xaa) return false
  return !(
    (code >= 0x2010 && code <= 0x2027) ||
    (code >= 0x3000 && code <= 0x301f) ||
    (code >= 0xff01 && code <= 0xff20 && !(code >= 0xff10 && code <= 0xff19))
  )
}
