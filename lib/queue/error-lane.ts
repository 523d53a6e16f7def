import type { CallFacts } from './frame.js'
import type { JournalLane } from './journal-lane.js'
import { Drop, FrameFlag, Lane, LaneF64 } from './layout.js'
import type { Payload } from './payload.js'
import type { ProducedSite } from './produced-site.js'
import type { RecordCount } from './record-count.js'

/** Hands records of failed calls to the journal: in full up to a rate, above it, and where room is short, as headers. */
export class ErrorLane {
  readonly #f64: Float64Array
  readonly #count: RecordCount
  readonly #journal: JournalLane
  readonly #payload: Payload
  readonly #fullPerSecond: number
  #second = 0
  #inThisSecond = 0

  constructor(parts: {
    f64: Float64Array
    count: RecordCount
    journal: JournalLane
    payload: Payload
    fullPerSecond: number
  }) {
    this.#f64 = parts.f64
    this.#count = parts.count
    this.#journal = parts.journal
    this.#payload = parts.payload
    this.#fullPerSecond = parts.fullPerSecond
  }

  /** As {@link Producer.recordError}. */
  record(
    site: ProducedSite,
    facts: CallFacts,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
    thrown: unknown,
    nowMs: number,
  ): void {
    const seq = this.#count.begin(Lane.errors, site.id)
    const journal = this.#journal
    journal.handed = null
    const { room, buffer, payloadOffset } = journal
    if (room === 'none') {
      this.#count.dropError(Drop.journalFull)
      return
    }
    const shrink = this.#isOverRate(nowMs) || room === 'short'
    if (shrink) {
      facts.flags |= FrameFlag.shrunk
      this.#f64[LaneF64.ERRORS_SHRUNK]++
    }
    const payload = this.#payload
    const end = payload.writeError(buffer, payloadOffset, shrink, site, argsMark, heldArgs, args, thrown)
    const after = payload.writeIds(buffer, end, facts)
    const frameBytes = journal.complete(Lane.errors, facts, seq, 1, site.id, end, after)
    this.#count.finishError(journal.appendError(frameBytes, site.id))
  }

  #isOverRate(nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#inThisSecond = 0
    }
    return ++this.#inThisSecond > this.#fullPerSecond
  }
}
