import { existsSync, statSync } from 'node:fs'
import { JOURNAL_HEADER_BYTES, type JournalName } from '../queue/journal-format.js'
import type { JournalEntry, JournalReader, JournalRecord } from '../queue/journal-reader.js'
import { DROP_REASONS, Drop, Frame, Lane } from '../queue/layout.js'
import { MalformedPayloadError } from '../serialize/transcode.js'
import { type Database, prepared } from '../store/driver.js'
import { BadRowError } from '../store/errors.js'
import type { JournalRange, StoreWriter } from '../store/insert.js'
import { InFlightRows } from '../store/insert-in-flight.js'
import { damageDetail, JOURNAL_DAMAGED } from './journal-damage.js'
import { type LaneRow, LaneRows, missing } from './lane-rows.js'
import { BadFrameError, endUs, type RecordOrigin, type RecordSink } from './record-sink.js'

/** What is taken over in one transaction at most: the store is locked for others that long. */
const ENTRIES_PER_STEP = 500
const BYTES_PER_STEP = 1024 * 1024
/** Where the last entries of a segment are looked for: more than the largest entry takes. */
const END_BYTES = 256 * 1024
/** Stands for a call site whose name was in a damaged entry: the record itself is whole. */
const UNKNOWN_SITE = '(unknown)'

/** This journal cannot be read now. That says nothing about the store. */
export class UnreadableJournalError extends Error {
  override readonly name = 'UnreadableJournalError'
  readonly code = 'CALLSIGHT_JOURNAL_UNREADABLE'
}

/** What the segments of one thread's journal have in common: an intact one helps a damaged one after it. */
export interface JournalThread {
  readonly boot: string
  readonly ring: number
  readonly names: Map<number, string>
  originUnixUs: number | null
}

/** Where a leftover was found. */
export interface Found {
  readonly path: string
  readonly name: JournalName
}

export interface LeftoverParts {
  readonly db: Database
  readonly store: StoreWriter
  readonly sink: RecordSink
  readonly host: string
  /** Told of every step that is committed. */
  readonly onTaken?: (name: JournalName, taken: Taken) => void
}

interface LaneTaken {
  readonly stored: number
  readonly poison: number
}
/** What came of one step. */
export type Taken = readonly [calls: LaneTaken, errors: LaneTaken]

/** Whose entries are being replayed, with the accounts as they stand in the open transaction. */
interface Account {
  readonly origin: RecordOrigin
  readonly segment: number
  /** What is dealt with already; of that only the names of call sites are wanted. */
  readonly dealtWith: JournalRange
  readonly calls: LaneRow
  readonly errors: LaneRow
  /** Highest sequence number of an error that was dealt with before. */
  readonly knownErrorSeq: number
  /** Ends of errors up to this moment have been deleted by retention. */
  readonly expiredUpToUs: number
  /** Calls that the file has as open. Those of which the journal has a record had ended. */
  readonly inFlight: InFlightRows
  readonly open: ReadonlyMap<number, unknown>
}

/**
 * A journal segment whose owner is dead, being taken over. Each step is one transaction, and the same transaction says
 * how far it went: whoever goes on (this process, another one beside it, the next start) begins exactly there.
 */
export class Leftover {
  readonly found: Found
  readonly #reader: JournalReader
  readonly #thread: JournalThread
  readonly #parts: LeftoverParts
  readonly #rows: LaneRows
  readonly #originUnixUs: number
  /** Whose call rows are queued in the open transaction. */
  #queuing: LaneRow | null = null

  constructor(found: Found, reader: JournalReader, thread: JournalThread, parts: LeftoverParts) {
    this.found = found
    this.#reader = reader
    this.#thread = thread
    this.#parts = parts
    this.#rows = new LaneRows(parts.db, parts.store)
    this.#originUnixUs =
      reader.header?.originUnixUs ?? thread.originUnixUs ?? estimateOriginUs(reader, found.path)
    thread.originUnixUs = this.#originUnixUs
  }

  close(): void {
    this.#reader.close()
  }

  /** Deals with a bounded number of entries; `true` when there may be more. */
  step(nowUs: number): boolean {
    const { store } = this.#parts
    const { position } = this.#reader
    store.begin()
    try {
      // Looked at under the write lock: another process writes how far it went before it removes the file.
      if (!existsSync(this.found.path)) {
        store.rollback()
        return false
      }
      const { more, taken } = this.#inTransaction(nowUs)
      store.commit()
      this.#parts.onTaken?.(this.found.name, taken)
      return more
    } catch (error) {
      store.rollback()
      this.#reader.seek(position)
      throw error
    }
  }

  #inTransaction(nowUs: number): { more: boolean; taken: Taken } {
    const { store } = this.#parts
    const { ring, segment } = this.#reader.header ?? this.found.name
    const processId = this.#register(nowUs)
    const errors = this.#rows.read(processId, ring, Lane.errors)
    const inFlight = new InFlightRows(this.#parts.db, processId)
    const account: Account = {
      origin: {
        processId,
        ring,
        originUnixUs: this.#originUnixUs,
        siteName: site => this.#thread.names.get(site) ?? UNKNOWN_SITE,
      },
      segment,
      dealtWith: store.journalRange(processId, ring, segment),
      calls: this.#rows.read(processId, ring, Lane.calls),
      errors,
      knownErrorSeq: errors.storedSeq,
      expiredUpToUs: this.#expiredUpToUs(),
      inFlight,
      open: inFlight.written(ring),
    }
    const before: Taken = [tally(account.calls), tally(account.errors)]
    this.#queuing = account.calls
    if (this.#reader.header === null && account.dealtWith.behind === 0) {
      this.#tellDamage(account, JOURNAL_HEADER_BYTES, 0, nowUs)
    }
    const more = this.#replay(account, nowUs)
    store.flushRows()
    this.#rows.write(account.calls)
    this.#rows.write(account.errors)
    const behind = this.#reader.position
    if (behind >= account.dealtWith.first)
      store.addJournalRange(processId, ring, segment, { first: 0, behind })
    const after: Taken = [tally(account.calls), tally(account.errors)]
    return { more, taken: [grown(before[0], after[0]), grown(before[1], after[1])] }
  }

