import type { Buffer } from 'node:buffer'
import { JsonBytes } from './json-bytes.js'
import { CutCounter, writeMarker, writeText, writeWord } from './json-markers.js'
import { writeShape } from './json-shape.js'
import { MalformedPayloadError, malformed } from './malformed-payload.js'
import { Cut, Ext, STR_32 } from './markers.js'

export { MalformedPayloadError } from './malformed-payload.js'

const MAX_DEPTH = 64
/** A payload of the largest record stays far below; garbage cannot claim more. */
const MAX_OUTPUT_BYTES = 8 * 1024 ** 2
const COMMA = 0x2c
const COLON = 0x3a
const QUOTE = 0x22
const LIST = 0x5b
const LIST_END = 0x5d
const BRACE = 0x7b
const BRACE_END = 0x7d

/**
 * Turns msgpack into JSON text, bytes to bytes. For any input it either writes valid JSON in valid UTF-8 or throws
 * {@link MalformedPayloadError}; how markers look is described in `markers.ts`.
 */
export class Transcoder {
  /** Where the text of the last {@link value} stands in {@link buffer}. */
  start = 0
  length = 0
  readonly #out = new JsonBytes(
    MAX_OUTPUT_BYTES,
    () =>
      new MalformedPayloadError(`The JSON text of one batch would be longer than ${MAX_OUTPUT_BYTES} bytes.`),
  )
  readonly #cuts = new CutCounter()
  #depth = 0
  #bytes: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(new ArrayBuffer(0))
  #end = 0

  /** Holds all texts since {@link reset}; another buffer after it had to grow. */
  get buffer(): Buffer {
    return this.#out.buffer
  }

  /** The text of the last {@link value}. */
  text(): string {
    return this.textOf(this.start, this.start + this.length)
  }

  /** What stands from one offset of {@link buffer} to another. */
  textOf(from: number, end: number): string {
    return this.#out.slice(from, end)
  }

  /** Whether each byte since {@link reset} is a character. */
  get isAscii(): boolean {
    return this.#out.isAscii
  }

  /** Offset behind the last text. */
  get end(): number {
    return this.#out.at
  }

  /** Forgets the texts and the cuts. */
  reset(): void {
    this.#out.at = 0
    this.#out.isAscii = true
    this.start = 0
    this.length = 0
    this.#cuts.reset()
  }

  /** Cuts seen since {@link reset}, how many of each reason, such as `{"items":1,"redacted":2}`; `null` for none. */
  cuts(): string | null {
    return this.#cuts.text()
  }

  /**
   * Reads one msgpack value at `offset` and appends it as JSON text.
   * @returns the offset after the value
   * @throws MalformedPayloadError what stands there is not msgpack, runs past `end`, or is nested deeper than 64;
   *   nothing is appended then
   */
  value(bytes: Uint8Array, offset: number, end: number): number {
    if (offset < 0 || end > bytes.length) throw malformed('ends before its own bounds', offset)
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    this.#end = end
    this.#depth = 0
    const out = this.#out
    const start = out.at
    let next = offset
    try {
      next = this.#value(offset)
    } catch (error) {
      out.at = start
      throw error
    }
    this.start = start
    this.length = out.at - start
    return next
  }

  /** Appends the value at `at`; returns the offset behind it, as the others do. */
  #value(at: number): number {
    if (at >= this.#end) throw malformed('ends in the middle of a value', at)
    const code = this.#bytes[at] as number
    if (code >= 0xa0 && code < 0xc0) return this.#string(at + 1, code & 0x1f)
    if (code < 0x80) this.#out.integer(code)
    else if (code < 0x90) return this.#map(at + 1, code & 0x0f)
    else if (code < 0xa0) return this.#array(at + 1, code & 0x0f)
    else if (code >= 0xe0) this.#out.integer(code - 0x100)
    else return this.#typed(code, at + 1)
    return at + 1
  }

  #typed(code: number, at: number): number {
    const out = this.#out
    switch (code) {
      case 0xc0:
        out.ascii('null')
        return at
      case 0xc2:
        out.ascii('false')
        return at
      case 0xc3:
        out.ascii('true')
        return at
      case 0xc4:
        return this.#binary(at + 1, this.#unsigned(at, 1))
      case 0xc5:
        return this.#binary(at + 2, this.#unsigned(at, 2))
      case 0xc6:
        return this.#binary(at + 4, this.#unsigned(at, 4))
      case 0xc7:
        return this.#extension(at + 1, this.#unsigned(at, 1))
      case 0xc8:
        return this.#extension(at + 2, this.#unsigned(at, 2))
      case 0xc9:
        return this.#extension(at + 4, this.#unsigned(at, 4))
      case 0xca:
        this.#behind(at, 4)
        out.float(this.#view.getFloat32(at))
        return at + 4
      case 0xcb:
        this.#behind(at, 8)
        out.float(this.#view.getFloat64(at))
        return at + 8
      case 0xcc:
      case 0xcd:
      case 0xce: {
        const width = 1 << (code - 0xcc)
        out.integer(this.#unsigned(at, width))
        return at + width
      }
      case 0xcf:
        this.#behind(at, 8)
        this.#wide(this.#view.getUint32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4), at, false)
        return at + 8
      case 0xd0:
        this.#behind(at, 1)
        out.integer(this.#view.getInt8(at))
        return at + 1
      case 0xd1:
        this.#behind(at, 2)
        out.integer(this.#view.getInt16(at))
        return at + 2
      case 0xd2:
        this.#behind(at, 4)
        out.integer(this.#view.getInt32(at))
        return at + 4
      case 0xd3:
        this.#behind(at, 8)
        this.#wide(this.#view.getInt32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4), at, true)
        return at + 8
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(at, 1 << (code - 0xd4))
      case 0xd9:
        return this.#string(at + 1, this.#unsigned(at, 1))
      case 0xda:
        return this.#string(at + 2, this.#unsigned(at, 2))
      case 0xdb:
        return this.#string(at + 4, this.#unsigned(at, 4))
      case 0xdc:
        return this.#array(at + 2, this.#unsigned(at, 2))
      case 0xdd:
        return this.#array(at + 4, this.#unsigned(at, 4))
      case 0xde:
        return this.#map(at + 2, this.#unsigned(at, 2))
      case 0xdf:
        return this.#map(at + 4, this.#unsigned(at, 4))
      default:
        throw malformed(`has the byte 0x${code.toString(16)}, which msgpack never uses,`, at - 1)
    }
  }

  /** An unsigned number of `width` bytes. */
  #unsigned(at: number, width: number): number {
    const end = this.#behind(at, width)
    const bytes = this.#bytes
    let value = bytes[at] as number
    for (let i = at + 1; i < end; i++) value = value * 0x100 + (bytes[i] as number)
    return value
  }

  /** The offset behind `length` bytes that stand there. */
  #behind(at: number, length: number): number {
    if (length > this.#end - at) throw malformed('ends in the middle of a value', at)
    return at + length
  }

  #wide(value: number, at: number, signed: boolean): void {
    if (Number.isSafeInteger(value)) this.#out.integer(value)
    else this.#out.ascii(String(signed ? this.#view.getBigInt64(at) : this.#view.getBigUint64(at)))
  }

  #string(at: number, length: number): number {
    const end = this.#behind(at, length)
    this.#out.quoted(this.#bytes, this.#view, at, end)
    return end
  }

  #binary(at: number, length: number): number {
    const end = this.#behind(at, length)
    this.#out.ascii(`"[Buffer ${length}]"`)
    return end
  }

  #array(from: number, count: number): number {
    this.#enter(from)
    const out = this.#out
    let at = from
    out.byte(LIST)
    for (let i = 0; i < count; i++) {
      if (i > 0) out.byte(COMMA)
      at = this.#value(at)
    }
    out.byte(LIST_END)
    this.#depth--
    return at
  }

  #map(from: number, count: number): number {
    this.#enter(from)
    const out = this.#out
    let at = from
    if (count === 0) out.byte(BRACE)
    for (let i = 0; i < count; i++) at = this.#value(this.#key(at, i === 0 ? BRACE : COMMA))
    out.byte(BRACE_END)
    this.#depth--
    return at
  }

  #enter(at: number): void {
    if (++this.#depth > MAX_DEPTH) throw malformed(`is nested deeper than ${MAX_DEPTH}`, at)
  }

  /** @param before what stands before it in the text */
  #key(at: number, before: number): number {
    const out = this.#out
    const code = at < this.#end ? (this.#bytes[at] as number) : 0
    if (code >= 0xa0 && code < 0xc0) {
      const end = this.#behind(at + 1, code & 0x1f)
      out.key(before, this.#bytes, this.#view, at + 1, end)
      return end
    }
    out.byte(before)
    const start = out.at
    if (code === STR_32) this.#cuts.add(Cut.redacted, 1)
    const next = this.#value(at)
    if (out.buffer[start] !== QUOTE) {
      // JSON knows text keys only: any other key stands there as the text of its JSON.
      const json = Uint8Array.prototype.slice.call(out.buffer, start, out.at)
      out.at = start
      out.quoted(json, new DataView(json.buffer, json.byteOffset), 0, json.length)
    }
    out.byte(COLON)
    return next
  }

  #extension(at: number, length: number): number {
    const type = this.#unsigned(at, 1)
    const from = at + 1
    const end = this.#behind(from, length)
    if (type === Ext.word && length === 1) writeWord(this.#out, this.#cuts, this.#bytes[from] as number)
    else if (type === Ext.marker && length >= 2) writeMarker(this.#out, this.#cuts, this.#bytes, from, end)
    else if (type === Ext.text && length >= 3) writeText(this.#out, this.#cuts, this.#bytes, from, end)
    else if (type === Ext.shape && length >= 1) writeShape(this.#out, this.#bytes, from, end)
    else this.#out.ascii(`"[ext ${type} ${length}]"`)
    return end
  }
}
