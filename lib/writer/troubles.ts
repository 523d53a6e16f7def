import { closeSync, openSync, unlinkSync } from 'node:fs'
import type { AnchoredClock } from '../queue/clock.js'
import { DROP_WORDS_PER_LANE, Drop, Lane, LaneF64 } from '../queue/layout.js'
import { classify, codeOf, DiskFullError, WalPinnedError } from '../store/errors.js'
import { giveReserve, keepReserve, type ReserveState, reserveBytes } from '../store/reserve.js'
import { Incidents } from './incidents.js'
import type { Lanes } from './lanes.js'
import type { WriterSettings, WriterWarning } from './messages.js'

/** Making a reserve that the disk refuses is tried again after this long. */
const RESERVE_PAUSE_MS = 5_000
const JOURNAL_FULL_WORD = LaneF64.PRODUCER_DROPS + Lane.errors * DROP_WORDS_PER_LANE + Drop.journalFull

/**
 * What goes wrong with the disk, and what is said of it: one warning an episode, and an incident for the store. Lives
 * as long as the writer thread; sessions come and go.
 */
export class Troubles {
  readonly incidents = new Incidents()
  readonly #settings: WriterSettings
  readonly #clock: AnchoredClock
  readonly #post: (message: WriterWarning) => void
  /** The episode of a failing store has been told. */
  #toldFailing = false
  /** There has been a reserve. Without one nothing is written but what makes room. */
  #wantsReserve = false
  #reserveDueMs = 0
  #journalDrops = 0
  #tendedDrops = 0
  #lookedUs: number

  /** @param lanes those whose drops an earlier writer of this process has spoken of */
  constructor(
    settings: WriterSettings,
    clock: AnchoredClock,
    post: (message: WriterWarning) => void,
    lanes: Iterable<Float64Array> = [],
  ) {
    for (const f64 of lanes) this.#journalDrops += f64[JOURNAL_FULL_WORD] ?? 0
    this.#tendedDrops = this.#journalDrops
    this.#settings = settings
    this.#clock = clock
    this.#lookedUs = clock.nowUs()
    this.#post = post
  }

