import { FrameFlag } from '../queue/layout.js'
import type { CallSite } from './call-site.js'
import { active, enterContext, inheritedContext } from './context.js'
import { attach, live, type Recording } from './recording.js'
import { settleReturn, settleThrow } from './settle.js'
import { type AnyFunction, shapeLike } from './shape.js'

const { apply, construct } = Reflect
const promiseThen = Promise.prototype.then

type Step = 'next' | 'return' | 'throw'
const STEPS: readonly Step[] = ['next', 'return', 'throw']

/** One running generator: what its record will need, and whether it has ended. Constant size, however long it runs. */
interface Run {
  readonly recording: Recording
  readonly site: CallSite
  /** 0 = not sampled. */
  readonly weight: number
  readonly startMs: number
  readonly call: number
  readonly trace: number
  readonly parent: number
  readonly held: Uint8Array | null
  readonly args: ArrayLike<unknown>
  ended: boolean
}

/**
 * Wraps a generator function or an async generator function. The app gets an object with the generator's own
 * prototype chain whose `next`, `return` and `throw` forward to the real one; the record is made when it ends:
 * by running out, by an early `return`, or by a throw. One that is never finished leaves no record; its call stands
 * in the totals as begun.
 */
export function wrapGenerator<F extends AnyFunction>(fn: F, site: CallSite, async: boolean): F {
  function monitored(this: unknown, ...args: unknown[]): unknown {
    // A generator function is no constructor: the app gets the TypeError it would get without us.
    if (new.target) return construct(fn, args)
    const recording = live.recording ?? live.start()
    if (recording === null || (site.id === -1 && !attach(recording, site, this))) return apply(fn, this, args)
    if (recording.producer.capturing) {
      recording.producer.dropReentrant(site.id)
      return apply(fn, this, args)
    }
    const run = begin(recording, site, args)
    let inner: object
    try {
      inner = inContext(run, () => apply(fn, this, args)) as object
    } catch (thrown) {
      // Default values of parameters are evaluated here.
      end(run, thrown, true)
      throw thrown
    }
    return forward(inner, run, async)
  }
  return shapeLike(monitored, fn)
}

function begin(recording: Recording, site: CallSite, args: ArrayLike<unknown>): Run {
  const weight = site.sampler.next() ? site.sampler.weight : 0
  const inherited = inheritedContext()
  let parent = active.call
  let trace = active.trace
  if (parent === 0 && inherited !== undefined) {
    parent = inherited.call
    trace = inherited.trace
  }
  const call = ++recording.lastCall
  let held: Uint8Array | null = null
  if (weight > 0 && recording.producer.scratch.hasRoom) {
    const mark = recording.producer.captureArguments(site, args)
    held = recording.producer.scratch.hold(mark)
    recording.producer.scratch.release(mark)
  }
  recording.totals.begin(site.id)
  return {
    recording,
    site,
    weight,
    startMs: weight > 0 || site.timed ? performance.now() : -1,
    call,
    trace: trace === 0 ? call : trace,
    parent,
    held,
    args,
    ended: false,
  }
}

/** Runs a piece of the generator's body as part of its call, wherever the app resumes it. */
function inContext(run: Run, body: () => unknown): unknown {
  const { call: outerCall, trace: outerTrace } = active
  const inherited = inheritedContext()
  active.call = run.call
  active.trace = run.trace
  enterContext({ call: run.call, trace: run.trace })
  try {
    return body()
  } finally {
    active.call = outerCall
    active.trace = outerTrace
    enterContext(inherited)
  }
}

function end(run: Run, value: unknown, failed: boolean): void {
  if (run.ended) return
  run.ended = true
  const { recording, site, weight, startMs, call, trace, parent, held, args } = run
  const flags = FrameFlag.generator
  if (failed) settleThrow(recording, site, startMs, call, trace, parent, flags, -1, held, args, value)
  else settleReturn(recording, site, weight, startMs, call, trace, parent, flags, -1, held, args, value)
}

function forward(inner: object, run: Run, async: boolean): object {
  const outer = Object.create(Object.getPrototypeOf(inner) as object) as object
  for (const step of STEPS) {
    const method = Reflect.get(inner, step) as (...args: unknown[]) => unknown
    const forwarded = (...args: unknown[]): unknown => {
      let result: unknown
      try {
        result = inContext(run, () => apply(method, inner, args))
      } catch (thrown) {
        end(run, thrown, true)
        throw thrown
      }
      return async ? followAsync(run, result as Promise<IteratorResult<unknown>>) : follow(run, result)
    }
    Object.defineProperty(forwarded, 'name', { value: step, configurable: true })
    Object.defineProperty(outer, step, { value: forwarded, writable: true, configurable: true })
  }
  return outer
}

function follow(run: Run, result: unknown): unknown {
  const { done, value } = result as IteratorResult<unknown>
  if (done) end(run, value, false)
  return result
}

function followAsync(run: Run, promise: Promise<IteratorResult<unknown>>): unknown {
  return apply(promiseThen, promise, [
    (result: IteratorResult<unknown>) => follow(run, result),
    (reason: unknown) => {
      end(run, reason, true)
      throw reason
    },
  ])
}
