import { Buffer } from 'node:buffer'

const INITIAL_BYTES = 64 * 1024
const QUOTE = 0x22
const BACKSLASH = 0x5c
const ZERO = 48

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

/** JSON text as UTF-8 bytes in a buffer that grows, up to a limit. What it writes is always valid UTF-8. */
export class JsonBytes {
  buffer: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  at = 0
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
  }

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

  /** A whole number that JSON can hold exactly. */
  integer(value: number): void {
    this.reserve(17)
    const { buffer } = this
    let rest = value
    if (rest < 0) {
      buffer[this.at++] = 0x2d
      rest = -rest
    }
    if (rest < 10) {
      buffer[this.at++] = ZERO + rest
      return
    }
    let digits = 2
    for (let bound = 100; rest >= bound; bound *= 10) digits++
    const end = this.at + digits
    let at = end
    // Division of small integers is several times cheaper than of doubles.
    while (rest > 0x3fff_ffff) {
      const next = Math.floor(rest / 10)
      buffer[--at] = ZERO + (rest - next * 10)
      rest = next
    }
    let small = rest | 0
    while (at > this.at) {
      const next = (small / 10) | 0
      buffer[--at] = ZERO + (small - next * 10)
      small = next
    }
    this.at = end
  }

  /** As {@link text}, between quotes. Names and values are mostly short and need no escape. */
  quoted(bytes: Uint8Array, from: number, end: number): void {
    this.reserve(6 * (end - from) + 2)
    const { buffer } = this
    let { at } = this
    buffer[at++] = QUOTE
    let i = from
    for (; i < end; i++) {
      const code = bytes[i] as number
      if (ESCAPES[code] !== 0) break
      buffer[at++] = code
    }
    this.at = at
    if (i < end) this.text(bytes, i, end)
    this.byte(QUOTE)
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
