import { isAsyncFunction, isPromise } from 'node:util/types'
import { DEFAULTS } from '../config/defaults.js'
import { BreakerOpenError } from './errors.js'
import {
  type Attempt,
  type BreakerOptions,
  type BreakerSnapshot,
  type BreakerState,
  BreakerStateCode,
} from './state.js'

export { BreakerOpenError } from './errors.js'
export {
  type Attempt,
  type BreakerOptions,
  type BreakerSnapshot,
  type BreakerState,
  BreakerStateCode,
} from './state.js'

const REFUSED = -1

/**
 * Stops calling something that keeps failing, and finds out on its own when it works again.
 *
 * Time is compared when an attempt is made, never watched by a timer, so an idle breaker costs nothing and
 * keeps no process alive. Every attempt carries the epoch it started in: when the state has moved since, its
 * result is ignored.
 */
export class CircuitBreaker {
  readonly #failureThreshold: number
  readonly #resetTimeoutMs: number
  readonly #successThreshold: number
  readonly #probeTimeoutMs: number
  readonly #now: () => number
  readonly #onTransition: ((state: BreakerState) => void) | undefined
  #state: BreakerState = { kind: 'closed', failures: 0 }
  /** Raised with every change of state and every probe. */
  #epoch = 0

  /** @throws RangeError when a threshold or a time is out of range. */
  constructor(options: BreakerOptions = {}) {
    const { failureThreshold, resetTimeoutMs, successThreshold } = DEFAULTS.breaker
    this.#failureThreshold = count('failureThreshold', options.failureThreshold ?? failureThreshold)
    this.#resetTimeoutMs = duration('resetTimeoutMs', options.resetTimeoutMs ?? resetTimeoutMs)
    this.#successThreshold = count('successThreshold', options.successThreshold ?? successThreshold)
    this.#probeTimeoutMs = duration('probeTimeoutMs', options.probeTimeoutMs ?? this.#resetTimeoutMs)
    this.#now = options.now ?? (() => performance.now())
    this.#onTransition = options.onTransition
  }

