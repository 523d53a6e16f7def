import { types } from 'node:util'
import { FrameFlag } from '../queue/layout.js'
import type { CallSite } from './call-site.js'
import { active, enterContext, inheritedContext } from './context.js'
import { attach, live, type Recording } from './recording.js'
import { settleReturn, settleThrow, settleWaiting } from './settle.js'
import { type AnyFunction, shapeLike } from './shape.js'

const { apply, construct } = Reflect
const { getOwnPropertyNames, getPrototypeOf } = Object
const promisePrototype = Promise.prototype
const promiseThen = Promise.prototype.then

/**
 * A promise whose derived promise the app cannot tell from it: native, of this realm, no subclass, nothing added.
 * Every other thenable is returned as it is (a lazy query would run twice if its `then` were called here).
 */
function isPlainPromise(value: unknown): value is Promise<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    types.isPromise(value) &&
    getPrototypeOf(value) === promisePrototype &&
    getOwnPropertyNames(value).length === 0
  )
}

/** Wraps a function that is no generator: one real function, one extra stack frame. */
export function wrapFunction<F extends AnyFunction>(fn: F, site: CallSite): F {
  function monitored(this: unknown, ...args: unknown[]): unknown {
    const recording = live.recording ?? live.start()
    if (recording === null || (site.id === -1 && !attach(recording, site, this)))
      return new.target ? construct(fn, args, targetOf(new.target)) : apply(fn, this, args)
    if (recording.producer.capturing) {
      recording.producer.dropReentrant(site.id)
      return new.target ? construct(fn, args, targetOf(new.target)) : apply(fn, this, args)
    }

    const weight = site.sampler.next() ? site.sampler.weight : 0
    const outerCall = active.call
    const outerTrace = active.trace
    const inherited = inheritedContext()
    let parent = outerCall
    let trace = outerTrace
    if (outerCall === 0 && inherited !== undefined) {
      parent = inherited.call
      trace = inherited.trace
    }
    const call = ++recording.lastCall
    if (trace === 0) trace = call
    const mark = weight > 0 ? captureArguments(recording, site, args) : -1
    const carries = weight > 0 || site.continues
    recording.totals.begin(site.id)
    if (carries) enterContext({ call, trace })
    const startMs = weight > 0 || site.timed ? performance.now() : -1
    active.call = call
    active.trace = trace

    let result: unknown
    try {
      result = new.target ? construct(fn, args, targetOf(new.target)) : apply(fn, this, args)
    } catch (thrown) {
      // Plain stores first: at the end of the stack any call below may fail, and these must not be left undone.
      active.call = outerCall
      active.trace = outerTrace
      settleThrow(recording, site, startMs, call, trace, parent, 0, mark, null, args, thrown)
      leave(recording, carries, inherited, mark)
      throw thrown
    }
    active.call = outerCall
    active.trace = outerTrace
    if (isPlainPromise(result)) {
      const held = mark === -1 ? null : recording.producer.scratch.hold(mark)
      leave(recording, carries, inherited, mark)
      if (outerCall === 0) settleWaiting(recording)
      site.continues = true
      return derive(recording, site, weight, startMs, call, trace, parent, held, args, result)
    }
    settleReturn(recording, site, weight, startMs, call, trace, parent, 0, mark, null, args, result)
    leave(recording, carries, inherited, mark)
    return result
  }

  const targetOf = (target: Function): Function => (target === monitored ? fn : target)
  return shapeLike(monitored, fn)
}

function captureArguments(recording: Recording, site: CallSite, args: ArrayLike<unknown>): number {
  const { producer } = recording
  if (!producer.scratch.hasRoom) return -1
  return producer.captureArguments(site, args)
}

/** Puts the asynchronous context and the scratch space back to what they were before the call. */
function leave(
  recording: Recording,
  carries: boolean,
  inherited: ReturnType<typeof inheritedContext>,
  mark: number,
): void {
  if (carries) enterContext(inherited)
  if (mark !== -1) recording.producer.scratch.release(mark)
}

/**
 * The promise the app gets: derived once, with both handlers in one call, so that a rejection the app does not
 * handle is still reported as unhandled, and one it handles stays silent.
 */
function derive(
  recording: Recording,
  site: CallSite,
  weight: number,
  startMs: number,
  call: number,
  trace: number,
  parent: number,
  held: Uint8Array | null,
  args: ArrayLike<unknown>,
  promise: Promise<unknown>,
): unknown {
  return apply(promiseThen, promise, [
    (value: unknown) => {
      settleReturn(
        recording,
        site,
        weight,
        startMs,
        call,
        trace,
        parent,
        FrameFlag.async,
        -1,
        held,
        args,
        value,
      )
      return value
    },
    (reason: unknown) => {
      settleThrow(recording, site, startMs, call, trace, parent, FrameFlag.async, -1, held, args, reason)
      throw reason
    },
  ])
}
