import { charCodeAt, min } from './intrinsics.js'
import { isDigit } from './secret-cards.js'
import type { Spans } from './secret-spans.js'

/** Bounds the search behind each `://`, of which a text may have thousands. */
const MAX_USER_INFO_UNITS = 512
const SPACE = 32
const DOUBLE_QUOTE = 34
const SINGLE_QUOTE = 39
const COLON = 58
const GREATER = 62
const AT = 64

/**
 * Marks `user:pass` of `scheme://user:pass@host`; returns the index to go on from. A password may hold an unescaped
 * `@`, `/`, `?` or `#`: what stands before the last `@` is hidden, unless it is clearly a host with a path.
 */
export function markUserInfo(text: string, from: number, truncated: boolean, spans: Spans): number {
  const stop = min(text.length, from + MAX_USER_INFO_UNITS)
  let end = from
  let authorityEnd = -1
  let authorityAt = -1
  let lastAt = -1
  let colon = -1
  for (; end < stop; end++) {
    const code = charCodeAt(text, end)
    if (isBoundary(code)) {
      // `user:a b@host`: what follows the colon is no port, so the address goes on.
      if (authorityEnd < 0) authorityEnd = end
      if (code < SPACE || lastAt > colon || colon < 0 || isPort(text, colon + 1, authorityEnd)) break
    } else if (code === AT) {
      lastAt = end
      if (authorityEnd < 0) authorityAt = end
    } else if (authorityEnd < 0) {
      if (code === 47 || code === 63 || code === 35) authorityEnd = end
      else if (code === COLON) colon = end
    }
  }
  if (authorityEnd < 0) authorityEnd = end
  let hidden = authorityAt
  if (colon > authorityAt && !isPort(text, colon + 1, authorityEnd)) {
    const goesOn = end === stop && (truncated || stop < text.length)
    hidden = lastAt < 0 && goesOn ? end : lastAt
  }
  if (hidden <= from) return from - 1
  spans.add(from, hidden)
  return hidden
}

function isBoundary(code: number): boolean {
  return code <= SPACE || code === DOUBLE_QUOTE || code === SINGLE_QUOTE || code === 60 || code === GREATER
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
