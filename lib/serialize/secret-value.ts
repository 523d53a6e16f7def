import { charCodeAt, indexOf, stringSlice, toLowerCase } from './intrinsics.js'
import { isQuote, isSpace, MAX_GAP_UNITS, unitAt } from './secret-name-in-text.js'
import type { Spans } from './secret-spans.js'

const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const SPACE = 32
const DOUBLE_QUOTE = 34
const COLON = 58
const EQUALS = 61
const GREATER = 62
const BACKSLASH = 92

/** Marks the value behind the separator at `at`; returns its end, or `at` when there is none. */
export function markValue(text: string, at: number, wholeLine: boolean, spans: Spans): number {
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
    const run = quoteRun(text, quoteAt, first)
    start = quoteAt + run
    end =
      run === 1
        ? closingQuote(text, start, first, escapesBefore(text, quoteAt))
        : closingRun(text, start, stringSlice(text, quoteAt, start))
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

/** `"""` of TOML and Python, `""` of CSV; two quotes with nothing in them are an empty value. */
function quoteRun(text: string, at: number, quote: number): number {
  if (unitAt(text, at + 1) !== quote) return 1
  if (unitAt(text, at + 2) === quote) return 3
  return at + 2 >= text.length || isDelimiter(unitAt(text, at + 2)) ? 1 : 2
}

function closingRun(text: string, from: number, quotes: string): number {
  const end = indexOf(text, quotes, from)
  return end < 0 ? text.length : end
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
