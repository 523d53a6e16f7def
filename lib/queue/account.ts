import {
  CLOSED_WORDS_PER_LANE,
  ControlF64,
  ControlI32,
  DROP_REASONS,
  DROP_WORDS_PER_LANE,
  type DropReason,
  Lane,
  LaneF64,
  LaneI32,
  LaneState,
} from './layout.js'

/**
 * The account of one lane. For every lane, at every moment at which no record is on its way:
 * `produced = stored + Σ dropped + inRing + inJournal + inMemory`.
 */
export interface LaneAccount {
  /** Records begun: the last sequence number. */
  readonly produced: number
  /** Records committed to the store. */
  readonly stored: number
  /** Records dropped, by reason; reasons that did not occur are absent. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>
  /** Records in the ring that are not stored yet. */
  readonly inRing: number
  /** Records in the journal that are not stored yet. */
  readonly inJournal: number
  /** Error records in the program's memory, because disk and ring refused them. */
  readonly inMemory: number
}

/** What became of every record since the recorder started: of one thread, or of all threads of the process together. */
export interface Account {
  readonly calls: LaneAccount
  readonly errors: LaneAccount
  /** Error records that were written as header only, above `errors.fullPerSecond`. */
  readonly errorsShrunk: number
  /** Rows deleted by retention. */
  readonly expired: number
  /** Whether the equation holds for both lanes right now. */
  readonly balanced: boolean
}

const sumOf = (dropped: LaneAccount['dropped']): number =>
  Object.values(dropped).reduce((sum, count) => sum + count, 0)

/** `produced - stored - dropped - in flight`: 0 when the equation holds. */
export function imbalance(lane: LaneAccount): number {
  return lane.produced - lane.stored - sumOf(lane.dropped) - lane.inRing - lane.inJournal - lane.inMemory
}

function readDrops(words: Float64Array, lane: Lane): Partial<Record<DropReason, number>> {
  const dropped: Partial<Record<DropReason, number>> = {}
  DROP_REASONS.forEach((reason, index) => {
    const word = lane * DROP_WORDS_PER_LANE + index
    const count = words[LaneF64.PRODUCER_DROPS + word] + words[LaneF64.WRITER_DROPS + word]
    if (count > 0) dropped[reason] = count
  })
  return dropped
}

/** The account of one lane, read from shared memory. */
export function readLane(words: Float64Array, lane: Lane): LaneAccount {
  const calls = lane === Lane.calls
  return {
    produced: words[calls ? LaneF64.CALLS_PRODUCED : LaneF64.ERRORS_PRODUCED],
    stored: words[calls ? LaneF64.CALLS_STORED : LaneF64.ERRORS_STORED],
    dropped: readDrops(words, lane),
    inRing: calls
      ? words[LaneF64.CALLS_PUBLISHED] - words[LaneF64.CALLS_CONSUMED]
      : words[LaneF64.ERRORS_PUBLISHED] - words[LaneF64.ERRORS_CONSUMED],
    inJournal: calls
      ? words[LaneF64.CALLS_JOURNALED] - words[LaneF64.CALLS_REPLAYED]
      : words[LaneF64.ERRORS_JOURNALED] - words[LaneF64.ERRORS_REPLAYED],
    inMemory: calls ? 0 : words[LaneF64.ERRORS_HELD],
  }
}

/** The account of one recording thread. */
export function readAccount(words: Float64Array, control: Float64Array): Account {
  const calls = readLane(words, Lane.calls)
  const errors = readLane(words, Lane.errors)
  return {
    calls,
    errors,
    errorsShrunk: words[LaneF64.ERRORS_SHRUNK],
    expired: control[ControlF64.EXPIRED_ROWS],
    balanced: imbalance(calls) === 0 && imbalance(errors) === 0,
  }
}

/** The account before anything was recorded. */
export function emptyAccount(): Account {
  const lane: LaneAccount = { produced: 0, stored: 0, dropped: {}, inRing: 0, inJournal: 0, inMemory: 0 }
  return { calls: lane, errors: lane, errorsShrunk: 0, expired: 0, balanced: true }
}

