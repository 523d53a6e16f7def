import { crc32 } from 'node:zlib'

/**
 * The error journal on disk: the unlimited error queue. One file per recording thread and segment, beside the store:
 * `<store>.errors-<boot>-<ring>-<segment>`. Append only; a frame is complete or it is not there.
 *
 * ```
 * segment header (HEADER_BYTES)
 *    0  u32  magic 'CSJ2'
 *    4  u32  crc32 of bytes 8..64
 *    8       boot, 16 ASCII hex digits
 *   24  u32  ring
 *   28  u32  segment
 *   32  u32  pid of the owner
 *   36  u32  pid namespace of the owner, 0 = unknown
 *   40  f64  start of the owner in clock ticks since boot (Linux), 0 = unknown: tells a reused pid from the owner
 *   48  f64  Unix time of the producer's monotonic zero, in microseconds
 *   56  f64  kernel the owner ran under (process-identity.ts PidSpace), 0 = unknown
 *
 * frame
 *    0  u32  bytes of the body, a multiple of 8
 *    4  u32  crc32 of the body, begun with the crc32 of the segment's name: bytes 8..32 of the header
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
 *
 * The checksum of a frame covers whose it is: a frame of another journal, or one that somebody has put into a recorded
 * value, is no frame here. And a segment whose header is damaged is still readable by the name of its file.
 */
import type { PidSpace } from './process-identity.js'

export const JOURNAL_MAGIC = 0x324a5343
/** Segments of version 0.1.0: their frames are not tied to their segment. */
export const JOURNAL_MAGIC_UNTIED = 0x314a5343
export const JOURNAL_HEADER_BYTES = 64
export const JOURNAL_FRAME_HEADER_BYTES = 8
export const JOURNAL_BODY_PREFIX_BYTES = 8
export const KIND_SITE = 3
/** No body is longer: a larger length is damage. */
export const JOURNAL_MAX_BODY_BYTES = 64 * 1024

/** What the name of a segment's file says. */
export interface JournalName {
  readonly boot: string
  readonly ring: number
  readonly segment: number
}

export interface JournalHeader extends JournalName {
  readonly pid: number
  readonly startTicks: number
  readonly originUnixUs: number
  /** Absent in journals that were written before there was one, or where the system does not say. */
  readonly pidSpace?: PidSpace
}

export function journalPath(storePath: string, boot: string, ring: number, segment: number): string {
  return `${storePath}.errors-${boot}-${ring}-${segment}`
}

/** Matches the part of a journal's file name that follows the store's name. */
export const JOURNAL_SUFFIX = /^\.errors-([0-9a-f]{16})-(\d{1,9})-(\d{1,9})$/

/** What the end of a file's name says, if it is a journal of this store; the store's name is left out of `suffix`. */
export function parseJournalSuffix(suffix: string): JournalName | null {
  const [, boot, ring, segment] = JOURNAL_SUFFIX.exec(suffix) ?? []
  return boot === undefined ? null : { boot, ring: Number(ring), segment: Number(segment) }
}

/** What the checksum of every frame of a segment begins with. */
export function frameSeed({ boot, ring, segment }: JournalName): number {
  const bytes = Buffer.alloc(24)
  bytes.write(boot, 0, 16, 'latin1')
  bytes.writeUInt32LE(ring, 16)
  bytes.writeUInt32LE(segment, 20)
  return crc32(bytes)
}
