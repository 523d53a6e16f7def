import type { ClassOptions } from '../config/options.js'
import { isClass, mapFunctions, nameOn, type Part, type Plan, planOf, wrapOnce } from './members.js'
import { isDecorated, isMonitored, tellHome } from './monitored.js'
import { memberName } from './naming.js'
import { Selection } from './selection.js'

/** What every class has, and what tools read of each without calling it. */
const OF_EVERY_CLASS = new Set<string | symbol>(['prototype', 'name', 'length', 'arguments', 'caller'])

/** Applies `@monitor({ … })` to a whole class. */
export function decorateClass(target: Function, options: ClassOptions, metadata?: unknown): void {
  monitorClass(target, planOf(options, new Selection(null, options.exclude)), '', metadata)
}

/**
 * Monitors own methods, getters and setters of a class, static ones included, in place: the class itself stays the
 * same object. Inherited members belong to the class that declares them, private ones are out of reach, and what a
 * static field holds is a value. Members that are monitored already keep their own options.
 *
 * @param path what stands before the method in patterns
 * @returns how many members were taken
 */
export function monitorClass(target: Function, plan: Plan, path = '', metadata?: unknown): number {
  const prototype = Object.getOwnPropertyDescriptor(target, 'prototype')?.value as object | undefined
  let taken = 0
  for (const holder of [target, prototype]) {
    if (holder === undefined || holder === null) continue
    for (const key of Reflect.ownKeys(holder)) {
      const isStatic = holder === target
      if (isStatic ? OF_EVERY_CLASS.has(key) : key === 'constructor') continue
      const descriptor = Object.getOwnPropertyDescriptor(holder, key)
      if (descriptor === undefined || !hasFunction(descriptor, isStatic)) continue
      adopt(descriptor, holder)
      if (!plan.selection.takes(key, path)) continue
      if (isDecorated(holder, key, isStatic) || isDecorated(metadata, key, isStatic)) continue
      const nameOf = (part: Part) =>
        plan.name === null ? nameOn(holder, key, part) : memberName(plan.name, key, part)
      const monitored = mapFunctions(descriptor, (fn, part) => wrapOnce(fn, nameOf(part), plan.options))
      if (Reflect.defineProperty(holder, key, monitored)) taken++
    }
  }
  return taken
}

/** Methods and accessors. Fields are enumerable, methods are not. */
function hasFunction(descriptor: PropertyDescriptor, isStatic: boolean): boolean {
  if (typeof descriptor.value !== 'function')
    return descriptor.get !== undefined || descriptor.set !== undefined
  return !isClass(descriptor.value) && !(isStatic && descriptor.enumerable === true)
}

/** Wrappers of decorators on the members were made before their class existed. */
function adopt({ value, get, set }: PropertyDescriptor, holder: object): void {
  for (const fn of [value, get, set] as unknown[]) {
    if (typeof fn === 'function' && isMonitored(fn)) tellHome(fn, holder)
  }
}
