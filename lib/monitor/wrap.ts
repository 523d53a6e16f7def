import { types } from 'node:util'
import type { MonitorOptions } from '../config/options.js'
import { CallSite, type SiteName } from './call-site.js'
import { wrapFunction } from './function-wrapper.js'
import { wrapGenerator } from './generator-wrapper.js'
import type { AnyFunction } from './shape.js'

const asyncPrototype = Object.getPrototypeOf(async () => {}) as object

/** Picks the wrapper for the kind of function; the kind never changes afterwards. */
export function wrap<F extends AnyFunction>(fn: F, name: SiteName, options: MonitorOptions): F {
  if (types.isGeneratorFunction(fn)) {
    // Node's isAsyncFunction also answers true for async generator functions.
    return wrapGenerator(fn, new CallSite(name, options, true), types.isAsyncFunction(fn))
  }
  const continues = types.isAsyncFunction(fn) || Object.getPrototypeOf(fn) === asyncPrototype
  return wrapFunction(fn, new CallSite(name, options, continues))
}
