import { Lane } from '../queue/layout.js'
import { type Database, prepared } from '../store/driver.js'
import type { StoreWriter } from '../store/insert.js'
import { LaneBatch } from './batch.js'
import type { InFlight } from './in-flight.js'
import type { LaneView } from './lane.js'
import { findLaneRow } from './lane-rows.js'
import type { LaneSource } from './lanes.js'
import type { RecordSink } from './record-sink.js'

/** What a session adds to a lane. */
export interface SessionLane extends LaneSource {
  readonly batch: LaneBatch
}

interface SessionLanesParts {
  readonly db: Database
  readonly processId: number
  readonly store: StoreWriter
  readonly sink: RecordSink
  readonly inFlight: InFlight
}

/** The lanes as one open store knows them: each goes on from what the file says of it, until it is closed. */
export class SessionLanes {
  readonly #sources: Iterable<LaneSource>
  readonly #parts: SessionLanesParts
  readonly #lanes = new Map<LaneSource, SessionLane>()
  /** Rings whose lanes are closed: what a restarted writer would have needed of them is deleted with the next batch. */
  #closedRings: number[] = []

  constructor(sources: Iterable<LaneSource>, parts: SessionLanesParts) {
    this.#sources = sources
    this.#parts = parts
    for (const source of sources) this.of(source)
  }

  /** All of them at this moment. */
  get views(): LaneView[] {
    return [...this.#sources].map(({ lane }) => lane)
  }

  of(source: LaneSource): SessionLane {
    let found = this.#lanes.get(source)
    if (found === undefined) {
      this.#restore(source)
      const { store, sink, inFlight } = this.#parts
      const { lane, journal } = source
      const onEnd = inFlight.endsOf(lane)
      found = { ...source, batch: new LaneBatch(lane, journal, store, sink, onEnd) }
      this.#lanes.set(source, found)
    }
    return found
  }

  /** Forgets a lane that is closed. */
  forget(source: LaneSource): void {
    this.#lanes.delete(source)
    this.#parts.inFlight.forget(source.lane)
    this.#closedRings.push(source.lane.ring)
  }

  /** In a transaction: what is due of lanes that were forgotten. */
  write(): void {
    const { db, processId } = this.#parts
    for (const ring of this.#closedRings)
      prepared(db, 'DELETE FROM reported WHERE process_id = ? AND ring = ?').run(processId, ring)
  }

  /** The transaction is committed. */
  commit(): void {
    this.#closedRings = []
  }

  /** The lane goes on from what this file knows of it. */
  #restore({ lane, journal, totals }: LaneSource): void {
    const { db, processId } = this.#parts
    lane.processId = processId
    for (const which of [Lane.calls, Lane.errors] as const) {
      const row = findLaneRow(db, processId, lane.ring, which)
      // A new file knows nothing of this process: the counters in shared memory stay, they count for all files.
      if (row === null) continue
      lane.restore(which, row.stored, row.dropped)
      if (which === Lane.calls) lane.storedSeq = row.storedSeq
      else lane.storedErrorSeq = row.storedSeq
    }
    lane.consumer.rewind()
    journal.rewind()
    totals.reopen()
  }
}
