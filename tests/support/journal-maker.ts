import { encode } from '@msgpack/msgpack'
import { writeFrameHeader } from '../../lib/queue/frame.js'
import { Journal, type JournalIdentity } from '../../lib/queue/journal.js'
import { Frame, FrameFlag, Lane } from '../../lib/queue/layout.js'

/** No process has this number: its journals are a dead one's. */
export const DEAD_PID = 2 ** 30

export interface Made {
  readonly boot: string
  readonly ring?: number
  /** Numbers of the errors, in the order in which they are appended; also their sequence numbers. */
  readonly numbers: Iterable<number>
  readonly sites?: number
  /** Bytes of text in each record beside its message. */
  readonly stackBytes?: number
  readonly originUnixUs?: number
  /** Errors after which a new segment begins, besides the limit of its size. */
  readonly perSegment?: number
  readonly callsProduced?: number
  /** Makes the frame of an error; default {@link errorFrame}. */
  readonly frame?: (n: number, site: number) => Uint8Array
}

/** A boot identity like those of recorders. */
export const bootOf = (n: number): string => n.toString(16).padStart(16, '0')

/** The frame of an error that the program under test could have thrown. */
export function errorFrame(
  n: number,
  site: number,
  stackBytes = 64,
  flags: number = FrameFlag.error,
  args: unknown = [n],
  seq: number = n,
): Uint8Array {
  const thrown = { type: 'Refused', message: `number ${n} is refused`, stack: 's'.repeat(stackBytes) }
  return recordFrame(Lane.errors, seq, site, flags, encode([args, null, thrown]))
}

function recordFrame(lane: Lane, seq: number, site: number, flags: number, payload: Uint8Array): Uint8Array {
  const bytes = (Frame.HEADER_BYTES + payload.byteLength + 7) & ~7
  const memory = new ArrayBuffer(bytes)
  const u32 = new Uint32Array(memory)
  const f64 = new Float64Array(memory)
  const facts = { startMs: seq, durationMs: 1, call: seq, trace: seq, parent: 0, flags }
  writeFrameHeader(u32, f64, 0, bytes, lane, facts, seq, 1, site, payload.byteLength)
  new Uint8Array(memory).set(payload, Frame.HEADER_BYTES)
  return new Uint8Array(memory)
}

/** Writes the journal that a process with these errors leaves when it is killed; returns the number of segments. */
export function makeJournal(store: string, made: Made): number {
  const { boot, ring = 0, sites = 1, stackBytes, originUnixUs = Date.now() * 1000, perSegment } = made
  const identity: JournalIdentity = { boot, ring, pid: DEAD_PID, startTicks: 1, originUnixUs }
  const journal = new Journal(store, identity, site => `site${site}`, 60 * 1024)
  let count = 0
  for (const n of made.numbers) {
    if (perSegment !== undefined && count > 0 && count % perSegment === 0) journal.close()
    const site = count++ % sites
    const frame = made.frame?.(n, site) ?? errorFrame(n, site, stackBytes)
    if (!journal.appendCopy(frame, site, made.callsProduced ?? 0)) {
      throw new Error('the disk refused the journal')
    }
  }
  journal.close()
  return journal.segment
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
