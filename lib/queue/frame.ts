import { Frame, FrameKind, type Lane } from './layout.js'

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

/** msgpack: an array of two, as every payload begins. */
export const FIXARRAY_2 = 0x92
/** msgpack: nothing. */
export const NIL = 0xc0

/** Behind the payload of a call whose trace was begun elsewhere: 16 bytes trace id, 8 bytes parent id. */
export const REMOTE_IDS_BYTES = 24

/** Largest frame the ring must take: header, array header, arguments and result at their limits, ids, alignment. */
export function largestFrame(groupBytes: number): number {
  return (Frame.HEADER_BYTES + 1 + 2 * groupBytes + REMOTE_IDS_BYTES + 7) & ~7
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
  u32[word + 1] = FrameKind.record | (lane << 8) | (facts.flags << 16)
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