  /**
   * A breaker that goes on where another one stopped, on the same clock. Half-open is restored as open from
   * now on: its probe died with its owner, and that counts as a failure.
   *
   * @throws RangeError as the constructor does.
   */
  static restore(snapshot: BreakerSnapshot, options: BreakerOptions = {}): CircuitBreaker {
    const breaker = new CircuitBreaker(options)
    const nowMs = breaker.#now()
    switch (snapshot.state) {
      case BreakerStateCode.closed:
        breaker.#state = { kind: 'closed', failures: Math.max(0, Math.trunc(snapshot.failures) || 0) }
        break
      case BreakerStateCode.open:
        breaker.#state = {
          kind: 'open',
          openedAtMs: Number.isFinite(snapshot.openedAtMs) ? Math.min(snapshot.openedAtMs, nowMs) : nowMs,
        }
        break
      case BreakerStateCode.halfOpen:
        breaker.#state = { kind: 'open', openedAtMs: nowMs }
        break
    }
    return breaker
  }

  /** The state as of the last attempt or result. Reading it changes nothing. */
  get state(): BreakerState {
    return this.#state
  }

  /** Milliseconds until an attempt can be let through; 0 unless open. */
  get retryInMs(): number {
    return this.#state.kind === 'open' ? this.#remainingMs(this.#state.openedAtMs) : 0
  }

  /** Permission for one attempt, or null when the circuit refuses it. */
  tryAcquire(): Attempt | null {
    const epoch = this.#begin()
    if (epoch === REFUSED) return null
    let settled = false
    const settle = (succeeded: boolean) => {
      if (settled) return
      settled = true
      this.#settle(epoch, succeeded)
    }
    return { succeed: () => settle(true), fail: () => settle(false) }
  }

  /**
   * Runs `work` if the circuit allows it. What it throws counts as a failure and is passed on unchanged. A
   * promise is guarded until it settles, and the caller gets the promise derived from it. Another thenable is
   * asked exactly once; the caller gets a native promise of its outcome.
   *
   * @throws {@link BreakerOpenError} when refused; an `async` function is refused by a rejected promise.
   */
  run<T>(work: () => T): T {
    const epoch = this.#begin()
    if (epoch === REFUSED) {
      const refusal = new BreakerOpenError(this.retryInMs)
      if (isAsyncFunction(work)) return Promise.reject(refusal) as T
      throw refusal
    }
    let result: T
    let promise: PromiseLike<unknown> | null
    try {
      result = work()
      promise = asPromise(result)
    } catch (error) {
      this.#settle(epoch, false)
      throw error
    }
    if (promise === null) {
      this.#settle(epoch, true)
      return result
    }
    return promise.then(
      value => {
        this.#settle(epoch, true)
        return value
      },
      (error: unknown) => {
        this.#settle(epoch, false)
        throw error
      },
    ) as T
  }

  /** Where the breaker stands, for {@link CircuitBreaker.restore}. */
  snapshot(): BreakerSnapshot {
    const state = this.#state
    return {
      state: BreakerStateCode[state.kind],
      failures: state.kind === 'closed' ? state.failures : 0,
      successes: state.kind === 'halfOpen' ? state.successes : 0,
      openedAtMs: state.kind === 'open' ? state.openedAtMs : 0,
    }
  }

  /** The epoch of the attempt, or REFUSED. */
  #begin(): number {
    if (this.#state.kind === 'closed') return this.#epoch
    const nowMs = this.#now()
    if (this.#state.kind === 'halfOpen') {
      const { successes, probingSinceMs } = this.#state
      if (probingSinceMs === null) return this.#probe(successes, nowMs)
      // A probe that never comes back must not keep the circuit shut for ever: it failed when its time was up.
      if (nowMs - probingSinceMs < this.#probeTimeoutMs) return REFUSED
      this.#move({ kind: 'open', openedAtMs: probingSinceMs + this.#probeTimeoutMs })
    }
    if (this.#state.kind !== 'open') return REFUSED
    // A clock that went back would keep the circuit open for longer than the timeout: count from here instead.
    if (nowMs < this.#state.openedAtMs) this.#state = { kind: 'open', openedAtMs: nowMs }
    return this.#remainingMs(this.#state.openedAtMs, nowMs) > 0 ? REFUSED : this.#probe(0, nowMs)
  }

  #probe(successes: number, nowMs: number): number {
    const state: BreakerState = { kind: 'halfOpen', successes, probingSinceMs: nowMs }
    // Fixed before the listener runs: what it does to the breaker must not lend this attempt a newer epoch.
    const epoch = this.#epoch + 1
    if (this.#state.kind === 'halfOpen') {
      this.#epoch = epoch
      this.#state = state
    } else {
      this.#move(state)
    }
    return epoch
  }

  #settle(epoch: number, succeeded: boolean): void {
    if (epoch !== this.#epoch) return
    const state = this.#state
    switch (state.kind) {
      case 'closed':
        if (succeeded) {
          if (state.failures > 0) this.#state = { kind: 'closed', failures: 0 }
        } else if (state.failures + 1 >= this.#failureThreshold) {
          this.#move({ kind: 'open', openedAtMs: this.#now() })
        } else {
          this.#state = { kind: 'closed', failures: state.failures + 1 }
        }
        return
      case 'halfOpen':
        if (!succeeded) this.#move({ kind: 'open', openedAtMs: this.#now() })
        else if (state.successes + 1 >= this.#successThreshold) this.#move({ kind: 'closed', failures: 0 })
        else this.#state = { kind: 'halfOpen', successes: state.successes + 1, probingSinceMs: null }
        return
      case 'open':
        return
    }
  }

  #move(state: BreakerState): void {
    this.#epoch++
    this.#state = state
    try {
      this.#onTransition?.(state)
    } catch {
      // The outcome of the guarded work belongs to the caller; a listener cannot replace it.
    }
  }

  #remainingMs(openedAtMs: number, nowMs: number = this.#now()): number {
    const remainingMs = this.#resetTimeoutMs - (nowMs - openedAtMs)
    return Math.min(this.#resetTimeoutMs, Math.max(0, remainingMs))
  }
}

function asPromise(result: unknown): PromiseLike<unknown> | null {
  if (isPromise(result)) return result
  if ((typeof result !== 'object' && typeof result !== 'function') || result === null) return null
  // `then` is read once, as `await` does: reading or calling it twice starts a lazy query builder twice.
  const then: unknown = Reflect.get(result, 'then')
  if (typeof then !== 'function') return null
  return new Promise((resolve, reject) => Reflect.apply(then, result, [resolve, reject]))
}

function count(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new RangeError(`Circuit breaker: ${option} must be a whole number from 1, but is ${String(value)}`)
}

function duration(option: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value
  throw new RangeError(
    `Circuit breaker: ${option} must be a finite number of milliseconds from 0, but is ${String(value)}`,
  )
}
