import { charCodeAt, min } from './intrinsics.js'
import { type Cut, Ext, STR_32, type Word } from './markers.js'
import { utf8Bytes, writeUtf8 } from './utf8.js'

/**
 * Bytes every open array or map keeps back, so that it can always be closed with the marker of what was cut:
 * key `…` 4 + ext header 3 + reason 1 + varint 8 = 16.
 */
export const CLOSING_BYTES = 16
/** Longest text of a marker in UTF-16 units: 3 bytes each + reason + varint stay below the 255 of an ext 8. */
export const MARKER_TEXT_UNITS = 80

const FIXSTR_MAX = 31
const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)
const NOTHING = new Uint8Array(0)

/**
 * Writes msgpack into memory that may be shared. A method returns `false`, with nothing written, when its value
 * does not fit before {@link limit}; there is no other failure.
 */
export class MsgpackWriter {
  bytes: Uint8Array = NOTHING
  at = 0
  limit = 0

  nil(): boolean {
    if (this.at >= this.limit) return false
    this.bytes[this.at++] = 0xc0
    return true
  }

  boolean(value: boolean): boolean {
    if (this.at >= this.limit) return false
    this.bytes[this.at++] = value ? 0xc3 : 0xc2
    return true
  }

  /** A finite number. Integers that JSON can hold exactly are written as integers, `-0` as a float. */
  number(value: number): boolean {
    const { bytes, at } = this
    if (at + 9 > this.limit) return false
    const int32 = value | 0
    if (int32 === value && (int32 !== 0 || 1 / value > 0)) {
      this.at = writeInt32(bytes, at, int32)
    } else if (value > 0 && value <= Number.MAX_SAFE_INTEGER && value % 1 === 0) {
      bytes[at] = 0xcf
      writeUint32(bytes, at + 1, (value / 0x1_0000_0000) | 0)
      writeUint32(bytes, at + 5, value >>> 0)
      this.at = at + 9
    } else {
      bytes[at] = 0xcb
      float[0] = value
      for (let i = 0; i < 8; i++) bytes[at + 1 + i] = floatBytes[7 - i] as number
      this.at = at + 9
    }
    return true
  }

  word(word: Word): boolean {
    const { bytes, at } = this
    if (at + 3 > this.limit) return false
    bytes[at] = 0xd4
    bytes[at + 1] = Ext.word
    bytes[at + 2] = word
    this.at = at + 3
    return true
  }

  /** Text of at most {@link MARKER_TEXT_UNITS}; `reason` may carry the silent bit. */
  marker(reason: Cut | number, amount: number, text: string): boolean {
    const { bytes, at } = this
    if (at + 12 + 3 * text.length > this.limit) return false
    bytes[at] = 0xc7
    bytes[at + 2] = Ext.marker
    bytes[at + 3] = reason
    const textAt = writeVarint(bytes, at + 4, amount)
    this.at = writeUtf8(bytes, textAt, text, text.length)
    bytes[at + 1] = this.at - at - 3
    return true
  }

  /** Text that is ASCII. */
  ascii(text: string): boolean {
    const { bytes } = this
    const length = text.length
    if (this.at + 3 + length > this.limit) return false
    let at = writeStringHeader(bytes, this.at, length, length)
    for (let i = 0; i < length; i++) bytes[at++] = charCodeAt(text, i)
    this.at = at
    return true
  }

  /** The first `length` bytes of `source`, which are ASCII, as a string. */
  asciiBytes(source: Uint8Array, length: number): boolean {
    const { bytes } = this
    if (this.at + 3 + length > this.limit) return false
    let at = writeStringHeader(bytes, this.at, length, length)
    for (let i = 0; i < length; i++) bytes[at++] = source[i] as number
    this.at = at
    return true
  }

  /** The first `units` UTF-16 units of any text; lone surrogates become U+FFFD. */
  string(text: string, units: number): boolean {
    const worstBytes = 3 * units
    const room = this.limit - this.at
    if (worstBytes + 3 > room && utf8Bytes(text, units) + 3 > room) return false
    const { bytes, at } = this
    const bodyAt = writeStringHeader(bytes, at, worstBytes, 0)
    this.at = writeUtf8(bytes, bodyAt, text, units)
    writeStringHeader(bytes, at, worstBytes, this.at - bodyAt)
    return true
  }

