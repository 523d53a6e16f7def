import { types } from 'node:util'
import { nowMs } from '../queue/clock.js'
import { FrameFlag } from '../queue/layout.js'
import { prototypeInfo } from '../serialize/kinds.js'
import type { CallSite } from './call-site.js'
import {
  clearPending,
  fillPending,
  newPending,
  type PendingCall,
  type PendingHandle,
  pendingCall,
  watchIfCrowded,
} from './pending.js'
import type { Recording } from './recording.js'
import { Carries, CELLS_PER_CALL, Cell, deriving, NOWHERE, running } from './running.js'
import { settlePending, settlePendingThrow, settleUnstarted } from './settle.js'

const { apply } = Reflect
const { getOwnPropertyDescriptor, getOwnPropertyNames, getPrototypeOf, hasOwn } = Object
const { isModuleNamespaceObject, isPromise, isProxy } = types
const objectPrototype = Object.prototype
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
  if (site.isAsyncFunction) {
    // Nobody but its caller has seen this promise yet.
    if (getPrototypeOf(result) !== promisePrototype) return null
  } else if (!isPlainPromise(result)) {
    return null
  }
  site.continues = true
  const waiting = takePendingPromise()
  const { pending } = waiting
  fillPending(pending, recording, site, at, FrameFlag.async, args)
  watchIfCrowded(pending, pending)
  if (running.cells[at * CELLS_PER_CALL + Cell.CARRIES] === Carries.found) deriving.at = at
  const derived = apply(promiseThen, result, [waiting.fulfilled, waiting.rejected]) as object
  deriving.at = NOWHERE
  return derived
}

function isPlainPromise(result: object): boolean {
  if (!isPromise(result) || getPrototypeOf(result) !== promisePrototype) return false
  return getOwnPropertyNames(result).length === 0
}

/**
 * A call that waits for a plain promise, with the handlers that end it. They are used again once the promise has
 * settled: a native promise calls one of the two, once, and shows them to nobody.
 */
class PendingPromise {
  readonly pending: PendingCall = newPending()
  next: PendingPromise | null = null

  readonly fulfilled = (value: unknown): unknown => {
    settlePending(this.pending, value)
    giveBack(this)
    return value
  }

  readonly rejected = (reason: unknown): never => {
    settlePendingThrow(this.pending, reason)
    giveBack(this)
    throw reason
  }
}

/** As many are kept as wait at a time in most programs; each takes a few hundred bytes. */
const MAX_FREE = 256
let firstFree: PendingPromise | null = null
let freeCount = 0

/** By stores alone, so that the end of the stack leaves either list or object behind. */
function takePendingPromise(): PendingPromise {
  const free = firstFree
  if (free === null) return new PendingPromise()
  firstFree = free.next
  freeCount--
  free.next = null
  return free
}

function giveBack(waiting: PendingPromise): void {
  if (freeCount === MAX_FREE || !clearPending(waiting.pending)) return
  waiting.next = firstFree
  firstFree = waiting
  freeCount++
}

/** Longest prototype chain that is searched for a member. */
const MAX_CHAIN = 16

/** The functions that look on, and for whom. */
const watching = new WeakMap<Method, Watch>()

/** Prototypes whose objects have no `then` by inheritance, as far as was seen. */
const withoutThen = new WeakSet<object>([objectPrototype, Array.prototype])

/** Whether a result is neither a promise nor a thenable, as most objects are; `false`: it takes a closer look. */
export function isPlain(result: object): boolean {
  if (isProxy(result)) return false
  const prototype = getPrototypeOf(result) as object | null
  if (prototype === objectPrototype) return !hasOwn(result, 'then')
  // `null` is that of the exports of a module, too: while it loads they cannot even be looked at.
  return prototype !== null && withoutThen.has(prototype) && !hasOwn(result, 'then')
}

/** What is known of calls whose thenable nobody has started; without their arguments, which may lead back to the thenable. */
type Unstarted = (PendingHandle & { readonly returnedMs: number })[]