/** Two accounts as one. */
export function addAccounts(a: Account, b: Account): Account {
  const calls = addLanes(a.calls, b.calls)
  const errors = addLanes(a.errors, b.errors)
  return {
    calls,
    errors,
    errorsShrunk: a.errorsShrunk + b.errorsShrunk,
    expired: Math.max(a.expired, b.expired),
    balanced: imbalance(calls) === 0 && imbalance(errors) === 0,
  }
}

function addLanes(a: LaneAccount, b: LaneAccount): LaneAccount {
  const dropped: Partial<Record<DropReason, number>> = { ...a.dropped }
  for (const reason of DROP_REASONS) {
    const count = b.dropped[reason]
    if (count !== undefined) dropped[reason] = (dropped[reason] ?? 0) + count
  }
  return {
    produced: a.produced + b.produced,
    stored: a.stored + b.stored,
    dropped,
    inRing: a.inRing + b.inRing,
    inJournal: a.inJournal + b.inJournal,
    inMemory: a.inMemory + b.inMemory,
  }
}

interface ControlWords {
  readonly i32: Int32Array
  readonly f64: Float64Array
}

/**
 * Writer: the lane's thread is gone and its account is complete. Its counters are added to those of closed lanes, so
 * that nobody needs its memory any more. Of what it produced everything is stored or dropped.
 */
export function closeLane(control: ControlWords, lane: ControlWords): void {
  const { i32, f64 } = control
  // Odd: whoever reads the sums now reads them again.
  Atomics.add(i32, ControlI32.CLOSED_VERSION, 1)
  for (const which of [Lane.calls, Lane.errors] as const) {
    const { stored, dropped } = readLane(lane.f64, which)
    const word = ControlF64.CLOSED_ACCOUNTS + which * CLOSED_WORDS_PER_LANE
    f64[word] += stored + sumOf(dropped)
    f64[word + 1] += stored
    DROP_REASONS.forEach((reason, index) => {
      f64[word + 2 + index] += dropped[reason] ?? 0
    })
  }
  f64[ControlF64.CLOSED_LANES]++
  f64[ControlF64.CLOSED_SHRUNK] += lane.f64[LaneF64.ERRORS_SHRUNK]
  Atomics.store(lane.i32, LaneI32.STATE, LaneState.closed)
  Atomics.add(i32, ControlI32.CLOSED_VERSION, 1)
}

/** A writer that died in the middle of {@link closeLane} must not keep a reader for ever. */
const MAX_READS = 1_000

/** The account of all threads of the process: those in `lanes`, and those whose lanes are closed. */
export function readProcessAccount(control: ControlWords, lanes: readonly ControlWords[]): Account {
  for (let reads = 1; ; reads++) {
    const version = Atomics.load(control.i32, ControlI32.CLOSED_VERSION)
    let sum = readClosed(control.f64)
    for (const { i32, f64 } of lanes) {
      if (Atomics.load(i32, LaneI32.STATE) !== LaneState.closed)
        sum = addAccounts(sum, readAccount(f64, control.f64))
    }
    const settled = version % 2 === 0 && Atomics.load(control.i32, ControlI32.CLOSED_VERSION) === version
    if (settled || reads === MAX_READS) return sum
  }
}

function readClosed(control: Float64Array): Account {
  return {
    calls: readClosedLane(control, Lane.calls),
    errors: readClosedLane(control, Lane.errors),
    errorsShrunk: control[ControlF64.CLOSED_SHRUNK],
    expired: control[ControlF64.EXPIRED_ROWS],
    balanced: true,
  }
}

function readClosedLane(control: Float64Array, lane: Lane): LaneAccount {
  const word = ControlF64.CLOSED_ACCOUNTS + lane * CLOSED_WORDS_PER_LANE
  const dropped: Partial<Record<DropReason, number>> = {}
  DROP_REASONS.forEach((reason, index) => {
    const count = control[word + 2 + index]
    if (count > 0) dropped[reason] = count
  })
  return {
    produced: control[word],
    stored: control[word + 1],
    dropped,
    inRing: 0,
    inJournal: 0,
    inMemory: 0,
  }
}
