import { existsSync, statSync, unlinkSync } from 'node:fs'
import { JOURNAL_HEADER_BYTES, journalPath } from '../queue/journal-format.js'
import { type JournalEntry, JournalReader } from '../queue/journal-reader.js'
import { LaneF64, LaneI32 } from '../queue/layout.js'
import { syncLog } from '../store/sync-log.js'
import type { LaneView } from './lane.js'

/** Where the reading of a journal stands; offset 0 = nothing of the segment is read. */
interface Position {
  readonly segment: number
  readonly offset: number
}

/** What became of the errors of the journal in one batch. */
export interface JournalDelta {
  readonly replayed: number
  readonly stored: number
  readonly poison: number
}

type Opening = 'open' | 'wait' | 'pass over'

/**
 * Follows the journal of a living recording thread, for as long as the writer thread lives: it outlives sessions and
 * keeps its file open, so a journal whose name was removed is still read to its end. Reading goes ahead of what is
 * stored by one batch at most: {@link commit} makes the position good, {@link rewind} goes back to it.
 *
 * What was stored since the store was last seen under its name may be in a file nobody will find: {@link resend}
 * goes back to that moment, {@link confirm} sets it. Covered segments are removed by `confirm` only.
 */
export class JournalTail {
  readonly #lane: LaneView
  readonly #storePath: string
  readonly #boot: string
  #reader: JournalReader | null = null
  /** The segment of `#confirmed`, open although reading has gone on to a later one: its name may be gone by now. */
  #kept: JournalReader | null = null
  #segment: number
  #committed: Position
  #confirmed: Position
  #sinceConfirmed = { replayed: 0, stored: 0, poison: 0 }
  /** The last segment there will ever be, once the owner is gone. */
  #last: number | null = null
  #waiting = false

  constructor(lane: LaneView, storePath: string, boot: string) {
    this.#lane = lane
    this.#storePath = storePath
    this.#boot = boot
    // Where the writer before this one stood: entries must be counted once as having left the journal.
    this.#segment = Math.max(1, lane.f64[LaneF64.JOURNAL_COVERED_SEGMENT])
    this.#committed = { segment: this.#segment, offset: lane.f64[LaneF64.JOURNAL_COVERED_BYTES] }
    this.#confirmed = this.#committed
  }

  /** Whether the last look ended at a segment that cannot be opened now, but perhaps later. */
  get waiting(): boolean {
    return this.#waiting
  }

  /** Its thread has ended, perhaps between beginning a segment and saying so: what is on disk counts from now on. */
  ownerIsGone(): void {
    const said = this.#newest()
    this.#last ??= existsSync(this.#path(said + 1)) ? said + 1 : said
  }