/** A thenable that is collected was never started: its calls ended when it was returned. */
const unstarted = new FinalizationRegistry<Unstarted>(calls => {
  for (const call of calls) settleUnstarted(call, call.returnedMs)
})

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
  // Exports of a module that still loads cannot even be looked at.
  if (isProxy(result) || isModuleNamespaceObject(result)) return null
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
  const watched = watching.get(then.method)
  if (watched !== undefined) return watchOnce(watched, recording, site, at, args, result)
  if (!isReplaceable(result, then)) return null
  const watch = new Watch(result, isPromise(result))
  watch.put(then, watchedThen)
  watch.add(pendingCall(recording, site, at, FrameFlag.async, args))
  site.continues = true
  try {
    // Some have a `catch` that does not go through `then`.
    const rescue = findMethod(result, 'catch')
    if (rescue !== null && isReplaceable(result, rescue)) watch.put(rescue, watchedCatch)
  } catch {
    // The end of the stack. The call waits for its `then` by now.
  }
  return result
}

/**
 * The thenable is returned once more before the app has started it. The caller that got it from the watched call goes
 * on as well until it settles. Any other call, such as a step of a query builder, is over: the first one waits.
 */
function watchOnce(
  watch: Watch,
  recording: Recording,
  site: CallSite,
  at: number,
  args: ArrayLike<unknown>,
  result: object,
): object | null {
  const { target, outermost } = watch
  const call = running.cells[at * CELLS_PER_CALL + Cell.CALL]
  if (target !== result || outermost === undefined) return null
  if (outermost.cells[outermost.cell + Cell.PARENT] !== call) return null
  watch.add(pendingCall(recording, site, at, FrameFlag.async, args))
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
      // An accessor would find what someone has put on Object.prototype.
      const method: unknown = hasOwn(descriptor, 'value') ? descriptor.value : undefined
      return typeof method === 'function' ? { key, method: method as Method, own } : null
    }
    holder = getPrototypeOf(holder) as object | null
  }
  return null
}

function isReplaceable(target: object, { own }: FoundMethod): boolean {
  return own === undefined ? Object.isExtensible(target) : own.configurable === true
}

/** A call that waits for its thenable, and when it has returned it. */
interface WaitingCall {
  readonly pending: PendingCall
  readonly returnedMs: number
}

/** A thenable on its way from the functions that returned it to the app that starts it. */
class Watch {
  readonly target: object
  /** A promise runs from the call on; anything else from its first `then` on. */
  readonly #isStarted: boolean
  /** The innermost first. */
  readonly #calls: WaitingCall[] = []
  readonly #unstarted: Unstarted = []
  readonly #put: { readonly found: FoundMethod; readonly watched: Method }[] = []
  #startedMs = -1
  #isSettled = false

