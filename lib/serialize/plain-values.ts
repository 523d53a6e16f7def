import { LEARNED_PLAIN } from './argument-shape.js'
import { floor, type OwnDataView } from './intrinsics.js'
import type { KnownKey } from './known-keys.js'
import { Ext, ShapeTag, Word } from './markers.js'
import { writeInt32, writeUint32 } from './msgpack-writer.js'
import { CARD_FROM } from './secret-cards.js'
import { SHORT_UNITS, scratchWords, screenUnits } from './secret-screen.js'

/** More arguments go by the walk. */
export const PLAIN_ARGUMENTS = 8
/** Longest text that is plain. */
export const PLAIN_UNITS = SHORT_UNITS - 1
/** What {@link writePlainKey} writes. */
export const READY_KEY_BYTES = 16
/** What a plain value may take, with what is written behind it and over again. */
export const PLAIN_VALUE_BYTES = 1 + SHORT_UNITS + 3

// Here constants for the compiler, which imports are not.
const { undefined: UNDEFINED, null: NULL, boolean: BOOLEAN, number: NUMBER, string: STRING } = ShapeTag
const { object: OBJECT } = ShapeTag
const LEARNED = LEARNED_PLAIN
const UNITS = PLAIN_UNITS
const CARD = CARD_FROM
const WORD = Ext.word
const SHAPE = Ext.shape
const UNDEFINED_WORD = Word.undefined
const words = scratchWords

/**
 * Writes a number, a short text that can hold no secret, a boolean, or nothing: what the walk would write, without what
 * a walk needs to be begun and ended. The caller has made sure of {@link PLAIN_VALUE_BYTES}.
 *
 * @returns the offset behind it, or -1: it is for the walk
 */
export function writePlain(bytes: Uint8Array, view: OwnDataView, at: number, value: unknown): number {
  if (typeof value === 'number') {
    const int32 = value | 0
    if (int32 === value && (int32 !== 0 || 1 / value > 0)) {
      if (int32 < 0 || int32 >= 0x80) return writeInt32(bytes, at, int32)
      bytes[at] = int32
      return at + 1
    }
    if (!(value < CARD && value - value === 0)) return -1
    if (value > 0 && floor(value) === value) {
      bytes[at] = 0xcf
      writeUint32(bytes, at + 1, (value / 0x1_0000_0000) | 0)
      writeUint32(bytes, at + 5, value >>> 0)
    } else {
      bytes[at] = 0xcb
      view.setFloat64(at + 1, value)
    }
    return at + 9
  }
  if (typeof value === 'string') {
    const length = value.length
    if (length > UNITS || screenUnits(value, length) !== 0) return -1
    bytes[at] = 0xa0 | length
    // Whole words: up to three bytes behind the string are written over by what follows.
    for (let i = 0; i < length; i += 4) view.setInt32(at + 1 + i, words[i >> 2] as number, true)
    return at + 1 + length
  }
  if (typeof value === 'boolean') {
    bytes[at] = value ? 0xc3 : 0xc2
    return at + 1
  }
  if (value === null) {
    bytes[at] = 0xc0
    return at + 1
  }
  if (typeof value !== 'undefined') return -1
  bytes[at] = 0xd4
  bytes[at + 1] = WORD
  bytes[at + 2] = UNDEFINED_WORD
  return at + 3
}

/** A text whose bytes are ready: 16 of them are written, and those behind the text over again. */
export function writePlainKey(view: OwnDataView, at: number, known: KnownKey): number {
  view.setInt32(at, known.word0, true)
  view.setInt32(at + 4, known.word1, true)
  view.setInt32(at + 8, known.word2, true)
  view.setInt32(at + 12, known.word3, true)
  return at + known.bytes
}

/**
 * The shape of arguments that are plain, or objects of few keys as the walk has learned them ({@link ShapeTag}).
 * Returns the offset behind it, or -1: something else is among them.
 */
export function writePlainShape(
  bytes: Uint8Array,
  at: number,
  args: ArrayLike<unknown>,
  learned: Int32Array,
): number {
  const total = args.length
  let next = at + 4
  for (let i = 0; i < total; i++) {
    const value = args[i]
    if (typeof value === 'string') {
      const length = value.length
      if (length >= 0x80) return -1
      bytes[next] = STRING
      bytes[next + 1] = length
      next += 2
    } else if (typeof value === 'object' && value !== null) {
      const keys = learned[i] as number
      if (keys < LEARNED || keys >= LEARNED + 0x80) return -1
      bytes[next] = OBJECT
      bytes[next + 1] = keys - LEARNED
      next += 2
    } else {
      bytes[next++] =
        typeof value === 'number'
          ? NUMBER
          : typeof value === 'boolean'
            ? BOOLEAN
            : value === null
              ? NULL
              : UNDEFINED
    }
  }
  bytes[at] = 0xc7
  bytes[at + 1] = next - at - 3
  bytes[at + 2] = SHAPE
  bytes[at + 3] = total
  return next
}
