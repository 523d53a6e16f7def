/** An attempt was refused because the circuit is open, or because its one probe is still out. */
export class BreakerOpenError extends Error {
  override readonly name = 'BreakerOpenError'
  readonly code = 'CALLSIGHT_BREAKER_OPEN'
  /** Milliseconds until the next attempt can be let through; 0 while a probe is out. */
  readonly retryInMs: number

  constructor(retryInMs: number) {
    super(`Circuit breaker OPEN - ${(retryInMs / 1000).toFixed(1)}s until retry`)
    this.retryInMs = retryInMs
  }
}
