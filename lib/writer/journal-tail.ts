import { statSync, unlinkSync } from 'node:fs'
import { journalPath } from '../queue/journal-format.js'
import { type JournalEntry, JournalReader } from '../queue/journal-reader.js'
import { LaneF64, LaneI32 } from '../queue/layout.js'
import type { LaneView } from './lane.js'

/** Where the reading of a journal stands. */
interface Position {
  readonly segment: number
  readonly offset: number
}

/**
 * Follows the journal of a living recording thread. Reading goes ahead of what is stored by one batch at most:
 * {@link commit} makes the position good (and removes segments that are covered), {@link rewind} goes back to it.
 */
export class JournalTail {
  readonly #lane: LaneView
  readonly #storePath: string
  readonly #boot: string
  #reader: JournalReader | null = null
  #segment: number
  #committed: Position

  constructor(lane: LaneView, storePath: string, boot: string) {
    this.#lane = lane
    this.#storePath = storePath
    this.#boot = boot
    // Where the session before this one stood: entries must be counted once as having left the journal.
    this.#segment = Math.max(1, lane.f64[LaneF64.JOURNAL_COVERED_SEGMENT])
    this.#committed = { segment: this.#segment, offset: lane.f64[LaneF64.JOURNAL_COVERED_BYTES] }
  }

  /** The next entry, or `null` when everything that is complete has been read. */
  next(): JournalEntry | null {
    for (;;) {
      // The producer stores the number after the new segment's first frame: the one before it is complete then.
      const newest = Atomics.load(this.#lane.i32, LaneI32.JOURNAL_SEGMENT)
      if (newest === 0 || this.#segment > newest) return null
      if (this.#reader === null && !this.#open()) {
        if (this.#segment === newest) return null
        this.#segment++
        continue
      }
      const entry = this.#reader?.next() ?? null
      if (entry !== null) return entry
      if (this.#segment >= newest) return null
      this.#reader?.close()
      this.#reader = null
      this.#segment++
    }
  }

  /** What has been read is stored. Segments before the current one are not needed any more. */
  commit(): void {
    for (let segment = this.#committed.segment; segment < this.#segment; segment++) this.#remove(segment)
    this.#committed = { segment: this.#segment, offset: this.#reader?.position ?? 0 }
    this.#lane.f64[LaneF64.JOURNAL_COVERED_SEGMENT] = this.#segment
    this.#lane.f64[LaneF64.JOURNAL_COVERED_BYTES] = this.#committed.offset
  }

  /** The batch failed: read the same entries again. */
  rewind(): void {
    this.close()
    this.#segment = this.#committed.segment
  }

  close(): void {
    this.#reader?.close()
    this.#reader = null
  }

  #open(): boolean {
    const path = this.#path(this.#segment)
    try {
      if (statSync(path).size === 0) return false
      this.#reader = JournalReader.open(path)
      const { segment, offset } = this.#committed
      if (segment === this.#segment && offset > 0) this.#reader?.seek(offset)
    } catch {
      // Removed behind our back; the segment is passed over when a newer one exists.
      this.#reader = null
    }
    return this.#reader !== null
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
