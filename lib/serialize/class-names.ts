import { OwnBytes } from './intrinsics.js'
import { SHAPE_NAME_BYTES } from './markers.js'
import { Redaction } from './redaction.js'
import { screen } from './secret-screen.js'
import { writeUtf8 } from './utf8.js'

export const NO_NAME = new Uint8Array(0)
const judge = Redaction.compile({})
/** Three bytes a unit at most. */
const encoded = new Uint8Array(3 * SHAPE_NAME_BYTES)

/** A class name as it stands in the shape of arguments: UTF-8, at most 64 bytes. Computed once per class. */
export function nameBytesOf(className: string): Uint8Array {
  const units = className.length
  if (units === 0 || units > SHAPE_NAME_BYTES) return NO_NAME
  if (judge.scrub(className, screen(className, units), units, false) !== null) return NO_NAME
  let end = writeUtf8(encoded, 0, className, units)
  if (end > SHAPE_NAME_BYTES) {
    end = SHAPE_NAME_BYTES
    // Not in the middle of a character.
    while (((encoded[end] as number) & 0xc0) === 0x80) end--
  }
  const bytes = new OwnBytes(end)
  for (let i = 0; i < end; i++) bytes[i] = encoded[i] as number
  return bytes
}
