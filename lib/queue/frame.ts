import { SHAPE_BYTES } from '../serialize/markers.js'
import { Frame, FrameKind, type Lane, REMOTE_TRACE_BYTES } from './layout.js'

const RECORD = FrameKind.record

/** The measured facts of one call, handed over when it ends. */
export interface CallFacts {
  startMs: number
  durationMs: number
  call: number
  trace: number
  /** 0 = none. */
  parent: number
  flags: number
}

/** msgpack: an array of three, as every payload begins: arguments, their shape, and the result or the error. */
export const FIXARRAY_3 = 0x93
/** msgpack: nothing. */
export const NIL = 0xc0

/**
 * Largest frame the ring must take: header, array header, arguments with their shape and result at their limits, ids,
 * alignment.
 */
export function largestFrame(groupBytes: number): number {
  return (Frame.HEADER_BYTES + 1 + 2 * groupBytes + SHAPE_BYTES + REMOTE_TRACE_BYTES + 7) & ~7
}

/** Writes a frame's header at `offset`, a multiple of 8. */
export function writeFrameHeader(
  u32: Uint32Array,
  f64: Float64Array,
  offset: number,
  frameBytes: number,
  lane: Lane,
  facts: CallFacts,
  seq: number,
  weight: number,
  site: number,
  payloadBytes: number,
): void {
  const word = offset >>> 2
  const double = offset >>> 3
  u32[word] = frameBytes
  u32[word + 1] = RECORD | (lane << 8) | (facts.flags << 16)
  f64[double + 1] = seq
  f64[double + 2] = facts.startMs
  f64[double + 3] = facts.durationMs
  f64[double + 4] = facts.call
  f64[double + 5] = facts.trace
  f64[double + 6] = facts.parent
  f64[double + 7] = weight
  u32[word + 16] = site
  u32[word + 17] = payloadBytes
}
