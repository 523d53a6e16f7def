import { types } from 'node:util'
import { FrameFlag } from '../queue/layout.js'
import type { CallSite } from './call-site.js'
import type { Recording } from './recording.js'
import { nowMs, type PendingCall, pendingCall, settlePending, settlePendingThrow } from './settle.js'

const { apply } = Reflect
const { defineProperty, getOwnPropertyDescriptor, getOwnPropertyNames, getPrototypeOf, hasOwn } = Object
const { isPromise, isProxy } = types
const promisePrototype = Promise.prototype
const promiseThen = Promise.prototype.then

type Then = (this: unknown, onFulfilled?: unknown, onRejected?: unknown, ...rest: unknown[]) => unknown

/**
 * The promise the app gets in place of a plain one: derived once, with both handlers in one call, so that a
 * rejection the app does not handle is still reported as unhandled, and one it handles stays silent. `null` for what
 * is no plain promise: native, of this realm, no subclass, nothing added, so that the app cannot tell the two apart.
 */
export function defer(
  recording: Recording,
  site: CallSite,
  at: number,
  args: ArrayLike<unknown>,
  result: object,
): object | null {
  if (!isPromise(result) || getPrototypeOf(result) !== promisePrototype) return null
  if (getOwnPropertyNames(result).length !== 0) return null
  site.continues = true
  const pending = pendingCall(recording, site, at, FrameFlag.async, args)
  return apply(promiseThen, result, [
    (value: unknown) => {
      settlePending(pending, value)
      return value
    },
    (reason: unknown) => {
      settlePendingThrow(pending, reason)
      throw reason
    },
  ]) as object
}

/** Longest prototype chain that is searched for a `then`. */
const MAX_CHAIN = 16

/** The functions that look on. */
const watching = new WeakSet<Then>()

/** Prototypes whose objects have no `then` by inheritance, as far as was seen. */
const withoutThen = new WeakSet<object>([Object.prototype, Array.prototype])

/**
 * A thenable that is no plain promise is returned as it is, and never started by us: the `then` of a lazy query runs
 * the query. Instead its own `then` is replaced, invisibly for enumeration, by one that looks on when the app itself
 * calls it: from then on the call runs, until the thenable settles. A later `then` is none of our business. `null`
 * for what is no thenable, or cannot be watched.
 */
export function watchThenable(
  recording: Recording,
  site: CallSite,
  at: number,
  args: ArrayLike<unknown>,
  result: object,
): object | null {
  if (isProxy(result)) return null
  const prototype = getPrototypeOf(result) as object | null
  if (prototype !== null && withoutThen.has(prototype) && !hasOwn(result, 'then')) return null
  const holder = holderOfThen(result, prototype)
  if (holder === null) return null
  // `await` asks a native promise of this realm without its `then`, so there is nothing to look on at.
  if (isPromise(result) && prototype === promisePrototype) return null
  const own = getOwnPropertyDescriptor(result, 'then')
  if (own === undefined ? !Object.isExtensible(result) : own.configurable !== true) return null
  const original = (own ?? getOwnPropertyDescriptor(holder, 'then'))?.value as Then
  // Returned once more before the app has started it: this call is over, the first one waits.
  if (watching.has(original)) return null
  const started = isPromise(result)
  const watch: Watch = {
    pending: pendingCall(recording, site, at, FrameFlag.async, args),
    isStarted: started,
    builtMs: started ? 0 : nowMs(),
    isTaken: false,
  }
  const value = watchedThen(result, original, own, watch)
  watching.add(value)
  defineProperty(result, 'then', {
    value,
    writable: true,
    enumerable: own?.enumerable ?? false,
    configurable: true,
  })
  site.continues = true
  return result
}

interface Watch {
  readonly pending: PendingCall
  /** A promise runs from the call on; anything else from its first `then` on. */
  readonly isStarted: boolean
  /** When the function returned the thenable. */
  readonly builtMs: number
  isTaken: boolean
}

function watchedThen(
  target: object,
  original: Then,
  own: PropertyDescriptor | undefined,
  watch: Watch,
): Then {
  function then(this: unknown, onFulfilled?: unknown, onRejected?: unknown, ...rest: unknown[]): unknown {
    if (watch.isTaken || this !== target) return apply(original, this, [onFulfilled, onRejected, ...rest])
    watch.isTaken = true
    // The object is as it was, unless the app has put something there itself by now.
    if (getOwnPropertyDescriptor(target, 'then')?.value === then) {
      if (own === undefined) Reflect.deleteProperty(target, 'then')
      else Reflect.defineProperty(target, 'then', own)
    }
    const pending = watch.isStarted ? watch.pending : startedNow(watch)
    let isSettled = false
    return apply(original, this, [
      (value: unknown) => {
        if (!isSettled) settlePending(pending, value)
        isSettled = true
        return typeof onFulfilled === 'function' ? (apply(onFulfilled, undefined, [value]) as unknown) : value
      },
      (reason: unknown) => {
        if (!isSettled) settlePendingThrow(pending, reason)
        isSettled = true
        if (typeof onRejected === 'function') return apply(onRejected, undefined, [reason]) as unknown
        throw reason
      },
      ...rest,
    ])
  }
  return then
}

/** The time between the return of the thenable and its start is not the call's. */
function startedNow({ pending, builtMs }: Watch): PendingCall {
  if (pending.startMs < 0) return pending
  return { ...pending, startMs: pending.startMs + (nowMs() - builtMs) }
}

/** Where the `then` of an object stands, when it can be found without running code and is a function. */
function holderOfThen(result: object, prototype: object | null): object | null {
  const own = getOwnPropertyDescriptor(result, 'then')
  if (own !== undefined) return typeof own.value === 'function' ? result : null
  let holder = prototype
  for (let depth = 0; holder !== null && depth < MAX_CHAIN; depth++) {
    if (isProxy(holder)) return null
    const descriptor = getOwnPropertyDescriptor(holder, 'then')
    if (descriptor !== undefined) return typeof descriptor.value === 'function' ? holder : null
    holder = getPrototypeOf(holder) as object | null
  }
  if (prototype !== null) withoutThen.add(prototype)
  return null
}
