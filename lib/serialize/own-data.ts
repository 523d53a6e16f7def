import { getOwnPropertyDescriptor, getPrototypeOf, hasOwn, isProxy } from './intrinsics.js'

const MAX_CHAIN = 64
const MAX_CLASS_NAME_UNITS = 64

/** The value of an own data property; `undefined` for an accessor. `target` is not a Proxy. */
export function ownData(target: object, key: PropertyKey): unknown {
  const descriptor = getOwnPropertyDescriptor(target, key)
  // `descriptor.value` of an accessor would be looked up on Object.prototype, which may be polluted.
  return descriptor !== undefined && hasOwn(descriptor, 'value') ? descriptor.value : undefined
}

/** What looking up `key` gives, when it is plain data and no Proxy stands in the way. */
export function chainData(target: object, key: PropertyKey): unknown {
  let at: object | null = target
  for (let i = 0; at !== null && i < MAX_CHAIN && !isProxy(at); i++) {
    const descriptor = getOwnPropertyDescriptor(at, key)
    if (descriptor !== undefined) return hasOwn(descriptor, 'value') ? descriptor.value : undefined
    at = getPrototypeOf(at) as object | null
  }
  return undefined
}

/** Own `name` of a function, when it is a string that is plain data. */
export function functionName(value: unknown): string {
  if (typeof value !== 'function' || isProxy(value)) return ''
  const name = ownData(value, 'name')
  return typeof name === 'string' && name.length <= MAX_CLASS_NAME_UNITS ? name : ''
}
