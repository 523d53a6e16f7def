import { nowMs } from '../queue/clock.js'
import type { CallSite } from './call-site.js'
import { contain, facts, keepThrow, STACK_ENDED } from './keep.js'
import { type PendingCall, releasePending } from './pending.js'
import type { Recording } from './recording.js'
import { CELLS_PER_CALL, Cell, leftEnds, leftThrown, loseContext, running, runningSites } from './running.js'

/**
 * The end of the app's stack. Where it comes, any call of a function may fail, also those that would record what has
 * happened: a wrapper then leaves its call behind with plain stores, the next one with room on its stack takes it from
 * there, and it is recorded as soon as there is room for that too.
 */

/** `null`: it has returned. */
type End = { readonly thrown: unknown } | null

/** A call that has ended and waits to be recorded; its arguments are not kept. */
interface Waiting {
  readonly recording: Recording
  readonly site: CallSite
  readonly startMs: number
  readonly endMs: number
  readonly call: number
  readonly trace: number
  readonly parent: number
  readonly weight: number
  readonly end: End
  /** What is done of it: where the room ends after all, the rest is done later. */
  done: 'nothing' | 'recorded' | 'counted'
}

/** A generator that has ended where no function could be called to settle it, or whose steps nobody looks at. */
export interface LeftRun {
  pending: PendingCall | null
  end: 'returned' | 'thrown' | 'missed'
  thrown: unknown
  nextLeft: LeftRun | null
}

/** They hang together by themselves, as plain stores can have them do. */
export const leftRuns: { first: LeftRun | null } = { first: null }

const MAX_WAITING = 20_000
const waiting: Waiting[] = []

/** Call sites with calls that could not even be begun; they hang together by themselves, for this runs at the end of the stack. */
let missedSites: CallSite | null = null

/**
 * Frames of {@link descend}: 16 to 24 KiB, what writing a record to the journal takes. A function that runs for the
 * first time takes more: V8 compiles nothing with less than 40 KiB left. Asking for that of every error would cost as
 * much as a short record of it; where the stack ends all the same, the error is recorded later.
 */
const ROOM_FRAMES = 250

/** Whether there is room on the stack to record something. */
export function hasStackRoom(): boolean {
  try {
    return descend(ROOM_FRAMES) === ROOM_FRAMES
  } catch {
    return false
  }
}

/** A call with many arguments would do as well, but the optimizing compiler leaves it out. */
function descend(frames: number): number {
  return frames === 0 ? 0 : 1 + descend(frames - 1)
}

/** Takes over the calls that were left at this depth and above, the innermost first. */
export function settleLeft(recording: Recording, depth: number): void {
  while (running.unsettled > depth) {
    const at = running.unsettled - 1
    loseContext(at)
    const { cells } = running
    const cell = at * CELLS_PER_CALL
    const site = runningSites[at]
    const mark = cells[cell + Cell.MARK]
    if (mark !== -1) recording.producer.scratch.release(mark)
    if (site !== null) wait(recording, site, cells, cell, leftEnd(at))
    leftEnds[at] = undefined
    leftThrown[at] = undefined
    running.unsettled = at
  }
}

function leftEnd(at: number): End {
  const end = leftEnds[at]
  if (end === undefined) return { thrown: new RangeError(STACK_ENDED) }
  return end === null ? null : { thrown: leftThrown[at] }
}

/** The call of these cells has ended, and is recorded when there is room. */
export function wait(
  recording: Recording,
  site: CallSite,
  cells: Float64Array,
  cell: number,
  end: End,
): void {
  if (waiting.length >= MAX_WAITING) {
    missCall(site)
    return
  }
  waiting.push({
    recording,
    site,
    startMs: cells[cell + Cell.START],
    endMs: nowMs(),
    call: cells[cell + Cell.CALL],
    trace: cells[cell + Cell.TRACE],
    parent: cells[cell + Cell.PARENT],
    weight: cells[cell + Cell.WEIGHT],
    end,
    done: 'nothing',
  })
}

/** A call passes through unrecorded. Plain stores: any call of a function could fail here. */
export function missCall(site: CallSite): void {
  if (site.missed++ > 0) return
  site.nextMissed = missedSites
  missedSites = site
}

/** Whether {@link settleWaiting} has anything to do. */
export function isWaiting(): boolean {
  return waiting.length > 0 || missedSites !== null || leftRuns.first !== null
}

/** Records what waits, if there is room by now. Where the room ends after all, the rest goes on waiting. */
export function settleWaiting(recording: Recording): void {
  const { producer } = recording
  if (producer.busy || !hasStackRoom()) return
  let settles = false
  try {
    countMissed(recording)
    takeLeftRuns()
    settles = true
    while (waiting.length > 0) {
      producer.owed = true
      settle(waiting[0])
      waiting.shift()
    }
  } catch (error) {
    // It is recorded, only what led to it is not.
    const first = waiting[0]
    if (settles && !producer.owed && first?.done === 'nothing') first.done = 'recorded'
    contain(recording, error)
  }
}

function countMissed(recording: Recording): void {
  while (missedSites !== null) {
    const site = missedSites
    for (; site.missed > 0; site.missed--) if (site.id !== -1) recording.producer.dropUncaptured(site.id)
    missedSites = site.nextMissed
  }
}

function takeLeftRuns(): void {
  for (let run = leftRuns.first; run !== null; run = run.nextLeft) {
    const { pending, end, thrown } = run
    if (pending !== null) {
      const { recording, site, cells, cell } = pending
      if (end === 'missed' && cells[cell + Cell.WEIGHT] === 0) recording.producer.dropUncaptured(site.id)
      wait(recording, site, cells, cell, end === 'thrown' ? { thrown } : null)
    }
    leftRuns.first = run.nextLeft
    run.thrown = undefined
    if (pending !== null) releasePending(pending)
  }
}

function settle(call: Waiting): void {
  const { recording, site, startMs, endMs, end } = call
  if (call.done === 'nothing') {
    if (end !== null) recordThrow(call, end.thrown)
    else if (call.weight > 0) recording.producer.dropUncaptured(site.id)
    call.done = 'recorded'
  }
  if (call.done === 'recorded')
    recording.totals.end(site.id, startMs < 0 ? -1 : endMs - startMs, end !== null)
  call.done = 'counted'
}

function recordThrow(
  { recording, site, startMs, endMs, call, trace, parent }: Waiting,
  thrown: unknown,
): void {
  facts.startMs = startMs
  facts.durationMs = endMs - startMs
  facts.call = call
  facts.trace = trace
  facts.parent = parent
  facts.flags = 0
  keepThrow(recording, site, -1, null, null, thrown, endMs)
}
