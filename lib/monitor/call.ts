import { readClock } from '../queue/clock.js'
import type { CallSite } from './call-site.js'
import { entersContext, inheritedContext } from './context.js'
import { defer } from './deferred.js'
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
import { settleReturn, settleSampled, settleThrow, settleTimed } from './settle.js'
import { isPlain, watchThenable } from './thenable.js'
import { isWaiting, missCall, settleLeft, settleWaiting } from './unsettled.js'

/** The call passes through: recording is off, or the recorder itself is at work. */
export const NOT_RECORDED = -1
/** The call is to be recorded: {@link enterSampled} begins it. */
export const SAMPLED = -2

// What a module imports is read anew at each use; what stands in a constant of its own is a part of the compiled code.
const { START, CALL, TRACE, PARENT, WEIGHT, MARK, CARRIES, SITE } = Cell
const CELLS = CELLS_PER_CALL
const SKIPPED = NOT_RECORDED
const SAMPLE = SAMPLED
const calls = running
const sites = runningSites
const now = live
const stamp = readClock
const NO_ARGUMENTS: ArrayLike<unknown> = []
const ENTERED = Carries.entered
const ENTERS = entersContext

/** What {@link failCall} and {@link endWithArguments} need beside the arguments; the value is not kept beyond them. */
export const ended: { at: number; value: unknown } = { at: 0, value: undefined }

/**
 * A monitored function is being called. Returns its depth among the running calls, to be given to {@link endCall}, or
 * {@link NOT_RECORDED} or {@link SAMPLED}. Nothing in here throws.
 */
export function enterCall(site: CallSite, self: unknown): number {
  const recording = now.recording ?? now.start()
  if (recording === null) return SKIPPED
  try {
    if ((!site.isAttached || recording.producer.busy) && !admit(recording, site, self)) return SKIPPED
    const { sampler } = site
    if (--sampler.skip < 0 && sampler.refill()) return SAMPLE
    const at = calls.depth[0]
    const cell = at * CELLS
    const { cells } = calls
    if (calls.unsettled !== at || site.continues || cell === cells.length) {
      return begin(recording, site, false, NO_ARGUMENTS)
    }
    let parent = 0
    let trace = 0
    if (at > 0) {
      parent = cells[cell - CELLS + CALL]
      trace = cells[cell - CELLS + TRACE]
    } else {
      const inherited = inheritedContext()
      if (inherited !== undefined) {
        parent = inherited.call
        trace = inherited.trace
      }
    }
    const call = ++recording.lastCall
    cells[cell + CALL] = call
    cells[cell + TRACE] = trace === 0 ? call : trace
    cells[cell + PARENT] = parent
    cells[cell + WEIGHT] = 0
    cells[cell + MARK] = -1
    cells[cell + CARRIES] = 0
    cells[cell + SITE] = site.id
    sites[at] = site
    // Where the stack ends in one of these two, nobody has seen the call.
    if (site.timed) stamp(cells, cell + START)
    else cells[cell + START] = -1
    recording.totals.begin(site.id)
    calls.depth[0] = calls.unsettled = at + 1
    return at
  } catch (error) {
    return unrecorded(recording, site, error)
  }
}

/** At the end of the stack there may be room for the call, but not for its record. */
function unrecorded(recording: Recording, site: CallSite, error: unknown): number {
  missCall(site)
  contain(recording, error)
  return NOT_RECORDED
}

/** The rest of {@link enterCall}, for a call that is to be recorded: it sees the arguments. */
export function enterSampled(this: CallSite, ...args: unknown[]): number {
  const recording = this.recording as Recording
  try {
    return begin(recording, this, true, args)
  } catch (error) {
    return unrecorded(recording, this, error)
  }
}

/** {@link enterCall} for a function whose calls are begun with their arguments, whether sampled or not. */
export function beginCall(site: CallSite, self: unknown, args: ArrayLike<unknown>): number {
  const recording = live.recording ?? live.start()
  if (recording === null) return NOT_RECORDED
  try {
    if ((!site.isAttached || recording.producer.busy) && !admit(recording, site, self)) return NOT_RECORDED
    return begin(recording, site, site.sampler.next(), args)
  } catch (error) {
    return unrecorded(recording, site, error)
  }
}

/** Whether a call of a site that is not settled yet is recorded, or any call while the recorder is at work. */
function admit(recording: Recording, site: CallSite, self: unknown): boolean {
  if (recording.producer.busy) {
    if (site.id !== -1 || attach(recording, site, self)) recording.producer.dropReentrant(site.id)
    return false
  }
  return attach(recording, site, self)
}

