import { nowMs } from '../queue/clock.js'
import type { CallSite } from './call-site.js'
import {
  contain,
  facts,
  hindsight,
  isReentrant,
  isStackOverflow,
  keepReturn,
  keepThrow,
  promoteCaller,
} from './keep.js'
import type { PendingCall } from './pending.js'
import type { Recording } from './recording.js'
import { CELLS_PER_CALL, Cell, running } from './running.js'
import { hasStackRoom, isWaiting, settleWaiting, wait } from './unsettled.js'

/**
 * The one way a call ends, whatever its kind: exact totals, and the decision whether there is a record. Errors always;
 * slow calls always; the rest as sampled. Nothing here may throw into the app.
 */

/** The call at this depth has returned. */
export function settleReturn(
  recording: Recording,
  site: CallSite,
  at: number,
  args: ArrayLike<unknown>,
  result: unknown,
): void {
  const { cells } = running
  const cell = at * CELLS_PER_CALL
  const startMs = cells[cell + Cell.START]
  const durationMs = startMs < 0 ? -1 : nowMs() - startMs
  // Outside of what is contained: until here the call is not settled, and may be left to others.
  recording.totals.end(site.id, durationMs, false)
  try {
    if (isWaiting()) settleWaiting(recording)
    const weight = cells[cell + Cell.WEIGHT]
    if (weight === 0 && !(durationMs >= site.slowMs)) {
      if (startMs < 0) return
      const isWatched = hindsight.remember(cells, cell, site.id, durationMs, 0)
      if (isWatched) promoteCaller(recording, cells, cell, site.id, durationMs, 0)
      return
    }
    if (isReentrant(recording, site)) return
    fillFrom(cells, cell, durationMs)
    keepReturn(recording, site, weight, cells[cell + Cell.MARK], null, args, result)
  } catch (error) {
    contain(recording, error)
  }
}

/** The call at this depth has thrown. */
export function settleThrow(
  recording: Recording,
  site: CallSite,
  at: number,
  args: ArrayLike<unknown>,
  thrown: unknown,
): void {
  // Below the call that has run out of stack there are callers with more of it: an attempt too early is a record lost.
  if ((at > 0 && isStackOverflow(thrown)) || !hasStackRoom()) {
    wait(recording, site, at, { thrown })
    return
  }
  const endMs = nowMs()
  try {
    if (isWaiting()) settleWaiting(recording)
    const { cells } = running
    const cell = at * CELLS_PER_CALL
    const startMs = cells[cell + Cell.START]
    if (!isReentrant(recording, site)) {
      fillFrom(cells, cell, endMs - startMs)
      keepThrow(recording, site, cells[cell + Cell.MARK], null, args, thrown, endMs)
    }
    recording.totals.end(site.id, startMs < 0 ? -1 : endMs - startMs, true)
  } catch (error) {
    contain(recording, error)
    // What runs for the first time is compiled then, and that takes more room than is asked for above.
    if (isStackOverflow(error)) wait(recording, site, at, { thrown })
  }
}

const pendingCells = new Float64Array(CELLS_PER_CALL)

/** A call that went on after it had returned was fulfilled, or ran out. */
export function settlePending(pending: PendingCall, result: unknown): void {
  const { recording, site, startMs, weight, flags } = pending
  try {
    const durationMs = startMs < 0 ? -1 : nowMs() - startMs
    if (isWaiting()) settleWaiting(recording)
    recording.totals.end(site.id, durationMs, false)
    if (weight === 0 && !(durationMs >= site.slowMs)) {
      if (startMs < 0) return
      pendingCells[Cell.START] = startMs
      pendingCells[Cell.CALL] = pending.call
      pendingCells[Cell.TRACE] = pending.trace
      pendingCells[Cell.PARENT] = pending.parent
      const isWatched = hindsight.remember(pendingCells, 0, site.id, durationMs, flags)
      if (isWatched) promoteCaller(recording, pendingCells, 0, site.id, durationMs, flags)
      return
    }
    if (isReentrant(recording, site)) return
    fillFacts(pending, durationMs)
    keepReturn(recording, site, weight, -1, pending.held, pending.args, result)
  } catch (error) {
    contain(recording, error)
  }
}

/** A call whose thenable was never started ended when it returned, as far as anyone can tell. */
export function settleUnstarted(call: Omit<PendingCall, 'args'>, returnedMs: number): void {
  const { recording, site, startMs, weight } = call
  try {
    const durationMs = startMs < 0 ? -1 : returnedMs - startMs
    recording.totals.end(site.id, durationMs, false)
    if (weight === 0 && !(durationMs >= site.slowMs)) return
    if (isReentrant(recording, site)) return
    fillFacts(call, durationMs)
    keepReturn(recording, site, weight, -1, call.held, null, undefined)
  } catch (error) {
    contain(recording, error)
  }
}

function fillFacts(pending: Omit<PendingCall, 'args'>, durationMs: number): void {
  facts.startMs = pending.startMs
  facts.durationMs = durationMs
  facts.call = pending.call
  facts.trace = pending.trace
  facts.parent = pending.parent
  facts.flags = pending.flags
}

/** A call that went on after it had returned was rejected, or threw. */
export function settlePendingThrow(pending: PendingCall, thrown: unknown): void {
  const { recording, site, startMs } = pending
  const endMs = nowMs()
  try {
    if (isWaiting()) settleWaiting(recording)
    recording.totals.end(site.id, startMs < 0 ? -1 : endMs - startMs, true)
    if (isReentrant(recording, site)) return
    fillFacts(pending, endMs - startMs)
    keepThrow(recording, site, -1, pending.held, pending.args, thrown, endMs)
  } catch (error) {
    contain(recording, error)
  }
}

function fillFrom(cells: Float64Array, cell: number, durationMs: number): void {
  facts.startMs = cells[cell + Cell.START]
  facts.durationMs = durationMs
  facts.call = cells[cell + Cell.CALL]
  facts.trace = cells[cell + Cell.TRACE]
  facts.parent = cells[cell + Cell.PARENT]
  facts.flags = 0
}
