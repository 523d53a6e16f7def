import { types } from 'node:util'
import {
  endCall,
  ended,
  endWithArguments,
  enterCall,
  enterSampled,
  failCall,
  NOT_RECORDED,
  SAMPLED,
} from './call.js'
import type { CallSite } from './call-site.js'
import { leftEnds, leftThrown, running, THREW } from './running.js'
import { type AnyFunction, shapeLike } from './shape.js'

const { apply, construct } = Reflect

/**
 * Wraps a function that is no generator: one real function, one extra stack frame, and as little in that frame as
 * can be. Methods, arrows and async functions cannot be constructed and have no prototype; neither have their wrappers.
 *
 * Where the app's stack ends, no function can be called to settle the call, and not even an object literal made that
 * has not been made before. It is left behind with plain stores, and the app gets what the function gave.
 */
export function wrapFunction<F extends AnyFunction>(fn: F, site: CallSite): F {
  // What its traps serve, no copy can: mocks and spies are proxies with members that stand nowhere.
  if (types.isProxy(fn)) return proxied(fn, site)
  return shapeLike(isConstructible(fn) ? constructible(fn, site) : callable(fn, site), fn)
}

/**
 * The optimizing compiler makes no array of `args` as long as they go nowhere but into `apply` and `construct`, on
 * every path: so those parts of a call that look at its arguments get them by `apply` as well.
 */
function callable(fn: AnyFunction, site: CallSite): Function {
  return {
    monitored(this: unknown, ...args: unknown[]): unknown {
      let at = enterCall(site, this)
      if (at === SAMPLED) at = apply(enterSampled, site, args)
      if (at === NOT_RECORDED) return apply(fn, this, args)
      let result: unknown
      try {
        result = apply(fn, this, args)
      } catch (thrown) {
        try {
          ended.at = at
          ended.value = thrown
          apply(failCall, site, args)
        } catch {
          running.depth[0] = at
          ended.value = undefined
          leftThrown[at] = thrown
          leftEnds[at] = THREW
        }
        throw thrown
      }
      try {
        if (endCall(at, site, result)) return result
        ended.at = at
        ended.value = result
        return apply(endWithArguments, site, args)
      } catch {
        running.depth[0] = at
        ended.value = undefined
        leftEnds[at] = null
        return result
      }
    },
  }.monitored
}

function constructible(fn: AnyFunction, site: CallSite): Function {
  function monitored(this: unknown, ...args: unknown[]): unknown {
    const target = new.target
    let at = enterCall(site, this)
    if (at === SAMPLED) at = apply(enterSampled, site, args)
    if (at === NOT_RECORDED) {
      return target === undefined ? apply(fn, this, args) : construct(fn, args, targetOf(target))
    }
    let result: unknown
    try {
      result = target === undefined ? apply(fn, this, args) : construct(fn, args, targetOf(target))
    } catch (thrown) {
      try {
        ended.at = at
        ended.value = thrown
        apply(failCall, site, args)
      } catch {
        running.depth[0] = at
        ended.value = undefined
        leftThrown[at] = thrown
        leftEnds[at] = THREW
      }
      throw thrown
    }
    try {
      if (endCall(at, site, result)) return result
      ended.at = at
      ended.value = result
      return apply(endWithArguments, site, args)
    } catch {
      running.depth[0] = at
      ended.value = undefined
      leftEnds[at] = null
      return result
    }
  }

  // The app may have given the wrapper another prototype: then `new` must see it.
  const targetOf = (target: Function): Function =>
    target === monitored && monitored.prototype === (fn as { prototype?: unknown }).prototype ? fn : target
  return monitored
}

/** A function that is a Proxy gets another one around it, which sees nothing but its calls. */
function proxied<F extends AnyFunction>(fn: F, site: CallSite): F {
  const call = callable(fn, site)
  const build = constructible(fn, site)
  const traps: ProxyHandler<F> = {
    apply: (_, self, args: unknown[]) => apply(call, self, args) as unknown,
    construct: (_, args: unknown[], target) =>
      construct(build, args, target === monitored ? fn : target) as object,
  }
  // What someone has put on Object.prototype is no trap of ours.
  Object.setPrototypeOf(traps, null)
  const monitored: F = new Proxy(fn, traps)
  return monitored
}

/** Whether `new` works on a function; asked without running it. */
function isConstructible(fn: Function): boolean {
  try {
    construct(Object, [], fn)
    return true
  } catch {
    return false
  }
}