function begin(recording: Recording, site: CallSite, isSampled: boolean, args: ArrayLike<unknown>): number {
  const at = calls.depth[0]
  if (calls.unsettled !== at) settleLeft(recording, at)
  const cell = at * CELLS
  if (cell === calls.cells.length) makeRoom()
  const { cells } = calls
  cells[cell + MARK] = -1
  cells[cell + CARRIES] = 0
  try {
    const carries = isSampled || site.continues
    // Asked once: in the continuation of a promise the answer takes up to 90 ns (Node 20).
    const inherited = at === 0 || (carries && ENTERS) ? inheritedContext() : undefined
    let parent = 0
    let trace = 0
    if (at > 0) {
      parent = cells[cell - CELLS + CALL]
      trace = cells[cell - CELLS + TRACE]
    } else if (inherited !== undefined) {
      parent = inherited.call
      trace = inherited.trace
    }
    const call = ++recording.lastCall
    if (trace === 0) trace = call
    cells[cell + CALL] = call
    cells[cell + TRACE] = trace
    cells[cell + PARENT] = parent
    cells[cell + WEIGHT] = isSampled ? site.sampler.weight : 0
    cells[cell + SITE] = site.id
    sites[at] = site
    if (isSampled && recording.producer.scratch.hasRoom) {
      cells[cell + MARK] = recording.producer.captureArguments(site, args)
    }
    if (carries) carry(at, call, trace, inherited)
    // As late as can be, so that the recorder's own work is not in the duration.
    if (isSampled || site.timed) stamp(cells, cell + START)
    else cells[cell + START] = -1
    recording.totals.begin(site.id)
  } catch (error) {
    // Nothing to settle, but to leave.
    sites[at] = null
    calls.unsettled = at + 1
    throw error
  }
  calls.depth[0] = calls.unsettled = at + 1
  return at
}

/**
 * The call has returned a value that the app gets as it is. `false`: nothing is done yet, {@link endWithArguments} has
 * to end the call.
 *
 * @throws RangeError at the end of the stack, before anything is settled: then the wrapper leaves the call to others
 */
export function endCall(at: number, site: CallSite, result: unknown): boolean {
  if (typeof result === 'object' && result !== null && (site.isAsyncFunction || !isPlain(result)))
    return false
  const { cells } = calls
  const cell = at * CELLS
  if (calls.unsettled !== at + 1 || isWaiting()) return endKept(at, site, result)
  const recording = site.recording as Recording
  if (cells[cell + WEIGHT] !== 0) {
    calls.depth[0] = at
    if (!settleSampled(recording, site, cells, cell, result)) return endKept(at, site, result)
    try {
      if (ENTERS) putBack(at)
      recording.producer.scratch.release(cells[cell + MARK])
      calls.unsettled = at
    } catch {
      sites[at] = null
    }
    return true
  }
  if (cells[cell + CARRIES] === ENTERED) return endKept(at, site, result)
  // Most calls: there is nothing to record and nothing to undo.
  if (cells[cell + START] < 0) recording.totals.count(site.id)
  else if (!settleTimed(recording, site, cells, cell)) return false
  calls.depth[0] = calls.unsettled = at
  return true
}

function endKept(at: number, site: CallSite, result: unknown): boolean {
  const recording = site.recording as Recording
  if (calls.unsettled !== at + 1) settleLeft(recording, at + 1)
  calls.depth[0] = at
  if (!settleReturn(recording, site, at, null, result)) return false
  try {
    leave(recording, at)
    // Nobody knows when this thread settles its next call.
    if (at === 0 && isWaiting()) settleWaiting(recording)
  } catch {
    sites[at] = null
  }
  return true
}

/**
 * The call has returned what is in {@link ended}, and may go on after that, or is worth a record that shows its
 * arguments. Gives back what the app gets: the very value, or the derived promise of a native one.
 *
 * @throws RangeError as {@link endCall} does
 */
export function endWithArguments(this: CallSite, ...args: unknown[]): unknown {
  const { at, value } = ended
  ended.value = undefined
  const recording = this.recording as Recording
  if (calls.unsettled !== at + 1) settleLeft(recording, at + 1)
  calls.depth[0] = at
  let given: unknown = null
  if (typeof value === 'object' && value !== null) given = deferral(recording, at, this, args, value)
  if (given === null) {
    settleReturn(recording, this, at, args, value)
    given = value
  }
  try {
    leave(recording, at)
    // Nobody knows when this thread settles its next call.
    if (at === 0 && isWaiting()) settleWaiting(recording)
  } catch {
    sites[at] = null
  }
  return given
}

/**
 * The call has thrown what is in {@link ended}.
 *
 * @throws RangeError as {@link endCall} does
 */
export function failCall(this: CallSite, ...args: unknown[]): void {
  const { at, value } = ended
  ended.value = undefined
  const recording = this.recording as Recording
  if (calls.unsettled !== at + 1) settleLeft(recording, at + 1)
  calls.depth[0] = at
  settleThrow(recording, this, at, args, value)
  try {
    leave(recording, at)
  } catch {
    sites[at] = null
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
    sites[at] = null
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
  const { cells } = calls
  const cell = at * CELLS
  if (cells[cell + CARRIES] === ENTERED) putBack(at)
  const mark = cells[cell + MARK]
  if (mark !== -1) recording.producer.scratch.release(mark)
  calls.unsettled = at
}