  constructor(target: object, isStarted: boolean) {
    this.target = target
    this.#isStarted = isStarted
    unstarted.register(target, this.#unstarted, this)
  }

  get isTaken(): boolean {
    return this.#startedMs >= 0
  }

  /** The last call that has returned the thenable as it got it from the one before. */
  get outermost(): PendingCall | undefined {
    return this.isTaken ? undefined : this.#calls[this.#calls.length - 1]?.pending
  }

  add(pending: PendingCall): void {
    const returnedMs = nowMs()
    const { recording, site, cells, cell, held } = pending
    this.#calls.push({ pending, returnedMs })
    this.#unstarted.push({ recording, site, cells, cell, held, returnedMs })
  }

  put(found: FoundMethod, watch: (watch: this, original: Method) => Method): void {
    const { key, method, own } = found
    const watched = watch(this, method)
    watching.set(watched, this)
    this.#put.push({ found, watched })
    const enumerable = own?.enumerable ?? false
    define(this.target, key, new Property(watched, enumerable))
  }

  /** The app starts the thenable. The object is as it was, unless the app has put something there itself by now. */
  take(startedMs: number): void {
    this.#startedMs = startedMs
    unstarted.unregister(this)
    for (const { pending } of this.#calls) watchIfCrowded(this, pending)
    if (!this.#isStarted) this.#skipWait(startedMs)
    // The last first: V8 takes that back, and for any other property changes how it keeps the object.
    for (let at = this.#put.length - 1; at >= 0; at--) {
      const { found, watched } = this.#put[at]
      const now = getOwnPropertyDescriptor(this.target, found.key)
      if (now === undefined || !hasOwn(now, 'value') || now.value !== watched) continue
      if (found.own === undefined) Reflect.deleteProperty(this.target, found.key)
      else restore(this.target, found.key, found.own)
    }
  }

  fulfilled(value: unknown): void {
    if (this.#isSettled) return
    this.#isSettled = true
    for (const call of this.#calls) settlePending(call.pending, value)
  }

  rejected(reason: unknown): void {
    if (this.#isSettled) return
    this.#isSettled = true
    for (const call of this.#calls) settlePendingThrow(call.pending, reason)
  }

  /** The time between the return of a thenable and its start is not the call's. */
  #skipWait(startedMs: number): void {
    for (const { pending, returnedMs } of this.#calls) {
      const start = pending.cell + Cell.START
      if (pending.cells[start] >= 0) pending.cells[start] += startedMs - returnedMs
    }
  }
}

/** A property of a thenable, for {@link define}: inherits nothing, because Object.prototype may have a `get` by now. */
class Property implements PropertyDescriptor {
  value: unknown
  writable = true
  enumerable: boolean
  configurable = true

  constructor(value: unknown, enumerable: boolean) {
    this.value = value
    this.enumerable = enumerable
  }
}
Object.setPrototypeOf(Property.prototype, null)

function define(target: object, key: PropertyKey, property: Property): void {
  Reflect.defineProperty(target, key, property)
}

function restore(target: object, key: PropertyKey, descriptor: PropertyDescriptor): void {
  Reflect.defineProperty(target, key, Object.assign(Object.create(null), descriptor) as PropertyDescriptor)
}

/** Some thenables call their handlers with a `this`, or with more than one value: the app's get all of it. */
function watchedThen(watch: Watch, original: Method): Method {
  return function then(this: unknown, ...handlers: unknown[]): unknown {
    if (watch.isTaken || this !== watch.target) return apply(original, this, handlers)
    watch.take(nowMs())
    const onFulfilled = handlers[0]
    const onRejected = handlers[1]
    handlers[0] = function (this: unknown, ...values: unknown[]): unknown {
      watch.fulfilled(values[0])
      return typeof onFulfilled === 'function' ? (apply(onFulfilled, this, values) as unknown) : values[0]
    }
    handlers[1] = function (this: unknown, ...reasons: unknown[]): unknown {
      watch.rejected(reasons[0])
      if (typeof onRejected === 'function') return apply(onRejected, this, reasons) as unknown
      throw reasons[0]
    }
    return applyWatched(watch, original, this, handlers)
  }
}

/** A fulfilment passes a `catch` by unseen: then the call is taken for one that ended when it returned. */
function watchedCatch(watch: Watch, original: Method): Method {
  return function rescue(this: unknown, ...handlers: unknown[]): unknown {
    const onRejected = handlers[0]
    if (watch.isTaken || this !== watch.target || typeof onRejected !== 'function') {
      return apply(original, this, handlers)
    }
    const startedMs = nowMs()
    handlers[0] = function (this: unknown, ...reasons: unknown[]): unknown {
      // Not if the `catch` went through `then` after all.
      if (!watch.isTaken) {
        watch.take(startedMs)
        watch.rejected(reasons[0])
      }
      return apply(onRejected, this, reasons) as unknown
    }
    return apply(original, this, handlers)
  }
}

/** A `then` that throws at once has failed: what awaits it is rejected. */
function applyWatched(watch: Watch, original: Method, self: unknown, handlers: unknown[]): unknown {
  try {
    return apply(original, self, handlers) as unknown
  } catch (thrown) {
    watch.rejected(thrown)
    throw thrown
  }
}
