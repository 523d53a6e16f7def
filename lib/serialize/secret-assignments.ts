import { charCodeAt, min, stringSlice, toLowerCase } from './intrinsics.js'
import { isDigit } from './secret-cards.js'
import {
  isQuote,
  isSpace,
  MAX_GAP_UNITS,
  type NameJudge,
  secretNameBefore,
  unitAt,
} from './secret-name-in-text.js'
import type { Spans } from './secret-spans.js'

/** Bounds the search behind each `://`, of which a text may have thousands. */
const MAX_USER_INFO_UNITS = 512
const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const SPACE = 32
const DOUBLE_QUOTE = 34
const SINGLE_QUOTE = 39
const COLON = 58
const EQUALS = 61
const GREATER = 62
const AT = 64
const BACKSLASH = 92

/**
 * Marks the values of `name=value`, `name: value`, `"name":"value"` (also escaped inside another string),
 * `user[name]=value`, `scheme://user:pass@` and everything like them. Looks at each character a bounded number of times.
 */
export function markAssignments(text: string, truncated: boolean, names: NameJudge, spans: Spans): void {
  const length = text.length
  for (let i = 0; i < length; i++) {
    const code = charCodeAt(text, i)
    if (code !== EQUALS && code !== COLON) continue
    if (code === COLON && unitAt(text, i + 1) === 47 && unitAt(text, i + 2) === 47) {
      i = markUserInfo(text, i + 3, truncated, spans)
      continue
    }
    const name = secretNameBefore(text, i, names)
    if (name === '') continue
    const end = markValue(text, i, names.isWholeLineName(name), spans)
    if (end > i) i = end - 1
  }
}

/** Marks the value behind the separator at `at`; returns its end, or `at` when there is none. */
function markValue(text: string, at: number, wholeLine: boolean, spans: Spans): number {
  const length = text.length
  let start = at + 1
  if (unitAt(text, start) === GREATER || unitAt(text, start) === EQUALS) start++
  const gapEnd = start + MAX_GAP_UNITS
  while (start < gapEnd && isSpace(unitAt(text, start))) start++
  if (start >= length) return at

  let quoteAt = start
  while (unitAt(text, quoteAt) === BACKSLASH) quoteAt++
  const first = unitAt(text, quoteAt)
  let end: number
  if (isQuote(first)) {
    start = quoteAt + 1
    end = closingQuote(text, start, first, escapesBefore(text, quoteAt))
  } else if (first === 91 || first === 123) {
    end = closingBracket(text, start)
  } else if (wholeLine) {
    end = endOfLine(text, start)
  } else {
    end = endOfWord(text, start)
    if (isScheme(stringSlice(text, start, end))) end = endOfWord(text, skipSpaces(text, end))
    end = endOfPhrase(text, end)
  }
  if (end <= start) return at
  spans.add(start, end)
  return end
}

function escapesBefore(text: string, at: number): number {
  let count = 0
  while (at - count > 0 && charCodeAt(text, at - count - 1) === BACKSLASH) count++
  return count
}

/** The closing quote carries as many backslashes as the opening one; the end of the text closes as well. */
function closingQuote(text: string, from: number, quote: number, escapes: number): number {
  let backslashes = 0
  for (let i = from; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code === BACKSLASH) {
      backslashes++
      continue
    }
    if (code === quote && (escapes === 0 ? backslashes % 2 === 0 : backslashes <= escapes))
      return i - backslashes
    backslashes = 0
  }
  return text.length
}

function closingBracket(text: string, from: number): number {
  let depth = 0
  let quoted = false
  for (let i = from; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code === DOUBLE_QUOTE && charCodeAt(text, i - 1) !== BACKSLASH) quoted = !quoted
    else if (quoted) continue
    else if (code === 91 || code === 123) depth++
    else if ((code === 93 || code === 125) && --depth === 0) return i + 1
  }
  return text.length
}

function endOfLine(text: string, from: number): number {
  let end = from
  while (
    end < text.length &&
    charCodeAt(text, end) !== LINE_FEED &&
    charCodeAt(text, end) !== CARRIAGE_RETURN
  )
    end++
  return end
}

function endOfWord(text: string, from: number): number {
  let end = from
  while (end < text.length && !isDelimiter(charCodeAt(text, end))) end++
  return end
}

function skipSpaces(text: string, from: number): number {
  let at = from
  while (isSpace(unitAt(text, at))) at++
  return at
}

/** `Password=two words;` of a connection string: goes on to the `;` when no other assignment stands before it. */
function endOfPhrase(text: string, from: number): number {
  if (unitAt(text, from) !== SPACE) return from
  for (let i = from; i < text.length && i - from < 256; i++) {
    const code = charCodeAt(text, i)
    if (code === 59) return i
    if (code === EQUALS || code === COLON || code === LINE_FEED || isQuote(code)) break
  }
  return from
}

function isScheme(word: string): boolean {
  switch (toLowerCase(word)) {
    case 'bearer':
    case 'basic':
    case 'digest':
    case 'negotiate':
    case 'token':
    case 'apikey':
      return true
    default:
      return false
  }
}

/**
 * Marks `user:pass` of `scheme://user:pass@host`; returns the index to go on from. A password may hold an unescaped
 * `@`, `/`, `?` or `#`: what stands before the last `@` is hidden, unless it is clearly a host with a path.
 */
function markUserInfo(text: string, from: number, truncated: boolean, spans: Spans): number {
  const stop = min(text.length, from + MAX_USER_INFO_UNITS)
  let end = from
  let authorityEnd = -1
  let authorityAt = -1
  let lastAt = -1
  let colon = -1
  for (; end < stop; end++) {
    const code = charCodeAt(text, end)
    if (code <= SPACE || code === DOUBLE_QUOTE || code === SINGLE_QUOTE || code === 60 || code === GREATER)
      break
    if (code === AT) {
      lastAt = end
      if (authorityEnd < 0) authorityAt = end
    } else if (authorityEnd < 0) {
      if (code === 47 || code === 63 || code === 35) authorityEnd = end
      else if (code === COLON) colon = end
    }
  }
  if (authorityEnd < 0) authorityEnd = end
  let hidden = authorityAt
  if (hidden < 0 && colon >= 0 && !isPort(text, colon + 1, authorityEnd)) {
    const goesOn = end === stop && (truncated || stop < text.length)
    hidden = lastAt < 0 && goesOn ? end : lastAt
  }
  if (hidden <= from) return from - 1
  spans.add(from, hidden)
  return hidden
}

/** Digits, also those of a list of hosts (`a:1,b:2`) and of an IPv6 address, which closes with a bracket. */
function isPort(text: string, from: number, end: number): boolean {
  if (end - from > 5) return false
  for (let i = from; i < end; i++) {
    const code = charCodeAt(text, i)
    if (!isDigit(code) && code !== 93) return false
  }
  return true
}

function isDelimiter(code: number): boolean {
  // Whitespace " ' & ) , ; < > ] ` }
  return (
    code <= SPACE ||
    isQuote(code) ||
    code === 38 ||
    code === 41 ||
    code === 44 ||
    code === 59 ||
    code === 60 ||
    code === GREATER ||
    code === 93 ||
    code === 125
  )
}
