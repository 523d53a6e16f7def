import { ControlF64, DROP_REASONS, DROP_WORDS_PER_LANE, type DropReason, Lane, LaneF64 } from './layout.js'

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

/** What became of every record since the recorder started. */
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
