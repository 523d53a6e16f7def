import { existsSync } from 'node:fs'
import { type JournalName, journalPath } from '../queue/journal-format.js'
import { Drop } from '../queue/layout.js'
import { type Database, prepared } from '../store/driver.js'
import type { StoreWriter } from '../store/insert.js'
import { LaneRows, missing } from './lane-rows.js'
import type { ProcessSeen } from './process-life.js'

/** A process whose account is not closed. */
export interface UnclosedProcess extends ProcessSeen {
  readonly processId: number
  readonly boot: string
  /** 1: it has not said how it ended. */
  readonly open: number
}

/** What the file says of processes, threads and journals that are gone: it is brought to its end here. */
export class DeadAccounts {
  readonly #db: Database
  readonly #store: StoreWriter
  readonly #rows: LaneRows

  constructor(db: Database, store: StoreWriter) {
    this.#db = db
    this.#store = store
    this.#rows = new LaneRows(db, store)
  }

  /** Of all boots but this one: those that have not said how they ended, and those of which records are missing. */
  unclosed(ownBoot: string): UnclosedProcess[] {
    return prepared(
      this.#db,
      `SELECT process_id AS processId, boot, pid, host, last_seen_us AS lastSeenUs, ended_us IS NULL AS open
       FROM processes WHERE boot <> ? AND (ended_us IS NULL OR process_id IN (
         SELECT process_id FROM lanes
         WHERE produced > stored + (SELECT coalesce(sum(value), 0) FROM json_each(dropped))))`,
    ).all(ownBoot) as UnclosedProcess[]
  }

  /** Closes the account of a process that is gone without having said so. */
  closeProcess({ processId, lastSeenUs }: UnclosedProcess, nowUs: number): void {
    this.#inTransaction(() => {
      if (!this.#isOpen(processId)) return
      this.#settleLanes(processId, lastSeenUs)
      this.#store.endProcess(processId, nowUs, 'lost')
    })
  }

  /** Closes the accounts of threads that are gone. */
  closeLanes(processId: number, lastSeenUs: number, rings?: readonly number[]): void {
    this.#inTransaction(() => this.#settleLanes(processId, lastSeenUs, rings))
  }

  /** Of journals that are gone nobody has to know any more how far they were dealt with. */
  forgetRanges(storePath: string): void {
    const known = prepared(
      this.#db,
      `SELECT process_id AS processId, boot, ring, segment
       FROM journal_ranges LEFT JOIN processes USING (process_id)`,
    ).all() as (JournalName & { processId: number; boot: string | null })[]
    const gone = known.filter(
      ({ boot, ring, segment }) => boot === null || !existsSync(journalPath(storePath, boot, ring, segment)),
    )
    if (gone.length === 0) return
    this.#inTransaction(() => {
      for (const { processId, ring, segment } of gone) {
        prepared(
          this.#db,
          'DELETE FROM journal_ranges WHERE process_id = ? AND ring = ? AND segment = ?',
        ).run(processId, ring, segment)
      }
    })
  }

  /** Whether no other process has settled it meanwhile. */
  #isOpen(processId: number): boolean {
    const sql = 'SELECT ended_us IS NULL AS open FROM processes WHERE process_id = ?'
    return (prepared(this.#db, sql).get(processId) as { open: number } | undefined)?.open === 1
  }

  /** What was produced and is neither stored nor dropped is lost. */
  #settleLanes(processId: number, lastSeenUs: number, rings?: readonly number[]): void {
    for (const row of this.#rows.of(processId)) {
      if (rings !== undefined && !rings.includes(row.ring)) continue
      const lost = missing(row)
      if (lost <= 0) continue
      this.#rows.drop(row, Drop.writerLost, lost, 0, lastSeenUs)
      this.#rows.write(row)
    }
  }

  #inTransaction(work: () => void): void {
    this.#store.begin()
    try {
      work()
      this.#store.commit()
    } catch (error) {
      this.#store.rollback()
      throw error
    }
  }
}
