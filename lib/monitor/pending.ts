import { PENDING_SLOTS } from '../queue/layout.js'
import type { CallSite } from './call-site.js'
import type { Recording } from './recording.js'
import { CELLS_PER_CALL, Cell, running } from './running.js'

/** A call that goes on after it has returned: what its record will need. */
export interface PendingCall {
  readonly recording: Recording
  readonly site: CallSite
  /** Its figures as {@link Cell} says, and where they begin: in a slot that the writer sees, or in memory of its own. */
  readonly cells: Float64Array
  readonly cell: number
  /** Arguments captured before the call that do not stand where `MARK` says. */
  readonly held: Uint8Array | null
  /** Read when none were captured, and the call turns out to be worth a record. */
  readonly args: ArrayLike<unknown>
}

/** What stays known of a call whose arguments must not be kept, because they may lead back to what ends it. */
export type PendingHandle = Omit<PendingCall, 'args'>

/** The call at this depth as one that goes on after it has returned. It holds a slot until {@link releasePending}. */
export function pendingCall(
  recording: Recording,
  site: CallSite,
  at: number,
  flags: number,
  args: ArrayLike<unknown>,
): PendingCall {
  const { slots, scratch } = recording.producer
  const from = running.cells
  const start = at * CELLS_PER_CALL
  const mark = from[start + Cell.MARK]
  const slot = slots.first
  if (slot === slots.nextFree.length) return unslotted(recording, site, at, flags, args)
  const { cells } = slots
  const cell = slot * CELLS_PER_CALL
  cells[cell + Cell.START] = from[start + Cell.START]
  cells[cell + Cell.TRACE] = from[start + Cell.TRACE]
  cells[cell + Cell.PARENT] = from[start + Cell.PARENT]
  cells[cell + Cell.WEIGHT] = from[start + Cell.WEIGHT]
  const argsAt = mark === -1 ? -1 : slots.keepArguments(slot, scratch, mark)
  const held = mark !== -1 && argsAt === -1 ? scratch.hold(mark) : null
  cells[cell + Cell.MARK] = argsAt
  cells[cell + Cell.FLAGS] = flags
  cells[cell + Cell.SITE] = from[start + Cell.SITE]
  const pending = { recording, site, cells, cell, held, args }
  // The slot is taken from here on, by stores alone: where the stack ended before this, it is free.
  slots.first = slots.nextFree[slot]
  if (slot >= slots.used[0]) slots.used[0] = slot + 1
  // Last: whoever sees this number sees the rest.
  cells[cell + Cell.CALL] = from[start + Cell.CALL]
  return pending
}

/** Slots from here on are given back when what would end their call is collected. To watch for that is dear. */
const FIRST_WATCHED_CELL = ((PENDING_SLOTS * 3) / 4) * CELLS_PER_CALL

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
  if (pending.cell >= FIRST_WATCHED_CELL) watchForgotten(ending, pending)
}

/** All slots are taken: the writer sees that there is one more such call, and nothing else of it. */
function unslotted(
  recording: Recording,
  site: CallSite,
  at: number,
  flags: number,
  args: ArrayLike<unknown>,
): PendingCall {
  const { slots, scratch } = recording.producer
  const start = at * CELLS_PER_CALL
  const cells = running.cells.slice(start, start + CELLS_PER_CALL)
  const mark = cells[Cell.MARK]
  const held = mark === -1 ? null : scratch.hold(mark)
  cells[Cell.MARK] = -1
  cells[Cell.FLAGS] = flags
  const pending = { recording, site, cells, cell: 0, held, args }
  slots.unslotted[0]++
  return pending
}

/** The call has ended. */
export function releasePending({ recording, cells, cell }: PendingHandle): void {
  recording.producer.slots.release(cells, cell)
}
