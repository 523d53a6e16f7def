import { readdirSync, renameSync, unlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { JOURNAL_HEADER_BYTES, type JournalName, parseJournalSuffix } from '../queue/journal-format.js'
import { JOURNAL_CHUNK_BYTES, JournalReader } from '../queue/journal-reader.js'
import { Lane } from '../queue/layout.js'
import { type Database, prepared } from '../store/driver.js'
import { classify } from '../store/errors.js'
import type { StoreWriter } from '../store/insert.js'
import { syncLog } from '../store/sync-log.js'
import { DeadAccounts } from './dead-accounts.js'
import { JOURNAL_SET_ASIDE } from './journal-damage.js'
import { type Found, type JournalThread, Leftover, type LeftoverParts, type Taken } from './leftover.js'
import { type ProcessLife, ProcessLives } from './process-life.js'
import type { RecordSink } from './record-sink.js'
import type { Shelved } from './shelving.js'

/** Looks, each at a bounded part, for an entry in a journal without a header; segments are smaller than that. */
const LOOKS = 16

/**
 * Takes over what processes that died left behind: first their journals, each thread's in order, then their account:
 * what they had produced and neither stored nor dropped is counted as `writer_lost`, as far as the last batch or the
 * last error said how much that was.
 *
 * Runs in small steps between batches, so a journal of a gigabyte delays nothing. Several processes may do the same
 * work at the same time: each step says in the file how far it went.
 */
export class Recovery {
  readonly #db: Database
  readonly #store: StoreWriter
  readonly #parts: LeftoverParts
  readonly #accounts: DeadAccounts
  readonly #lives: ProcessLives
  readonly #storePath: string
  readonly #boot: string
  /** Journals of this process whose threads have ended. */
  readonly #shelved: Shelved | null
  /** Of these, those that this round takes over. */
  #ownRings: readonly number[] = []
  #found: Found[] | null = null
  #current: Leftover | null = null
  /** What journals are read into, one at a time. */
  readonly #chunk = Buffer.alloc(JOURNAL_CHUNK_BYTES)
  /** Whose journal was opened last. */
  #thread: JournalThread = { boot: '', ring: 0, names: new Map(), originUnixUs: null }
  /** Boots with a journal whose owner lives, or that could not be read to its end: their account stays open. */
  readonly #unsettled = new Set<string>()
  #done = false
  #waits = false

  constructor(
    db: Database,
    store: StoreWriter,
    sink: RecordSink,
    where: { storePath: string; boot: string; host: string; shelved?: Shelved },
  ) {
    this.#db = db
    this.#store = store
    this.#shelved = where.shelved ?? null
    this.#parts = { db, store, sink, host: where.host, onTaken: (name, taken) => this.#count(name, taken) }
    this.#accounts = new DeadAccounts(db, store)
    this.#lives = new ProcessLives(db, where.host)
    this.#storePath = where.storePath
    this.#boot = where.boot
  }

  /** Whether something was left for later, because its owner may live. The step after the last one looks again. */
  get waits(): boolean {
    return this.#done && this.#waits
  }

  /** Whether a step has something to do: also with what it left for later, and what was shelved since the last one. */
  get hasMore(): boolean {
    return !this.#done || this.#waits || !(this.#shelved?.isEmpty ?? true)
  }

  /** Does a bounded amount of work; `true` when there is more at once. */
  step(nowUs: number): boolean {
    if (!this.hasMore) return false
    if (this.#done) this.#lookAgain()
    this.#found ??= this.#findJournals()
    if (this.#current !== null) {
      if (!this.#take(this.#current, nowUs)) return true
      this.#current.close()
      this.#current = null
      return true
    }
    const found = this.#found.shift()
    if (found !== undefined) {
      this.#current = this.#open(found, nowUs)
      return true
    }
    this.#settleAccounts(nowUs)
    this.#settleShelved(nowUs)
    this.forgetRanges()
    this.#done = true
    return false
  }

  #lookAgain(): void {
    this.#done = false
    this.#waits = false
    this.#found = null
    this.#unsettled.clear()
  }

  /** One step of one journal; `true` when this process is done with it. */
  #take(leftover: Leftover, nowUs: number): boolean {
    try {
      if (leftover.step(nowUs)) return false
      // What it held is committed; the file goes once that is on the disk too.
      if (syncLog(this.#storePath)) remove(leftover.found.path)
    } catch (error) {
      const failure = classify(error)
      if (failure !== 'other' && failure !== 'data') throw error
      // This journal, not the store: it is left to a later start and must not keep the ones behind it waiting.
      this.#unsettled.add(leftover.found.name.boot)
    }
    return true
  }

  close(): void {
    this.#current?.close()
    this.#current = null
  }

  /** The journals of other processes, and those of ended threads of this one; those of a thread together and in order. */
  #findJournals(): Found[] {
    this.#ownRings = this.#shelved?.rings ?? []
    const folder = dirname(this.#storePath)
    const prefix = basename(this.#storePath)
    const found: Found[] = []
    for (const file of readdirSync(folder)) {
      const name = file.startsWith(prefix) ? parseJournalSuffix(file.slice(prefix.length)) : null
      if (name !== null && (name.boot !== this.#boot || this.#ownRings.includes(name.ring)))
        found.push({ path: join(folder, file), name })
    }
    return found.sort(
      ({ name: a }, { name: b }) => a.boot.localeCompare(b.boot) || a.ring - b.ring || a.segment - b.segment,
    )
  }

  #open(found: Found, nowUs: number): Leftover | null {
    const { path, name } = found
    let reader: JournalReader | null = null
    try {
      reader = JournalReader.open(path, { owner: 'gone', name, chunk: this.#chunk })
      if (
        reader === null ||
        (name.boot !== this.#boot && this.#mayLive(this.#lives.ofJournal(reader.header, found, nowUs)))
      ) {
        reader?.close()
        // Surer than what the pid in the file tells, which a clock that was set can make look like somebody else's.
        this.#unsettled.add(name.boot)
        return null
      }
      if (reader.header !== null || holdsEntry(reader)) {
        return new Leftover(found, reader, this.#threadOf(name), this.#parts)
      }
      this.#putAway(reader, path, nowUs)
    } catch (error) {
      // Another process took it over and removed it; anything else is for a later start.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#unsettled.add(name.boot)
    }
    reader?.close()
    return null
  }

  #threadOf({ boot, ring }: JournalName): JournalThread {
    if (this.#thread.boot !== boot || this.#thread.ring !== ring) {
      this.#thread = { boot, ring, names: new Map(), originUnixUs: null }
    }
    return this.#thread
  }

  #mayLive(life: ProcessLife): boolean {
    if (life === 'unknown') this.#waits = true
    return life !== 'dead'
  }

  /** The name says journal, the content does not. It may still be the only trace of something: it is kept, once. */
  #putAway(reader: JournalReader, path: string, nowUs: number): void {
    if (reader.fileBytes <= JOURNAL_HEADER_BYTES) {
      remove(path)
      return
    }
    const kept = `${path}.unreadable`
    renameSync(path, kept)
    const sql = 'SELECT process_id FROM processes WHERE boot = ?'
    const own = prepared(this.#db, sql).pluck().get(this.#boot) as number
    const detail = `${basename(path)} holds no whole entry; it is kept as ${basename(kept)}`
    this.#store.incident(own, JOURNAL_SET_ASIDE, nowUs, nowUs, detail)
  }

  /** Called for a call row that SQLite refused. */
  refused(functionId: number, nowUs: number): void {
    this.#current?.refused(functionId, nowUs)
  }

  /**
   * Closes the account of every process that is gone without having said so, and of those that ended
   * well but whose journals told of more: threads of theirs went on to the last. The file says which those are: whoever
   * took the journals over may have ended before it came to this.
   */
  #settleAccounts(nowUs: number): void {
    for (const process of this.#accounts.unclosed(this.#boot)) {
      if (this.#unsettled.has(process.boot)) continue
      if (process.open === 0) this.#accounts.closeLanes(process.processId, process.lastSeenUs)
      else if (!this.#mayLive(this.#lives.of(process, nowUs))) this.#accounts.closeProcess(process, nowUs)
    }
  }

  #count({ boot, ring }: JournalName, [calls, errors]: Taken): void {
    if (boot !== this.#boot) return
    this.#shelved?.count(ring, Lane.calls, calls)
    this.#shelved?.count(ring, Lane.errors, errors)
  }

  /** Closes the accounts of this process's own threads that ended while the store could not be written. */
  #settleShelved(nowUs: number): void {
    if (this.#shelved === null || this.#ownRings.length === 0) return
    if (this.#unsettled.has(this.#boot)) {
      this.#waits = true
      return
    }
    const own = prepared(this.#db, 'SELECT process_id FROM processes WHERE boot = ?')
      .pluck()
      .get(this.#boot) as number
    this.#accounts.closeLanes(own, nowUs, this.#ownRings)
    for (const ring of this.#ownRings) this.#shelved.settle(ring)
    this.#ownRings = []
  }

  /** Of journals that are gone nobody has to know any more how far they were dealt with. */
  forgetRanges(): void {
    if (this.#current === null) this.#accounts.forgetRanges(this.#storePath)
  }
}

function holdsEntry(reader: JournalReader): boolean {
  for (let looks = 0; looks < LOOKS; looks++) {
    const entry = reader.next()
    if (entry?.kind === 'damage') continue
    reader.seek(JOURNAL_HEADER_BYTES)
    return entry !== null
  }
  return false
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Another process was faster.
  }
}
