import { nowMs } from '../queue/clock.js'
import type { CallSite } from './call-site.js'
import { entersContext, inheritedContext } from './context.js'
import { defer, watchThenable } from './deferred.js'
import { contain } from './keep.js'
import { type PendingCall, pendingCall } from './pending.js'
import { attach, live, type Recording } from './recording.js'
import {
  Carries,
  CELLS_PER_CALL,
  Cell,
  carry,
  deriving,
  makeRoom,
  NOWHERE,
  putBack,
  running,
  runningSites,
} from './running.js'
import { settleReturn, settleThrow } from './settle.js'
import { isWaiting, missCall, settleLeft, settleWaiting } from './unsettled.js'

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
      if (site.id !== -1 || attach(recording, site, self)) recording.producer.dropReentrant(site.id)
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
  const at = running.depth[0]
  if (running.unsettled !== at) settleLeft(recording, at)
  const cell = at * CELLS_PER_CALL
  if (cell === running.cells.length) makeRoom()
  const { cells } = running
  cells[cell + Cell.MARK] = -1
  cells[cell + Cell.CARRIES] = 0
  try {
    const weight = site.sampler.next() ? site.sampler.weight : 0
    const carries = weight > 0 || site.continues
    // Asked once: in the continuation of a promise the answer takes up to 90 ns (Node 20).
    const inherited = at === 0 || (carries && entersContext) ? inheritedContext() : undefined
    let parent = 0
    let trace = 0
    if (at > 0) {
      parent = cells[cell - CELLS_PER_CALL + Cell.CALL]
      trace = cells[cell - CELLS_PER_CALL + Cell.TRACE]
    } else if (inherited !== undefined) {
      parent = inherited.call
      trace = inherited.trace
    }
    const call = ++recording.lastCall
    if (trace === 0) trace = call
    cells[cell + Cell.CALL] = call
    cells[cell + Cell.TRACE] = trace
    cells[cell + Cell.PARENT] = parent
    cells[cell + Cell.WEIGHT] = weight
    cells[cell + Cell.SITE] = site.id
    runningSites[at] = site
    if (weight > 0 && recording.producer.scratch.hasRoom) {
      cells[cell + Cell.MARK] = recording.producer.captureArguments(site, args)
    }
    if (carries) carry(at, call, trace, inherited)
    // As late as can be, so that the recorder's own work is not in the duration.
    cells[cell + Cell.START] = weight > 0 || site.timed ? nowMs() : -1
    recording.totals.begin(site.id)
  } catch (error) {
    // Nothing to settle, but to leave.
    runningSites[at] = null
    running.unsettled = at + 1
    throw error
  }
  running.depth[0] = running.unsettled = at + 1
  return at
}

/**
 * The call has returned; gives back what the app gets: the very value, or the derived promise of a native one.
 *
 * @throws RangeError at the end of the stack, before anything is settled: then the wrapper leaves the call to others
 */
export function endCall(at: number, site: CallSite, args: ArrayLike<unknown>, result: unknown): unknown {
  const recording = site.recording as Recording
  if (running.unsettled !== at + 1) settleLeft(recording, at + 1)
  running.depth[0] = at
  let given: unknown = null
  if (typeof result === 'object' && result !== null) given = deferral(recording, at, site, args, result)
  if (given === null) {
    settleReturn(recording, site, at, args, result)
    given = result
  }
  try {
    leave(recording, at)
    // Nobody knows when this thread settles its next call.
    if (at === 0 && isWaiting()) settleWaiting(recording)
  } catch {
    runningSites[at] = null
  }
  return given
}

/**
 * The call has thrown.
 *
 * @throws RangeError as {@link endCall} does
 */
export function failCall(at: number, site: CallSite, args: ArrayLike<unknown>, thrown: unknown): void {
  const recording = site.recording as Recording
  if (running.unsettled !== at + 1) settleLeft(recording, at + 1)
  running.depth[0] = at
  settleThrow(recording, site, at, args, thrown)
  try {
    leave(recording, at)
  } catch {
    runningSites[at] = null
  }
}

/**
 * The call at this depth goes on after it has returned, and does not stand on the stack any more.
 *
 * @throws RangeError as {@link endCall} does
 */
export function detachCall(at: number, site: CallSite, args: ArrayLike<unknown>, flags: number): PendingCall {
  const recording = site.recording as Recording
  const pending = pendingCall(recording, site, at, flags, args)
  running.depth[0] = at
  try {
    leave(recording, at)
  } catch {
    runningSites[at] = null
  }
  return pending
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
    return defer(recording, site, at, args, result) ?? watchThenable(recording, site, at, args, result)
  } catch (error) {
    deriving.at = NOWHERE
    recording.producer.slots.releaseCall(running.cells[at * CELLS_PER_CALL + Cell.CALL])
    contain(recording, error)
    return null
  }
}

/** Puts the asynchronous context and the scratch space back to what they were before the call, which is settled. */
function leave(recording: Recording, at: number): void {
  const { cells } = running
  const cell = at * CELLS_PER_CALL
  if (cells[cell + Cell.CARRIES] === Carries.entered) putBack(at)
  const mark = cells[cell + Cell.MARK]
  if (mark !== -1) recording.producer.scratch.release(mark)
  running.unsettled = at
}
