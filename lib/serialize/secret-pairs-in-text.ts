import { charCodeAt, indexOf, min, setHas, stringSlice, toLowerCase } from './intrinsics.js'
import { isQuote, isSpace, type NameJudge, nameEnd, unitAt, wordStart } from './secret-name-in-text.js'
import type { Spans } from './secret-spans.js'
import { markValue } from './secret-value.js'

/** Name and value of one pair stand no further apart. */
const MAX_PAIR_UNITS = 512
const MAX_NAME_UNITS = 64
/** Shorter ones are coupons and error codes. */
const MIN_GRANT_UNITS = 16
const BACKSLASH = 92
const NAMES: ReadonlySet<string> = new Set([
  'name',
  'key',
  'header',
  'field',
  'fieldname',
  'path',
  'property',
  'param',
  'label',
])
const VALUES: ReadonlySet<string> = new Set([
  'value',
  'values',
  'val',
  'content',
  'data',
  'received',
  'input',
])

/** `{"name":"password","value":"…"}`, `<add key="token" value="…"/>`, form parts: the name is itself a value. */
export class TextPairs {
  #namedAt = -1
  /** The separator of a value whose name may follow. */
  #valueAt = -1

  reset(): void {
    this.#namedAt = -1
    this.#valueAt = -1
  }

  /** Whether what follows cannot belong to anything seen so far. */
  get isEmpty(): boolean {
    return this.#namedAt < 0 && this.#valueAt < 0
  }

  /** Looks at the `=` or `:` at `at`, which no secret name precedes; returns the end of what was marked, or `at`. */
  see(text: string, at: number, names: NameJudge, spans: Spans): number {
    const end = nameEnd(text, at)
    const start = wordStart(text, end, end)
    if (end - start < 3 || end - start > 9) return at
    const word = toLowerCase(stringSlice(text, start, end))
    if (word === 'code') return markGrant(text, at, start, spans)
    if (setHas(VALUES, word)) {
      if (this.#namedAt >= 0 && at - this.#namedAt < MAX_PAIR_UNITS) return markValue(text, at, false, spans)
      this.#valueAt = at
      return at
    }
    if (word !== 'type' && !setHas(NAMES, word)) return at
    const named = namedBy(text, at)
    if (word === 'type' ? named !== 'password' : !names.isSecretName(named)) return at
    if (this.#valueAt >= 0 && at - this.#valueAt < MAX_PAIR_UNITS)
      markValue(text, this.#valueAt, false, spans)
    this.#namedAt = at
    return markFormPart(text, at, spans)
  }
}

/** The value behind `name=`, when it can be a name. */
function namedBy(text: string, at: number): string {
  let start = at + 1
  while (isSpace(unitAt(text, start))) start++
  while (unitAt(text, start) === BACKSLASH || isQuote(unitAt(text, start))) start++
  const stop = min(text.length, start + MAX_NAME_UNITS + 1)
  let end = start
  for (; end < stop; end++) {
    const code = charCodeAt(text, end)
    if (code <= 32 || code === BACKSLASH || isQuote(code) || code === 44 || code === 59 || code === 38) break
    if (code === 62 || code === 125) break
  }
  return end === stop && stop < text.length ? '' : stringSlice(text, start, end)
}

/** The body of one part of `multipart/form-data`, from the empty line to the next boundary. */
function markFormPart(text: string, at: number, spans: Spans): number {
  const stop = min(text.length, at + MAX_PAIR_UNITS)
  const empty = indexOf(text, '\r\n\r\n', at)
  if (empty < 0 || empty > stop || indexOf(stringSlice(text, at, empty), '\r\n--') >= 0) return at
  const boundary = indexOf(text, '\r\n--', empty + 4)
  const end = boundary < 0 ? text.length : boundary
  if (end <= empty + 4) return at
  spans.add(empty + 4, end)
  return end
}

/** `?code=…`: what a sign-in hands over in exchange for tokens. */
function markGrant(text: string, at: number, start: number, spans: Spans): number {
  const before = start === 0 ? 38 : charCodeAt(text, start - 1)
  if (before !== 38 && before !== 63 && before !== 35) return at
  let end = at + 1
  while (end < text.length && charCodeAt(text, end) > 38 && charCodeAt(text, end) !== 44) end++
  if (end - at - 1 < MIN_GRANT_UNITS) return at
  spans.add(at + 1, end)
  return end
}

/** `["password","…"]` and `"--password","…"` inside a text; `at` is the comma. */
export function markListPair(text: string, at: number, names: NameJudge, spans: Spans): number {
  if (at < 4 || !isQuote(charCodeAt(text, at - 1))) return at
  let next = at + 1
  while (isSpace(unitAt(text, next))) next++
  while (unitAt(text, next) === BACKSLASH) next++
  if (!isQuote(unitAt(text, next))) return at
  const end = nameEnd(text, at)
  const start = wordStart(text, end, end)
  if (end - start < 3 || start === 0 || !isQuote(charCodeAt(text, start - 1))) return at
  let before = start - 2
  while (before >= 0 && (charCodeAt(text, before) === BACKSLASH || isSpace(charCodeAt(text, before))))
    before--
  if (unitAt(text, start) !== 45 && (before < 0 || charCodeAt(text, before) !== 91)) return at
  return names.isSecretName(stringSlice(text, start, end)) ? markValue(text, at, false, spans) : at
}