  /** An attempt has failed for good; `retryInMs` is set when the breaker has opened. */
  failed(error: unknown, retryInMs: number | null): void {
    const kind = this.#kindOf(error)
    const reason = error instanceof Error ? error.message : String(error)
    if (kind !== null) this.incidents.begin(kind, reason, this.#clock.nowUs())
    if (retryInMs === null || this.#toldFailing) return
    this.#toldFailing = true
    const { storePath } = this.#settings
    const next = `the next try is in ${Math.ceil(retryInMs / 1000)} s.`
    const why = reason.replace(/\.?$/, '.')
    switch (kind) {
      case 'wal_pinned':
        this.#warn(
          'CALLSIGHT_WAL_PINNED',
          `${why} Until then errors wait in the journal, and calls that do not fit into memory are counted only.`,
        )
        break
      case 'memory_only':
        this.#warn(
          'CALLSIGHT_MEMORY_ONLY',
          `Nothing can be written at ${storePath}: ${why} Calls and errors are kept in memory only, as far as there ` +
            'is room, and are lost when the program ends. Make the folder writable, or choose another path with ' +
            `CALLSIGHT_DB; ${next}`,
        )
        break
      default:
        this.#warn(
          'CALLSIGHT_STORE_FAILING',
          `The store ${storePath} cannot be written: ${why} Errors are kept in the journal beside it; ${next}`,
        )
    }
  }

  /** A batch was stored. */
  recovered(): void {
    this.#toldFailing = false
    const nowUs = this.#clock.nowUs()
    this.incidents.end('wal_pinned', nowUs)
    this.incidents.end('memory_only', nowUs)
    // Otherwise it goes on until there is room for the reserve again.
    if (!this.#wantsReserve) this.incidents.end('disk_full', nowUs)
  }

  /** The disk refused the store; `true`: the reserve has given some room. */
  diskFull(): boolean {
    this.incidents.begin('disk_full', this.#settings.storePath, this.#clock.nowUs())
    return giveReserve(this.#settings.storePath)
  }

  /**
   * Before a batch. The room that the reserve gave is for errors and their journals; a writer that goes on writing pages
   * of calls would use it up in a moment.
   *
   * @throws {DiskFullError} when the reserve had to be given, and there is no room for another
   */
  requireReserve(): void {
    const { storePath, maxBytes } = this.#settings
    if (this.#wantsReserve && this.#keepReserve() === 'no room')
      throw new DiskFullError(storePath, reserveBytes(maxBytes))
  }

  setAside(path: string): void {
    const nowUs = this.#clock.nowUs()
    this.incidents.note('store_set_aside', path, nowUs, nowUs)
    this.#warn(
      'CALLSIGHT_STORE_SET_ASIDE',
      `The store was damaged. It was moved to ${path} and a new one was started.`,
    )
  }

  /** @param sinceUs when it was seen in its place last */
  gone(what: string, sinceUs: number): void {
    this.incidents.note('store_gone', what, sinceUs, this.#clock.nowUs())
  }

  /** Now and then, while the store can be written. A recording thread that met a full disk has removed the reserve. */
  tend(nowMs: number): void {
    this.#lookAtReserve(nowMs)
    if (this.#journalDrops === this.#tendedDrops) this.incidents.end('journal_full', this.#lookedUs)
    this.#tendedDrops = this.#journalDrops
  }

  /** At every tick: whether errors were dropped because the journals have reached their limit. */
  watch(lanes: Lanes): void {
    const sinceUs = this.#lookedUs
    this.#lookedUs = this.#clock.nowUs()
    let drops = 0
    for (const { lane } of lanes) drops += lane.f64[JOURNAL_FULL_WORD]
    const grown = drops > this.#journalDrops
    this.#journalDrops = drops
    if (!grown || this.incidents.isOpen('journal_full')) return
    this.incidents.begin('journal_full', this.#settings.storePath, sinceUs)
    this.#warn(
      'CALLSIGHT_JOURNAL_FULL',
      `The journals beside ${this.#settings.storePath} have reached their limit, because the store could not be ` +
        'written for long. Further errors are counted, and not recorded, until it can.',
    )
  }

  #lookAtReserve(nowMs: number): void {
    if (nowMs < this.#reserveDueMs) return
    const state = this.#keepReserve()
    if (state === 'there') return
    if (state === 'no room' && this.#wantsReserve)
      this.incidents.begin('disk_full', this.#settings.storePath, this.#clock.nowUs())
    this.#reserveDueMs = nowMs + RESERVE_PAUSE_MS
  }

  #keepReserve(): ReserveState {
    const { storePath, maxBytes } = this.#settings
    const state = keepReserve(storePath, reserveBytes(maxBytes))
    if (state === 'there') {
      this.#wantsReserve = true
      this.incidents.end('disk_full', this.#clock.nowUs())
    }
    return state
  }

  #kindOf(error: unknown): 'wal_pinned' | 'memory_only' | 'disk_full' | null {
    if (error instanceof WalPinnedError) return 'wal_pinned'
    const failure = classify(error)
    if (failure === 'full') return 'disk_full'
    if (failure === 'busy' || failure === 'corrupt' || failure === 'data') return null
    return mayWriteBeside(this.#settings.storePath) ? null : 'memory_only'
  }

  #warn(code: string, text: string): void {
    this.#post({ type: 'warning', code, text })
  }
}

/** Whether a journal could be made. Tried, because the permissions of a disk that has failed still say yes. */
function mayWriteBeside(storePath: string): boolean {
  // As long as the name of a journal: one that is too long for the disk has no journal either.
  const path = `${storePath}.try-${String(process.pid).padStart(28, '0')}`
  try {
    closeSync(openSync(path, 'wx', 0o600))
    unlinkSync(path)
    return true
  } catch (error) {
    return codeOf(error) === 'EEXIST'
  }
}
