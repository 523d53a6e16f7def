import {
  type BreakerOptions,
  type BreakerState,
  BreakerStateCode,
  CircuitBreaker,
} from '../breaker/circuit-breaker.js'
import { type AnchoredClock, monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlF64, ControlI32 } from '../queue/layout.js'
import type { Incidents } from './incidents.js'

/** A breaker whose state stands in the control block, where it survives the writer thread and `health()` reads it. */
export function restoreBreaker(control: Control, options: BreakerOptions): CircuitBreaker {
  const { i32, f64 } = control
  const code = i32[ControlI32.BREAKER_STATE]
  const breaker = CircuitBreaker.restore(
    {
      state:
        code === BreakerStateCode.open || code === BreakerStateCode.halfOpen ? code : BreakerStateCode.closed,
      failures: i32[ControlI32.BREAKER_FAILURES],
      successes: i32[ControlI32.BREAKER_SUCCESSES],
      openedAtMs: f64[ControlF64.BREAKER_OPENED_AT],
    },
    { ...options, now: monotonicMs, onTransition: () => publishBreaker(control, breaker) },
  )
  return breaker
}

/** A breaker that is open lets its probe through now: what it waits for is known to be over. */
export function retryNow(
  control: Control,
  options: BreakerOptions & { resetTimeoutMs: number },
): CircuitBreaker {
  control.f64[ControlF64.BREAKER_OPENED_AT] = monotonicMs() - options.resetTimeoutMs
  return restoreBreaker(control, options)
}

export function publishBreaker(control: Control, breaker: CircuitBreaker): void {
  const { i32, f64 } = control
  const { state, failures, successes, openedAtMs } = breaker.snapshot()
  i32[ControlI32.BREAKER_FAILURES] = failures
  i32[ControlI32.BREAKER_SUCCESSES] = successes
  f64[ControlF64.BREAKER_OPENED_AT] = openedAtMs
  // Last, so that whoever sees the state sees the numbers that belong to it.
  Atomics.store(i32, ControlI32.BREAKER_STATE, state)
}

/**
 * Times in which the breaker was not closed. They are counted in the control block, and each is an incident for the
 * store, which can be written only when it is over.
 */
export class BreakerEpisodes {
  readonly #control: Control
  readonly #clock: AnchoredClock
  readonly #incidents: Incidents
  #isOpen: boolean

  /** To be made before the breaker is restored. */
  constructor(control: Control, clock: AnchoredClock, incidents: Incidents) {
    this.#control = control
    this.#clock = clock
    this.#incidents = incidents
    this.#isOpen = control.i32[ControlI32.BREAKER_STATE] !== BreakerStateCode.closed
    // The writer thread that saw it open is gone, and with it what it knew.
    if (this.#isOpen) incidents.begin('breaker_open', '', control.f64[ControlF64.BREAKER_OPENED_US])
  }

  /**
   * After each attempt.
   *
   * @param error what has failed
   */
  look({ kind }: BreakerState, error?: unknown): void {
    if (kind === 'closed') this.end()
    else if (!this.#isOpen) this.#begin(error)
  }

  end(): void {
    const nowUs = this.#clock.nowUs()
    // Also one that an earlier writer has left in the file.
    this.#incidents.end('breaker_open', nowUs)
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#control.f64[ControlF64.BREAKER_CLOSED_US] = nowUs
  }

  #begin(error: unknown): void {
    this.#isOpen = true
    const nowUs = this.#clock.nowUs()
    this.#control.f64[ControlF64.BREAKER_OPENINGS]++
    this.#control.f64[ControlF64.BREAKER_OPENED_US] = nowUs
    const reason = error instanceof Error ? error.message : String(error)
    this.#incidents.begin('breaker_open', reason, nowUs)
  }
}
