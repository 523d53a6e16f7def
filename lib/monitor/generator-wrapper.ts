import { FrameFlag } from '../queue/layout.js'
import { beginCall, detachCall, NOT_RECORDED } from './call.js'
import type { CallSite } from './call-site.js'
import { type PendingCall, unwatchForgotten, watchForgotten } from './pending.js'
import { Cell, leftEnds, NO_SITE, resume, running, suspend } from './running.js'
import { settlePending, settlePendingThrow, trySettlePendingThrow } from './settle.js'
import { type AnyFunction, shapeLike } from './shape.js'
import { hasStackRoom, type LeftRun, leftRuns } from './unsettled.js'

const { apply } = Reflect
const { defineProperty, getPrototypeOf } = Object
const promiseThen = Promise.prototype.then

type Method = (...args: unknown[]) => unknown
/** What a generator forwards; the names of the functions are those of the fields. */
type Steps = Readonly<Record<'next' | 'return' | 'throw', Method>>

/**
 * One running generator: what its record will need, what is seen of it while it is resumed, also after its end, and
 * whether it has ended. Constant size, however long it runs.
 */
interface Run extends LeftRun {
  call: number
  trace: number
  parent: number
  startMs: number
  site: number
  ended: boolean
  /** Handlers of the promises that an async generator gives, the same for all of them. */
  fulfilled: Method | null
  rejected: Method | null
}

function newRun(): Run {
  return {
    pending: null,
    ended: false,
    call: 0,
    trace: 0,
    parent: 0,
    startMs: 0,
    site: NO_SITE,
    fulfilled: null,
    rejected: null,
    end: 'returned',
    thrown: undefined,
    nextLeft: null,
  }
}

function beginRun(run: Run, pending: PendingCall): void {
  const { site, cells, cell } = pending
  run.call = cells[cell + Cell.CALL]
  run.trace = cells[cell + Cell.TRACE]
  run.parent = cells[cell + Cell.PARENT]
  run.startMs = cells[cell + Cell.START]
  run.site = site.id
  // Not the generator: one that is forgotten while it works on a step may still end.
  watchForgotten(run, pending, run)
}

/**
 * Wraps a generator function or an async generator function. The app gets an object with the generator's own
 * prototype chain whose `next`, `return` and `throw` forward to the real one; the record is made when it ends:
 * by running out, by an early `return`, or by a throw. One that is never finished leaves no record; its call stands
 * in the totals as begun.
 */
export function wrapGenerator<F extends AnyFunction>(fn: F, site: CallSite, async: boolean): F {
  const { monitored } = {
    monitored(this: unknown, ...args: unknown[]): unknown {
      // First of all: whatever fails later, what is known of the call stands somewhere.
      const run = newRun()
      const at = beginCall(site, this, args)
      if (at === NOT_RECORDED) return apply(fn, this, args)
      try {
        run.pending = detachCall(at, site, args, FrameFlag.generator)
        beginRun(run, run.pending)
      } catch {
        // The end of the stack, as in wrapFunction.
        if (run.pending === null) {
          leftEnds[at] = null
          running.depth[0] = at
        } else {
          run.ended = true
          run.end = 'missed'
          run.nextLeft = leftRuns.first
          leftRuns.first = run
        }
        return apply(fn, this, args)
      }
      let inner: object
      try {
        inner = runStep(run, fn as Function as Method, this, args) as object
      } catch (thrown) {
        // Default values of parameters are evaluated here.
        try {
          fail(run, thrown)
        } catch {
          // As in `step`.
        }
        if (!run.ended) {
          run.ended = true
          run.end = 'thrown'
          run.thrown = thrown
          run.nextLeft = leftRuns.first
          leftRuns.first = run
        }
        throw thrown
      }
      if (async) followPromises(run)
      return forward(inner, run, async)
    },
  }
  return shapeLike(monitored, fn)
}

function end(run: Run, value: unknown, failed: boolean): void {
  const { pending } = run
  if (run.ended || pending === null) return
  run.ended = true
  if (failed) settlePendingThrow(pending, value)
  else settlePending(pending, value)
  try {
    unwatchForgotten(run)
  } catch {
    // The end of the stack. Its slot is free, and is not given back twice.
  }
}

/** A step has thrown. Where there is no room on the stack for the record of that, the run goes on as if it had not. */
function fail(run: Run, thrown: unknown): void {
  const { pending } = run
  if (run.ended || pending === null || !hasStackRoom()) return
  run.ended = true
  if (trySettlePendingThrow(pending, thrown)) unwatchForgotten(run)
  else run.ended = false
}

/** As `runAs`, without a closure for each step. */
function runStep(run: Run, method: Method, self: unknown, args: unknown[]): unknown {
  const depth = running.depth[0]
  const at = resume(run)
  try {
    return apply(method, self, args)
  } finally {
    running.depth[0] = depth
    try {
      suspend(at)
    } catch {
      // It waits among the unsettled.
    }
  }
}

function forward(inner: object, run: Run, async: boolean): object {
  const { next, return: finish, throw: fail } = inner as Steps
  const steps: Steps = {
    next: (...args) => step(inner, run, async, next, args),
    return: (...args) => step(inner, run, async, finish, args),
    throw: (...args) => step(inner, run, async, fail, args),
  }
  const outer = Object.create(getPrototypeOf(inner) as object) as object
  defineProperty(outer, 'next', { value: steps.next, writable: true, configurable: true })
  defineProperty(outer, 'return', { value: steps.return, writable: true, configurable: true })
  defineProperty(outer, 'throw', { value: steps.throw, writable: true, configurable: true })
  return outer
}

function step(inner: object, run: Run, async: boolean, method: Method, args: unknown[]): unknown {
  let result: unknown
  try {
    result = runStep(run, method, inner, args)
  } catch (thrown) {
    try {
      fail(run, thrown)
    } catch {
      // The end of the stack, as in wrapFunction: the run is left behind with plain stores.
    }
    if (!run.ended) {
      run.ended = true
      run.end = 'thrown'
      run.thrown = thrown
      run.nextLeft = leftRuns.first
      leftRuns.first = run
    }
    throw thrown
  }
  try {
    return async ? followAsync(run, result as Promise<IteratorResult<unknown>>) : follow(run, result)
  } catch {
    if (!async && !run.ended && (result as IteratorResult<unknown>).done) {
      run.ended = true
      run.nextLeft = leftRuns.first
      leftRuns.first = run
    }
    return result
  }
}

function follow(run: Run, result: unknown): unknown {
  const { done, value } = result as IteratorResult<unknown>
  if (done) end(run, value, false)
  return result
}

function followPromises(run: Run): void {
  run.fulfilled = result => follow(run, result)
  run.rejected = reason => {
    end(run, reason, true)
    throw reason
  }
}

function followAsync(run: Run, promise: Promise<IteratorResult<unknown>>): unknown {
  return apply(promiseThen, promise, [run.fulfilled, run.rejected])
}
