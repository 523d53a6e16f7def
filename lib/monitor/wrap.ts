import { types } from 'node:util'
import type { MonitorOptions } from '../config/options.js'
import { CallSite, type SiteName } from './call-site.js'
import { wrapFunction } from './function-wrapper.js'
import { wrapGenerator } from './generator-wrapper.js'
import { rememberMonitored } from './monitored.js'
import type { AnyFunction } from './shape.js'

const asyncPrototype = Object.getPrototypeOf(async () => {}) as object

/** Makes a function a call site of its own. */
export function wrap<F extends AnyFunction>(fn: F, name: SiteName, options: MonitorOptions): F {
  const site = new CallSite(name, options, false)
  site.isAsyncFunction = types.isAsyncFunction(fn)
  return wrapAt(fn, site)
}

/** Makes a function one of those that belong to a call site. */
export function wrapAt<F extends AnyFunction>(fn: F, site: CallSite): F {
  const wrapper = wrapByKind(fn, site)
  rememberMonitored(wrapper)
  return wrapper
}

/** Picks the wrapper for the kind of function; the kind never changes afterwards. */
function wrapByKind<F extends AnyFunction>(fn: F, site: CallSite): F {
  if (types.isGeneratorFunction(fn)) {
    site.continues = true
    // Node's isAsyncFunction also answers true for async generator functions.
    return wrapGenerator(fn, site, types.isAsyncFunction(fn))
  }
  if (types.isAsyncFunction(fn) || hasAsyncPrototype(fn)) site.continues = true
  return wrapFunction(fn, site)
}

/** Asked of no Proxy: its traps are app code. */
function hasAsyncPrototype(fn: object): boolean {
  return !types.isProxy(fn) && Object.getPrototypeOf(fn) === asyncPrototype
}
