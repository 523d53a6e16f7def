import { fileURLToPath } from 'node:url'
import { Frame, FrameFlag, REMOTE_TRACE_BYTES } from '../queue/layout.js'
import { KnownShapes } from '../serialize/known-shapes.js'
import { Ext } from '../serialize/markers.js'
import type { Transcoder } from '../serialize/transcode.js'
import type { ErrorRow } from '../store/insert.js'
import { ID_SALT_SPAN } from '../store/record-sql.js'
import { fingerprint } from './fingerprint.js'

/** The part of the store a record goes into. */
export interface RecordStore {
  functionId(name: string): number
  call(
    endUs: number,
    salt: number,
    functionId: number,
    processId: number,
    durationNs: number,
    weight: number,
    call: number,
    trace: number,
    parent: number,
    flags: number,
    shape: string | null,
    args: string | null,
    result: string | null,
    cuts: string | null,
  ): void
  error(row: ErrorRow): boolean
  remoteTrace(processId: number, trace: number, ids: Uint8Array, at: number, seenUs: number): void
}

/** Whose record it is. */
export interface RecordOrigin {
  readonly processId: number
  readonly ring: number
  /** Unix time of the producer's monotonic zero, in microseconds. */
  readonly originUnixUs: number
  /** Name of a call site; throws {@link UnknownSiteError} when the frame names one that does not exist. */
  siteName(site: number): string
}

/** A frame whose content makes no sense. It is set aside as `poison`; the rest of the batch goes on. */
export class BadFrameError extends Error {
  override readonly name = 'BadFrameError'
  readonly code = 'CALLSIGHT_BAD_FRAME'
}

const FIXARRAY_3 = 0x93
const NIL = 0xc0
const EXT_8 = 0xc7

/** Turns frames into rows of the store: header fields to columns, msgpack payload to JSON text. */
export class RecordSink {
  readonly #store: RecordStore
  readonly #transcoder: Transcoder
  readonly #shapes = new KnownShapes()

  constructor(store: RecordStore, transcoder: Transcoder) {
    this.#store = store
    this.#transcoder = transcoder
  }

  /** Queues the call record at `offset`. */
  call(origin: RecordOrigin, bytes: Uint8Array, view: DataView, offset: number): void {
    const flags = view.getUint32(offset + Frame.META, true) >>> 16
    const site = view.getUint32(offset + Frame.SITE, true)
    const seq = view.getFloat64(offset + Frame.SEQ, true)
    const end = payloadEnd(view, offset, flags)
    const functionId = this.#store.functionId(origin.siteName(site))
    const us = endUs(origin, view, offset)
    this.#readPayload(bytes, offset + Frame.HEADER_BYTES, end, site)
    if ((flags & FrameFlag.remote) !== 0) this.#remoteTrace(origin, bytes, view, offset, end, us)
    this.#store.call(
      us,
      saltOf(origin.ring, seq),
      functionId,
      origin.processId,
      view.getFloat64(offset + Frame.DURATION, true) * 1e6,
      view.getFloat64(offset + Frame.WEIGHT, true),
      view.getFloat64(offset + Frame.CALL, true),
      view.getFloat64(offset + Frame.TRACE, true),
      view.getFloat64(offset + Frame.PARENT, true),
      flags,
      this.#shape,
      this.#args,
      this.#outcome,
      this.#transcoder.cuts(),
    )
  }

  /** Stores the error record at `offset`; `false`: it was stored before. */
  error(origin: RecordOrigin, bytes: Uint8Array, view: DataView, offset: number): boolean {
    const flags = view.getUint32(offset + Frame.META, true) >>> 16
    const site = view.getUint32(offset + Frame.SITE, true)
    const name = origin.siteName(site)
    const end = payloadEnd(view, offset, flags)
    this.#readPayload(bytes, offset + Frame.HEADER_BYTES, end, site)
    const thrown = describeThrown(this.#outcome)
    const seq = view.getFloat64(offset + Frame.SEQ, true)
    const us = endUs(origin, view, offset)
    if ((flags & FrameFlag.remote) !== 0) this.#remoteTrace(origin, bytes, view, offset, end, us)
    return this.#store.error({
      endUs: us,
      salt: saltOf(origin.ring, seq),
      functionId: this.#store.functionId(name),
      processId: origin.processId,
      ring: origin.ring,
      seq,
      durationNs: view.getFloat64(offset + Frame.DURATION, true) * 1e6,
      call: view.getFloat64(offset + Frame.CALL, true),
      trace: view.getFloat64(offset + Frame.TRACE, true),
      parent: view.getFloat64(offset + Frame.PARENT, true),
      flags: flags | FrameFlag.error,
      shape: this.#shape,
      args: this.#args,
      error: thrown.type,
      message: thrown.message,
      stack: thrown.stack,
      details: thrown.details,
      fingerprint: fingerprint(name, thrown.type, thrown.message),
      cuts: this.#transcoder.cuts(),
    })
  }

  /** The values of the payload read last; the last one is the result or the error. */
  #args: string | null = null
  #shape: string | null = null
  #outcome: string | null = null

  #readPayload(bytes: Uint8Array, at: number, end: number, site: number): void {
    const transcoder = this.#transcoder
    transcoder.reset()
    if (at === end) {
      this.#args = this.#shape = this.#outcome = null
      return
    }
    if (bytes[at] !== FIXARRAY_3) throw new BadFrameError('payload is no triple')
    const shapeAt = this.#append(bytes, at + 1, end)
    const argsEnd = transcoder.end
    const outcomeAt = this.#readShape(bytes, shapeAt, end, site)
    const outcomeFrom = transcoder.end
    this.#append(bytes, outcomeAt, end)
    this.#takeTexts(argsEnd, outcomeFrom)
  }

  /** Making one string and taking two out of it costs half of what it costs to make two. */
  #takeTexts(argsEnd: number, outcomeFrom: number): void {
    const transcoder = this.#transcoder
    const { end, isAscii } = transcoder
    const all = isAscii ? transcoder.textOf(0, end) : ''
    if (argsEnd === 0) this.#args = null
    else this.#args = isAscii ? all.slice(0, argsEnd) : transcoder.textOf(0, argsEnd)
    if (outcomeFrom === end) this.#outcome = null
    else this.#outcome = isAscii ? all.slice(outcomeFrom) : transcoder.textOf(outcomeFrom, end)
  }

  #remoteTrace(
    origin: RecordOrigin,
    bytes: Uint8Array,
    view: DataView,
    offset: number,
    payloadEnd: number,
    seenUs: number,
  ): void {
    const trace = view.getFloat64(offset + Frame.TRACE, true)
    if (!(Number.isSafeInteger(trace) && trace < 0))
      throw new BadFrameError('the number of a remote trace is not negative')
    this.#store.remoteTrace(origin.processId, trace, bytes, payloadEnd, seenUs)
  }

  /** Appends the text of the value at `at`, none for nothing; returns the offset behind the value. */
  #append(bytes: Uint8Array, at: number, end: number): number {
    return at < end && bytes[at] === NIL ? at + 1 : this.#transcoder.value(bytes, at, end)
  }

  #readShape(bytes: Uint8Array, at: number, end: number, site: number): number {
    const known = this.#shapes.find(site, bytes, at, end)
    if (known !== null) {
      this.#shape = known.text
      return at + known.bytes.length
    }
    const from = this.#transcoder.end
    const next = this.#append(bytes, at, end)
    const text = from === this.#transcoder.end ? null : this.#transcoder.text()
    if (text !== null && isShortShape(bytes, at)) this.#shapes.remember(site, bytes, at, next, text)
    this.#shape = text
    return next
  }
}

