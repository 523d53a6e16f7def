/**
 * Totals: one shared buffer per recording thread. It is the directory of call sites, and holds for each one the
 * exact counters of every call, sampled or not.
 *
 * ```
 * byte  word            by   meaning
 * ────  ──────────────  ───  ───────────────────────────────────────────────────────────────
 *    0  SITE_COUNT      P    i32: call sites that are complete; stored after the block is filled
 *    4  MAX_SLOT        W    i32: which of the two maxima the producer raises now (0 or 1)
 *   64  site block 0
 *  ...  site block n at HEADER_BYTES + n * BLOCK_BYTES
 *
 * site block
 *    0  CALLS           P    u32: calls that ended, modulo 2^32
 *    4  ERRORS          P    u32: of these, calls that failed
 *    8  BEGUN           P    u32: calls that began
 *   12  KEPT            P    u32: records produced
 *   16  DURATION_SUM    P    f64: sum of durations in milliseconds
 *   24  DURATION_MAX    P*   f64 × 2: longest call since the slot was last cleared. *The writer reads both slots at each
 *                            snapshot and ignores what it has reported; then it clears the
 *                            slot nobody raises any more and flips MAX_SLOT
 *   40  TIMED           P    u32: calls that were timed (differs from CALLS with `timing: 'sampled'`)
 *   48  DROPS           P    u32 × 16: records of the call lane dropped by reason
 *  112  NAME_BYTES      P    u16
 *  114  NAME            P    UTF-8, at most NAME_MAX_BYTES
 *  256  BUCKETS         P    u32 × BUCKET_COUNT
 * 1408  ERROR_DROPS     P    u32 × 16: records of the error lane dropped by reason
 * ```
 *
 * Latency buckets are the exponent and the three top mantissa bits of the duration in nanoseconds as a float: eight
 * per octave, each at most 12.5 % wide, from 64 ns to 73 minutes.
 */
export const SITE_COUNT_I32 = 0
export const MAX_SLOT_I32 = 1
export const HEADER_BYTES = 64
export const BLOCK_BYTES = 1472
export const MAX_SITES = 16_384

/** Byte offsets inside a site block. */
export const Block = {
  CALLS: 0,
  ERRORS: 4,
  BEGUN: 8,
  KEPT: 12,
  DURATION_SUM: 16,
  DURATION_MAX: 24,
  TIMED: 40,
  DROPS: 48,
  NAME_BYTES: 112,
  NAME: 114,
  BUCKETS: 256,
  ERROR_DROPS: 1408,
} as const
export const NAME_MAX_BYTES = Block.BUCKETS - Block.NAME

const LOWEST_EXPONENT = 6
const OCTAVES = 36
const PER_OCTAVE = 8
export const BUCKET_COUNT = OCTAVES * PER_OCTAVE
/** `highWord >>> BUCKET_SHIFT` keeps sign, exponent and three mantissa bits of a double. */
export const BUCKET_SHIFT = 17
export const BUCKET_BASE = (1023 + LOWEST_EXPONENT) * PER_OCTAVE

/** Upper bound of a latency bucket in nanoseconds; the last one also holds everything longer. */
export function bucketUpperNs(bucket: number): number {
  const octave = Math.floor(bucket / PER_OCTAVE)
  const step = bucket % PER_OCTAVE
  return 2 ** (LOWEST_EXPONENT + octave) * (1 + (step + 1) / PER_OCTAVE)
}

export function totalsBytes(maxSites: number): number {
  return HEADER_BYTES + maxSites * BLOCK_BYTES
}