  #register(nowUs: number): number {
    const { store, host } = this.#parts
    const { header } = this.#reader
    const processId = store.registerProcess({
      boot: (header ?? this.found.name).boot,
      pid: header?.pid ?? 0,
      script: '(unknown)',
      host,
      nodeVersion: '',
      version: '',
      startedUs: this.#originUnixUs,
    })
    // Nothing says which process it was, so nobody could find out later that it has ended.
    const sql = 'SELECT pid FROM processes WHERE process_id = ?'
    if (prepared(this.#parts.db, sql).pluck().get(processId) === 0) store.endProcess(processId, nowUs, 'lost')
    return processId
  }

  #replay(account: Account, nowUs: number): boolean {
    const { first, behind } = account.dealtWith
    const end = this.#reader.position + BYTES_PER_STEP
    for (let count = 0; count < ENTRIES_PER_STEP && this.#reader.position < end; ) {
      const entry = this.#next()
      if (entry === null) return false
      if (entry.kind === 'site') this.#thread.names.set(entry.site, entry.name)
      if (this.#reader.position > first && this.#reader.position <= behind) continue
      count++
      if (entry.kind === 'damage') {
        this.#tellDamage(account, entry.bytes, entry.at, nowUs)
        continue
      }
      account.calls.produced = Math.max(account.calls.produced, entry.callsProduced)
      if (entry.kind === 'record') this.#store(account, entry, nowUs)
    }
    return true
  }

  #next(): JournalEntry | null {
    try {
      return this.#reader.next()
    } catch (cause) {
      throw new UnreadableJournalError(`${this.found.path} cannot be read`, { cause })
    }
  }

  #store(account: Account, entry: JournalRecord, nowUs: number): void {
    const { origin, calls, errors } = account
    const { bytes, view, offset } = entry
    const seq = view.getFloat64(offset + Frame.SEQ, true)
    const call = view.getFloat64(offset + Frame.CALL, true)
    if (account.open.has(call)) account.inFlight.ended(origin.ring, call)
    const isError = ((view.getUint32(offset + Frame.META, true) >>> 8) & 0xff) === Lane.errors
    try {
      if (isError) {
        errors.produced = Math.max(errors.produced, seq)
        errors.storedSeq = Math.max(errors.storedSeq, seq)
        // Stored long ago and deleted by retention meanwhile: its row is gone, so that cannot tell.
        if (seq <= account.knownErrorSeq && endUs(origin, view, offset) <= account.expiredUpToUs) return
        // One that an earlier file of this store had is new to this file, and was counted then.
        if (this.#parts.sink.error(origin, bytes, view, offset) && missing(errors) > 0) errors.stored++
      } else if (seq > calls.storedSeq) {
        calls.storedSeq = seq
        this.#parts.sink.call(origin, bytes, view, offset)
        calls.stored++
      }
    } catch (error) {
      if (!isBadRecord(error)) throw error
      this.#rows.drop(isError ? errors : calls, Drop.poison, 1, 0, nowUs)
    }
  }

  /** Called for a call row that SQLite refused; it was counted as stored when it was queued. */
  refused(functionId: number, nowUs: number): void {
    if (this.#queuing === null) return
    this.#queuing.stored--
    this.#rows.drop(this.#queuing, Drop.poison, 1, functionId, nowUs)
  }

  #tellDamage({ origin, segment }: Account, bytes: number, at: number, nowUs: number): void {
    const detail = damageDetail(origin.ring, segment, bytes, at)
    this.#parts.store.incident(origin.processId, JOURNAL_DAMAGED, nowUs, nowUs, detail)
  }

  #expiredUpToUs(): number {
    const upTo = prepared(this.#parts.db, "SELECT up_to_us AS us FROM expired WHERE kind = 'errors'").get()
    return (upTo as { us: number } | undefined)?.us ?? Number.NEGATIVE_INFINITY
  }
}

const tally = ({ stored, dropped }: LaneRow): LaneTaken => ({
  stored,
  poison: dropped[DROP_REASONS[Drop.poison]] ?? 0,
})

const grown = (before: LaneTaken, after: LaneTaken): LaneTaken => ({
  stored: after.stored - before.stored,
  poison: after.poison - before.poison,
})

function isBadRecord(error: unknown): boolean {
  return (
    error instanceof BadFrameError || error instanceof MalformedPayloadError || error instanceof BadRowError
  )
}

/**
 * The Unix time of the owner's monotonic zero, when no header says it: the last record ended when the file was written
 * last.
 */
function estimateOriginUs(reader: JournalReader, path: string): number {
  const { position } = reader
  const writtenMs = statSync(path).mtimeMs
  let endMs = 0
  reader.seek(Math.max(position, reader.fileBytes - END_BYTES))
  for (let entry = reader.next(); entry !== null; entry = reader.next()) {
    if (entry.kind !== 'record') continue
    const { view, offset } = entry
    const ms = view.getFloat64(offset + Frame.START, true) + view.getFloat64(offset + Frame.DURATION, true)
    if (ms > endMs) endMs = ms
  }
  reader.seek(position)
  return Math.round((writtenMs - endMs) * 1000)
}
