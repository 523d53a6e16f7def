import { decodeMulti, ExtData } from '@msgpack/msgpack'
import { DEFAULTS } from '../../lib/config/defaults.js'
import type { CaptureMode, Limits } from '../../lib/config/options.js'
import { Capture, type CaptureSite } from '../../lib/serialize/capture.js'
import { CUT_REASONS, SCRUBBED, SHAPE_BYTES, SHAPE_TAGS, SILENT, WORDS } from '../../lib/serialize/markers.js'
import { Redaction, type RedactionOptions } from '../../lib/serialize/redaction.js'
import { Transcoder } from '../../lib/serialize/transcode.js'

const GUARD_BYTES = 16
const GUARD = 0x5a

export function newSite(options: RedactionOptions = {}): CaptureSite {
  return { costly: new Set(), redaction: Redaction.compile(options) }
}

export interface Captured {
  /** The stored JSON, parsed. */
  readonly json: unknown
  readonly text: string
  readonly cuts: Record<string, number> | null
  /** Of the value, or of all arguments. */
  readonly bytes: number
  /** Of arguments: their shape, parsed. */
  readonly shape: unknown
  /** Every byte of the shared memory, to look for what must not be there. */
  readonly memory: Buffer
}

export interface CaptureSetup {
  readonly limits?: Partial<Limits>
  readonly site?: CaptureSite
  readonly room?: number
  readonly mode?: CaptureMode
}

const transcoder = new Transcoder()

type Write = (capture: Capture, bytes: Uint8Array, offset: number, end: number, site: CaptureSite) => number

export const captureArguments = (args: readonly unknown[], setup: CaptureSetup = {}): Captured => {
  const captured = captureWith(setup, (capture, bytes, offset, end, site) =>
    capture.writeArguments(bytes, offset, end, args, setup.mode ?? true, site),
  )
  const { bytes: cap } = { ...DEFAULTS.limits, ...setup.limits }
  if (captured.bytes > Math.max(cap, 1))
    throw new Error(`Arguments of ${captured.bytes} bytes are over ${cap}`)
  return captured
}

/** One value, as it stands among the arguments. */
export const captureValue = (
  value: unknown,
  setup: CaptureSetup = {},
): Captured & { readonly value: unknown } => {
  const captured = captureArguments([value], setup)
  return { ...captured, value: (captured.json as unknown[])[0] }
}

export const captureError = (
  thrown: unknown,
  setup: CaptureSetup & { readonly header?: boolean } = {},
): Captured =>
  captureWith(setup, (capture, bytes, offset, end, site) =>
    capture.writeError(bytes, offset, end, thrown, setup.header ?? false, site),
  )

export const captureResult = (value: unknown, setup: CaptureSetup = {}): Captured =>
  captureWith(setup, (capture, bytes, offset, end, site) =>
    capture.writeResult(bytes, offset, end, value, setup.mode ?? true, site),
  )

/**
 * Captures into shared memory between guard bytes, and checks what holds for every value: nothing thrown, nothing
 * written outside, `@msgpack/msgpack` reads it, the JSON is valid and says the same as the reference renderer.
 */
