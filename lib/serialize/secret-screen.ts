import { TextEncoder } from 'node:util'
import { charCodeAt, OwnBytes, uncurry } from './intrinsics.js'
import { MIN_CARD_DIGITS } from './secret-cards.js'
import { PHRASE_PARTS } from './secret-phrases.js'
import { TOKEN_PARTS } from './secret-tokens.js'

/** What one cheap pass over a text found, as bits. 0: plain ASCII that can hold no secret. */
export const Trait = {
  /** Has a character beyond ASCII. */
  wide: 1,
  /** Has `=`, `:`, `<`, `[` or `%`, so it may hold `password=…`, `"token":"…"`, `<pin>…` or `scheme://user:pass@`. */
  assignment: 2,
  /** Has a part of the prefix of a known kind of token. */
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
/** By hash of its last three characters: 1 + index of a part; 0 for none. Bytes, to stay in the nearest cache. */
const trigramByHash = new Uint8Array(HASH_MASK + 1)
/** Each part, the last character first, and a zero behind it. */
const PART_BYTES = 16
const parts = new Uint8Array(255 * PART_BYTES)
for (const [index, part] of [...TOKEN_PARTS, ...PHRASE_PARTS].entries()) {
  const length = part.length
  let hash = 0
  for (let i = length - 3; i < length; i++) hash = ((hash << 5) ^ part.charCodeAt(i)) & HASH_MASK
  if (trigramByHash[hash] !== 0) throw new Error(`The end of ${part} has the hash of another`)
  if (length >= PART_BYTES) throw new Error(`${part} is too long`)
  trigramByHash[hash] = index + 1
  for (let i = 0; i < length; i++) parts[index * PART_BYTES + i] = part.charCodeAt(length - 1 - i)
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
/** 0 for letters, digits, `_` and `.`; behind those a dash is as harmless, but not where a flag may begin. */
const Odd = { always: 1, dash: 2, beforeDash: 4 } as const
const { always: ODD, beforeDash: BEFORE_DASH } = Odd
const oddByte = new Uint8Array(256).fill(ODD)
for (const character of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.')
  oddByte[character.charCodeAt(0)] = 0
oddByte[32] = BEFORE_DASH
oddByte[45] = Odd.dash | BEFORE_DASH

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

/** Copies the first `units` of a text to {@link scratch}; `false`: they are not ASCII, and anything may be there. */
export function fillScratch(text: string, units: number): boolean {
  if (units >= SHORT_UNITS) {
    const { read, written } = encodeInto(encoder, text, scratchView(units))
    // As many bytes as units: it is ASCII, and all of it was read.
    return read === units && written === units
  }
  let all = 0
  for (let i = 0; i < units; i++) {
    const code = unitAt(text, i)
    all |= code
    scratch[i] = code
  }
  return all < 0x80
}

/** Looks once at the first `units` of a text and copies their low bytes to {@link scratch}. Returns {@link Trait} bits. */
export function screen(text: string, units: number): number {
  if (units >= SHORT_UNITS && fillScratch(text, units)) return screenScratch(units)
  return screenUnits(text, units)
}

/** Too short and too plain for any secret; its bytes are in {@link scratch}. */
function isHarmless(text: string, units: number): boolean {
  let all = 0
  let odd = 0
  let before: number = BEFORE_DASH
  let packed = 0
  for (let i = 0; i < units; i++) {
    const code = unitAt(text, i)
    const kind = oddByte[code & 0xff] as number
    all |= code
    odd |= kind & ((before >> 1) | ODD)
    before = kind
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

/**
 * {@link Trait} bits of the first `length` bytes of {@link scratch}, which are ASCII. Without branches, and four bytes a
 * load: 1.0 ns a byte for 1.3 one by one (measured).
 */
export function screenScratch(length: number): number {
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
  if (trigrams !== 0 && hasPart(length)) traits |= Trait.token
  // The sum counts the other traits as well, at most 3 a byte: an upper bound that hasDigitRun checks.
  if (sum >= MIN_CARD_DIGITS * DIGIT_UNIT && hasDigitRun(length)) traits |= Trait.digits
  return traits
}

// Some ordinary words end as a part of a token does, or have the hash of such an end: they are compared once more.
function hasPart(length: number): boolean {
  let hash = 0
  for (let i = 0; i < length; i++) {
    hash = ((hash << 5) ^ (scratch[i] as number)) & HASH_MASK
    const found = trigramByHash[hash] as number
    if (found !== 0 && isPart((found - 1) * PART_BYTES, i)) return true
  }
  return false
}

/** Whether the part ends at `end`. */
function isPart(part: number, end: number): boolean {
  for (let i = 0; ; i++) {
    const byte = parts[part + i] as number
    if (byte === 0) return true
    if (i > end || scratch[end - i] !== byte) return false
  }
}

/** 1 for what may stand between the digits of a run, 2 for a digit. */
const runByte = new Uint8Array(256).fill(2, 48, 58)
runByte[32] = runByte[45] = 1

// A run is so long that one of these steps hits it, and most steps hit none.
function hasDigitRun(length: number): boolean {
  for (let at = MIN_CARD_DIGITS - 1; at < length; at += MIN_CARD_DIGITS) {
    if (runByte[scratch[at] as number] === 0) continue
    while (at > 0 && runByte[scratch[at - 1] as number] !== 0) at--
    let digits = 0
    for (; at < length; at++) {
      const kind = runByte[scratch[at] as number] as number
      if (kind === 0) break
      digits += kind >> 1
    }
    if (digits >= MIN_CARD_DIGITS) return true
  }
  return false
}
