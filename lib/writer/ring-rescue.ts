import { existsSync } from 'node:fs'
import { nowMs } from '../queue/clock.js'
import { JOURNAL_FRAME_OFFSET, Journal } from '../queue/journal.js'
import { JOURNAL_MAX_BODY_BYTES, journalPath } from '../queue/journal-format.js'
import { Frame, Lane, LaneF64, LaneI32 } from '../queue/layout.js'
import { pidSpace, startTicks } from '../queue/process-identity.js'
import type { RingConsumer } from '../queue/ring.js'
import { LaneView } from './lane.js'
import type { LaneHandle } from './messages.js'

/** Numbers of segments that a thread which still lives is left to begin itself. */
const SEGMENTS_OF_ITS_OWN = 1_000

/**
 * Copies the rings of other threads to journals, when no writer will store them any more and their threads have
 * ended, or end with the process. Records that are stored already, or that the thread saves too, are recognised by
 * their numbers at the next start. Of rings for which no time is left the newest record is copied: its number tells
 * how many are lost.
 */
export function rescueRings(boot: string, lanes: Iterable<LaneHandle>, limitMs: number): void {
  const deadlineMs = nowMs() + limitMs
  for (const lane of lanes) rescueRing(boot, lane, deadlineMs)
}

export interface Rescued {
  /** `false`: the disk refused some of it. */
  readonly complete: boolean
  /** What it takes on the disk. */
  readonly bytes: number
  /** Calls that were left out, because only errors were wanted. */
  readonly callsLeftOut: number
}

/**
 * As {@link rescueRings} for one ring.
 *
 * @param errorsOnly the disk has no room for calls, but for the newest record, which tells how many there were
 */
export function rescueRing(
  boot: string,
  handle: LaneHandle,
  deadlineMs: number,
  errorsOnly = false,
): Rescued {
  const lane = new LaneView(handle)
  if (lane.consumer.pendingBytes === 0) return { complete: true, bytes: 0, callsLeftOut: 0 }
  const journal = new Journal(
    handle.storePath,
    {
      boot,
      ring: handle.ring,
      pid: process.pid,
      startTicks: startTicks('self'),
      pidSpace: pidSpace(),
      originUnixUs: lane.originUnixUs,
    },
    site => lane.siteName(site),
    JOURNAL_FRAME_OFFSET + JOURNAL_MAX_BODY_BYTES,
  )
  let after = Atomics.load(lane.i32, LaneI32.JOURNAL_SEGMENT) + SEGMENTS_OF_ITS_OWN
  // An earlier try may have come to a part of it, and then the disk was full.
  while (existsSync(journalPath(handle.storePath, boot, handle.ring, after + 1))) after++
  journal.beginAfter(after)
  let complete = true
  let callsLeftOut = 0
  for (const { offset, isLast } of withLast(frames(lane.consumer, deadlineMs))) {
    if (errorsOnly && !isLast && !isError(lane, offset)) {
      callsLeftOut++
      continue
    }
    const frame = lane.bytes.subarray(offset, offset + lane.view.getUint32(offset + Frame.SIZE, true))
    const site = lane.view.getUint32(offset + Frame.SITE, true)
    complete = journal.appendCopy(frame, site, lane.f64[LaneF64.CALLS_PRODUCED])
    if (!complete) break
  }
  journal.close()
  return { complete, bytes: journal.bytes, callsLeftOut }
}

const isError = ({ view }: LaneView, offset: number): boolean =>
  ((view.getUint32(offset + Frame.META, true) >>> 8) & 0xff) === Lane.errors

function* withLast(offsets: Iterable<number>): Generator<{ offset: number; isLast: boolean }> {
  let held = -1
  for (const offset of offsets) {
    if (held !== -1) yield { offset: held, isLast: false }
    held = offset
  }
  if (held !== -1) yield { offset: held, isLast: true }
}

/** Where the frames of a ring stand; after the deadline only the newest of what is left. */
function* frames(ring: RingConsumer, deadlineMs: number): Generator<number> {
  let newest = -1
  for (let offset = ring.next(); offset >= 0; offset = ring.next()) {
    newest = offset
    if (nowMs() < deadlineMs) {
      yield offset
      newest = -1
    }
  }
  if (newest !== -1) yield newest
}
