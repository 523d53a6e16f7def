import { Buffer } from 'node:buffer'

const INITIAL_BYTES = 64 * 1024
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const ZERO = 48
/** A small integer of V8, wherever it runs. */
const LARGEST_SMALL = 0x3fff_ffff
const BILLION = 1_000_000_000
/** Most numbers with a fraction have four digits behind the point at most, as prices. */
const DECIMALS = 10_000
const MOST_SCALED = 999_999_999_999_999

/** Per ASCII byte: 0 = copied as it is, 1 = `\u00xx`, else the letter behind the backslash. */
const ESCAPES = new Uint8Array(256)
ESCAPES.fill(1, 0, 0x20)
// Not ASCII: judged as UTF-8.
ESCAPES.fill(2, 0x80)
for (const [code, letter] of [
  [QUOTE, '"'],
  [BACKSLASH, '\\'],
  [8, 'b'],
  [9, 't'],
  [10, 'n'],
  [12, 'f'],
  [13, 'r'],
] as const) {
  ESCAPES[code] = letter.charCodeAt(0)
}
const HEX = Buffer.from('0123456789abcdef', 'latin1')

const WORD_BYTES = 4
const SPACES = 0x2020_2020
const ONES = 0x0101_0101
const HIGH_BITS = 0x8080_8080
const QUOTES = QUOTE * ONES
const BACKSLASHES = BACKSLASH * ONES

