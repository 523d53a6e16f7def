import { charCodeAt, indexOf, min, stringSlice, toLowerCase } from './intrinsics.js'
import { isQuote, type NameJudge, wordStart } from './secret-name-in-text.js'
import type { Spans } from './secret-spans.js'

const MAX_USER_INFO_UNITS = 512
const PERCENT = 37
/** What ends an encoded value: `"`, `&`, `,`, `;`, `}`, line feed and `]`. */
const ENDS = '%22%26%2c%3b%7d%0a%5d'

/**
 * Assignments inside an encoded text, such as an address or JSON in a query string: `%22token%22%3A%22…`,
 * `%3Ftoken%3D…`, `postgres%3A%2F%2Fuser%3A…%40host`. Returns the index to go on from.
 */
export function markEncoded(text: string, at: number, names: NameJudge, spans: Spans): number {
  const separator = codeAt(text, at)
  if (separator !== '%3d' && separator !== '%3a') return at
  if (separator === '%3a' && codeAt(text, at + 3) === '%2f' && codeAt(text, at + 6) === '%2f')
    return markUserInfo(text, at + 9, spans)
  let end = at
  while (end >= 3 && charCodeAt(text, end - 3) === PERCENT && isAround(codeAt(text, end - 3))) end -= 3
  let start = wordStart(text, end, end)
  if (start > 0 && charCodeAt(text, start - 1) === PERCENT) start += 2
  if (end - start < 3 || !names.isSecretName(stringSlice(text, start, end))) return at
  let from = at + 3
  while (codeAt(text, from) === '%20' || codeAt(text, from) === '%5c') from += 3
  const quoted = codeAt(text, from) === '%22'
  if (quoted) from += 3
  const close = valueEnd(text, from, quoted)
  if (close > from) spans.add(from, close)
  return close > from ? close - 1 : at
}

function markUserInfo(text: string, from: number, spans: Spans): number {
  const stop = min(text.length, from + MAX_USER_INFO_UNITS)
  for (let i = from; i < stop && !isEnd(charCodeAt(text, i)); i++) {
    if (charCodeAt(text, i) !== PERCENT) continue
    const code = codeAt(text, i)
    if (code === '%2f' || code === '%22') break
    if (code !== '%40') continue
    spans.add(from, i)
    return i
  }
  return from - 1
}

function valueEnd(text: string, from: number, quoted: boolean): number {
  let end = from
  for (; end < text.length && !isEnd(charCodeAt(text, end)); end++) {
    if (charCodeAt(text, end) !== PERCENT) continue
    const code = codeAt(text, end)
    if (code === '%5c') end += 5
    else if (quoted ? code === '%22' : code !== '' && indexOf(ENDS, code) >= 0) break
  }
  return min(end, text.length)
}

/** `%3D` in lower case; empty where nothing encoded stands. */
function codeAt(text: string, at: number): string {
  return at >= 0 && at + 3 <= text.length && charCodeAt(text, at) === PERCENT
    ? toLowerCase(stringSlice(text, at, at + 3))
    : ''
}

function isAround(code: string): boolean {
  return code === '%22' || code === '%27' || code === '%5c' || code === '%5d' || code === '%20'
}

function isEnd(code: number): boolean {
  return code <= 32 || code === 38 || isQuote(code) || code === 60 || code === 62
}