/** What else may stand there in a damaged frame has a side effect on the cuts, and is read each time. */
function isShortShape(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === EXT_8 && bytes[at + 2] === Ext.shape
}

/** A call kept in hindsight may have no payload at all. */
function payloadEnd(view: DataView, offset: number, flags: number): number {
  const size = view.getUint32(offset + Frame.SIZE, true)
  const payload = view.getUint32(offset + Frame.PAYLOAD_BYTES, true)
  const behind = (flags & FrameFlag.remote) === 0 ? 0 : REMOTE_TRACE_BYTES
  if (Frame.HEADER_BYTES + payload + behind > size) throw new BadFrameError('payload exceeds its frame')
  if (payload < 3 && !(payload === 0 && (flags & FrameFlag.hindsight) !== 0))
    throw new BadFrameError('payload is too short')
  return offset + Frame.HEADER_BYTES + payload
}

/** End of the call in Unix microseconds; throws {@link BadFrameError} when the frame names no time. */
export function endUs(origin: RecordOrigin, view: DataView, offset: number): number {
  const endMs = view.getFloat64(offset + Frame.START, true) + view.getFloat64(offset + Frame.DURATION, true)
  const us = Math.round(origin.originUnixUs + endMs * 1000)
  if (!(us >= 0)) throw new BadFrameError('start or duration is no time')
  return us
}

/** Keeps records of one microsecond apart: neighbours of one ring differ in `seq`, rings in their share of the span. */
function saltOf(ring: number, seq: number): number {
  // The span is a power of two; the remainder of a number that may be a fraction is a call of a C function.
  return (ring * 521 + seq) & (ID_SALT_SPAN - 1)
}

/** Where the wrappers stand, as V8 names a file in a stack: bundled, by themselves, and with the help of source maps. */
const SOURCES = `${new URL('../../', import.meta.url).href}lib/monitor/`
const WRAPPERS = [
  new URL('../app/', import.meta.url).href,
  new URL('../monitor/', import.meta.url).href,
  SOURCES,
  fileURLToPath(SOURCES),
]

/** Every monitored call on the stack has a frame of its wrapper, which tells a reader nothing. */
function withoutOwnFrames(stack: string): string {
  if (!WRAPPERS.some(place => stack.includes(place))) return stack
  const isFrame = /^\s+at /
  return stack
    .split('\n')
    .filter(line => !(isFrame.test(line) && WRAPPERS.some(place => line.includes(place))))
    .join('\n')
}

interface Thrown {
  readonly type: string
  readonly message: string
  readonly stack: string | null
  readonly details: string | null
}

function describeThrown(json: string | null): Thrown {
  if (json === null) return { type: 'Error', message: '(could not be captured)', stack: null, details: null }
  const value = JSON.parse(json) as unknown
  if (typeof value !== 'object' || value === null) throw new BadFrameError('error record is no map')
  const { type, message, stack, details } = value as Record<string, unknown>
  return {
    type: typeof type === 'string' ? type : 'Error',
    message: typeof message === 'string' ? message : '',
    stack: typeof stack === 'string' ? withoutOwnFrames(stack) : null,
    details: details === undefined || details === null ? null : JSON.stringify(details),
  }
}
