import { readdirSync, renameSync, statSync, unlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { JOURNAL_SUFFIX } from '../queue/journal-format.js'
import { JournalReader } from '../queue/journal-reader.js'
import { DROP_REASONS, Drop, Frame, Lane } from '../queue/layout.js'
import { isAlive, startedUnixUs } from '../queue/process-identity.js'
import { MalformedPayloadError } from '../serialize/transcode.js'
import { type Database, prepared } from '../store/driver.js'
import { BadRowError, classify } from '../store/errors.js'
import type { StoreWriter } from '../store/insert.js'
import { BadFrameError, endUs, type RecordOrigin, type RecordSink } from './record-sink.js'

/** Journal entries taken over in one transaction. */
const ENTRIES_PER_STEP = 500
const US_PER_MINUTE = 60_000_000
/** Start times of processes are counted in hundredths of a second, from a moment that is known to the second. */
const CLOCK_SLACK_US = 1_500_000
/** Between creating a journal and writing its header lie microseconds, unless the disk stalls. */
const HEADER_GRACE_MS = 60_000

interface LaneRow {
  produced: number
  stored: number
  dropped: Record<string, number>
  storedSeq: number
}

interface OtherProcess {
  readonly processId: number
  readonly boot: string
  readonly pid: number
  readonly lastSeenUs: number
  /** 1: it has not said how it ended. */
  readonly open: number
}

/** A journal segment whose owner is dead, being taken over. */
interface Leftover {
  readonly path: string
  readonly reader: JournalReader
  readonly names: Map<number, string>
}

/**
 * Takes over what processes that died left behind: first their journals, oldest segment first, then their account:
 * what they had produced and neither stored nor dropped is counted as `writer_lost`, as far as the last batch or the
 * last error said how much that was.
 *
 * Runs in small steps between batches, so a journal of a gigabyte delays nothing. Several processes may do the same
 * work at the same time: sequence numbers make redelivery harmless.
 */
export class Recovery {
  readonly #db: Database
  readonly #store: StoreWriter
  readonly #sink: RecordSink
  readonly #storePath: string
  readonly #boot: string
  readonly #host: string
  #paths: string[] | null = null
  /** Whose call rows are queued in the open transaction. */
  #queuing: { readonly processId: number; readonly calls: LaneRow } | null = null
  #current: Leftover | null = null
  /** Boots with a journal that could not be read to its end: their account stays open until a later start. */
  readonly #unsettled = new Set<string>()
  #done = false

  constructor(
    db: Database,
    store: StoreWriter,
    sink: RecordSink,
    where: { storePath: string; boot: string; host: string },
  ) {
    this.#db = db
    this.#store = store
    this.#sink = sink
    this.#storePath = where.storePath
    this.#boot = where.boot
    this.#host = where.host
  }

  /** Does a bounded amount of work; `true` when there is more. */
  step(nowUs: number): boolean {
    if (this.#done) return false
    this.#paths ??= this.#findJournals()
    if (this.#current === null) {
      const path = this.#paths.shift()
      if (path === undefined) {
        this.#settleAccounts(nowUs)
        this.#done = true
        return false
      }
      this.#current = this.#open(path)
      return true
    }
    if (!this.#take(this.#current, nowUs)) return true
    this.#current.reader.close()
    this.#current = null
    return true
  }

  /** One step of one journal; `true` when this process is done with it. */
  #take(leftover: Leftover, nowUs: number): boolean {
    try {
      if (this.#replay(leftover, nowUs)) return false
      remove(leftover.path)
    } catch (error) {
      const failure = classify(error)
      if (failure !== 'other' && failure !== 'data') throw error
      // This journal, not the store: it is left to a later start and must not keep the ones behind it waiting.
      this.#unsettled.add(leftover.reader.header.boot)
    }
    return true
  }

  close(): void {
    this.#current?.reader.close()
    this.#current = null
  }

  #findJournals(): string[] {
    const folder = dirname(this.#storePath)
    const prefix = basename(this.#storePath)
    const found: { path: string; segment: number }[] = []
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(prefix)) continue
      const match = JOURNAL_SUFFIX.exec(name.slice(prefix.length))
      if (match === null || match[1] === this.#boot) continue
      found.push({ path: join(folder, name), segment: Number(match[3]) })
    }
    return found.sort((a, b) => a.segment - b.segment).map(({ path }) => path)
  }

  #open(path: string): Leftover | null {
    let reader: JournalReader | null
    try {
      reader = JournalReader.open(path)
    } catch (error) {
      // Another process took it over and removed it; anything else is for a later start.
      const boot = JOURNAL_SUFFIX.exec(path.slice(this.#storePath.length))?.[1]
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && boot !== undefined) this.#unsettled.add(boot)
      return null
    }
    if (reader === null) {
      // The name says journal, the content does not. It may still be the only trace of something: keep it, once.
      // One that is young may be a living process's, which has not written its header yet.
      if (isOld(path)) setAside(path)
      return null
    }
    if (isAlive(reader.header.pid, reader.header.startTicks)) {
      reader.close()
      return null
    }
    return { path, reader, names: new Map() }
  }

  /** Stores up to {@link ENTRIES_PER_STEP} entries; `true` when there may be more. */
  #replay(leftover: Leftover, nowUs: number): boolean {
    const { header } = leftover.reader
    const position = leftover.reader.position
    this.#store.begin()
    try {
      const processId = this.#store.registerProcess({
        boot: header.boot,
        pid: header.pid,
        script: '(unknown)',
        host: this.#host,
        nodeVersion: '',
        version: '',
        startedUs: header.originUnixUs,
      })
      const origin: RecordOrigin = {
        processId,
        ring: header.ring,
        originUnixUs: header.originUnixUs,
        siteName: site => {
          const name = leftover.names.get(site)
          if (name === undefined) throw new BadFrameError(`there is no call site ${site}`)
          return name
        },
      }
      const calls = this.#laneRow(processId, header.ring, Lane.calls)
      this.#queuing = { processId, calls }
      const errors = this.#laneRow(processId, header.ring, Lane.errors)
      const more = this.#replayEntries(leftover, origin, calls, errors, nowUs)
      this.#store.flushRows()
      this.#sink.batchDone()
      this.#writeLane(processId, header.ring, Lane.calls, calls)
      this.#writeLane(processId, header.ring, Lane.errors, errors)
      this.#store.commit()
      return more
    } catch (error) {
      this.#store.rollback()
      leftover.reader.seek(position)
      throw error
    }
  }

  #replayEntries(
    leftover: Leftover,
    origin: RecordOrigin,
    calls: LaneRow,
    errors: LaneRow,
    nowUs: number,
  ): boolean {
    const expiredUpToUs = this.#expiredUpToUs()
    let storedErrorSeq = errors.storedSeq
    for (let count = 0; count < ENTRIES_PER_STEP; count++) {
      const entry = leftover.reader.next()
      if (entry === null) {
        errors.storedSeq = storedErrorSeq
        return false
      }
      calls.produced = Math.max(calls.produced, entry.callsProduced)
      if (entry.kind === 'site') {
        leftover.names.set(entry.site, entry.name)
        continue
      }
      const { bytes, view, offset } = entry
      const seq = view.getFloat64(offset + Frame.SEQ, true)
      const lane = (view.getUint32(offset + Frame.META, true) >>> 8) & 0xff
      try {
        if (lane === Lane.errors) {
          errors.produced = Math.max(errors.produced, seq)
          // Stored long ago and deleted by retention meanwhile: its row is gone, so that cannot tell.
          if (seq <= errors.storedSeq && endUs(origin, view, offset) <= expiredUpToUs) continue
          if (this.#sink.error(origin, bytes, view, offset)) errors.stored++
          storedErrorSeq = Math.max(storedErrorSeq, seq)
        } else if (seq > calls.storedSeq) {
          calls.storedSeq = seq
          this.#sink.call(origin, bytes, view, offset)
          calls.stored++
        }
      } catch (error) {
        if (!isBadRecord(error)) throw error
        this.#poison(lane === Lane.errors ? errors : calls, origin.processId, lane, 0, nowUs)
      }
    }
    errors.storedSeq = storedErrorSeq
    return true
  }

  /** Called for a call row that SQLite refused; it was counted as stored when it was queued. */
  refused(functionId: number, nowUs: number): void {
    if (this.#queuing === null) return
    const { calls, processId } = this.#queuing
    calls.stored--
    this.#poison(calls, processId, Lane.calls, functionId, nowUs)
  }

  #poison(row: LaneRow, processId: number, lane: number, functionId: number, nowUs: number): void {
    const reason = DROP_REASONS[Drop.poison]
    row.dropped[reason] = (row.dropped[reason] ?? 0) + 1
    const minute = Math.floor(nowUs / US_PER_MINUTE)
    this.#store.addDrops(minute, functionId, processId, lane, reason, 1, nowUs, nowUs)
  }

  /** Ends of errors up to this moment have been deleted by retention. */
  #expiredUpToUs(): number {
    const upTo = prepared(this.#db, "SELECT up_to_us AS us FROM expired WHERE kind = 'errors'").get()
    return (upTo as { us: number } | undefined)?.us ?? Number.NEGATIVE_INFINITY
  }

  #laneRow(processId: number, ring: number, lane: Lane): LaneRow {
    const row = prepared(
      this.#db,
      'SELECT produced, stored, dropped, stored_seq AS storedSeq FROM lanes WHERE process_id = ? AND ring = ? AND lane = ?',
    ).get(processId, ring, lane) as
      | { produced: number; stored: number; dropped: string; storedSeq: number }
      | undefined
    if (row === undefined) return { produced: 0, stored: 0, dropped: {}, storedSeq: 0 }
    return { ...row, dropped: JSON.parse(row.dropped) as Record<string, number> }
  }

  #writeLane(processId: number, ring: number, lane: Lane, row: LaneRow): void {
    this.#store.lane(
      processId,
      ring,
      lane,
      row.produced,
      row.stored,
      JSON.stringify(row.dropped),
      row.storedSeq,
    )
  }

  /**
   * Closes the account of every process of this machine that is gone without having said so, and of those that ended
   * well but whose journals told of more: threads of theirs went on to the last. The file says which those are: whoever
   * took the journals over may have ended before it came to this.
   */
  #settleAccounts(nowUs: number): void {
    const others = prepared(
      this.#db,
      `SELECT process_id AS processId, boot, pid, last_seen_us AS lastSeenUs, ended_us IS NULL AS open
       FROM processes WHERE host = ? AND boot <> ? AND (ended_us IS NULL OR process_id IN (
         SELECT process_id FROM lanes
         WHERE produced > stored + (SELECT coalesce(sum(value), 0) FROM json_each(dropped))))`,
    ).all(this.#host, this.#boot) as OtherProcess[]
    for (const process of others) {
      if (this.#unsettled.has(process.boot)) continue
      if (process.open === 0) {
        this.#inTransaction(() => this.#settleLanes(process.processId, process.lastSeenUs))
        continue
      }
      // A pid that somebody else has by now (in a container it is always the same one) began after this was last seen.
      const startedUs = startedUnixUs(process.pid)
      const reused = startedUs !== null && startedUs > process.lastSeenUs + CLOCK_SLACK_US
      if (!reused && isAlive(process.pid, 0)) continue
      this.#inTransaction(() => {
        if (!this.#isOpen(process.processId)) return
        this.#settleLanes(process.processId, process.lastSeenUs)
        this.#store.endProcess(process.processId, nowUs, 'lost')
      })
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

  /** Whether no other process has settled it meanwhile. */
  #isOpen(processId: number): boolean {
    const sql = 'SELECT ended_us IS NULL AS open FROM processes WHERE process_id = ?'
    return (prepared(this.#db, sql).get(processId) as { open: number } | undefined)?.open === 1
  }

  /** What was produced and is neither stored nor dropped is lost. */
  #settleLanes(processId: number, lastSeenUs: number): void {
    const rings = prepared(this.#db, 'SELECT ring, lane FROM lanes WHERE process_id = ?').all(processId) as {
      ring: number
      lane: Lane
    }[]
    for (const { ring, lane } of rings) {
      const row = this.#laneRow(processId, ring, lane)
      const dropped = Object.values(row.dropped).reduce((sum, count) => sum + count, 0)
      const lost = row.produced - row.stored - dropped
      if (lost <= 0) continue
      const reason = DROP_REASONS[Drop.writerLost]
      row.dropped[reason] = (row.dropped[reason] ?? 0) + lost
      this.#writeLane(processId, ring, lane, row)
      const minute = Math.floor(lastSeenUs / US_PER_MINUTE)
      this.#store.addDrops(minute, 0, processId, lane, reason, lost, lastSeenUs, lastSeenUs)
    }
  }
}

function isBadRecord(error: unknown): boolean {
  return (
    error instanceof BadFrameError || error instanceof MalformedPayloadError || error instanceof BadRowError
  )
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Another process was faster.
  }
}

function isOld(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found !== undefined && Math.abs(Date.now() - found.mtimeMs) > HEADER_GRACE_MS
}

function setAside(path: string): void {
  try {
    renameSync(path, `${path}.unreadable`)
  } catch {
    // Another process was faster.
  }
}
