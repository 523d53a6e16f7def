import { PENDING_SLOTS } from '../queue/layout.js'
import type { CallSite } from './call-site.js'
import type { Recording } from './recording.js'
import { CELLS_PER_CALL, Cell, running } from './running.js'

/** A call that goes on after it has returned: what its record will need. */
export interface PendingCall {
  recording: Recording
  site: CallSite
  /** Its figures as {@link Cell} says, and where they begin: in a slot that the writer sees, or in memory of its own. */
  cells: Float64Array
  cell: number
  /** Arguments captured before the call that do not stand where `MARK` says. */
  held: Uint8Array | null
  /** Read when none were captured, and the call turns out to be worth a record. */
  args: ArrayLike<unknown>
  /** Somebody waits for the collection of what would end it. */
  isWatched: boolean
}

/** What stays known of a call whose arguments must not be kept, because they may lead back to what ends it. */
export type PendingHandle = Readonly<Omit<PendingCall, 'args' | 'isWatched'>>

const NO_CELLS = new Float64Array(0)
const NO_ARGS: readonly unknown[] = []
const NO_RECORDING = null as unknown as Recording
const NO_SITE = null as unknown as CallSite

/** Of no call yet: {@link fillPending}. All have the one shape, which whatever settles them knows. */
export function newPending(): PendingCall {
  return {
    recording: NO_RECORDING,
    site: NO_SITE,
    cells: NO_CELLS,
    cell: 0,
    held: null,
    args: NO_ARGS,
    isWatched: false,
  }
}

/** The call at this depth as one that goes on after it has returned. It holds a slot until {@link releasePending}. */
export function pendingCall(
  recording: Recording,
  site: CallSite,
  at: number,
  flags: number,
  args: ArrayLike<unknown>,
): PendingCall {
  const pending = newPending()
  fillPending(pending, recording, site, at, flags, args)
  return pending
}

/** As {@link pendingCall}, in an object that belongs to no call. */
export function fillPending(
  pending: PendingCall,
  recording: Recording,
  site: CallSite,
  at: number,
  flags: number,
  args: ArrayLike<unknown>,
): void {
  pending.recording = recording
  pending.site = site
  pending.args = args
  const { slots, scratch } = recording.producer
  const slot = slots.first
  if (slot === slots.nextFree.length) {
    fillUnslotted(pending, at, flags)
    return
  }
  const from = running.cells
  const start = at * CELLS_PER_CALL
  const mark = from[start + Cell.MARK]
  const { cells } = slots
  const cell = slot * CELLS_PER_CALL
  cells[cell + Cell.START] = from[start + Cell.START]
  cells[cell + Cell.TRACE] = from[start + Cell.TRACE]
  cells[cell + Cell.PARENT] = from[start + Cell.PARENT]
  cells[cell + Cell.WEIGHT] = from[start + Cell.WEIGHT]
  let argsAt = -1
  if (mark !== -1) {
    argsAt = slots.keepArguments(slot, scratch, mark)
    if (argsAt === -1) pending.held = scratch.hold(mark)
  }
  cells[cell + Cell.MARK] = argsAt
  cells[cell + Cell.FLAGS] = flags
  cells[cell + Cell.SITE] = from[start + Cell.SITE]
  pending.cells = cells
  pending.cell = cell
  // The slot is taken from here on, by stores alone: where the stack ended before this, it is free.
  slots.first = slots.nextFree[slot]
  slots.taken++
  if (slot >= slots.used[0]) slots.used[0] = slot + 1
  // Last: whoever sees this number sees the rest.
  cells[cell + Cell.CALL] = from[start + Cell.CALL]
}

/**
 * The call has ended, and nothing of it is kept. `false`: the object cannot be used for another one, because its
 * collection is waited for, or it had no slot.
 */
export function clearPending(pending: PendingCall): boolean {
  const isOrdinary = !pending.isWatched && pending.cells.length === ALL_SLOTS_CELLS
  pending.recording = NO_RECORDING
  pending.site = NO_SITE
  pending.cells = NO_CELLS
  pending.held = null
  pending.args = NO_ARGS
  return isOrdinary
}

/**
 * Beyond so many taken slots, those of calls whose end is collected are given back. To watch for that is dear, and
 * what is forgotten without being watched can never take the slots beyond.
 */
const CROWD = (PENDING_SLOTS * 3) / 4
const ALL_SLOTS_CELLS = PENDING_SLOTS * CELLS_PER_CALL

/** Calls that cannot end any more, because what would end them was collected. */
const forgotten = new FinalizationRegistry<PendingHandle & { readonly call: number }>(
  ({ recording, cells, cell, call }) => recording.producer.slots.abandon(cells, cell, call),
)

/**
 * The call cannot end without `ending`: when that is collected, its slot is free again. One that has ended by then is
 * recognised by its number.
 *
 * @param token for {@link unwatchForgotten}
 */
export function watchForgotten(ending: object, pending: PendingCall, token?: object): void {
  const { recording, site, cells, cell, held } = pending
  forgotten.register(ending, { recording, site, cells, cell, held, call: cells[cell + Cell.CALL] }, token)
}

export function unwatchForgotten(token: object): void {
  forgotten.unregister(token)
}

/** As {@link watchForgotten}, only if so many calls are pending that some may have been forgotten. */
export function watchIfCrowded(ending: object, pending: PendingCall): void {
  const { slots } = pending.recording.producer
  if (slots.taken <= CROWD || pending.cells !== slots.cells) return
  pending.isWatched = true
  watchForgotten(ending, pending)
}

/** All slots are taken: the writer sees that there is one more such call, and nothing else of it. */
function fillUnslotted(pending: PendingCall, at: number, flags: number): void {
  const { slots, scratch } = pending.recording.producer
  const start = at * CELLS_PER_CALL
  const cells = running.cells.slice(start, start + CELLS_PER_CALL)
  const mark = cells[Cell.MARK]
  pending.held = mark === -1 ? null : scratch.hold(mark)
  cells[Cell.MARK] = -1
  cells[Cell.FLAGS] = flags
  pending.cells = cells
  pending.cell = 0
  slots.unslotted[0]++
}

/** The call has ended. */
export function releasePending({ recording, cells, cell }: PendingHandle): void {
  recording.producer.slots.release(cells, cell)
}
