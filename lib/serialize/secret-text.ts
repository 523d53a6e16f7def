import { Buffer } from 'node:buffer'
import { charCodeAt, execRegExp, stringSlice, uncurry } from './intrinsics.js'
import { REDACTED_TEXT } from './markers.js'
import { markAssignments, type NameJudge } from './secret-assignments.js'
import { Spans } from './secret-spans.js'

/** What one cheap pass over a text found, as bits. 0: plain ASCII that can hold no secret. */
export const Trait = {
  /** Has a character beyond ASCII. */
  wide: 1,
  /** Has `=` or `:`, so it may hold `password=…`, `"token":"…"` or `scheme://user:pass@`. */
  assignment: 2,
  /** Has three characters that stand in the prefix of a known kind of token. */
  token: 4,
  /** Has 13 digits in a row, with no more than spaces and dashes between them. */
  digits: 8,
} as const

/** Longest text that is searched; {@link scratch} is as long. */
export const MAX_WINDOW_UNITS = 20_480
const MIN_CARD_DIGITS = 13
const MAX_CARD_DIGITS = 19
/** How far behind a cut a text is searched, so that a secret that straddles the cut does not leak its first half. */
export const LOOKAHEAD_UNITS = 256

/** The low bytes of the text screened last: private memory, from which clean ASCII is copied to its destination. */
export const scratch = new Uint8Array(MAX_WINDOW_UNITS)

/**
 * Every token known by its prefix. All are linear: each alternative starts with a literal and goes on with one
 * character class. A token that runs past the window still matches by its beginning.
 */
const TOKENS = new RegExp(
  [
    '(?:[Bb]earer|BEARER)\\s+[^\\s"\',;]{4,}',
    '(?:[Bb]asic|BASIC)\\s+(?=[A-Za-z]{0,200}[0-9+/=])[A-Za-z0-9+/=_-]{6,}',
    '-----BEGIN [A-Z0-9 ]{1,60}-----[\\s\\S]*?(?:-----END [A-Z0-9 ]{1,60}-----|$)',
    'eyJ[A-Za-z0-9_-]{8,}(?:\\.[A-Za-z0-9_-]*){0,4}',
    '(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{12,}',
    'AIza[A-Za-z0-9_-]{30,}',
    'ya29\\.[A-Za-z0-9_-]{10,}',
    'GOCSPX-[A-Za-z0-9_-]{10,}',
    'gh[pousr]_[A-Za-z0-9]{16,}',
    'github_pat_[A-Za-z0-9_]{16,}',
    'glpat-[A-Za-z0-9_-]{16,}',
    'npm_[A-Za-z0-9]{30,}',
    'pypi-[A-Za-z0-9_-]{16,}',
    'hf_[A-Za-z0-9]{20,}',
    'dop_v1_[a-f0-9]{32,}',
    'xox[a-z]-[A-Za-z0-9-]{8,}',
    'xapp-[A-Za-z0-9-]{8,}',
    'hooks\\.slack\\.com/services/[A-Za-z0-9/]+',
    '(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{8,}',
    'whsec_[A-Za-z0-9+/=]{8,}',
    '\\bsk-[A-Za-z0-9_-]{16,}',
    'SG\\.[A-Za-z0-9_-]{10,}(?:\\.[A-Za-z0-9_-]*)?',
    '\\bSK[0-9a-f]{32}',
  ].join('|'),
  'g',
)
const TOKEN_TRIGRAMS =
  'ear EAR asi ASI --- eyJ AKI ABI ACC ARO AID AGP ANP AIz ya2 GOC ghp gho ghu ghs ghr _pa glp npm ypi hf_ dop xox xap s.s sk_ rk_ hse sk- SG. SK0 SK1 SK2 SK3 SK4 SK5 SK6 SK7 SK8 SK9 SKa SKb SKc SKd SKe SKf'