/** Whether any of four bytes is no ASCII or needs an escape: each term sets the high bit of a byte that does. */
function needsMore(word: number): boolean {
  const quote = word ^ QUOTES
  const backslash = word ^ BACKSLASHES
  const found =
    word | ((word - SPACES) & ~word) | ((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash)
  return (found & HIGH_BITS) !== 0
}

const viewOf = (buffer: Buffer): DataView => new DataView(buffer.buffer, buffer.byteOffset, buffer.length)

/** What `toString` comes to for every Buffer of Node; asked directly it costs a quarter less. Types leave it out. */
interface SliceableBuffer extends Buffer {
  latin1Slice(from: number, end: number): string
}

/** JSON text as UTF-8 bytes in a buffer that grows, up to a limit. What it writes is always valid UTF-8. */
export class JsonBytes {
  buffer: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  /** The same memory: several bytes in one store. */
  #view = viewOf(this.buffer)
  at = 0
  /** `false` once something else than ASCII was written. Whoever wants to know it of a text sets it before. */
  isAscii = true
  readonly #maxBytes: number
  readonly #overflow: () => Error

  /** @param overflow makes the error that is thrown when the text would grow past `maxBytes` */
  constructor(maxBytes: number, overflow: () => Error) {
    this.#maxBytes = maxBytes
    this.#overflow = overflow
  }

  /** Makes room for `bytes` more; each method below says how much it needs. */
  reserve(bytes: number): void {
    const needed = this.at + bytes
    if (needed > this.buffer.length) this.#grow(needed)
  }

  #grow(needed: number): void {
    if (needed > this.#maxBytes) throw this.#overflow()
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#maxBytes, Math.max(needed, this.buffer.length * 2)))
    larger.set(this.buffer.subarray(0, this.at))
    this.buffer = larger
    this.#view = viewOf(larger)
  }

  /** What stands from one offset to another. */
  slice(from: number, end: number): string {
    const { buffer, isAscii } = this
    // Where nothing is to be decoded, nobody need look whether there is.
    return isAscii ? (buffer as SliceableBuffer).latin1Slice(from, end) : buffer.toString('utf8', from, end)
  }

  /** One ASCII character. */
  byte(code: number): void {
    this.reserve(1)
    this.buffer[this.at++] = code
  }

  /** Text that is ASCII and needs no escape. */
  ascii(text: string): void {
    const length = text.length
    this.reserve(length)
    const { buffer } = this
    let { at } = this
    for (let i = 0; i < length; i++) buffer[at++] = text.charCodeAt(i)
    this.at = at
  }

  ellipsis(): void {
    this.reserve(3)
    const { buffer, at } = this
    buffer[at] = 0xe2
    buffer[at + 1] = 0x80
    buffer[at + 2] = 0xa6
    this.at = at + 3
    this.isAscii = false
  }

  /** A whole number that JSON can hold exactly. */
  integer(value: number): void {
    this.reserve(17)
    const { buffer } = this
    let { at } = this
    let rest = value
    if (rest < 0) {
      buffer[at++] = 0x2d
      rest = -rest
    }
    // In small integers, as division is several times cheaper than of doubles.
    if (rest <= LARGEST_SMALL) {
      this.at = writeDigits(buffer, at, rest | 0, digitsOf(rest | 0))
      return
    }
    // Below 2^53 no quotient is rounded up to the next whole number.
    const billions = Math.floor(rest / BILLION)
    at = writeDigits(buffer, at, billions | 0, digitsOf(billions | 0))
    this.at = writeDigits(buffer, at, (rest - billions * BILLION) | 0, 9)
  }

  float(value: number): void {
    if (Number.isSafeInteger(value) && (value !== 0 || 1 / value > 0)) this.integer(value)
    else if (value === 0) this.ascii('-0')
    else if (Number.isFinite(value)) this.#fraction(value)
    else this.ascii(Number.isNaN(value) ? '"[NaN]"' : value > 0 ? '"[Infinity]"' : '"[-Infinity]"')
  }

  /** A finite number that is no whole one below 2^53. */
  #fraction(value: number): void {
    const scaled = Math.round(value * DECIMALS)
    // Up to 15 digits, no two decimal numbers are the same double: these are the ones JavaScript would write.
    if (scaled / DECIMALS !== value || Math.abs(scaled) > MOST_SCALED) {
      // `String` would keep the text in a cache of the engine: it outlives the young generation, and takes half as long again.
      this.ascii(JSON.stringify(value))
      return
    }
    if (scaled < 0) this.byte(0x2d)
    const whole = Math.floor(Math.abs(scaled) / DECIMALS)
    let rest = (Math.abs(scaled) - whole * DECIMALS) | 0
    let digits = 4
    for (; rest % 10 === 0; rest = (rest / 10) | 0) digits--
    this.integer(whole)
    this.byte(0x2e)
    this.reserve(digits)
    this.at = writeDigits(this.buffer, this.at, rest, digits)
  }

  /**
   * As {@link text}, between quotes.
   *
   * @param view of the same memory as `bytes`
   */
  quoted(bytes: Uint8Array, view: DataView, from: number, end: number): void {
    this.reserve(6 * (end - from) + 2 + WORD_BYTES)
    const { buffer } = this
    buffer[this.at++] = QUOTE
    this.#plain(bytes, view, from, end)
    buffer[this.at++] = QUOTE
  }

  /** As {@link quoted}, between what stands before a key, a brace or a comma, and its colon. */
  key(before: number, bytes: Uint8Array, view: DataView, from: number, end: number): void {
    this.reserve(6 * (end - from) + 4 + WORD_BYTES)
    const { buffer, at } = this
    buffer[at] = before
    buffer[at + 1] = QUOTE
    this.at = at + 2
    this.#plain(bytes, view, from, end)
    const { at: behind } = this
    buffer[behind] = QUOTE
    buffer[behind + 1] = COLON
    this.at = behind + 2
  }

  /** As {@link text}, with room reserved: names and values are mostly short and need no escape. */
  #plain(bytes: Uint8Array, view: DataView, from: number, end: number): void {
    const into = this.#view
    // Where four bytes can be read at once, whatever stands behind the last of the text.
    const wordsEnd = Math.min(end, bytes.length - (WORD_BYTES - 1))
    let { at } = this
    let i = from
    for (; i < wordsEnd; i += WORD_BYTES) {
      const word = view.getInt32(i, true)
      const rest = end - i
      const judged = rest < WORD_BYTES ? (word & ((1 << (8 * rest)) - 1)) | (SPACES << (8 * rest)) : word
      if (needsMore(judged)) break
      into.setInt32(at, word, true)
      at += WORD_BYTES
    }
    if (i >= end) {
      this.at = at - (i - end)
      return
    }
    this.at = at
    this.text(bytes, i, end)
  }

  /** UTF-8 from elsewhere, escaped, without quotes. What is not valid becomes U+FFFD, byte by byte. */
  text(bytes: Uint8Array, from: number, end: number): void {
    this.reserve(6 * (end - from))
    const { buffer } = this
    let { at } = this
    for (let i = from; i < end; i++) {
      const code = bytes[i] as number
      const form = ESCAPES[code] as number
      if (form === 0) {
        buffer[at++] = code
      } else if (form === 2) {
        this.isAscii = false
        const length = utf8Length(bytes, i, end)
        if (length === 0) {
          buffer[at++] = 0xef
          buffer[at++] = 0xbf
          buffer[at++] = 0xbd
        } else {
          for (let j = 0; j < length; j++) buffer[at++] = bytes[i + j] as number
          i += length - 1
        }
      } else {
        buffer[at++] = BACKSLASH
        if (form === 1) {
          buffer[at++] = 0x75
          buffer[at++] = ZERO
          buffer[at++] = ZERO
          buffer[at++] = HEX[code >>> 4] as number
          buffer[at++] = HEX[code & 15] as number
        } else {
          buffer[at++] = form
        }
      }
    }
    this.at = at
  }
}

/** Decimal digits of a number up to {@link LARGEST_SMALL}. */
function digitsOf(value: number): number {
  if (value < 10_000) return value < 100 ? (value < 10 ? 1 : 2) : value < 1_000 ? 3 : 4
  if (value < 100_000_000) return value < 1_000_000 ? (value < 100_000 ? 5 : 6) : value < 10_000_000 ? 7 : 8
  return value < BILLION ? 9 : 10
}

/** Returns the offset behind the last of `digits` digits. */
function writeDigits(buffer: Uint8Array, from: number, value: number, digits: number): number {
  let rest = value
  for (let at = from + digits - 1; at >= from; at--) {
    const tenth = (rest / 10) | 0
    buffer[at] = ZERO + (rest - tenth * 10)
    rest = tenth
  }
  return from + digits
}

/** Length of the well-formed sequence at `at` (Unicode 15, table 3-7); 0 when there is none. */
function utf8Length(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] as number
  if (first < 0xc2 || first > 0xf4) return 0
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  if (at + length > end) return 0
  const second = bytes[at + 1] as number
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < low || second > high) return 0
  for (let i = 2; i < length; i++) if (((bytes[at + i] as number) & 0xc0) !== 0x80) return 0
  return length
}
