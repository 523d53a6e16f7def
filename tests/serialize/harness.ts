import { decode, ExtData } from '@msgpack/msgpack'
import { DEFAULTS } from '../../lib/config/defaults.js'
import type { CaptureMode, Limits } from '../../lib/config/options.js'
import { Capture, type CaptureSite } from '../../lib/serialize/capture.js'
import { CUT_REASONS, SILENT, WORDS } from '../../lib/serialize/markers.js'
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
  readonly bytes: number
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

export const captureArguments = (args: readonly unknown[], setup: CaptureSetup = {}): Captured =>
  captureWith(setup, (capture, bytes, offset, end, site) =>
    capture.writeArguments(bytes, offset, end, args, setup.mode ?? true, site),
  )

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
  const decoded = decode(bytes.slice(offset, next))
  transcoder.reset()
  const after = transcoder.value(bytes, offset, end)
  if (after !== next) throw new Error(`The transcoder stopped at ${after}, the capture at ${next}`)
  const slice = transcoder.buffer.subarray(transcoder.start, transcoder.start + transcoder.length)
  const text = new TextDecoder('utf-8', { fatal: true }).decode(slice)
  const json: unknown = JSON.parse(text)
  const expected = JSON.stringify(reference(decoded))
  if (JSON.stringify(json) !== expected)
    throw new Error(`JSON ${text}\ndiffers from the reference ${expected}`)
  const cuts = transcoder.cuts()
  return {
    json,
    text,
    cuts: cuts === null ? null : (JSON.parse(cuts) as Record<string, number>),
    bytes: next - offset,
    memory: Buffer.from(bytes.slice()),
  }
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

function referenceExtension(type: number, data: Uint8Array): string {
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
  const reason = CUT_REASONS[(reasonByte & ~SILENT) - 1]
  const shown = reasonByte & SILENT ? undefined : reason
  if (type === 2) return reason === undefined ? text : `${text}…[${amount} more: ${reason}]`
  return `[${text === '' ? `${amount} more` : text}${shown === undefined ? '' : `: ${shown}`}]`
}
