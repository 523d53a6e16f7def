import { nowMs, readClock } from '../queue/clock.js'
import type { CallSite } from './call-site.js'
import { FLAG_SPAN } from './hindsight.js'
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
import { type PendingCall, type PendingHandle, releasePending } from './pending.js'
import type { Recording } from './recording.js'
import { CELLS_PER_CALL, Cell, running, runningSites } from './running.js'
import { hasStackRoom, isWaiting, settleWaiting, wait } from './unsettled.js'

const { START, CALL, TRACE, PARENT, WEIGHT, MARK } = Cell
const CELLS = CELLS_PER_CALL
const calls = running
const sites = runningSites
const stamp = readClock
const SITE_SPAN = FLAG_SPAN
/** How long the call took that is being settled, in milliseconds; on a buffer of its own it has a fixed address. */
const elapsed = new Float64Array(new ArrayBuffer(8))
const hindsights = hindsight
const known = facts

/**
 * The one way a call ends, whatever its kind: exact totals, and the decision whether there is a record. Errors always;
 * slow calls always; the rest as sampled. Nothing here may throw into the app.
 */

/**
 * The call at this depth has returned. `false`: nothing is done yet, for its record has to show arguments that were not
 * captured, and `args` is null.
 */
export function settleReturn(
  recording: Recording,
  site: CallSite,
  at: number,
  args: ArrayLike<unknown> | null,
  result: unknown,
): boolean {
  const { cells } = calls
  const cell = at * CELLS
  const startMs = cells[cell + START]
  const weight = cells[cell + WEIGHT]
  let durationMs = -1
  if (startMs >= 0) {
    stamp(elapsed, 0)
    durationMs = elapsed[0] - startMs
  }
  const isKept = weight !== 0 || durationMs >= site.slowMs
  if (isKept && args === null && cells[cell + MARK] === -1) return false
  // Outside of what is contained: until here the call is not settled, and may be left to others.
  recording.totals.end(site.id, durationMs, false)
  try {
    if (isWaiting()) settleWaiting(recording)
    if (isKept) {
      keepEnded(recording, site, cells, cell, durationMs, weight, args, result)
    } else if (startMs >= 0 && hindsights.remember(cells, cell, site.id, durationMs, 0)) {
      promoteCaller(recording, cells, cell, site.id, durationMs, 0)
    }
  } catch (error) {
    // It is counted. Where the stack ends once more, what was left of it must not be settled again.
    sites[at] = null
    contain(recording, error)
  }
  return true
}

/**
 * {@link settleReturn} for most calls: timed, and not sampled, while nothing waits. `false`: nothing is done yet, the
 * call was slow.
 */
export function settleTimed(
  recording: Recording,
  site: CallSite,
  cells: Float64Array,
  cell: number,
): boolean {
  stamp(elapsed, 0)
  elapsed[0] -= cells[cell + START]
  if (elapsed[0] >= site.slowMs) return false
  recording.totals.time(site.id, elapsed)
  try {
    if (hindsights.note(cells, cell, site.id * SITE_SPAN, elapsed)) {
      promoteCaller(recording, cells, cell, site.id, elapsed[0], 0)
    }
  } catch (error) {
    sites[cell / CELLS] = null
    contain(recording, error)
  }
  return true
}

/**
 * {@link settleReturn} for most calls that are sampled, while nothing waits. `false`: nothing is done yet, there is
 * something about the call that takes a closer look.
 */
export function settleSampled(
  recording: Recording,
  site: CallSite,
  cells: Float64Array,
  cell: number,
  result: unknown,
): boolean {
  const { producer } = recording
  const { sampler } = site
  if (cells[cell + MARK] === -1 || cells[cell + TRACE] < 0 || !sampler.isUncapped || !producer.takesSampled)
    return false
  stamp(elapsed, 0)
  elapsed[0] -= cells[cell + START]
  if (elapsed[0] >= site.slowMs) return false
  recording.totals.time(site.id, elapsed)
  try {
    if (sampler.pendingWeight !== 0) cells[cell + WEIGHT] = sampler.takeWeight(cells[cell + WEIGHT])
    producer.recordSampled(site, cells, cell, elapsed, result)
  } catch (error) {
    // As above: it is counted.
    sites[cell / CELLS] = null
    contain(recording, error)
  }
  return true
}

function keepEnded(
  recording: Recording,
  site: CallSite,
  cells: Float64Array,
  cell: number,
  durationMs: number,
  weight: number,
  args: ArrayLike<unknown> | null,
  result: unknown,
): void {
  if (isReentrant(recording, site)) return
  fillFrom(cells, cell, durationMs, 0)
  keepReturn(recording, site, weight, cells[cell + MARK], null, args, result)
}

