import { FrameFlag } from '../queue/layout.js'
import { beginCall, detachCall, NOT_RECORDED } from './call.js'
import type { CallSite } from './call-site.js'
import { type PendingCall, unwatchForgotten, watchForgotten } from './pending.js'
import { Cell, leftEnds, type ResumedCall, runAs, running } from './running.js'
import { settlePending, settlePendingThrow } from './settle.js'
import { type AnyFunction, shapeLike } from './shape.js'

const { apply } = Reflect
const promiseThen = Promise.prototype.then

type Step = 'next' | 'return' | 'throw'
const STEPS: readonly Step[] = ['next', 'return', 'throw']

/**
 * One running generator: what its record will need, what is seen of it while it is resumed, also after its end, and
 * whether it has ended. Constant size, however long it runs.
 */
interface Run extends ResumedCall {
  readonly pending: PendingCall
  ended: boolean
}

function runOf(pending: PendingCall): Run {
  const { site, cells, cell } = pending
  const run = {
    pending,
    ended: false,
    call: cells[cell + Cell.CALL],
    trace: cells[cell + Cell.TRACE],
    parent: cells[cell + Cell.PARENT],
    startMs: cells[cell + Cell.START],
    site: site.id,
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
        inner = runAs(run, () => apply(fn, this, args)) as object
      } catch (thrown) {
        // Default values of parameters are evaluated here.
        end(run, thrown, true)
        throw thrown
      }
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

function forward(inner: object, run: Run, async: boolean): object {
  const outer = Object.create(Object.getPrototypeOf(inner) as object) as object
  for (const step of STEPS) {
    const method = Reflect.get(inner, step) as (...args: unknown[]) => unknown
    const forwarded = (...args: unknown[]): unknown => {
      let result: unknown
      try {
        result = runAs(run, () => apply(method, inner, args))
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
