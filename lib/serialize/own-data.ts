import {
  getOwnPropertyDescriptor,
  getOwnPropertySymbols,
  getPrototypeOf,
  hasOwn,
  isProxy,
  symbolDescription,
} from './intrinsics.js'

const MAX_CHAIN = 64
const MAX_CLASS_NAME_UNITS = 64

/** The value of an own data property; `undefined` for an accessor. `target` is not a Proxy. */
export function ownData(target: object, key: PropertyKey): unknown {
  const descriptor = getOwnPropertyDescriptor(target, key)
  // `descriptor.value` of an accessor would be looked up on Object.prototype, which may be polluted.
  return descriptor !== undefined && hasOwn(descriptor, 'value') ? descriptor.value : undefined
}

/** The value of the own data property whose key is a symbol with this description. `target` is not a Proxy. */
export function ownSymbolData(target: object, description: string | undefined): unknown {
  if (description === undefined) return undefined
  const symbols = getOwnPropertySymbols(target)
  for (let i = 0; i < symbols.length; i++) {
    const symbol = symbols[i] as symbol
    if (symbolDescription(symbol) === description) return ownData(target, symbol)
  }
  return undefined
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