// Five bits shift in per character, so after three more characters an old one is gone: the hash is of the last three.
const HASH_MASK = 0x7fff
/** By hash: 1 + index into {@link exactTrigrams}; 0 for none. Bytes, to stay in the nearest cache. */
const trigramByHash = new Uint8Array(HASH_MASK + 1)
/** The three characters themselves, seven bits each. */
const exactTrigrams = new Int32Array(128)
for (const [index, trigram] of TOKEN_TRIGRAMS.split(' ').entries()) {
  let hash = 0
  let exact = 0
  for (let i = 0; i < 3; i++) {
    const code = trigram.charCodeAt(i)
    hash = ((hash << 5) ^ code) & HASH_MASK
    exact = (exact << 7) | code
  }
  if (trigramByHash[hash] !== 0) throw new Error(`Token prefix ${trigram} has the hash of another`)
  trigramByHash[hash] = index + 1
  exactTrigrams[index] = exact
}

const DIGIT_UNIT = 0x100
/** {@link Trait} bits of a byte, and {@link DIGIT_UNIT} for a digit: one load and no branch a byte. */
const traitOfByte = new Int32Array(256).fill(Trait.wide, 0x80).fill(DIGIT_UNIT, 48, 58)
traitOfByte[61] = Trait.assignment
traitOfByte[58] = Trait.assignment

/** From here on the engine's own copy is faster than a loop (measured: 32 units). */
const NATIVE_COPY_UNITS = 32
const scratchBuffer = Buffer.from(scratch.buffer)
const nativeCopy = (scratchBuffer as { utf8Write?(text: string, at: number, length: number): number })
  .utf8Write
const copyUtf8 = nativeCopy === undefined ? undefined : uncurry(nativeCopy)

/** Looks once at the first `units` of a text and copies their low bytes to {@link scratch}. Returns {@link Trait} bits. */
export function screen(text: string, units: number): number {
  if (
    units >= NATIVE_COPY_UNITS &&
    copyUtf8 !== undefined &&
    copyUtf8(scratchBuffer, text, 0, units) === units
  ) {
    const traits = screenScratch(units)
    if ((traits & Trait.wide) === 0) return traits
  }
  let all = 0
  for (let i = 0; i < units; i++) {
    const code = charCodeAt(text, i)
    scratch[i] = code
    all |= code
  }
  const traits = screenScratch(units)
  return all > 0x7f ? traits | Trait.wide : traits
}

// Without branches, 1.2 ns a byte; with them it was 1.8 (measured on mixed text).
function screenScratch(length: number): number {
  let hash = 0
  let traits = 0
  let trigrams = 0
  let digits = 0
  for (let i = 0; i < length; i++) {
    const code = scratch[i] as number
    const trait = traitOfByte[code] as number
    hash = ((hash << 5) ^ code) & HASH_MASK
    traits |= trait
    trigrams |= trigramByHash[hash] as number
    digits = (digits + trait) | 0
  }
  traits &= Trait.wide | Trait.assignment
  if (trigrams !== 0 && hasTrigram(length)) traits |= Trait.token
  // The sum also counts the other traits, at most 3 a byte: an upper bound, checked by hasDigitRun.
  return digits >= MIN_CARD_DIGITS * DIGIT_UNIT && hasDigitRun(length) ? traits | Trait.digits : traits
}

// Some ordinary words have three characters with the hash of a token: they are compared once more.
function hasTrigram(length: number): boolean {
  let hash = 0
  let exact = 0
  for (let i = 0; i < length; i++) {
    const code = scratch[i] as number
    hash = ((hash << 5) ^ code) & HASH_MASK
    exact = ((exact << 7) | (code & 0x7f)) & 0x1f_ffff
    const found = trigramByHash[hash] as number
    if (found !== 0 && exactTrigrams[found - 1] === exact) return true
  }
  return false
}

function hasDigitRun(length: number): boolean {
  let run = 0
  for (let i = 0; i < length; i++) {
    const code = scratch[i] as number
    if (isDigit(code)) {
      if (++run === MIN_CARD_DIGITS) return true
    } else if (code !== 32 && code !== 45) {
      run = 0
    }
  }
  return false
}

export interface Scrubbed {
  readonly text: string
  readonly redactions: number
  /** How many units of the original the text stands for. */
  readonly coveredUnits: number
}

