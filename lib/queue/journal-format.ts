/**
 * The error journal on disk: the unlimited error queue. One file per recording thread and segment, beside the store:
 * `<store>.errors-<boot>-<ring>-<segment>`. Append only; a frame is complete or it is not there.
 *
 * ```
 * segment header (HEADER_BYTES)
 *    0  u32  magic 'CSJ1'
 *    4  u32  crc32 of bytes 8..64
 *    8       boot, 16 ASCII hex digits
 *   24  u32  ring
 *   28  u32  segment
 *   32  u32  pid of the owner
 *   36  u32  reserved
 *   40  f64  start of the owner in clock ticks since boot (Linux), 0 = unknown: tells a reused pid from the owner
 *   48  f64  Unix time of the producer's monotonic zero, in microseconds
 *   56  f64  reserved
 *
 * frame
 *    0  u32  bytes of the body, a multiple of 8
 *    4  u32  crc32 of the body
 *    8       body: f64 last sequence number of the call lane at that moment,
 *                  then a record frame (queue/layout.ts Frame) or a call-site definition
 *
 * call-site definition (stands before the first record of that call site in a segment)
 *    0  u32  size, a multiple of 8
 *    4  u32  meta = KIND_SITE
 *    8  u32  call site
 *   12  u32  bytes of the name
 *   16       name, UTF-8
 * ```
 */
export const JOURNAL_MAGIC = 0x314a5343
export const JOURNAL_HEADER_BYTES = 64
export const JOURNAL_FRAME_HEADER_BYTES = 8
export const JOURNAL_BODY_PREFIX_BYTES = 8
export const KIND_SITE = 3
/** No body is longer: a larger length is damage. */
export const JOURNAL_MAX_BODY_BYTES = 64 * 1024

export interface JournalHeader {
  readonly boot: string
  readonly ring: number
  readonly segment: number
  readonly pid: number
  readonly startTicks: number
  readonly originUnixUs: number
}

export function journalPath(storePath: string, boot: string, ring: number, segment: number): string {
  return `${storePath}.errors-${boot}-${ring}-${segment}`
}

/** Matches the part of a journal's file name that follows the store's name. */
export const JOURNAL_SUFFIX = /^\.errors-([0-9a-f]{16})-(\d{1,9})-(\d{1,9})$/
