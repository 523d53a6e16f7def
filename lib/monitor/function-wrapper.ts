import { types } from 'node:util'
import { beginCall, endCall, failCall, NOT_RECORDED } from './call.js'
import type { CallSite } from './call-site.js'
import { type AnyFunction, shapeLike } from './shape.js'

const { apply, construct } = Reflect

/**
 * Wraps a function that is no generator: one real function, one extra stack frame, and as little in that frame as
 * can be. Methods, arrows and async functions cannot be constructed and have no prototype; neither have their wrappers.
 */
export function wrapFunction<F extends AnyFunction>(fn: F, site: CallSite): F {
  return shapeLike(isConstructible(fn) ? constructible(fn, site) : callable(fn, site), fn)
}

function callable(fn: AnyFunction, site: CallSite): Function {
  return {
    monitored(this: unknown, ...args: unknown[]): unknown {
      const at = beginCall(site, this, args)
      if (at === NOT_RECORDED) return apply(fn, this, args)
      let result: unknown
      try {
        result = apply(fn, this, args)
      } catch (thrown) {
        failCall(at, site, args, thrown)
        throw thrown
      }
      return endCall(at, site, args, result)
    },
  }.monitored
}

function constructible(fn: AnyFunction, site: CallSite): Function {
  function monitored(this: unknown, ...args: unknown[]): unknown {
    const target = new.target
    const at = beginCall(site, this, args)
    if (at === NOT_RECORDED) {
      return target === undefined ? apply(fn, this, args) : construct(fn, args, targetOf(target))
    }
    let result: unknown
    try {
      result = target === undefined ? apply(fn, this, args) : construct(fn, args, targetOf(target))
    } catch (thrown) {
      failCall(at, site, args, thrown)
      throw thrown
    }
    return endCall(at, site, args, result)
  }

  const targetOf = (target: Function): Function => (target === monitored ? fn : target)
  return monitored
}

/** Whether `new` works on a function; asked without running it. */
function isConstructible(fn: Function): boolean {
  // A Proxy's traps are app code; `new` on it says for itself what it is.
  if (types.isProxy(fn)) return true
  try {
    construct(Object, [], fn)
    return true
  } catch {
    return false
  }
}
