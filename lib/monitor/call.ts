import { nowMs } from '../queue/clock.js'
import type { CallSite } from './call-site.js'
import { inheritedContext } from './context.js'
import { defer, watchThenable } from './deferred.js'
import { attach, live, type Recording } from './recording.js'
import { CELLS_PER_CALL, Cell, carry, makeRoom, putBack, running, runningSites } from './running.js'
import { contain, missCall, noteOverflowed, settleReturn, settleThrow, settleWaiting } from './settle.js'

/** The call passes through: recording is off, or the recorder itself is at work. */
export const NOT_RECORDED = -1

/**
 * A monitored function is being called. Returns its depth among the running calls, to be given to {@link endCall} or
 * {@link failCall}. Nothing in here throws.
 */
export function beginCall(site: CallSite, self: unknown, args: ArrayLike<unknown>): number {
  const recording = live.recording ?? live.start()
  if (recording === null) return NOT_RECORDED
  try {
    if (recording.producer.busy) {
      if (site.id !== -1) recording.producer.dropReentrant(site.id)
      return NOT_RECORDED
    }
    if (!site.isAttached && !attach(recording, site, self)) return NOT_RECORDED
    return begin(recording, site, args)
  } catch (error) {
    // At the end of the stack there may be room for the call, but not for its record.
    missCall(site)
    contain(recording, error)
    return NOT_RECORDED
  }
}

function begin(recording: Recording, site: CallSite, args: ArrayLike<unknown>): number {
  const at = running.depth
  const cell = at * CELLS_PER_CALL
  if (cell === running.cells.length) makeRoom()
  const { cells } = running
  let parent = 0
  let trace = 0
  if (at > 0) {
    parent = cells[cell - CELLS_PER_CALL + Cell.CALL]
    trace = cells[cell - CELLS_PER_CALL + Cell.TRACE]
  } else {
    const inherited = inheritedContext()
    if (inherited !== undefined) {
      parent = inherited.call
      trace = inherited.trace
    }
  }
  const weight = site.sampler.next() ? site.sampler.weight : 0
  const call = ++recording.lastCall
  if (trace === 0) trace = call
  cells[cell + Cell.CALL] = call
  cells[cell + Cell.TRACE] = trace
  cells[cell + Cell.PARENT] = parent
  cells[cell + Cell.WEIGHT] = weight
  cells[cell + Cell.MARK] = -1
  cells[cell + Cell.CARRIES] = 0
  runningSites[at] = site
  if (weight > 0 && recording.producer.scratch.hasRoom) {
    cells[cell + Cell.MARK] = recording.producer.captureArguments(site, args)
  }
  if (weight > 0 || site.continues) {
    carry(at, call, trace)
    cells[cell + Cell.CARRIES] = 1
  }
  recording.totals.begin(site.id)
  running.depth = at + 1
  // Last, so that the recorder's own work is not in the duration.
  cells[cell + Cell.START] = weight > 0 || site.timed ? nowMs() : -1
  return at
}

/** The call has returned; gives back what the app gets: the very value, or the derived promise of a native one. */
export function endCall(at: number, site: CallSite, args: ArrayLike<unknown>, result: unknown): unknown {
  const recording = site.recording as Recording
  if (running.depth !== at + 1) endLeaked(recording, at, null)
  running.depth = at
  if (typeof result === 'object' && result !== null) {
    const deferred = deferral(recording, at, site, args, result)
    if (deferred !== null) return deferred
  }
  settleReturn(recording, site, at, args, result)
  leave(recording, at)
  return result
}

/** The call has thrown. */
export function failCall(at: number, site: CallSite, args: ArrayLike<unknown>, thrown: unknown): void {
  const recording = site.recording as Recording
  if (running.depth !== at + 1) endLeaked(recording, at, thrown)
  running.depth = at
  settleThrow(recording, site, at, args, thrown)
  leave(recording, at)
}

/** The call at this depth has been noted as one that goes on: it does not stand on the stack any more. */
export function leaveRunning(recording: Recording, at: number): void {
  running.depth = at
  leave(recording, at)
}

/** `null`: the call ends now. Otherwise it ends when the returned promise or thenable does. */
function deferral(
  recording: Recording,
  at: number,
  site: CallSite,
  args: ArrayLike<unknown>,
  result: object,
): object | null {
  try {
    const deferred =
      defer(recording, site, at, args, result) ?? watchThenable(recording, site, at, args, result)
    if (deferred === null) return null
    leave(recording, at)
    if (at === 0) settleWaiting(recording)
    return deferred
  } catch (error) {
    contain(recording, error)
    return null
  }
}

/** Puts the asynchronous context and the scratch space back to what they were before the call. */
function leave(recording: Recording, at: number): void {
  const { cells } = running
  const cell = at * CELLS_PER_CALL
  if (cells[cell + Cell.CARRIES] === 1) putBack(at)
  const mark = cells[cell + Cell.MARK]
  if (mark !== -1) recording.producer.scratch.release(mark)
}

/**
 * The stack ended before the wrappers of the calls above could say how they ended: to their callers they all failed
 * by that. `thrown` is what arrived here, `null` when the app has caught it.
 */
function endLeaked(recording: Recording, at: number, thrown: unknown): void {
  // From the top, one by one: this may run into the end of the stack itself, and the next caller goes on with the rest.
  while (running.depth > at + 1) {
    const above = running.depth - 1
    leave(recording, above)
    noteOverflowed(runningSites[above], above, thrown)
    running.depth = above
  }
}
