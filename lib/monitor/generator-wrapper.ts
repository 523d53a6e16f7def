import { FrameFlag } from '../queue/layout.js'
import { beginCall, detachCall, NOT_RECORDED } from './call.js'
import type { CallSite } from './call-site.js'
import { type PendingCall, unwatchForgotten, watchForgotten } from './pending.js'
import { Cell, leftEnds, type ResumedCall, resume, running, suspend } from './running.js'
import { settlePending, settlePendingThrow } from './settle.js'
import { type AnyFunction, shapeLike } from './shape.js'

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
interface Run extends ResumedCall {
  readonly pending: PendingCall
  ended: boolean
  /** Handlers of the promises that an async generator gives, the same for all of them. */
  fulfilled: Method | null
  rejected: Method | null
}

function runOf(pending: PendingCall): Run {
  const { site, cells, cell } = pending
  const run: Run = {
    pending,
    ended: false,
    call: cells[cell + Cell.CALL],
    trace: cells[cell + Cell.TRACE],
    parent: cells[cell + Cell.PARENT],
    startMs: cells[cell + Cell.START],
    site: site.id,
    fulfilled: null,
    rejected: null,
  }
  // Not the generator: one that is forgotten while it works on a step may still end.
  watchForgotten(run, pending, run)
  return run
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
      const at = beginCall(site, this, args)
      if (at === NOT_RECORDED) return apply(fn, this, args)
      let run: Run
      try {
        run = runOf(detachCall(at, site, args, FrameFlag.generator))
      } catch {
        // The end of the stack, as in wrapFunction.
        leftEnds[at] = null
        running.depth[0] = at
        return apply(fn, this, args)
      }
      let inner: object
      try {
        inner = runStep(run, fn as Function as Method, this, args) as object
      } catch (thrown) {
        // Default values of parameters are evaluated here.
        end(run, thrown, true)
        throw thrown
      }
      if (async) followPromises(run)
      return forward(inner, run, async)
    },
  }
  return shapeLike(monitored, fn)
}

function end(run: Run, value: unknown, failed: boolean): void {
  if (run.ended) return
  run.ended = true
  if (failed) settlePendingThrow(run.pending, value)
  else settlePending(run.pending, value)
  try {
    unwatchForgotten(run)
  } catch {
    // The end of the stack. Its slot is free, and is not given back twice.
  }
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
    end(run, thrown, true)
    throw thrown
  }
  return async ? followAsync(run, result as Promise<IteratorResult<unknown>>) : follow(run, result)
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
