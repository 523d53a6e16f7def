import { types } from 'node:util'
import { nowMs } from '../queue/clock.js'
import type { CallFacts } from '../queue/frame.js'
import { FrameFlag } from '../queue/layout.js'
import type { CallSite } from './call-site.js'
import { Hindsight } from './hindsight.js'
import type { Recording } from './recording.js'
import { CELLS_PER_CALL, Cell, running } from './running.js'

/**
 * The one way a call ends, whatever its kind: exact totals first, then the decision whether there is a record.
 * Errors always; slow calls always; the rest as sampled. Nothing here may throw into the app.
 */

export const hindsight = new Hindsight()

/** A call that goes on after it has returned: what its record will need. */
export interface PendingCall {
  readonly recording: Recording
  readonly site: CallSite
  /** 0 = not sampled. */
  readonly weight: number
  /** Milliseconds; `< 0`: not timed. */
  readonly startMs: number
  readonly call: number
  readonly trace: number
  /** 0 = none. */
  readonly parent: number
  readonly flags: number
  /** Arguments captured before the call; `null`: they are read from `args` when the call turns out to be worth a record. */
  readonly held: Uint8Array | null
  readonly args: ArrayLike<unknown>
}

const facts: CallFacts = { startMs: 0, durationMs: 0, call: 0, trace: 0, parent: 0, flags: 0 }

/** The call at this depth as one that goes on after it has returned. */
export function pendingCall(
  recording: Recording,
  site: CallSite,
  at: number,
  flags: number,
  args: ArrayLike<unknown>,
): PendingCall {
  const { cells } = running
  const cell = at * CELLS_PER_CALL
  const mark = cells[cell + Cell.MARK]
  return {
    recording,
    site,
    weight: cells[cell + Cell.WEIGHT],
    startMs: cells[cell + Cell.START],
    call: cells[cell + Cell.CALL],
    trace: cells[cell + Cell.TRACE],
    parent: cells[cell + Cell.PARENT],
    flags,
    held: mark === -1 ? null : recording.producer.scratch.hold(mark),
    args,
  }
}

/** The call at this depth has returned. */
export function settleReturn(
  recording: Recording,
  site: CallSite,
  at: number,
  args: ArrayLike<unknown>,
  result: unknown,
): void {
  try {
    const { cells } = running
    const cell = at * CELLS_PER_CALL
    const startMs = cells[cell + Cell.START]
    const durationMs = startMs < 0 ? -1 : nowMs() - startMs
    if (at === 0 && (overflowed.length > 0 || missedSites !== null)) settleOverflowed(recording)
    recording.totals.end(site.id, durationMs, false)
    const weight = cells[cell + Cell.WEIGHT]
    if (weight === 0 && !(durationMs >= site.slowMs)) {
      if (startMs < 0) return
      const isWatched = hindsight.remember(cells, cell, site.id, durationMs, 0)
      if (isWatched) promoteCaller(recording, cells, cell, site.id, durationMs, 0)
      return
    }
    facts.startMs = startMs
    facts.durationMs = durationMs
    facts.call = cells[cell + Cell.CALL]
    facts.trace = cells[cell + Cell.TRACE]
    facts.parent = cells[cell + Cell.PARENT]
    facts.flags = 0
    keepReturn(recording, site, weight, cells[cell + Cell.MARK], null, args, result)
  } catch (error) {
    contain(recording, error)
  }
}

