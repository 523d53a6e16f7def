import { type Database, prepared } from '../store/driver.js'
import type { StoreWriter } from '../store/insert.js'

/** What can happen to the recording itself. Part of the file format: append only. */
export type IncidentKind =
  /** Disk or quota refused: from the first refusal until there was room for the reserve again. */
  | 'disk_full'
  /** A reader held the write-ahead log, which had reached its cap. */
  | 'wal_pinned'
  /** The circuit breaker was not closed: from its opening until a batch was stored again. The detail is what failed. */
  | 'breaker_open'
  /** The journals had reached their limit: errors were counted only. */
  | 'journal_full'
  /** Neither the store nor a journal could be written. */
  | 'memory_only'
  /** The store was damaged; the detail is the path it was moved to. */
  | 'store_set_aside'
  /** The store, or a file that belongs to it, was removed or replaced while it was open. */
  | 'store_gone'
  /** `callsight set`: what of sampling and capture is changed, for how long, and by whom; as long as it holds. */
  | 'tuned'
  /** A change that has no meaning, and was left alone. */
  | 'tuning_refused'

/** Several of these may go on at once, told apart by their detail. */
const SEVERAL: ReadonlySet<IncidentKind> = new Set(['tuned'])

interface Incident {
  readonly kind: IncidentKind
  readonly detail: string
  readonly startedUs: number
  /** `null` while it goes on. */
  endedUs: number | null
  /** Where it is written: in which file, under which id, and whether with its end. */
  row: Row | null
}

/** An incident without an end, as a file has it. */
export interface OpenIncident {
  readonly id: number
  readonly kind: IncidentKind
  readonly detail: string
  readonly startedUs: number
}

/** Those that this process has left in the file: a writer before this one may have. */
export function openIncidents(db: Database, processId: number): OpenIncident[] {
  const sql = `SELECT incident_id AS id, kind, detail, started_us AS startedUs FROM incidents
    WHERE process_id = ? AND ended_us IS NULL`
  return prepared(db, sql).all(processId) as OpenIncident[]
}

interface Row {
  readonly file: string
  readonly id: number
  readonly ended: boolean
}

/** More than this wait only when the store cannot be written; the newest are kept. */
const MAX_WAITING = 100

/**
 * Incidents on their way to the store. They happen while it cannot be written, so they wait here, over sessions and
 * files, until a batch takes them along.
 */
export class Incidents {
  #waiting: Incident[] = []
  #staged: { readonly incident: Incident; readonly row: Row }[] = []

  /** Begins an incident, unless it goes on already. */
  begin(kind: IncidentKind, detail: string, startedUs: number): void {
    if (this.#open(kind, detail) !== undefined) return
    this.#waiting.push({ kind, detail, startedUs, endedUs: null, row: null })
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift()
  }

  /** Ends the incident of this kind, if one goes on; where several may, that of this detail. */
  end(kind: IncidentKind, endedUs: number, detail = ''): void {
    const incident = this.#open(kind, detail)
    if (incident !== undefined) incident.endedUs = endedUs
  }

  /** Notes an incident that is over. */
  note(kind: IncidentKind, detail: string, startedUs: number, endedUs: number): void {
    this.#waiting.push({ kind, detail, startedUs, endedUs, row: null })
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift()
  }

  /**
   * A store was opened: what an earlier writer of this process has begun in it goes on here, under its row. Of a kind
   * that has begun here as well it is one incident.
   */
  goOn(file: string, rows: readonly OpenIncident[]): void {
    for (const { id, kind, detail, startedUs } of rows) {
      if (this.#waiting.some(({ row }) => row?.file === file && row.id === id)) continue
      const known = this.#waiting.find(incident => isSame(incident, kind, detail) && incident.row === null)
      if (known !== undefined) known.row = { file, id, ended: false }
      else this.#waiting.push({ kind, detail, startedUs, endedUs: null, row: { file, id, ended: false } })
    }
  }

  isOpen(kind: IncidentKind): boolean {
    return this.openDetails(kind).length > 0
  }

  /** Details of the incidents of this kind that go on. */
  openDetails(kind: IncidentKind): string[] {
    return this.#waiting.flatMap(incident =>
      incident.kind === kind && incident.endedUs === null ? incident.detail : [],
    )
  }

  /** Whether there is something that this file does not say. */
  pending(file: string): boolean {
    return this.#waiting.some(incident => isNews(incident, file))
  }

  /** Part of a batch's transaction. */
  write(store: StoreWriter, processId: number, file: string): void {
    this.#staged = []
    for (const incident of this.#waiting) {
      if (!isNews(incident, file)) continue
      const { kind, detail, startedUs, endedUs, row } = incident
      const known = row?.file === file ? row.id : null
      if (known !== null && endedUs !== null) store.endIncident(known, endedUs)
      const id = known ?? store.incident(processId, kind, startedUs, endedUs, detail)
      this.#staged.push({ incident, row: { file, id, ended: endedUs !== null } })
    }
  }

  /** The batch is committed. */
  commit(): void {
    for (const { incident, row } of this.#staged) incident.row = row
    this.#staged = []
    this.#waiting = this.#waiting.filter(({ row }) => row?.ended !== true)
  }

  #open(kind: IncidentKind, detail: string): Incident | undefined {
    return this.#waiting.find(incident => isSame(incident, kind, detail) && incident.endedUs === null)
  }
}

function isSame(incident: Incident, kind: IncidentKind, detail: string): boolean {
  return incident.kind === kind && (!SEVERAL.has(kind) || incident.detail === detail)
}

function isNews({ row, endedUs }: Incident, file: string): boolean {
  return row === null || row.file !== file || (endedUs !== null && !row.ended)
}
