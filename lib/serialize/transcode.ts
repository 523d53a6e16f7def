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
  #at = 0
  #end = 0

  /** Holds all texts since {@link reset}; another buffer after it had to grow. */
  get buffer(): Buffer {
    return this.#out.buffer
  }

  /** The text of the last {@link value}. */
  text(): string {
    return this.#out.buffer.toString('utf8', this.start, this.start + this.length)
  }

  /** Forgets the texts and the cuts. */
  reset(): void {
    this.#out.at = 0
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
    this.#at = offset
    this.#end = end
    this.#depth = 0
    const out = this.#out
    const start = out.at
    try {
      this.#value()
    } catch (error) {
      out.at = start
      throw error
    }
    this.start = start
    this.length = out.at - start
    return this.#at
  }

  #value(): void {
    const at = this.#at
    if (at >= this.#end) throw malformed('ends in the middle of a value', at)
    const code = this.#bytes[at] as number
    this.#at = at + 1
    if (code < 0x80) this.#out.integer(code)
    else if (code < 0x90) this.#map(code & 0x0f)
    else if (code < 0xa0) this.#array(code & 0x0f)
    else if (code < 0xc0) this.#string(code & 0x1f)
    else if (code >= 0xe0) this.#out.integer(code - 0x100)
    else this.#typed(code)
  }

  #typed(code: number): void {
    const at = this.#at
    switch (code) {
      case 0xc0:
        this.#out.ascii('null')
        break
      case 0xc2:
        this.#out.ascii('false')
        break
      case 0xc3:
        this.#out.ascii('true')
        break
      case 0xc4:
        this.#binary(this.#take(1))
        break
      case 0xc5:
        this.#binary(this.#take(2))
        break
      case 0xc6:
        this.#binary(this.#take(4))
        break
      case 0xc7:
        this.#extension(this.#take(1))
        break
      case 0xc8:
        this.#extension(this.#take(2))
        break
      case 0xc9:
        this.#extension(this.#take(4))
        break
      case 0xca:
        this.#skip(4)
        this.#float(this.#view.getFloat32(at))
        break
      case 0xcb:
        this.#skip(8)
        this.#float(this.#view.getFloat64(at))
        break
      case 0xcc:
        this.#out.integer(this.#take(1))
        break
      case 0xcd:
        this.#out.integer(this.#take(2))
        break
      case 0xce:
        this.#out.integer(this.#take(4))
        break
      case 0xcf:
        this.#skip(8)
        this.#wide(this.#view.getUint32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4), at, false)
        break
      case 0xd0:
        this.#skip(1)
        this.#out.integer(this.#view.getInt8(at))
        break
      case 0xd1:
        this.#skip(2)
        this.#out.integer(this.#view.getInt16(at))
        break
      case 0xd2:
        this.#skip(4)
        this.#out.integer(this.#view.getInt32(at))
        break
      case 0xd3:
        this.#skip(8)
        this.#wide(this.#view.getInt32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4), at, true)
        break
      case 0xd4:
        this.#extension(1)
        break
      case 0xd5:
        this.#extension(2)
        break
      case 0xd6:
        this.#extension(4)
        break
      case 0xd7:
        this.#extension(8)
        break
      case 0xd8:
        this.#extension(16)
        break
      case 0xd9:
        this.#string(this.#take(1))
        break
      case 0xda:
        this.#string(this.#take(2))
        break
      case 0xdb:
        this.#string(this.#take(4))
        break
      case 0xdc:
        this.#array(this.#take(2))
        break
      case 0xdd:
        this.#array(this.#take(4))
        break
      case 0xde:
        this.#map(this.#take(2))
        break
      case 0xdf:
        this.#map(this.#take(4))
        break
      default:
        throw malformed(`has the byte 0x${code.toString(16)}, which msgpack never uses,`, at - 1)
    }
  }

  /** Reads an unsigned number of `width` bytes. */
  #take(width: number): number {
    const at = this.#at
    this.#skip(width)
    const bytes = this.#bytes
    let value = bytes[at] as number
    for (let i = 1; i < width; i++) value = value * 0x100 + (bytes[at + i] as number)
    return value
  }

  #skip(length: number): void {
    if (length > this.#end - this.#at) throw malformed('ends in the middle of a value', this.#at)
    this.#at += length
  }

  #wide(value: number, at: number, signed: boolean): void {
    if (Number.isSafeInteger(value)) this.#out.integer(value)
    else this.#out.ascii(String(signed ? this.#view.getBigInt64(at) : this.#view.getBigUint64(at)))
  }

  #float(value: number): void {
    if (Number.isSafeInteger(value) && (value !== 0 || 1 / value > 0)) this.#out.integer(value)
    else if (Number.isFinite(value)) this.#out.ascii(value === 0 ? '-0' : String(value))
    else this.#out.ascii(Number.isNaN(value) ? '"[NaN]"' : value > 0 ? '"[Infinity]"' : '"[-Infinity]"')
  }

  #string(length: number): void {
    const from = this.#at
    this.#skip(length)
    this.#out.quoted(this.#bytes, from, from + length)
  }

  #binary(length: number): void {
    this.#skip(length)
    this.#out.ascii(`"[Buffer ${length}]"`)
  }

  #array(count: number): void {
    this.#enter()
    const out = this.#out
    out.byte(0x5b)
    for (let i = 0; i < count; i++) {
      if (i > 0) out.byte(COMMA)
      this.#value()
    }
    out.byte(0x5d)
    this.#depth--
  }

  #map(count: number): void {
    this.#enter()
    const out = this.#out
    out.byte(0x7b)
    for (let i = 0; i < count; i++) {
      if (i > 0) out.byte(COMMA)
      this.#key()
      out.byte(COLON)
      this.#value()
    }
    out.byte(0x7d)
    this.#depth--
  }

  #enter(): void {
    if (++this.#depth > MAX_DEPTH) throw malformed(`is nested deeper than ${MAX_DEPTH}`, this.#at)
  }

  #key(): void {
    const out = this.#out
    const code = this.#at < this.#end ? (this.#bytes[this.#at] as number) : 0
    if (code >= 0xa0 && code < 0xc0) {
      this.#at++
      this.#string(code & 0x1f)
      return
    }
    const start = out.at
    if (code === STR_32) this.#cuts.add(Cut.redacted, 1)
    this.#value()
    if (out.buffer[start] === QUOTE) return
    // JSON knows text keys only: any other key stands there as the text of its JSON.
    const json = Uint8Array.prototype.slice.call(out.buffer, start, out.at)
    out.at = start
    out.quoted(json, 0, json.length)
  }

  #extension(length: number): void {
    const type = this.#take(1)
    const from = this.#at
    this.#skip(length)
    const end = from + length
    if (type === Ext.word && length === 1) writeWord(this.#out, this.#cuts, this.#bytes[from] as number)
    else if (type === Ext.marker && length >= 2) writeMarker(this.#out, this.#cuts, this.#bytes, from, end)
    else if (type === Ext.text && length >= 3) writeText(this.#out, this.#cuts, this.#bytes, from, end)
    else if (type === Ext.shape && length >= 1) writeShape(this.#out, this.#bytes, from, end)
    else this.#out.ascii(`"[ext ${type} ${length}]"`)
  }
}
