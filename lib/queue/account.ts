import {
  CLOSED_WORDS_PER_LANE,
  ClosedF64,
  ControlF64,
  ControlI32,
  DROP_REASONS,
  DROP_WORDS_PER_LANE,
  Drop,
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
  /** Error records that were written as header only: above `errors.fullPerSecond`, or with the journals half full. */
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
 * that nobody needs its memory any more. Of what it produced everything is stored or dropped, or stays in its journal
 * for the next start.
 *
 * The writer may die at any point of this. So the sums stand in two copies: the new ones are written into the copy
 * that does not hold, and one store of CLOSINGS makes them hold and the lane closed, for every reader at once.
 */
export function closeLane(control: ControlWords, lane: ControlWords, rest: Rest = 'nothing'): void {
  prepareClosing(control, lane, rest)
  completeClosing(control, lane, rest)
}

/** What is left of a lane that is closed. `in journal`: all that is neither stored nor dropped, also what its ring held. */
export type Rest = 'nothing' | 'in journal'

/** First half of {@link closeLane}: nobody sees anything of it yet. A writer that dies here has closed nothing. */
export function prepareClosing({ i32, f64 }: ControlWords, lane: ControlWords, rest: Rest = 'nothing'): void {
  const closings = Atomics.load(i32, ControlI32.CLOSINGS)
  const from = copyOf(closings)
  const to = copyOf(closings + 1)
  f64.copyWithin(to, from, from + ClosedF64.WORDS)
  for (const which of [Lane.calls, Lane.errors] as const) {
    const { stored, dropped, inJournal } = closing(readLane(lane.f64, which), rest)
    const word = to + ClosedF64.LANES + which * CLOSED_WORDS_PER_LANE
    f64[word] += stored + sumOf(dropped) + inJournal
    f64[word + 1] += stored
    f64[to + ClosedF64.IN_JOURNAL + which] += inJournal
    DROP_REASONS.forEach((reason, index) => {
      f64[word + 2 + index] += dropped[reason] ?? 0
    })
  }
  f64[to + ClosedF64.ERRORS_SHRUNK] += lane.f64[LaneF64.ERRORS_SHRUNK]
  // Before CLOSINGS: whoever sees the new sums sees that this lane is in them.
  Atomics.store(lane.i32, LaneI32.CLOSING, (closings + 1) | 0)
}

/** The last account of a lane. What is nowhere was torn, or lay in the memory of the thread. */
function closing(account: LaneAccount, rest: Rest): Pick<LaneAccount, 'stored' | 'dropped' | 'inJournal'> {
  const { stored, dropped, inRing, inJournal, inMemory } = account
  if (rest === 'nothing') return { stored, dropped, inJournal: 0 }
  const lost = imbalance(account) + inMemory
  const lostReason = DROP_REASONS[Drop.writerLost]
  return {
    stored,
    dropped: { ...dropped, [lostReason]: (dropped[lostReason] ?? 0) + lost },
    inJournal: inRing + inJournal,
  }
}

/** Second half of {@link closeLane}. */
export function completeClosing({ i32 }: ControlWords, lane: ControlWords, rest: Rest = 'nothing'): void {
  // Unless it has to wait, its journal is gone with it. First, because nobody comes back to a lane that is closed.
  if (rest === 'nothing')
    Atomics.sub(i32, ControlI32.JOURNAL_KIB, Atomics.exchange(lane.i32, LaneI32.JOURNAL_KIB, 0))
  Atomics.add(i32, ControlI32.CLOSINGS, 1)
  Atomics.store(lane.i32, LaneI32.STATE, LaneState.closed)
}

/** What has become of records that a closed lane had left in its journal. */
export interface Taken {
  readonly stored: number
  readonly poison: number
  readonly lost: number
}

/** Writer: the journal of a closed lane is dealt with. As closing a lane, it happens for every reader at once. */
export function settleJournal(
  { i32, f64 }: ControlWords,
  taken: Readonly<Record<Lane, Taken>>,
  kib: number,
): void {
  const closings = Atomics.load(i32, ControlI32.CLOSINGS)
  const from = copyOf(closings)
  const to = copyOf(closings + 1)
  f64.copyWithin(to, from, from + ClosedF64.WORDS)
  for (const which of [Lane.calls, Lane.errors] as const) {
    const { stored, poison, lost } = taken[which]
    const word = to + ClosedF64.LANES + which * CLOSED_WORDS_PER_LANE
    f64[word + 1] += stored
    f64[word + 2 + Drop.poison] += poison
    f64[word + 2 + Drop.writerLost] += lost
    f64[to + ClosedF64.IN_JOURNAL + which] -= stored + poison + lost
  }
  Atomics.sub(i32, ControlI32.JOURNAL_KIB, kib)
  Atomics.add(i32, ControlI32.CLOSINGS, 1)
}

/** Writer: whether another one before it has closed this lane; one that has only prepared to do so has not. */
export function isClosed({ i32 }: ControlWords, lane: ControlWords): boolean {
  if (Atomics.load(lane.i32, LaneI32.STATE) === LaneState.closed) return true
  const closing = Atomics.load(lane.i32, LaneI32.CLOSING)
  const closed = closing !== 0 && holdsBy(Atomics.load(i32, ControlI32.CLOSINGS), closing)
  Atomics.store(lane.i32, closed ? LaneI32.STATE : LaneI32.CLOSING, closed ? LaneState.closed : 0)
  return closed
}

const copyOf = (closings: number): number => ControlF64.CLOSED_SUMS + (closings & 1) * ClosedF64.WORDS
/** Numbers of closings wrap, so they are compared by distance. */
const holdsBy = (closings: number, closing: number): boolean => ((closings - closing) | 0) >= 0

/** The account of all threads of the process: those in `lanes`, and those whose lanes are closed. */
export function readProcessAccount(control: ControlWords, lanes: readonly ControlWords[]): Account {
  for (;;) {
    const closings = Atomics.load(control.i32, ControlI32.CLOSINGS)
    let sum = readClosed(control.f64, copyOf(closings))
    for (const { i32, f64 } of lanes) {
      const closing = Atomics.load(i32, LaneI32.CLOSING)
      if (closing === 0 || !holdsBy(closings, closing)) sum = addAccounts(sum, readAccount(f64, control.f64))
    }
    // A closing takes a transaction, so this ends; and a writer that dies leaves nothing that would go on for ever.
    if (Atomics.load(control.i32, ControlI32.CLOSINGS) === closings) return sum
  }
}

function readClosed(control: Float64Array, copy: number): Account {
  return {
    calls: readClosedLane(control, copy, Lane.calls),
    errors: readClosedLane(control, copy, Lane.errors),
    errorsShrunk: control[copy + ClosedF64.ERRORS_SHRUNK],
    expired: control[ControlF64.EXPIRED_ROWS],
    balanced: true,
  }
}

function readClosedLane(control: Float64Array, copy: number, lane: Lane): LaneAccount {
  const word = copy + ClosedF64.LANES + lane * CLOSED_WORDS_PER_LANE
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
    inJournal: control[copy + ClosedF64.IN_JOURNAL + lane],
    inMemory: 0,
  }
}
