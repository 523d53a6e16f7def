import { nowMs } from '../queue/clock.js'
import { type PendingCall, type PendingHandle, watchIfCrowded } from './pending.js'
import { Cell } from './running.js'
import { settlePending, settlePendingThrow, settleUnstarted } from './settle.js'

const { apply } = Reflect
const { getOwnPropertyDescriptor, hasOwn } = Object

export type Method = (this: unknown, ...args: unknown[]) => unknown

/** A method of an object, found without running code. */
export interface FoundMethod {
  readonly key: 'then' | 'catch'
  readonly method: Method
  /** `undefined`: it is inherited. */
  readonly own: PropertyDescriptor | undefined
}

/** The functions that look on, and for whom. */
export const watching = new WeakMap<Method, Watch>()

/** What is known of calls whose thenable nobody has started; without their arguments, which may lead back to the thenable. */
type Unstarted = (PendingHandle & { readonly returnedMs: number })[]

/** A thenable that is collected was never started: its calls ended when it was returned. */
const unstarted = new FinalizationRegistry<Unstarted>(calls => {
  for (const call of calls) settleUnstarted(call, call.returnedMs)
})

/** A call that waits for its thenable, and when it has returned it. */
interface WaitingCall {
  readonly pending: PendingCall
  readonly returnedMs: number
}

/** A thenable on its way from the functions that returned it to the app that starts it. */
export class Watch {
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
export function watchedThen(watch: Watch, original: Method): Method {
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
export function watchedCatch(watch: Watch, original: Method): Method {
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