export function captureWith(setup: CaptureSetup, write: Write): Captured {
  const limits = { ...DEFAULTS.limits, ...setup.limits }
  const capture = new Capture(limits)
  const room = setup.room ?? limits.bytes + limits.stackLength + 100
  const bytes = new Uint8Array(new SharedArrayBuffer(room + 2 * GUARD_BYTES)).fill(GUARD)
  const offset = GUARD_BYTES
  const end = offset + room
  const next = write(capture, bytes, offset, end, setup.site ?? newSite())
  if (next < offset || next > end) throw new Error(`Offset ${next} is outside of ${offset} to ${end}`)
  for (let i = 0; i < GUARD_BYTES; i++) {
    if (bytes[i] !== GUARD || bytes[end + i] !== GUARD)
      throw new Error('A byte outside of the room was written')
  }
  transcoder.reset()
  const texts: string[] = []
  const sizes: number[] = []
  let at = offset
  for (const value of decodeMulti(bytes.slice(offset, next))) {
    const start = at
    at = transcoder.value(bytes, at, end)
    sizes.push(at - start)
    const slice = transcoder.buffer.subarray(transcoder.start, transcoder.start + transcoder.length)
    const text = new TextDecoder('utf-8', { fatal: true }).decode(slice)
    const expected = JSON.stringify(reference(value))
    if (JSON.stringify(JSON.parse(text)) !== expected)
      throw new Error(`JSON ${text}\ndiffers from the reference ${expected}`)
    texts.push(text)
  }
  if (at !== next) throw new Error(`The transcoder stopped at ${at}, the capture at ${next}`)
  const [text = '', shape = 'null'] = texts
  const [size = 0, shapeSize = 0] = sizes
  if (shapeSize > SHAPE_BYTES) throw new Error(`A shape of ${shapeSize} bytes is over its cap`)
  if (size > limits.bytes + limits.stackLength) throw new Error(`A value of ${size} bytes is over its cap`)
  const cuts = transcoder.cuts()
  return {
    json: JSON.parse(text) as unknown,
    shape: JSON.parse(shape) as unknown,
    text,
    cuts: cuts === null ? null : (JSON.parse(cuts) as Record<string, number>),
    bytes: size,
    memory: Buffer.from(bytes.slice()),
  }
}

// A decoder leaves a byte order mark at the beginning of a text out, unless told otherwise; so do those below, and that of
// `@msgpack/msgpack` for more than 200 bytes. What was captured begins with it.
const whole = new TextDecoder('utf-8', { ignoreBOM: true })
const { decode } = TextDecoder.prototype
TextDecoder.prototype.decode = function (...args: Parameters<typeof decode>): string {
  return decode.apply(this.encoding === 'utf-8' && !this.fatal ? whole : this, args)
}

/** The twin of the transcoder: from what `@msgpack/msgpack` decoded to the value JSON should hold. */
export function reference(value: unknown): unknown {
  if (value instanceof ExtData) return referenceExtension(value.type, value.data as Uint8Array)
  if (value instanceof Uint8Array) return `[Buffer ${value.length}]`
  if (Array.isArray(value)) return value.map(reference)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, reference(item)]))
  }
  return value
}

function referenceExtension(type: number, data: Uint8Array): unknown {
  if (type === 4) return referenceShape(data)
  if (type === 3) return WORDS[data[0] as number]?.text ?? '?'
  const header = type === 1 ? 1 : 2
  const reasonByte = data[header - 1] as number
  let amount = 0
  let at = header
  for (let shift = 0; ; shift += 7) {
    const byte = data[at++] as number
    amount += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  const text = new TextDecoder().decode(data.slice(at))
  const reason = CUT_REASONS[(reasonByte & ~(SILENT | SCRUBBED)) - 1]
  const shown = reasonByte & SILENT ? undefined : reason
  if (type === 2) return reason === undefined ? text : `${text}…[${amount} more: ${reason}]`
  return `[${text === '' ? `${amount} more` : text}${shown === undefined ? '' : `: ${shown}`}]`
}

function referenceShape(data: Uint8Array): unknown[] {
  const entries: unknown[] = []
  const total = data[0] as number
  let at = 1
  while (entries.length < Math.min(total, 16)) {
    const tag: { name: string; sized?: true; named?: true } = SHAPE_TAGS[data[at++] as number] ?? {
      name: '?',
    }
    let { name } = tag
    let size = 0
    if (tag.sized) {
      for (let shift = 0; ; shift += 7) {
        const byte = data[at++] as number
        size += (byte & 0x7f) * 2 ** shift
        if (byte < 0x80) break
      }
    }
    if (tag.named) {
      const length = data[at++] as number
      const nameless = name === 'error' ? 'Error' : 'object'
      name = length === 0 ? nameless : new TextDecoder().decode(data.slice(at, at + length))
      at += length
    }
    entries.push(tag.sized ? [name, size] : name)
  }
  if (at !== data.length) throw new Error(`A shape of ${data.length} bytes ends at ${at}`)
  return total > 16 ? [...entries, '…'] : entries
}
