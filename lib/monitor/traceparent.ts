import { ConfigError } from '../config/errors.js'
import type { CallContext } from './context.js'
import { live } from './recording.js'
import { currentContext, NO_SITE, runAs } from './running.js'

/** `version - trace id - parent id - flags`; later versions may append fields (W3C Trace Context, section 3.2). */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/
const NO_TRACE = '0'.repeat(32)
const NO_PARENT = '0'.repeat(16)
const VERSION = '00'
/** "The caller may have recorded trace data": errors are always recorded. */
const SAMPLED = '01'
/** What runs as part of a trace is not seen as a call itself. */
const NO_CALL = { parent: 0, startMs: -1, site: NO_SITE } as const

/**
 * The running call as a W3C `traceparent` header, for outgoing requests and for messages to worker threads and other
 * processes; {@link continueTrace} takes it there. `null` outside of any monitored call, and when recording is off.
 *
 * ```ts
 * const header = traceparent()
 * await fetch(url, { headers: header === null ? {} : { traceparent: header } })
 * ```
 */
export function traceparent(): string | null {
  const { recording } = live
  const context = currentContext()
  if (recording === null || context === null) return null
  const { call, trace } = context
  const remote = trace < 0 ? recording.remoteTraces.ids(trace) : null
  const remoteIds = remote === null ? '' : Buffer.from(remote).toString('hex')
  const traceId = remote === null ? recording.boot + hex(trace) : remoteIds.slice(0, NO_TRACE.length)
  const parentId = call === 0 ? remoteIds.slice(NO_TRACE.length) : hex(call)
  return parentId === '' ? null : `${VERSION}-${traceId}-${parentId}-${SAMPLED}`
}

/**
 * Runs a function as part of the trace that a `traceparent` header names: the monitored calls in it, also those made
 * later by what it awaits or schedules, have that trace and hang below the caller. A missing or malformed header runs
 * the function all the same, in the context it is called in.
 *
 * ```ts
 * server.on('request', (request, response) =>
 *   continueTrace(request.headers.traceparent, () => handle(request, response)),
 * )
 * ```
 *
 * @returns what the function returns
 * @throws {ConfigError} when there is no function to run
 */
export function continueTrace<T>(header: unknown, body: () => T): T {
  if (typeof body !== 'function') {
    throw new ConfigError(
      'continueTrace(traceparent, fn) needs the function that is to run as its second argument',
    )
  }
  const context = parse(header)
  return context === null ? body() : runAs({ ...context, ...NO_CALL }, body)
}

function parse(header: unknown): CallContext | null {
  const fields = typeof header === 'string' ? TRACEPARENT.exec(header.trim()) : null
  if (fields === null) return null
  const [, version = '', traceId = '', parentId = '', more] = fields
  if (version === 'ff' || (version === VERSION && more !== undefined)) return null
  if (traceId === NO_TRACE || parentId === NO_PARENT) return null
  const recording = live.recording ?? live.start()
  if (recording === null) return null
  if (!traceId.startsWith(recording.boot)) {
    return { call: 0, trace: recording.remoteTraces.add(++recording.lastCall, traceId, parentId) }
  }
  // From another thread of this process, or back from where it was sent to.
  const trace = fromHex(traceId.slice(recording.boot.length))
  const call = fromHex(parentId)
  return trace === null || call === null ? null : { call, trace }
}

/** As call ids stand in the store. */
function hex(number: number): string {
  return BigInt.asUintN(64, BigInt(number)).toString(16).padStart(16, '0')
}

function fromHex(digits: string): number | null {
  const number = Number.parseInt(digits, 16)
  return Number.isSafeInteger(number) && number > 0 ? number : null
}
