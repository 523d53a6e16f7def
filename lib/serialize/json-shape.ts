import type { JsonBytes } from './json-bytes.js'
import { readAmount } from './json-markers.js'
import { malformed } from './malformed-payload.js'
import { SHAPE_NAME_BYTES, SHAPE_TAGS, SHAPED_ARGUMENTS } from './markers.js'

const QUOTE = 0x22
const COMMA = 0x2c
const LIST = 0x5b
const LIST_END = 0x5d
/** Where a class has no name that can be shown. */
const NAMELESS: Readonly<Record<string, string>> = { error: 'Error', instance: 'object', opaque: 'object' }

/** Writes the shape of the arguments in `bytes` from `from` to `end` as a JSON list. */
export function writeShape(out: JsonBytes, bytes: Uint8Array, from: number, end: number): void {
  const total = bytes[from] as number
  const shown = Math.min(total, SHAPED_ARGUMENTS)
  let at = from + 1
  out.byte(LIST)
  for (let i = 0; i < shown; i++) {
    if (i > 0) out.byte(COMMA)
    at = writeEntry(out, bytes, at, end)
  }
  if (total > shown) {
    out.ascii(',"')
    out.ellipsis()
    out.byte(QUOTE)
  }
  out.byte(LIST_END)
  if (at !== end) throw malformed('has more in a shape than its arguments', at)
}

function writeEntry(out: JsonBytes, bytes: Uint8Array, from: number, end: number): number {
  const tag = from < end ? SHAPE_TAGS[bytes[from] as number] : undefined
  if (tag === undefined) throw malformed('has an unknown tag in a shape', from)
  let at = from + 1
  let size = -1
  if ('sized' in tag) {
    const read = readAmount(bytes, at, end)
    at = read.next
    size = read.amount
    out.byte(LIST)
  }
  out.byte(QUOTE)
  if ('named' in tag) at = writeName(out, bytes, at, end, tag.name)
  else out.ascii(tag.name)
  out.byte(QUOTE)
  if (size >= 0) {
    out.byte(COMMA)
    out.integer(size)
    out.byte(LIST_END)
  }
  return at
}

function writeName(out: JsonBytes, bytes: Uint8Array, at: number, end: number, kind: string): number {
  const length = at < end ? (bytes[at] as number) : SHAPE_NAME_BYTES + 1
  if (length > SHAPE_NAME_BYTES || at + 1 + length > end) throw malformed('has a broken name in a shape', at)
  if (length === 0) out.ascii(NAMELESS[kind] ?? kind)
  else out.text(bytes, at + 1, at + 1 + length)
  return at + 1 + length
}
