import { types } from 'node:util'
import type { ClassOptions, MonitorOptions } from '../config/options.js'
import type { SiteName } from './call-site.js'
import { isMonitored } from './monitored.js'
import { className, memberName } from './naming.js'
import type { Selection } from './selection.js'
import type { AnyFunction } from './shape.js'
import { wrap } from './wrap.js'

/** Where a function stands in a property: its value, or one half of an accessor. */
export type Part = '' | 'get ' | 'set '

/** Which members of an object or a class are monitored, under which names, with which options. */
export interface Plan {
  readonly selection: Selection
  /** What stands before the dot, `null` = the name of the class. */
  readonly name: string | null
  /** Options of every call site. */
  readonly options: MonitorOptions
}

export function planOf(given: ClassOptions, selection: Selection): Plan {
  const { name, exclude: _, ...options } = given
  return { selection, name: name ?? null, options }
}

/** A property with each function in it replaced by what `each` makes of it. */
export function mapFunctions(
  descriptor: PropertyDescriptor,
  each: (fn: AnyFunction, part: Part) => AnyFunction,
): PropertyDescriptor {
  const mapped: PropertyDescriptor = { ...descriptor }
  if (typeof descriptor.value === 'function') mapped.value = each(descriptor.value as AnyFunction, '')
  if (descriptor.get !== undefined) mapped.get = each(descriptor.get as AnyFunction, 'get ') as () => unknown
  if (descriptor.set !== undefined) {
    mapped.set = each(descriptor.set as AnyFunction, 'set ') as (value: unknown) => void
  }
  return mapped
}

/** Wraps a function that stands on a holder, if it is not a wrapper already. */
export function wrapOnce(fn: AnyFunction, name: SiteName, options: MonitorOptions): AnyFunction {
  return isMonitored(fn) ? fn : wrap(fn, name, options)
}

/** The name is read at the first call: by then `static name` and decorators that rename a class have run. */
export function nameOn(holder: object, key: string | symbol, part: Part): SiteName {
  return () => ({ name: memberName(className(holder), key, part), isWhole: true })
}

/**
 * A class is a value, not a function to be called. Only a class has a prototype that cannot be replaced. A Proxy cannot
 * be asked without running its traps.
 */
export function isClass(value: unknown): value is Function {
  if (typeof value !== 'function' || types.isProxy(value)) return false
  return Object.getOwnPropertyDescriptor(value, 'prototype')?.writable === false
}

const ENGINE_OBJECTS = new Set<unknown>([globalThis, Atomics, Intl, JSON, Math, Reflect])
const NATIVE = /\{ \[native code\] \}$/
const sourceOf = Function.prototype.toString

/**
 * Whether a class, its prototype or an object of functions belongs to the engine. Monitoring one in place would change
 * it for everybody, the recorder included: its own maps and promises would be calls.
 */
export function isOfEngine(target: unknown): boolean {
  if (ENGINE_OBJECTS.has(target) || isNativeClass(target)) return true
  if (typeof target !== 'object' || target === null || types.isProxy(target)) return false
  return isNativeClass(Object.getOwnPropertyDescriptor(target, 'constructor')?.value)
}

function isNativeClass(value: unknown): boolean {
  return isClass(value) && NATIVE.test(sourceOf.call(value))
}
