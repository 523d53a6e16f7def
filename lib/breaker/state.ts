/**
 * CLOSED lets everything through and counts consecutive failures. OPEN refuses everything. HALF_OPEN lets one
 * attempt at a time through, the probe, and its outcome decides.
 *
 * ```
 *            failureThreshold failures in a row
 *   CLOSED ────────────────────────────────────▶ OPEN ◀──────────────────────────────┐
 *      ▲                                           │ first attempt after             │ the probe fails, or
 *      │ successThreshold successes                ▼ resetTimeoutMs                  │ takes too long
 *      └─────────────────────────────────────── HALF_OPEN ───────────────────────────┘
 * ```
 */
export type BreakerState =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly openedAtMs: number }
  | { readonly kind: 'halfOpen'; readonly successes: number; readonly probingSinceMs: number | null }

/** The kinds of {@link BreakerState} as numbers, for shared memory. */
export const BreakerStateCode = { closed: 0, open: 1, halfOpen: 2 } as const
export type BreakerStateCode = (typeof BreakerStateCode)[BreakerState['kind']]

export interface BreakerOptions {
  /** Consecutive failures that open the circuit, a whole number from 1. Default 3. */
  readonly failureThreshold?: number
  /** Milliseconds the circuit stays open before one attempt is let through. Default 30,000. */
  readonly resetTimeoutMs?: number
  /** Successful probes in a row that close the circuit, a whole number from 1. Default 1. */
  readonly successThreshold?: number
  /** Milliseconds after which a probe that has not come back counts as failed. Default: `resetTimeoutMs`. */
  readonly probeTimeoutMs?: number
  /** Monotonic clock in milliseconds. Default `performance.now`. */
  readonly now?: () => number
  /** Called after every change of {@link BreakerState}'s kind. What it throws is ignored. */
  readonly onTransition?: (state: BreakerState) => void
}

/** Permission for one attempt. The first of the two calls counts, later ones do nothing. */
export interface Attempt {
  succeed(): void
  fail(): void
}

/** A breaker as plain numbers, one word of shared memory each. */
export interface BreakerSnapshot {
  readonly state: BreakerStateCode
  /** Consecutive failures while closed, else 0. */
  readonly failures: number
  /** Successful probes while half-open, else 0. */
  readonly successes: number
  /** Time of the clock at which the circuit opened, 0 unless open. */
  readonly openedAtMs: number
}
