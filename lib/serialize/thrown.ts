import {
  DomExceptionPrototype,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  hasOwn,
  isNativeError,
  isProxy,
  ownKeys,
  readStack,
} from './intrinsics.js'
import { prototypeInfo } from './kinds.js'
import { ownData } from './own-data.js'

// What can be known of a thrown thing without running its code.
const MAX_CHAIN = 64
export const OWN_FIELDS_SHOWN_ELSEWHERE = ['name', 'message', 'stack', 'cause', 'errors'] as const

export function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

/** What is treated as an error: native ones of any realm, and what inherits from `Error`; never a Proxy. */
export function asError(thrown: unknown): object | null {
  if (typeof thrown !== 'object' || thrown === null || isProxy(thrown)) return null
  if (isNativeError(thrown)) return thrown
  return prototypeInfo(thrown, getPrototypeOf(thrown) as object | null).kind === 'error' ? thrown : null
}

/** Whether own data of an object can be read without running code of the application. */
export function isReadable(thrown: object | null): thrown is object {
  if (thrown === null || isProxy(thrown)) return false
  return prototypeInfo(thrown, getPrototypeOf(thrown) as object | null).kind !== 'global'
}

export function thrownType(thrown: unknown): string {
  if (typeof thrown !== 'object') return typeof thrown
  if (thrown === null) return 'null'
  if (isProxy(thrown)) return 'Proxy'
  return prototypeInfo(thrown, getPrototypeOf(thrown) as object | null).className || 'object'
}

/**
 * Own data, or the one intrinsic getter of the engine; anything else may be application code. `null`: not read,
 * because reading would run some.
 */
export function stackOf(error: object): string | null | undefined {
  try {
    // The engine formats a stack when it is first read, and asks `name` and `message` of the error for its first line.
    if (!isPlainText(error, 'name') || !isPlainText(error, 'message')) return null
    const descriptor = getOwnPropertyDescriptor(error, 'stack')
    if (descriptor === undefined) return undefined
    if (hasOwn(descriptor, 'value'))
      return typeof descriptor.value === 'string' ? descriptor.value : undefined
    const stack = readStack(error, descriptor.get)
    return stack === null || typeof stack === 'string' ? stack : undefined
  } catch {
    // `Error.prepareStackTrace` of the application threw.
    return undefined
  }
}

/** Whether looking up `key` gives a primitive without running code. */
function isPlainText(error: object, key: 'name' | 'message'): boolean {
  let at: object | null = error
  for (let i = 0; at !== null && i < MAX_CHAIN; i++) {
    if (isProxy(at)) return false
    if (at === DomExceptionPrototype) return true
    const descriptor = getOwnPropertyDescriptor(at, key)
    if (descriptor !== undefined) return hasOwn(descriptor, 'value') && !isObject(descriptor.value)
    at = getPrototypeOf(at) as object | null
  }
  return at === null
}

export function hasMore(error: object): boolean {
  if (ownData(error, 'cause') !== undefined || ownData(error, 'errors') !== undefined) return true
  if (ownData(error, 'suppressed') !== undefined) return true
  const keys = ownKeys(error)
  for (let i = 0; i < keys.length && i <= OWN_FIELDS_SHOWN_ELSEWHERE.length; i++) {
    if (!isShownElsewhere(keys[i] as string)) return true
  }
  return false
}

export function isShownElsewhere(key: string): boolean {
  for (let i = 0; i < OWN_FIELDS_SHOWN_ELSEWHERE.length; i++)
    if (OWN_FIELDS_SHOWN_ELSEWHERE[i] === key) return true
  return false
}
