import {
  charCodeAt,
  floor,
  min,
  OwnDataView,
  typedArrayBuffer,
  typedArrayLength,
  typedArrayOffset,
  typedArraySet,
} from './intrinsics.js'
import { ISO_DATE_BYTES, writeIsoDate } from './iso-date.js'
import type { KnownKey } from './known-keys.js'
import { Cut, Ext, STR_32, type Word } from './markers.js'
import { scratchView, scratchWords } from './secret-screen.js'
import { utf8Bytes, writeUtf8 } from './utf8.js'

/**
 * Bytes every open array or map keeps back, so that it can always be closed with the marker of what was cut:
 * key `…` 4 + ext header 3 + reason 1 + varint 8 = 16.
 */
export const CLOSING_BYTES = 16
/** Longest text of a marker in UTF-16 units: 3 bytes each + reason + varint stay below the 255 of an ext 8. */
export const MARKER_TEXT_UNITS = 80

const FIXSTR_MAX = 31
// Here constants for the compiler, which imports are not.
const TEXT = Ext.text
const WORD = Ext.word
const CUT_STRING = Cut.string
const NOTHING = new Uint8Array(0)
const NO_VIEW = new OwnDataView(NOTHING.buffer, 0, 0)
const MAX_SAFE = Number.MAX_SAFE_INTEGER

/**
 * Writes msgpack into memory that may be shared. A method returns `false`, with nothing written, when its value
 * does not fit before {@link limit}; there is no other failure.
 */
export class MsgpackWriter {
  bytes: Uint8Array = NOTHING
  /** The same memory: several bytes in one store. */
  view: OwnDataView = NO_VIEW
  at = 0
  limit = 0
  // A thread writes into two or three memories by turns.
  #bytesBefore: Uint8Array = NOTHING
  #viewBefore: OwnDataView = NO_VIEW

  target(bytes: Uint8Array): void {
    if (bytes === this.bytes) return
    const { bytes: left, view } = this
    this.bytes = bytes
    this.view = bytes === this.#bytesBefore ? this.#viewBefore : viewOf(bytes)
    this.#bytesBefore = left
    this.#viewBefore = view
  }

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
    } else if (value > 0 && value <= MAX_SAFE && floor(value) === value) {
      bytes[at] = 0xcf
      writeUint32(bytes, at + 1, (value / 0x1_0000_0000) | 0)
      writeUint32(bytes, at + 5, value >>> 0)
      this.at = at + 9
    } else {
      bytes[at] = 0xcb
      this.view.setFloat64(at + 1, value)
      this.at = at + 9
    }
    return true
  }

  word(word: Word): boolean {
    const { bytes, at } = this
    if (at + 3 > this.limit) return false
    bytes[at] = 0xd4
    bytes[at + 1] = WORD
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

  isoDate(time: number): boolean {
    const { bytes, at } = this
    if (at + 1 + ISO_DATE_BYTES > this.limit) return false
    bytes[at] = 0xa0 | ISO_DATE_BYTES
    writeIsoDate(bytes, at + 1, time)
    this.at = at + 1 + ISO_DATE_BYTES
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

  /** A key whose bytes are ready; `false` also when they are not. */
  readyKey(key: KnownKey): boolean {
    const { at, view } = this
    const { bytes } = key
    // Whole words: up to 7 bytes behind the key are zeroed, and written over by what follows.
    if (bytes === 0 || at + 16 > this.limit) return false
    view.setInt32(at, key.word0, true)
    view.setInt32(at + 4, key.word1, true)
    if (bytes > 8) {
      view.setInt32(at + 8, key.word2, true)
      view.setInt32(at + 12, key.word3, true)
    }
    this.at = at + bytes
    return true
  }

  /** The first bytes of the scratch memory, at most 31 and ASCII, as a string. */
  shortAscii(length: number): boolean {
    const { at, view } = this
    // Whole words: up to three bytes behind the string are written over by what follows.
    if (at + 4 + length > this.limit) return this.longAscii(length)
    this.bytes[at] = 0xa0 | length
    for (let i = 0; i < length; i += 4) view.setInt32(at + 1 + i, scratchWords[i >> 2] as number, true)
    this.at = at + 1 + length
    return true
  }

  /** As many as fit the limits; ASCII too. */
  longAscii(length: number): boolean {
    const { bytes } = this
    if (this.at + 3 + length > this.limit) return false
    const at = writeStringHeader(bytes, this.at, length, length)
    typedArraySet(bytes, scratchView(length), at)
    this.at = at + length
    return true
  }

  /** The first bytes of the scratch memory, which are ASCII, as a string that was cut off `rest` units before its end. */
  cutAscii(length: number, rest: number): boolean {
    const { bytes, at } = this
    if (at + 14 + length > this.limit) return false
    bytes[at] = 0xc8
    bytes[at + 3] = TEXT
    bytes[at + 4] = 0
    bytes[at + 5] = CUT_STRING
    const textAt = writeVarint(bytes, at + 6, rest)
    typedArraySet(bytes, scratchView(length), textAt)
    this.at = textAt + length
    const payload = this.at - at - 4
    bytes[at + 1] = payload >>> 8
    bytes[at + 2] = payload & 0xff
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
    bytes[at + 3] = TEXT
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

function viewOf(bytes: Uint8Array): OwnDataView {
  return new OwnDataView(typedArrayBuffer(bytes), typedArrayOffset(bytes), typedArrayLength(bytes))
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

export function writeInt32(bytes: Uint8Array, at: number, value: number): number {
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

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
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
    rest = floor(rest / 0x80)
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
