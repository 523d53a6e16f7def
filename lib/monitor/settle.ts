import { types } from 'node:util'
import type { CallFacts } from '../queue/frame.js'
import { FrameFlag } from '../queue/layout.js'
import type { CallSite } from './call-site.js'
import { active } from './context.js'
import type { Recording } from './recording.js'

/**
 * The one way a call ends, whatever its kind: exact totals first, then the decision whether there is a record.
 * Errors always; slow calls always; the rest as sampled. Nothing here may throw into the app.
 */

const facts: CallFacts = { startMs: 0, durationMs: 0, call: 0, trace: 0, parent: 0, flags: 0 }

function fill(
  startMs: number,
  durationMs: number,
  call: number,
  trace: number,
  parent: number,
  flags: number,
): void {
  // A call without a clock read has no start of its own: the moment of its record is the best that is known.
  facts.startMs = startMs < 0 ? performance.now() : startMs
  facts.durationMs = Math.max(0, durationMs)
  facts.call = call
  facts.trace = trace
  facts.parent = parent
  facts.flags = flags
}

/**
 * A call returned (or its promise was fulfilled).
 *
 * @param weight weight of the record if the call was sampled, 0 = it was not
 * @param startMs `< 0`: the call was not timed
 * @param mark start of the captured arguments in the scratch space, -1 = not there
 * @param held arguments captured before the call and moved out of the scratch space
 * @param args the live values, read now when the call was not sampled and turns out to be worth a record
 */
export function settleReturn(
  recording: Recording,
  site: CallSite,
  weight: number,
  startMs: number,
  call: number,
  trace: number,
  parent: number,
  flags: number,
  mark: number,
  held: Uint8Array | null,
  args: ArrayLike<unknown>,
  result: unknown,
): void {
  const durationMs = startMs < 0 ? -1 : performance.now() - startMs
  try {
    if (overflowed.length > 0 && active.call === 0) settleOverflowed(recording)
    recording.totals.end(site.id, durationMs, false)
    const slow = durationMs >= site.slowMs
    if (weight === 0 && !slow) return
    const { producer } = recording
    if (producer.capturing) {
      producer.dropReentrant(site.id)
      return
    }
    // A slow call is recorded whatever the sampling says, so it stands for itself only.
    let recordWeight = 1
    if (!slow) {
      if (!site.sampler.admit(startMs + durationMs, weight)) {
        producer.dropThrottled(site.id)
        return
      }
      recordWeight = site.sampler.takeWeight(weight)
    }
    const captured = mark !== -1 || held !== null
    const late = captured ? 0 : FrameFlag.argsAfter
    fill(startMs, durationMs, call, trace, parent, flags | late | (slow ? FrameFlag.slow : 0))
    producer.recordCall(site, facts, recordWeight, mark, held, captured ? null : args, result)
  } catch (error) {
    contain(recording, error)
  }
}

/** A call threw (or its promise was rejected). The parameters are those of {@link settleReturn}. */
export function settleThrow(
  recording: Recording,
  site: CallSite,
  startMs: number,
  call: number,
  trace: number,
  parent: number,
  flags: number,
  mark: number,
  held: Uint8Array | null,
  args: ArrayLike<unknown>,
  thrown: unknown,
): void {
  if (isStackOverflow(thrown) && active.call !== 0 && overflowed.length < MAX_OVERFLOWED) {
    // There may be no room left to record it here. The outermost monitored call on this stack records it for us.
    overflowed.push({ site, startMs, endMs: performance.now(), call, trace, parent, flags, thrown })
    return
  }
  const nowMs = performance.now()
  const durationMs = startMs < 0 ? -1 : nowMs - startMs
  try {
    if (overflowed.length > 0 && active.call === 0) settleOverflowed(recording)
    recording.totals.end(site.id, durationMs, true)
    if (recording.producer.capturing) {
      recording.producer.dropReentrant(site.id)
      return
    }
    const captured = mark !== -1 || held !== null
    const late = captured ? 0 : FrameFlag.argsAfter
    fill(startMs, durationMs, call, trace, parent, flags | late | FrameFlag.error)
    recording.producer.recordError(site, facts, mark, held, captured ? null : args, thrown, nowMs)
  } catch (error) {
    contain(recording, error)
  }
}

/** A failed call whose record waits until the stack has room again; its arguments are not kept. */
interface OverflowedCall {
  readonly site: CallSite
  readonly startMs: number
  readonly endMs: number
  readonly call: number
  readonly trace: number
  readonly parent: number
  readonly flags: number
  readonly thrown: unknown
}

const MAX_OVERFLOWED = 20_000
const overflowed: OverflowedCall[] = []

/**
 * The outermost monitored call has returned a promise, or the process ends: the failed calls that wait are recorded
 * now, for nobody knows when the next call settles.
 */
export function settleWaiting(recording: Recording): void {
  if (overflowed.length === 0) return
  try {
    settleOverflowed(recording)
  } catch (error) {
    contain(recording, error)
  }
}

/** There is room again: a monitored call ends that stands on no other one. The app may have caught the overflow. */
function settleOverflowed(recording: Recording): void {
  if (recording.producer.capturing) return
  for (const waiting of overflowed.splice(0)) {
    const { site, startMs, endMs, call, trace, parent, flags, thrown } = waiting
    const durationMs = startMs < 0 ? -1 : endMs - startMs
    recording.totals.end(site.id, durationMs, true)
    fill(startMs, durationMs, call, trace, parent, flags | FrameFlag.error)
    recording.producer.recordError(site, facts, -1, null, null, thrown, endMs)
  }
}

/** V8 reports the end of the stack as a RangeError with this message. */
function isStackOverflow(thrown: unknown): boolean {
  if (!types.isNativeError(thrown) || Object.getPrototypeOf(thrown) !== RangeError.prototype) return false
  const message = Object.getOwnPropertyDescriptor(thrown, 'message')
  return message?.value === 'Maximum call stack size exceeded'
}

/**
 * The recorder's own code failed. At the end of the app's stack that is no fault of ours: the producer counts the
 * record it could not finish. Everything else turns recording off.
 */
function contain(recording: Recording, error: unknown): void {
  if (!isStackOverflow(error)) recording.fail(error)
}