/** A call that went on after it had returned was fulfilled, or ran out. */
export function settlePending(pending: PendingCall, result: unknown): void {
  const { recording, site, startMs, weight, flags } = pending
  try {
    const durationMs = startMs < 0 ? -1 : nowMs() - startMs
    if (running.depth === 0 && (overflowed.length > 0 || missedSites !== null)) settleOverflowed(recording)
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

/** A call is worth a record: sampled, or slow. {@link facts} say the rest. */
function keepReturn(
  recording: Recording,
  site: CallSite,
  weight: number,
  mark: number,
  held: Uint8Array | null,
  args: ArrayLike<unknown> | null,
  result: unknown,
): void {
  const { producer } = recording
  if (producer.busy) {
    producer.dropReentrant(site.id)
    return
  }
  const endMs = facts.startMs + facts.durationMs
  // A slow call is recorded whatever the sampling says, so it stands for itself only.
  let recordWeight = 1
  if (facts.durationMs >= site.slowMs) {
    facts.flags |= FrameFlag.slow
  } else {
    if (!site.sampler.admit(endMs, weight)) {
      producer.dropThrottled(site.id)
      return
    }
    recordWeight = site.sampler.takeWeight(weight)
  }
  const captured = mark !== -1 || held !== null
  if (!captured && args !== null) facts.flags |= FrameFlag.argsAfter
  const isSlow = (facts.flags & FrameFlag.slow) !== 0
  const { trace } = facts
  producer.recordCall(site, facts, recordWeight, mark, held, captured ? null : args, result)
  if (isSlow) promoteTrace(recording, trace, endMs)
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
  if (at > 0 && isStackOverflow(thrown) && overflowed.length < MAX_OVERFLOWED) {
    // There may be no room left to record it here. The outermost monitored call on this stack records it for us.
    noteOverflowed(site, at, thrown)
    return
  }
  const endMs = nowMs()
  try {
    if (at === 0 && (overflowed.length > 0 || missedSites !== null)) settleOverflowed(recording)
    const startMs = cells[cell + Cell.START]
    recording.totals.end(site.id, startMs < 0 ? -1 : endMs - startMs, true)
    facts.startMs = startMs
    facts.durationMs = endMs - startMs
    facts.call = cells[cell + Cell.CALL]
    facts.trace = cells[cell + Cell.TRACE]
    facts.parent = cells[cell + Cell.PARENT]
    facts.flags = 0
    keepThrow(recording, site, cells[cell + Cell.MARK], null, args, thrown, endMs)
  } catch (error) {
    contain(recording, error)
  }
}

/** A call that went on after it had returned was rejected, or threw. */
export function settlePendingThrow(pending: PendingCall, thrown: unknown): void {
  const { recording, site, startMs } = pending
  const endMs = nowMs()
  try {
    if (running.depth === 0 && (overflowed.length > 0 || missedSites !== null)) settleOverflowed(recording)
    recording.totals.end(site.id, startMs < 0 ? -1 : endMs - startMs, true)
    fillFacts(pending, endMs - startMs)
    keepThrow(recording, site, -1, pending.held, pending.args, thrown, endMs)
  } catch (error) {
    contain(recording, error)
  }
}

/** Errors are always worth a record. {@link facts} say the rest. */
function keepThrow(
  recording: Recording,
  site: CallSite,
  mark: number,
  held: Uint8Array | null,
  args: ArrayLike<unknown> | null,
  thrown: unknown,
  endMs: number,
): void {
  const { producer } = recording
  if (producer.busy) {
    producer.dropReentrant(site.id)
    return
  }
  const captured = mark !== -1 || held !== null
  if (facts.startMs < 0) {
    // A call without a clock read has no start of its own: the moment of its record is the best that is known.
    facts.startMs = endMs
    facts.durationMs = 0
  }
  facts.flags |= FrameFlag.error | (captured || args === null ? 0 : FrameFlag.argsAfter)
  const { trace } = facts
  producer.recordError(site, facts, mark, held, captured ? null : args, thrown, endMs)
  // Above the rate of full records there are enough that show what led to them.
  if ((facts.flags & FrameFlag.shrunk) === 0) promoteTrace(recording, trace, endMs)
}

const pendingCells = new Float64Array(CELLS_PER_CALL)

/** Something below this call has failed while it ran: it shows what led there. */
function promoteCaller(
  recording: Recording,
  cells: Float64Array,
  cell: number,
  site: number,
  durationMs: number,
  flags: number,
): void {
  const startMs = cells[cell + Cell.START]
  if (recording.producer.busy || !hindsight.admit(startMs + durationMs)) return
  facts.startMs = startMs
  facts.durationMs = durationMs
  facts.call = cells[cell + Cell.CALL]
  facts.trace = cells[cell + Cell.TRACE]
  facts.parent = cells[cell + Cell.PARENT]
  facts.flags = flags | FrameFlag.hindsight
  recording.producer.recordHeader(site, facts)
}

function promoteTrace(recording: Recording, trace: number, endMs: number): void {
  const { producer } = recording
  hindsight.promote(trace, recording.lastCall, endMs, (site, facts) => producer.recordHeader(site, facts))
}

/** A failed call whose record waits until the stack has room again; its arguments are not kept. */
interface OverflowedCall {
  readonly site: CallSite
  readonly startMs: number
  readonly endMs: number
  readonly call: number
  readonly trace: number
  readonly parent: number
  readonly thrown: unknown
}

const MAX_OVERFLOWED = 20_000
const overflowed: OverflowedCall[] = []

/** The call at this depth failed because the stack ended; it is recorded when there is room again. */
export function noteOverflowed(site: CallSite | null | undefined, at: number, thrown: unknown): void {
  if (site === null || site === undefined) return
  if (overflowed.length >= MAX_OVERFLOWED) {
    missCall(site)
    return
  }
  const { cells } = running
  const cell = at * CELLS_PER_CALL
  overflowed.push({
    site,
    startMs: cells[cell + Cell.START],
    endMs: nowMs(),
    call: cells[cell + Cell.CALL],
    trace: cells[cell + Cell.TRACE],
    parent: cells[cell + Cell.PARENT],
    thrown: thrown ?? new RangeError(STACK_ENDED),
  })
}

/**
 * The outermost monitored call has returned a promise, or the process ends: the failed calls that wait are recorded
 * now, for nobody knows when the next call settles.
 */
export function settleWaiting(recording: Recording): void {
  if (overflowed.length === 0 && missedSites === null) return
  try {
    settleOverflowed(recording)
  } catch (error) {
    contain(recording, error)
  }
}

/** Call sites with calls that could not even be begun; they hang together by themselves, for this runs at the end of the stack. */
let missedSites: CallSite | null = null

/** A call passes through unrecorded. Plain stores: any call of a function could fail here. */
export function missCall(site: CallSite): void {
  if (site.missed++ > 0) return
  site.nextMissed = missedSites
  missedSites = site
}

function countMissed(recording: Recording): void {
  for (let site = missedSites; site !== null; site = site.nextMissed) {
    for (; site.missed > 0; site.missed--) if (site.id !== -1) recording.producer.dropUncaptured(site.id)
  }
  missedSites = null
}

/** There is room again: a monitored call ends that stands on no other one. The app may have caught the overflow. */
function settleOverflowed(recording: Recording): void {
  if (recording.producer.busy) return
  countMissed(recording)
  for (const waiting of overflowed.splice(0)) {
    const { site, startMs, endMs, thrown } = waiting
    recording.totals.end(site.id, startMs < 0 ? -1 : endMs - startMs, true)
    facts.startMs = startMs
    facts.durationMs = endMs - startMs
    facts.call = waiting.call
    facts.trace = waiting.trace
    facts.parent = waiting.parent
    facts.flags = 0
    keepThrow(recording, site, -1, null, null, thrown, endMs)
  }
}

/** V8 reports the end of the stack as a RangeError with this message. */
const STACK_ENDED = 'Maximum call stack size exceeded'

function isStackOverflow(thrown: unknown): boolean {
  if (!types.isNativeError(thrown) || Object.getPrototypeOf(thrown) !== RangeError.prototype) return false
  const message = Object.getOwnPropertyDescriptor(thrown, 'message')
  return message?.value === STACK_ENDED
}

/**
 * The recorder's own code failed. At the end of the app's stack that is no fault of ours: the producer counts the
 * record it could not finish. Everything else turns recording off.
 */
export function contain(recording: Recording, error: unknown): void {
  if (!isStackOverflow(error)) recording.fail(error)
}