const spans = new Spans()

/**
 * Takes the secrets out of the first `keep` units of `text`; what follows in `text` is only looked at.
 * `truncated`: the original goes on behind `text`. Returns `null` when there is nothing to take out.
 */
export function scrub(
  text: string,
  traits: number,
  keep: number,
  truncated: boolean,
  names: NameJudge,
): Scrubbed | null {
  spans.clear()
  if ((traits & Trait.assignment) !== 0) markAssignments(text, truncated, names, spans)
  if ((traits & Trait.token) !== 0) markTokens(text)
  if ((traits & Trait.digits) !== 0) markCards(text)
  if (spans.count === 0) return null
  spans.sort(text.length)
  let clean = ''
  let at = 0
  let redactions = 0
  for (let i = 0; i < spans.count && at < keep; i++) {
    const start = spans.start(i)
    if (start >= keep) break
    if (spans.end(i) <= at) continue
    clean += start > at ? stringSlice(text, at, start) + REDACTED_TEXT : redactions === 0 ? REDACTED_TEXT : ''
    redactions++
    at = spans.end(i)
  }
  if (redactions === 0) return null
  if (at < keep) {
    clean += stringSlice(text, at, keep)
    at = keep
  }
  return { text: clean, redactions, coveredUnits: at }
}

function markTokens(text: string): void {
  TOKENS.lastIndex = 0
  for (let match = execRegExp(TOKENS, text); match !== null; match = execRegExp(TOKENS, text)) {
    spans.add(match.index, TOKENS.lastIndex)
  }
}

const cardDigits = new Uint8Array(MAX_CARD_DIGITS)

/** Groups of digits, joined by single spaces or dashes, that form a card number. */
function markCards(text: string): void {
  const length = text.length
  for (let start = 0; start < length; start++) {
    if (!isDigit(charCodeAt(text, start))) continue
    let count = 0
    let at = start
    while (at < length && count < MAX_CARD_DIGITS && isDigit(charCodeAt(text, at))) {
      cardDigits[count++] = charCodeAt(text, at++) - 48
      const next = at < length ? charCodeAt(text, at) : 0
      if (isDigit(next)) continue
      if (isCardNumber(cardDigits, count)) spans.add(start, at)
      if ((next === 32 || next === 45) && at + 1 < length) at++
    }
    while (start + 1 < length && isDigit(charCodeAt(text, start + 1))) start++
  }
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** A number, as it stands in a value, that is a card number. */
export function isCardInteger(value: number): boolean {
  if (value < 3e12 || value > Number.MAX_SAFE_INTEGER) return false
  let rest = value
  let count = 0
  for (let probe = value; probe >= 1; probe /= 10) count++
  for (let i = count - 1; i >= 0; i--) {
    const next = Math.floor(rest / 10)
    cardDigits[i] = rest - next * 10
    rest = next
  }
  return isCardNumber(cardDigits, count)
}

/**
 * Length and first digits of an issued range (ISO/IEC 7812), and the Luhn check. Without the ranges every tenth
 * timestamp or database id would look like a card.
 */
function isCardNumber(digits: Uint8Array, count: number): boolean {
  if (count < MIN_CARD_DIGITS || !isIssued(digits, count)) return false
  let sum = 0
  for (let i = 0; i < count; i++) {
    let digit = digits[count - 1 - i] as number
    if ((i & 1) === 1) {
      digit *= 2
      if (digit > 9) digit -= 9
    }
    sum += digit
  }
  return sum % 10 === 0
}

function isIssued(digits: Uint8Array, count: number): boolean {
  const second = digits[1] as number
  switch (digits[0]) {
    case 2:
      return count === 16 && second >= 2 && second <= 7
    case 3:
      return count === 14 ? second === 0 || second === 6 || second === 8 : count === 15 || count === 16
    case 4:
      return count === 13 || count === 16 || count === 19
    case 5:
      return count === 16 || second === 0 || second >= 6
    case 6:
      return count >= 16
    default:
      return false
  }
}
