import { DROP_REASONS, type Lane } from '../queue/layout.js'
import { type Database, prepared } from '../store/driver.js'
import type { StoreWriter } from '../store/insert.js'

const US_PER_MINUTE = 60_000_000

/** The account of one lane, as the file has it. */
export interface LaneRow {
  readonly processId: number
  readonly ring: number
  readonly lane: Lane
  produced: number
  stored: number
  readonly dropped: Record<string, number>
  storedSeq: number
}

/** Records that are neither stored nor dropped. */
export function missing({ produced, stored, dropped }: LaneRow): number {
  return produced - stored - Object.values(dropped).reduce((sum, count) => sum + count, 0)
}

/** The account of one lane, or `null`: the file knows nothing of it. */
export function findLaneRow(db: Database, processId: number, ring: number, lane: Lane): LaneRow | null {
  const row = prepared(
    db,
    'SELECT produced, stored, dropped, stored_seq AS storedSeq FROM lanes WHERE process_id = ? AND ring = ? AND lane = ?',
  ).get(processId, ring, lane) as
    | { produced: number; stored: number; dropped: string; storedSeq: number }
    | undefined
  if (row === undefined) return null
  const dropped = JSON.parse(row.dropped) as Record<string, number>
  return { processId, ring, lane, ...row, dropped }
}

/** Reads and writes the accounts of processes that cannot do it themselves any more. */
export class LaneRows {
  readonly #db: Database
  readonly #store: StoreWriter

  constructor(db: Database, store: StoreWriter) {
    this.#db = db
    this.#store = store
  }

  of(processId: number): LaneRow[] {
    const sql = 'SELECT ring, lane FROM lanes WHERE process_id = ?'
    const found = prepared(this.#db, sql).all(processId) as { ring: number; lane: Lane }[]
    return found.map(({ ring, lane }) => this.read(processId, ring, lane))
  }

  read(processId: number, ring: number, lane: Lane): LaneRow {
    const none = { processId, ring, lane, produced: 0, stored: 0, dropped: {}, storedSeq: 0 }
    return findLaneRow(this.#db, processId, ring, lane) ?? none
  }

  write({ processId, ring, lane, produced, stored, dropped, storedSeq }: LaneRow): void {
    this.#store.lane(processId, ring, lane, produced, stored, JSON.stringify(dropped), storedSeq)
  }

  /** Adds to the drops of a row, and to those of the minute of `atUs`. */
  drop(row: LaneRow, reason: number, count: number, functionId: number, atUs: number): void {
    const name = DROP_REASONS[reason]
    if (name === undefined) throw new RangeError(`there is no reason ${reason}`)
    row.dropped[name] = (row.dropped[name] ?? 0) + count
    const minute = Math.floor(atUs / US_PER_MINUTE)
    this.#store.addDrops(minute, functionId, row.processId, row.lane, name, count, atUs, atUs)
  }
}