/** The call at this depth has thrown. */
export function settleThrow(
  recording: Recording,
  site: CallSite,
  at: number,
  args: ArrayLike<unknown>,
  thrown: unknown,
): void {
  const { cells } = running
  const cell = at * CELLS_PER_CALL
  // Below the call that has run out of stack there are callers with more of it.
  if ((at > 0 && isStackOverflow(thrown)) || !hasStackRoom()) {
    wait(recording, site, cells, cell, { thrown })
    return
  }
  const endMs = nowMs()
  const startMs = cells[cell + Cell.START]
  let isBegun = false
  try {
    if (isWaiting()) settleWaiting(recording)
    if (!isReentrant(recording, site)) {
      isBegun = recording.producer.owed = true
      fillFrom(cells, cell, endMs - startMs, 0)
      keepThrow(recording, site, cells[cell + Cell.MARK], null, args, thrown, endMs)
    }
  } catch (error) {
    const { producer } = recording
    if ((isBegun ? producer.owed : !producer.busy) && isStackOverflow(error)) {
      wait(recording, site, cells, cell, { thrown })
      return
    }
    // The error has arrived, and is not to be recorded again where the stack ends once more.
    sites[at] = null
    contain(recording, error)
  }
  recording.totals.end(site.id, startMs < 0 ? -1 : endMs - startMs, true)
}

/**
 * A call that went on after it had returned was fulfilled, or ran out. It is listed as open no more before its record
 * can be seen: whoever takes the record finds no such call after that.
 */
export function settlePending(pending: PendingCall, result: unknown): void {
  const { recording, site, cells, cell } = pending
  let isCounted = false
  try {
    const startMs = cells[cell + Cell.START]
    const weight = cells[cell + Cell.WEIGHT]
    const flags = cells[cell + Cell.FLAGS] | 0
    const durationMs = startMs < 0 ? -1 : nowMs() - startMs
    if (isWaiting()) settleWaiting(recording)
    recording.totals.end(site.id, durationMs, false)
    isCounted = true
    if (weight === 0 && !(durationMs >= site.slowMs)) {
      if (startMs < 0) return
      const isWatched = hindsight.remember(cells, cell, site.id, durationMs, flags)
      if (isWatched) promoteCaller(recording, cells, cell, site.id, durationMs, flags)
      return
    }
    if (isReentrant(recording, site)) return
    fillFrom(cells, cell, durationMs, flags)
    cells[cell + Cell.CALL] = 0
    keepReturn(recording, site, weight, cells[cell + Cell.MARK], pending.held, pending.args, result)
  } catch (error) {
    contain(recording, error)
    if (!isCounted && isStackOverflow(error)) wait(recording, site, cells, cell, null)
  } finally {
    releasePending(pending)
  }
}

/** A call whose thenable was never started ended when it returned, as far as anyone can tell. */
export function settleUnstarted(call: PendingHandle, returnedMs: number): void {
  const { recording, site, cells, cell } = call
  try {
    const startMs = cells[cell + Cell.START]
    const weight = cells[cell + Cell.WEIGHT]
    const durationMs = startMs < 0 ? -1 : returnedMs - startMs
    recording.totals.end(site.id, durationMs, false)
    if (weight === 0 && !(durationMs >= site.slowMs)) return
    if (isReentrant(recording, site)) return
    fillFrom(cells, cell, durationMs, cells[cell + Cell.FLAGS] | 0)
    cells[cell + Cell.CALL] = 0
    keepReturn(recording, site, weight, cells[cell + Cell.MARK], call.held, null, undefined)
  } catch (error) {
    contain(recording, error)
  } finally {
    releasePending(call)
  }
}

/** A call that went on after it had returned was rejected, or threw. */
export function settlePendingThrow(pending: PendingCall, thrown: unknown): void {
  // A thenable may have called its handlers anywhere.
  if (hasStackRoom() && trySettlePendingThrow(pending, thrown)) return
  wait(pending.recording, pending.site, pending.cells, pending.cell, { thrown })
  releasePending(pending)
}

/** {@link settlePendingThrow}; `false`: the stack has ended before the error arrived anywhere, and nothing is done. */
export function trySettlePendingThrow(pending: PendingCall, thrown: unknown): boolean {
  const { recording, site, cells, cell } = pending
  const { producer } = recording
  const callId = cells[cell + Cell.CALL]
  const startMs = cells[cell + Cell.START]
  const endMs = nowMs()
  let isBegun = false
  try {
    if (isWaiting()) settleWaiting(recording)
    if (!isReentrant(recording, site)) {
      isBegun = producer.owed = true
      fillFrom(cells, cell, endMs - startMs, cells[cell + Cell.FLAGS] | 0)
      cells[cell + Cell.CALL] = 0
      keepThrow(recording, site, cells[cell + Cell.MARK], pending.held, pending.args, thrown, endMs)
    }
  } catch (error) {
    const isOwed = isBegun ? producer.owed : !producer.busy
    let hasStackEnded = true
    try {
      hasStackEnded = isStackOverflow(error)
      contain(recording, error)
    } catch {
      // It ends here too.
    }
    if (isOwed && hasStackEnded) {
      cells[cell + Cell.CALL] = callId
      return false
    }
  }
  try {
    recording.totals.end(site.id, startMs < 0 ? -1 : endMs - startMs, true)
  } finally {
    releasePending(pending)
  }
  return true
}

function fillFrom(cells: Float64Array, cell: number, durationMs: number, flags: number): void {
  known.startMs = cells[cell + START]
  known.durationMs = durationMs
  known.call = cells[cell + CALL]
  known.trace = cells[cell + TRACE]
  known.parent = cells[cell + PARENT]
  known.flags = flags
}
