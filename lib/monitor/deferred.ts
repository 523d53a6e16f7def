import { types } from 'node:util'
import { nowMs } from '../queue/clock.js'
import { FrameFlag } from '../queue/layout.js'
import { prototypeInfo } from '../serialize/kinds.js'
import type { CallSite } from './call-site.js'
import { type PendingCall, pendingCall } from './pending.js'
import type { Recording } from './recording.js'
import { settlePending, settlePendingThrow, settleUnstarted } from './settle.js'

const { apply } = Reflect
const { getOwnPropertyDescriptor, getOwnPropertyNames, getPrototypeOf, hasOwn } = Object
const { isPromise, isProxy } = types
const promisePrototype = Promise.prototype
const promiseThen = Promise.prototype.then

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

/** Longest prototype chain that is searched for a member. */
const MAX_CHAIN = 16

/** The functions that look on. */
const watching = new WeakSet<Method>()

/** Prototypes whose objects have no `then` by inheritance, as far as was seen. */
const withoutThen = new WeakSet<object>([Object.prototype, Array.prototype])

/** What is known of a call whose thenable nobody has started; without its arguments, which may lead back to the thenable. */
type Unstarted = Omit<PendingCall, 'args'> & { readonly returnedMs: number }

/** A thenable that is collected was never started: its call ended when it was returned. */
const unstarted = new FinalizationRegistry<Unstarted>(call => settleUnstarted(call, call.returnedMs))

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
  // A global object of another context may ask a Proxy for its members.
  if (prototypeInfo(result, prototype).kind === 'global') return null
  // `await` asks a native promise of this realm without its `then`, so there is nothing to look on at.
  if (isPromise(result) && prototype === promisePrototype) return null
  const then = findMethod(result, 'then')
  if (then === null) {
    if (prototype !== null && findMethod(prototype, 'then') === null) withoutThen.add(prototype)
    return null
  }
  // Returned once more before the app has started it: this call is over, the first one waits.
  if (watching.has(then.method) || !isReplaceable(result, then)) return null
  const watch = new Watch(result, pendingCall(recording, site, at, FrameFlag.async, args), isPromise(result))
  watch.put(then, watchedThen)
  // Some have a `catch` that does not go through `then`.
  const rescue = findMethod(result, 'catch')
  if (rescue !== null && isReplaceable(result, rescue)) watch.put(rescue, watchedCatch)
  site.continues = true
  return result
}

type Method = (this: unknown, ...args: unknown[]) => unknown

/** A method of an object, found without running code. */
interface FoundMethod {
  readonly key: 'then' | 'catch'
  readonly method: Method
  /** `undefined`: it is inherited. */
  readonly own: PropertyDescriptor | undefined
}

/** `null` when there is none, or it cannot be told without running code. */
function findMethod(target: object, key: FoundMethod['key']): FoundMethod | null {
  if (isProxy(target)) return null
  const own = getOwnPropertyDescriptor(target, key)
  let holder: object | null = target
  for (let depth = 0; holder !== null && depth < MAX_CHAIN && !isProxy(holder); depth++) {
    const descriptor = getOwnPropertyDescriptor(holder, key)
    if (descriptor !== undefined) {
      const method: unknown = descriptor.value
      return typeof method === 'function' ? { key, method: method as Method, own } : null
    }
    holder = getPrototypeOf(holder) as object | null
  }
  return null
}

function isReplaceable(target: object, { own }: FoundMethod): boolean {
  return own === undefined ? Object.isExtensible(target) : own.configurable === true
}

/** A thenable on its way from the function that returned it to the app that starts it. */
class Watch {
  readonly target: object
  readonly #pending: PendingCall
  /** A promise runs from the call on; anything else from its first `then` on. */
  readonly #isStarted: boolean
  readonly #returnedMs = nowMs()
  readonly #put: { readonly found: FoundMethod; readonly watched: Method }[] = []
  #isTaken = false
  #isSettled = false

  constructor(target: object, pending: PendingCall, isStarted: boolean) {
    this.target = target
    this.#pending = pending
    this.#isStarted = isStarted
    const { args: _, ...call } = pending
    unstarted.register(target, { ...call, returnedMs: this.#returnedMs }, this)
  }

  get isTaken(): boolean {
    return this.#isTaken
  }

  put(found: FoundMethod, watch: (watch: this, original: Method) => Method): void {
    const { key, method, own } = found
    const value = watch(this, method)
    watching.add(value)
    this.#put.push({ found, watched: value })
    const enumerable = own?.enumerable ?? false
    Reflect.defineProperty(this.target, key, { value, writable: true, enumerable, configurable: true })
  }

  /** The app starts the thenable. The object is as it was, unless the app has put something there itself by now. */
  take(startedMs: number): PendingCall {
    this.#isTaken = true
    unstarted.unregister(this)
    for (const { found, watched } of this.#put) {
      if (getOwnPropertyDescriptor(this.target, found.key)?.value !== watched) continue
      if (found.own === undefined) Reflect.deleteProperty(this.target, found.key)
      else Reflect.defineProperty(this.target, found.key, found.own)
    }
    const { startMs } = this.#pending
    if (this.#isStarted || startMs < 0) return this.#pending
    // The time between the return of the thenable and its start is not the call's.
    return { ...this.#pending, startMs: startMs + (startedMs - this.#returnedMs) }
  }

  fulfilled(pending: PendingCall, value: unknown): void {
    if (!this.#isSettled) settlePending(pending, value)
    this.#isSettled = true
  }

  rejected(pending: PendingCall, reason: unknown): void {
    if (!this.#isSettled) settlePendingThrow(pending, reason)
    this.#isSettled = true
  }
}

function watchedThen(watch: Watch, original: Method): Method {
  return function then(this: unknown, ...handlers: unknown[]): unknown {
    if (watch.isTaken || this !== watch.target) return apply(original, this, handlers)
    const pending = watch.take(nowMs())
    const [onFulfilled, onRejected, ...rest] = handlers
    return apply(original, this, [
      (value: unknown) => {
        watch.fulfilled(pending, value)
        return typeof onFulfilled === 'function' ? (apply(onFulfilled, undefined, [value]) as unknown) : value
      },
      (reason: unknown) => {
        watch.rejected(pending, reason)
        if (typeof onRejected === 'function') return apply(onRejected, undefined, [reason]) as unknown
        throw reason
      },
      ...rest,
    ])
  }
}

/** A fulfilment passes a `catch` by unseen: then the call is taken for one that ended when it returned. */
function watchedCatch(watch: Watch, original: Method): Method {
  return function rescue(this: unknown, ...handlers: unknown[]): unknown {
    const [onRejected, ...rest] = handlers
    if (watch.isTaken || this !== watch.target || typeof onRejected !== 'function') {
      return apply(original, this, handlers)
    }
    const startedMs = nowMs()
    return apply(original, this, [
      (reason: unknown) => {
        // Not if the `catch` went through `then` after all.
        if (!watch.isTaken) watch.rejected(watch.take(startedMs), reason)
        return apply(onRejected, undefined, [reason]) as unknown
      },
      ...rest,
    ])
  }
}