  /** Any text with the widest header, which marks a key that had a secret in it. */
  wideString(text: string): boolean {
    const byteLength = utf8Bytes(text, text.length)
    const { bytes, at } = this
    if (at + 5 + byteLength > this.limit) return false
    bytes[at] = STR_32
    writeUint32(bytes, at + 1, byteLength)
    this.at = writeUtf8(bytes, at + 5, text, text.length)
    return true
  }

  /** A string with parts taken out of it, or cut off after `units`, `rest` units before its end. */
  editedString(text: string, units: number, redactions: number, reason: Cut, rest: number): boolean {
    const room = this.limit - this.at
    const worstBytes = 3 * units
    if (worstBytes + 14 > room && utf8Bytes(text, units) + 14 > room) return false
    const { bytes, at } = this
    bytes[at] = 0xc8
    bytes[at + 3] = Ext.text
    bytes[at + 4] = min(redactions, 255)
    bytes[at + 5] = reason
    this.at = writeUtf8(bytes, writeVarint(bytes, at + 6, rest), text, units)
    const payload = this.at - at - 4
    bytes[at + 1] = payload >>> 8
    bytes[at + 2] = payload & 0xff
    return true
  }

  /**
   * Opens a map of at most `planned` entries and keeps {@link CLOSING_BYTES} back: the caller restores `limit` and
   * calls {@link closeMap} with the number that was written.
   */
  openMap(planned: number): boolean {
    return this.#open(planned, 0x80, 0xde)
  }

  openArray(planned: number): boolean {
    return this.#open(planned, 0x90, 0xdc)
  }

  closeMap(headerAt: number, planned: number, written: number): void {
    if (written !== planned) patchCount(this.bytes, headerAt, 0x80, written)
  }

  closeArray(headerAt: number, planned: number, written: number): void {
    if (written !== planned) patchCount(this.bytes, headerAt, 0x90, written)
  }

  #open(planned: number, fixed: number, wide: number): boolean {
    const { bytes, at } = this
    if (at + 3 + CLOSING_BYTES > this.limit) return false
    this.limit -= CLOSING_BYTES
    if (planned <= 15) {
      bytes[at] = fixed | planned
      this.at = at + 1
    } else {
      bytes[at] = wide
      bytes[at + 1] = planned >>> 8
      bytes[at + 2] = planned & 0xff
      this.at = at + 3
    }
    return true
  }
}

// The width of the header was chosen for the planned count and stays: readers accept a wide header of few entries.
function patchCount(bytes: Uint8Array, headerAt: number, fixed: number, written: number): void {
  const header = bytes[headerAt] as number
  if (header < 0xa0) {
    bytes[headerAt] = fixed | written
  } else {
    bytes[headerAt + 1] = written >>> 8
    bytes[headerAt + 2] = written & 0xff
  }
}

function writeInt32(bytes: Uint8Array, at: number, value: number): number {
  if (value >= 0) {
    if (value < 0x80) {
      bytes[at] = value
      return at + 1
    }
    if (value < 0x100) {
      bytes[at] = 0xcc
      bytes[at + 1] = value
      return at + 2
    }
    if (value < 0x10000) {
      bytes[at] = 0xcd
      bytes[at + 1] = value >>> 8
      bytes[at + 2] = value
      return at + 3
    }
  } else if (value >= -32) {
    bytes[at] = value
    return at + 1
  }
  bytes[at] = 0xd2
  writeUint32(bytes, at + 1, value)
  return at + 5
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** Seven bits a byte, lowest first; at most 8 bytes for a safe integer. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value
  let position = at
  while (rest >= 0x80) {
    bytes[position++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  bytes[position++] = rest
  return position
}

function writeStringHeader(bytes: Uint8Array, at: number, worstBytes: number, byteLength: number): number {
  if (worstBytes <= FIXSTR_MAX) {
    bytes[at] = 0xa0 | byteLength
    return at + 1
  }
  if (worstBytes <= 0xff) {
    bytes[at] = 0xd9
    bytes[at + 1] = byteLength
    return at + 2
  }
  bytes[at] = 0xda
  bytes[at + 1] = byteLength >>> 8
  bytes[at + 2] = byteLength & 0xff
  return at + 3
}
