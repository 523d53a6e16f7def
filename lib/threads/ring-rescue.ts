import { nowMs } from '../queue/clock.js'
import { JOURNAL_FRAME_OFFSET, Journal } from '../queue/journal.js'
import { JOURNAL_MAX_BODY_BYTES } from '../queue/journal-format.js'
import { Frame, LaneF64, LaneI32 } from '../queue/layout.js'
import { startTicks } from '../queue/process-identity.js'
import type { RingConsumer } from '../queue/ring.js'
import { LaneView } from '../writer/lane.js'
import type { LaneHandle } from '../writer/messages.js'

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

function rescueRing(boot: string, handle: LaneHandle, deadlineMs: number): void {
  const lane = new LaneView(handle)
  if (lane.consumer.pendingBytes === 0) return
  const journal = new Journal(
    handle.storePath,
    {
      boot,
      ring: handle.ring,
      pid: process.pid,
      startTicks: startTicks('self'),
      originUnixUs: lane.originUnixUs,
    },
    site => lane.siteName(site),
    JOURNAL_FRAME_OFFSET + JOURNAL_MAX_BODY_BYTES,
  )
  journal.beginAfter(Atomics.load(lane.i32, LaneI32.JOURNAL_SEGMENT) + SEGMENTS_OF_ITS_OWN)
  for (const offset of frames(lane.consumer, deadlineMs)) {
    const frame = lane.bytes.subarray(offset, offset + lane.view.getUint32(offset + Frame.SIZE, true))
    const site = lane.view.getUint32(offset + Frame.SITE, true)
    if (!journal.appendCopy(frame, site, lane.f64[LaneF64.CALLS_PRODUCED])) break
  }
  journal.close()
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
