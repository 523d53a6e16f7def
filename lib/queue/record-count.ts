import type { Totals } from '../totals/totals.js'
import type { Handed, JournalLane } from './journal-lane.js'
import { DROP_WORDS_PER_LANE, Drop, Lane, LaneF64 } from './layout.js'

/** The counter in which an error appears, by where it went. */
const HANDED_WORD: Readonly<Record<Exclude<Handed, 'refused'>, number>> = {
  journaled: LaneF64.ERRORS_JOURNALED,
  'in ring': LaneF64.ERRORS_PUBLISHED,
  held: LaneF64.ERRORS_HELD,
}

// What a module imports is read anew at each use; these are a part of the compiled code.
const { CALLS_PRODUCED, ERRORS_PRODUCED, PRODUCER_DROPS } = LaneF64
const CALLS = Lane.calls

/**
 * Gives the records of both lanes their numbers and counts what becomes of each: every record that is begun has either
 * arrived somewhere or is dropped. The stack may end in a call, never in a store, so each step of a record is counted whole or
 * not at all.
 */
export class RecordCount {
  /**
   * Lane + 1 of the record that has its sequence number and is neither handed on nor dropped yet, 0 = none. When the
   * app's stack ends in the middle of a record, the next one finds it here and counts it.
   */
  unfinished = 0
  unfinishedSite = 0
  readonly #f64: Float64Array
  readonly #totals: Totals
  readonly #journal: JournalLane

  constructor(f64: Float64Array, totals: Totals, journal: JournalLane) {
    this.#f64 = f64
    this.#totals = totals
    this.#journal = journal
  }

  /** Gives out the next sequence number of a lane. From here on the record is unfinished until {@link finish}. */
  begin(lane: Lane, site: number): number {
    if (this.unfinished !== 0) this.countUnfinished()
    this.unfinished = lane + 1
    this.unfinishedSite = site
    return ++this.#f64[lane === CALLS ? CALLS_PRODUCED : ERRORS_PRODUCED]
  }

  /** The record under construction has arrived where the counter `word` counts. */
  finish(word: number): void {
    this.#f64[word]++
    this.unfinished = 0
  }

  /** The record of a call that is under construction is dropped. */
  drop(reason: number): void {
    this.#totals.drop(this.unfinishedSite, reason)
    this.#f64[PRODUCER_DROPS + reason]++
    this.unfinished = 0
  }

  /** Beside a record that may be under construction: a number is given out and counted at once. */
  dropAnother(site: number, reason: number): void {
    this.#totals.keepNone(site, reason)
    this.#f64[CALLS_PRODUCED]++
    this.#f64[PRODUCER_DROPS + reason]++
  }

  /** The error under construction has arrived, or was refused everywhere. */
  finishError(handed: Handed): void {
    if (handed === 'refused') this.dropError(Drop.queueFull)
    else this.#finishError(HANDED_WORD[handed])
  }

  /** The error under construction is dropped. */
  dropError(reason: number): void {
    this.#journal.handed = 'refused'
    this.#totals.dropError(this.unfinishedSite, reason)
    this.#finishError(PRODUCER_DROPS + Lane.errors * DROP_WORDS_PER_LANE + reason)
  }

  #finishError(word: number): void {
    this.#totals.keep(this.unfinishedSite)
    this.finish(word)
  }

  /** The stack ended in the middle of a record. */
  countUnfinished(): void {
    const { handed } = this.#journal
    if (this.unfinished === CALLS + 1) {
      this.drop(Drop.serializeFailed)
    } else if (handed === null) {
      // The error comes again, and nothing bears its number.
      this.#f64[ERRORS_PRODUCED]--
      this.unfinished = 0
    } else {
      this.finishError(handed)
    }
  }
}
