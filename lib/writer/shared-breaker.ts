import { type BreakerOptions, BreakerStateCode, CircuitBreaker } from '../breaker/circuit-breaker.js'
import { monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlF64, ControlI32 } from '../queue/layout.js'

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