  /** Everything is stored and the owner is gone: no file of this journal is needed any more. */
  remove(): void {
    const newest = this.#newest()
    const first = this.#confirmed.segment
    this.close()
    // Without it the next start finds the files, and every record of them stored.
    if (newest < first || !syncLog(this.#storePath)) return
    for (let segment = first; segment <= newest; segment++) this.#remove(segment)
  }

  close(): void {
    this.#reader?.close()
    this.#kept?.close()
    this.#reader = null
    this.#kept = null
  }

  /** The segment of the entry that was read last. */
  get segment(): number {
    return this.#segment
  }

  /** Where in its segment the entry ends that was read last; 0: nothing of the segment is read. */
  get offset(): number {
    if (this.#reader !== null) return this.#reader.position
    const { segment, offset } = this.#committed
    return segment === this.#segment ? offset : 0
  }

  /** Whether errors are in the journal that are not stored. */
  get pending(): boolean {
    const { f64 } = this.#lane
    return f64[LaneF64.ERRORS_JOURNALED] > f64[LaneF64.ERRORS_REPLAYED]
  }

  /** The next entry, or `null` when everything that is complete has been read. */
  next(): JournalEntry | null {
    this.#waiting = false
    for (;;) {
      const newest = this.#newest()
      if (newest === 0 || this.#segment > newest) return null
      if (this.#reader === null) {
        const opening = this.#open()
        this.#waiting = opening === 'wait'
        if (opening === 'wait' || (opening === 'pass over' && this.#segment === newest)) return null
        if (opening === 'pass over') {
          this.#segment++
          continue
        }
      }
      const entry = this.#reader?.next() ?? null
      if (entry !== null) return entry
      if (this.#segment >= newest) return null
      this.#leaveSegment()
      this.#segment++
    }
  }

  /** What has been read is stored. */
  commit(delta: JournalDelta): void {
    this.#committed = { segment: this.#segment, offset: this.offset }
    this.#sinceConfirmed.replayed += delta.replayed
    this.#sinceConfirmed.stored += delta.stored
    this.#sinceConfirmed.poison += delta.poison
    this.#publish()
  }

  /** The batch failed: read the same entries again. */
  rewind(): void {
    this.#goTo(this.#committed)
  }

  /** The store is where it should be: what is committed is safe, and segments before it are not needed any more. */
  confirm(): void {
    if (this.#committed.segment > this.#confirmed.segment && syncLog(this.#storePath)) {
      for (let segment = this.#confirmed.segment; segment < this.#committed.segment; segment++) {
        this.#remove(segment)
      }
    }
    if (this.#kept !== null && this.#committed.segment !== this.#confirmed.segment) {
      this.#kept.close()
      this.#kept = null
    }
    this.#confirmed = this.#committed
    this.#sinceConfirmed = { replayed: 0, stored: 0, poison: 0 }
  }

  /** The store went away: what was stored since {@link confirm} is to be read, and counted, again. */
  resend(): JournalDelta {
    const again = this.#sinceConfirmed
    this.#sinceConfirmed = { replayed: 0, stored: 0, poison: 0 }
    this.#committed = this.#confirmed
    this.#goTo(this.#confirmed)
    this.#publish()
    return again
  }

  #newest(): number {
    // The producer stores the number after the new segment's first frame: the one before it is complete then.
    return this.#last ?? Atomics.load(this.#lane.i32, LaneI32.JOURNAL_SEGMENT)
  }

  #goTo({ segment, offset }: Position): void {
    if (segment !== this.#segment) {
      this.#leaveSegment()
      this.#segment = segment
    }
    if (this.#reader === null && segment === this.#confirmed.segment) {
      this.#reader = this.#kept
      this.#kept = null
    }
    this.#reader?.seek(Math.max(offset, JOURNAL_HEADER_BYTES))
  }

  #leaveSegment(): void {
    if (this.#segment === this.#confirmed.segment) this.#kept = this.#reader
    else this.#reader?.close()
    this.#reader = null
  }

  #publish(): void {
    this.#lane.f64[LaneF64.JOURNAL_COVERED_SEGMENT] = this.#committed.segment
    this.#lane.f64[LaneF64.JOURNAL_COVERED_BYTES] = this.#committed.offset
  }

  #open(): Opening {
    const path = this.#path(this.#segment)
    try {
      if (statSync(path).size === 0) return 'pass over'
      const name = { boot: this.#boot, ring: this.#lane.ring, segment: this.#segment }
      this.#reader = JournalReader.open(path, { name })
    } catch (error) {
      // Passed over only when it is certain that it is gone: out of descriptors, say, it has to be tried again.
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'pass over' : 'wait'
    }
    if (this.#reader === null) return 'pass over'
    const { segment, offset } = this.#committed
    if (segment === this.#segment && offset > 0) this.#reader.seek(offset)
    return 'open'
  }

  #remove(segment: number): void {
    try {
      unlinkSync(this.#path(segment))
    } catch {
      // Gone already, or the next start removes it: its records are stored, and known to be.
    }
  }

  #path(segment: number): string {
    return journalPath(this.#storePath, this.#boot, this.#lane.ring, segment)
  }
}
