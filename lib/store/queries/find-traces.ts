import { StoreQueryError } from '../read-errors.js'
import type { RowReader } from '../read-file.js'
import { CALL_PLACE_NAMES, PROCESS_OF_BOOT_SQL, tracesOfCallSql } from './statements.js'

/** Records of one process that belong to one trace; `traceId` is what the trace is called everywhere. */
export interface TraceKey {
  readonly process: number
  readonly trace: number | bigint
  readonly traceId: string
}

export interface CallKey extends TraceKey {
  readonly call: bigint
}

/** Of a trace that did not begin in a process of this store. */
const NO_PROCESS = -1

const TRACE_ID = /^[0-9a-f]{32}$/i
const CALL_ID = /^[0-9a-f]{1,16}$/i
/** A call id is unique within its process only; more traces than this of one id are not looked up. */
const MAX_TRACES_OF_CALL = 20

/** The traces an id stands for: one by its own id, or those that have a call with this id, the newest first. */
export function findTraces(read: RowReader, id: string): TraceKey[] {
  return isTraceId(id) ? [originOf(read, id.toLowerCase())] : tracesOf(read, findCalls(read, id))
}

function isTraceId(id: unknown): id is string {
  return typeof id === 'string' && TRACE_ID.test(id)
}

/** Each trace once, with the place where it began. A negative number says that it began elsewhere. */
function tracesOf(read: RowReader, calls: readonly TraceKey[]): TraceKey[] {
  const origins = calls.map(({ process, trace, traceId }) =>
    trace < 0 ? originOf(read, traceId) : { process, trace, traceId },
  )
  return [...new Map(origins.map(key => [key.traceId, key])).values()]
}

/** A trace id that was made here holds the program in its first half and the first call in its second. */
function originOf(read: RowReader, traceId: string): TraceKey {
  if (!isTraceId(traceId)) return { process: NO_PROCESS, trace: 0, traceId }
  const boot = traceId.slice(0, 16)
  const [process] = read.all<{ process_id: number }>(PROCESS_OF_BOOT_SQL, { boot })
  return { process: process?.process_id ?? NO_PROCESS, trace: fromHex(traceId.slice(16)), traceId }
}

/** Where calls with this id are. */
export function findCalls(read: RowReader, id: string): CallKey[] {
  if (typeof id !== 'string' || !CALL_ID.test(id)) throw badId(id)
  const call = fromHex(id)
  for (const place of CALL_PLACE_NAMES) {
    const found = read.all<TraceKey>(tracesOfCallSql(place), { call, limit: MAX_TRACES_OF_CALL })
    if (found.length > 0) return found.map(key => ({ ...key, call }))
  }
  return []
}

/** The views print 64 bits; SQLite integers are signed. */
function fromHex(digits: string): bigint {
  return BigInt.asIntN(64, BigInt(`0x${digits}`))
}

function badId(id: unknown): StoreQueryError {
  const shown = typeof id === 'string' ? JSON.stringify(id.slice(0, 40)) : typeof id
  return new StoreQueryError(
    `${shown} is not an id. Use one of an earlier answer: 16 hex digits of a call, or of errors that are alike; 32 of a trace.`,
  )
}
