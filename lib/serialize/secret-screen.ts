import { TextEncoder } from 'node:util'
import { charCodeAt, OwnBytes, uncurry } from './intrinsics.js'
import { isDigit, MIN_CARD_DIGITS } from './secret-cards.js'
import { PHRASE_TRIGRAMS } from './secret-phrases.js'
import { TOKEN_TRIGRAMS } from './secret-tokens.js'

/** What one cheap pass over a text found, as bits. 0: plain ASCII that can hold no secret. */
export const Trait = {
  /** Has a character beyond ASCII. */
  wide: 1,
  /** Has `=`, `:`, `<`, `[` or `%`, so it may hold `password=…`, `"token":"…"`, `<pin>…` or `scheme://user:pass@`. */
  assignment: 2,
  /** Has three characters that stand in the prefix of a known kind of token. */
  token: 4,
  /** Has 13 digits in a row, with no more than spaces and dashes between them. */
  digits: 8,
} as const

/** Longest text that is searched; {@link scratch} is as long. */
export const MAX_WINDOW_UNITS = 20_480
/** How far behind a cut a text is searched, so that a secret that straddles the cut does not leak its first half. */
export const LOOKAHEAD_UNITS = 256

/** Longer strings are recorded by their length: reading one character would flatten a rope of any size. */
export const MAX_READ_UNITS = 256 * 1024

/** The low bytes of the text screened last: private memory, from which clean ASCII is copied to its destination. */
const memory = new ArrayBuffer(MAX_WINDOW_UNITS)
export const scratch = new Uint8Array(memory)

