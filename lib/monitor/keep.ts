import { types } from 'node:util'
import type { CallFacts } from '../queue/frame.js'
import { FrameFlag } from '../queue/layout.js'
import type { CallSite } from './call-site.js'
import { Hindsight } from './hindsight.js'
import type { Recording } from './recording.js'
import { Cell } from './running.js'

export const hindsight = new Hindsight()

/** What is known of the call that is being recorded. Filled only after {@link isReentrant} has been asked. */
export const facts: CallFacts = { startMs: 0, durationMs: 0, call: 0, trace: 0, parent: 0, flags: 0 }

/**
 * Whether another record is being written, and the app's code in there (`Error.prepareStackTrace`) has ended a
 * generator or a thenable: that is counted, and nothing of the record may be touched.
 */
export function isReentrant({ producer }: Recording, site: CallSite): boolean {
  if (!producer.busy) return false
  producer.dropReentrant(site.id)
  return true
}

/** A call is worth a record: sampled, or slow. {@link facts} say the rest. */
export function keepReturn(
  recording: Recording,
  site: CallSite,
  weight: number,
  mark: number,
  held: Uint8Array | null,
  args: ArrayLike<unknown> | null,
  result: unknown,
): void {
  const { producer } = recording
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

/** Errors are always worth a record. {@link facts} say the rest. */
export function keepThrow(
  recording: Recording,
  site: CallSite,
  mark: number,
  held: Uint8Array | null,
  args: ArrayLike<unknown> | null,
  thrown: unknown,
  endMs: number,
): void {
  const { producer } = recording
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

/** Something below this call has failed while it ran: it shows what led there. */
export function promoteCaller(
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
  // A pending call is listed no more before its record can be seen.
  if (flags !== 0) cells[cell + Cell.CALL] = 0
  recording.producer.recordHeader(site, facts)
}

function promoteTrace(recording: Recording, trace: number, endMs: number): void {
  const { producer } = recording
  try {
    hindsight.promote(trace, recording.lastCall, endMs, (site, facts) => producer.recordHeader(site, facts))
  } catch (error) {
    // The record itself is made, and not to be made again.
    contain(recording, error)
  }
}

/** V8 reports the end of the stack as a RangeError with this message. */
export const STACK_ENDED = 'Maximum call stack size exceeded'

export function isStackOverflow(thrown: unknown): boolean {
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
