import type { MonitorOptions } from '../config/options.js'
import { decorateLegacy } from './legacy.js'

/** Own members of every class that are no methods. */
const NOT_METHODS = new Set<string | symbol>(['constructor', 'prototype', 'name', 'length'])

/**
 * Monitors every own method, getter and setter of a class, static ones included, in place: the class itself stays
 * the same object. Members that are inherited belong to the class that declares them, private ones are out of reach.
 */
export function monitorClass(target: Function, options: MonitorOptions): void {
  const { name: _, ...shared } = options
  for (const holder of [target, target.prototype as object | undefined]) {
    if (holder === undefined) continue
    for (const key of Reflect.ownKeys(holder)) {
      if (NOT_METHODS.has(key)) continue
      const descriptor = Object.getOwnPropertyDescriptor(holder, key)
      if (descriptor === undefined || !descriptor.configurable || isClass(descriptor.value)) continue
      Object.defineProperty(holder, key, decorateLegacy(holder, key, descriptor, shared))
    }
  }
}

/** A class stored as a static member is a value, not a method. Only a class has a prototype that cannot be replaced. */
export function isClass(value: unknown): boolean {
  return (
    typeof value === 'function' && Object.getOwnPropertyDescriptor(value, 'prototype')?.writable === false
  )
}
