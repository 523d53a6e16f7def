import { TestRunner } from 'vitest'
import type { LaneRow } from './store-account.js'

/** What one fault test counted, for the table of `npm run chaos`; it travels in the meta data of the test. */
export interface Figures {
  /** Faults brought about: kills, flipped bytes, refused writes. */
  readonly injected: number
  readonly produced: number
  readonly stored: number
  readonly dropped: Readonly<Record<string, number>>
  /** Errors that the program saw and no store has. */
  readonly lostErrors: number
  readonly duplicates: number
  readonly lanes: number
  /** Lanes in which produced is not stored + dropped. */
  readonly unbalanced: number
  /** Stores that were checked, and what SQLite said of those that are not whole. */
  readonly stores: number
  readonly damaged: readonly string[]
  /** From the start of a recovering program until no journal of a dead one was left. */
  readonly recoveriesMs: readonly number[]
  /** Sentences for the report. */
  readonly remarks: readonly string[]
}

declare module 'vitest' {
  interface TaskMeta {
    figures?: Figures
  }
}

/** What is known of one test so far. */
class Tally {
  injected: number | null = null
  lostErrors = 0
  duplicates = 0
  stores = 0
  readonly damaged: string[] = []
  readonly recoveriesMs: number[] = []
  readonly remarks: string[] = []
  /** By boot, ring and lane: a store that is read again says the same lane again, newer. */
  readonly lanes = new Map<string, LaneRow>()

  get figures(): Figures {
    const { lostErrors, duplicates, stores, damaged, recoveriesMs, remarks } = this
    const dropped: Record<string, number> = {}
    let produced = 0
    let stored = 0
    let unbalanced = 0
    for (const lane of this.lanes.values()) {
      produced += lane.produced
      stored += lane.stored
      let left = lane.produced - lane.stored
      for (const [reason, count] of Object.entries(lane.dropped)) {
        dropped[reason] = (dropped[reason] ?? 0) + count
        left -= count
      }
      if (left !== 0) unbalanced++
    }
    const lanes = this.lanes.size
    // A test that does not say how many is one fault.
    const injected = this.injected ?? 1
    return {
      injected,
      produced,
      stored,
      dropped,
      lostErrors,
      duplicates,
      lanes,
      unbalanced,
      stores,
      damaged,
      recoveriesMs,
      remarks,
    }
  }
}

const tallies = new WeakMap<object, Tally>()

function note(change: (tally: Tally) => void): void {
  // Outside of a test, as in the soak that a command runs, nobody reads them.
  const test = TestRunner.getCurrentTest()
  if (test === undefined) return
  let tally = tallies.get(test)
  if (tally === undefined) tallies.set(test, (tally = new Tally()))
  change(tally)
  // Written each time: a test that fails keeps what was counted up to then.
  test.meta.figures = tally.figures
}

/** Adds to the number of faults that this test has brought about. */
export const injected = (count: number): void =>
  note(tally => {
    tally.injected = (tally.injected ?? 0) + count
  })

export const remark = (sentence: string): void => note(tally => void tally.remarks.push(sentence))

export const noteRecovery = (ms: number): void => note(tally => void tally.recoveriesMs.push(ms))

export const noteLosses = (lostErrors: number, duplicates: number): void =>
  note(tally => {
    tally.lostErrors += lostErrors
    tally.duplicates += duplicates
  })

/** What a store file says of its lanes and of itself. */
export const noteStore = (lanes: readonly LaneRow[], integrity: string): void =>
  note(tally => {
    for (const lane of lanes) tally.lanes.set(`${lane.boot} ${lane.ring} ${lane.lane}`, lane)
    tally.stores++
    if (integrity !== 'ok') tally.damaged.push(integrity)
  })