// Five bits shift in per character, so after three more characters an old one is gone: the hash is of the last three.
const HASH_MASK = 0x7fff
/** By hash: 1 + index into {@link exactTrigrams}; 0 for none. Bytes, to stay in the nearest cache. */
const trigramByHash = new Uint8Array(HASH_MASK + 1)
/** The three characters themselves, seven bits each. */
const exactTrigrams = new Int32Array(255)
for (const [index, trigram] of [...TOKEN_TRIGRAMS.split(' '), ...PHRASE_TRIGRAMS].entries()) {
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
const WIDE = Trait.wide
/** {@link Trait} bits of a byte, and {@link DIGIT_UNIT} for a digit: one load and no branch a byte. */
const traitOfByte = new Int32Array(256).fill(Trait.wide, 0x80).fill(DIGIT_UNIT, 48, 58)
// = : < [ % and the low bytes of the full-width ： and ＝
for (const byte of [61, 58, 60, 91, 37, 0x1a, 0x1d]) traitOfByte[byte] = Trait.assignment

/**
 * The shortest secret without one of the odd characters below is `eyJ` with 8 letters behind it. With them it is
 * `--pin 1`, so texts that have one are looked at more closely.
 */
const TINY_UNITS = 10
/** 0 for letters, digits, space, `_` and `.`. */
const oddByte = new Uint8Array(256).fill(1)
for (const character of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.')
  oddByte[character.charCodeAt(0)] = 0

/** Shorter texts are read unit by unit; from here on the engine's own copy is faster (measured). */
export const SHORT_UNITS = 32
/**
 * {@link scratch}, four bytes at a time, the lowest first: as x86 and ARM order them, and as the layout of frames asks of
 * the machine anyway.
 */
export const scratchWords = new Int32Array(memory)
const VIEWS = 1_024
/** The beginnings of {@link scratch}, by length, made when they are first needed. */
const views: (Uint8Array | null)[] = new Array<Uint8Array | null>(VIEWS).fill(null)
const encoder = new TextEncoder()
const encodeInto = uncurry(encoder.encodeInto)
// Here a constant for the compiler, which an import is not.
const unitAt = charCodeAt

/** The first `length` bytes of {@link scratch}. */
export function scratchView(length: number): Uint8Array {
  if (length >= VIEWS) return new OwnBytes(memory, 0, length)
  const known = views[length] as Uint8Array | null
  return known ?? (views[length] = new OwnBytes(memory, 0, length))
}

/** Looks once at the first `units` of a text and copies their low bytes to {@link scratch}. Returns {@link Trait} bits. */
export function screen(text: string, units: number): number {
  if (units >= SHORT_UNITS) {
    const { read, written } = encodeInto(encoder, text, scratchView(units))
    // As many bytes as units: it is ASCII, and all of it was read.
    if (read === units && written === units) return screenScratch(units)
  }
  return screenUnits(text, units)
}

/** Too short and too plain for any secret; its bytes are in {@link scratch}. */
function isHarmless(text: string, units: number): boolean {
  let all = 0
  let odd = 0
  let packed = 0
  for (let i = 0; i < units; i++) {
    const code = unitAt(text, i)
    all |= code
    odd |= oddByte[code & 0xff] as number
    packed = (packed >>> 8) | (code << 24)
    if ((i & 3) === 3) scratchWords[i >>> 2] = packed
  }
  if ((units & 3) !== 0) scratchWords[units >>> 2] = packed >>> (32 - 8 * (units & 3))
  return odd === 0 && all < 0x80
}

/** As {@link screen}, for few units. */
export function screenUnits(text: string, units: number): number {
  if (units <= TINY_UNITS && isHarmless(text, units)) return 0
  let hash = 0
  let all = 0
  let sum = 0
  let trigrams = 0
  let bits = 0
  let packed = 0
  for (let i = 0; i < units; i++) {
    const code = unitAt(text, i)
    const trait = traitOfByte[code & 0xff] as number
    all |= code
    hash = ((hash << 5) ^ code) & HASH_MASK
    bits |= trait
    sum = (sum + trait) | 0
    trigrams |= trigramByHash[hash] as number
    packed = (packed >>> 8) | (code << 24)
    if ((i & 3) === 3) scratchWords[i >>> 2] = packed
  }
  if ((units & 3) !== 0) scratchWords[units >>> 2] = packed >>> (32 - 8 * (units & 3))
  // Most texts: plain, without a digit.
  if ((bits | trigrams) === 0 && all < 0x80) return 0
  const traits = traitsOf(bits, sum, trigrams, units)
  return all > 0x7f ? traits | WIDE : traits
}

// Without branches, and four bytes a load: 1.0 ns a byte for 1.3 one by one (measured).
function screenScratch(length: number): number {
  let hash = 0
  let sum = 0
  let bits = 0
  let trigrams = 0
  const words = length >>> 2
  for (let i = 0; i < words; i++) {
    const four = scratchWords[i] as number
    const byte1 = four & 0xff
    const byte2 = (four >>> 8) & 0xff
    const byte3 = (four >>> 16) & 0xff
    const byte4 = four >>> 24
    const trait1 = traitOfByte[byte1] as number
    const trait2 = traitOfByte[byte2] as number
    const trait3 = traitOfByte[byte3] as number
    const trait4 = traitOfByte[byte4] as number
    bits |= trait1 | trait2 | trait3 | trait4
    sum = (sum + trait1 + trait2 + trait3 + trait4) | 0
    hash = ((hash << 5) ^ byte1) & HASH_MASK
    trigrams |= trigramByHash[hash] as number
    hash = ((hash << 5) ^ byte2) & HASH_MASK
    trigrams |= trigramByHash[hash] as number
    hash = ((hash << 5) ^ byte3) & HASH_MASK
    trigrams |= trigramByHash[hash] as number
    hash = ((hash << 5) ^ byte4) & HASH_MASK
    trigrams |= trigramByHash[hash] as number
  }
  for (let i = words << 2; i < length; i++) {
    const byte = scratch[i] as number
    const trait = traitOfByte[byte] as number
    hash = ((hash << 5) ^ byte) & HASH_MASK
    bits |= trait
    sum = (sum + trait) | 0
    trigrams |= trigramByHash[hash] as number
  }
  return traitsOf(bits, sum, trigrams, length)
}

function traitsOf(bits: number, sum: number, trigrams: number, length: number): number {
  let traits = bits & (Trait.wide | Trait.assignment)
  if (trigrams !== 0 && hasTrigram(length)) traits |= Trait.token
  // The sum counts the other traits as well, at most 3 a byte: an upper bound that hasDigitRun checks.
  if (sum >= MIN_CARD_DIGITS * DIGIT_UNIT && hasDigitRun(length)) traits |= Trait.digits
  return traits
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
