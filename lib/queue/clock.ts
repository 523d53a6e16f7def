// Taken before the app can put a fake one in its place, as tests do.
const hrtime = process.hrtime.bigint.bind(process.hrtime)

/**
 * The process-wide monotonic clock in milliseconds. `performance.now()` starts at another zero in every thread;
 * `hrtime` does not, so figures that two threads compare are taken from here.
 */
export function monotonicMs(): number {
  return Number(hrtime()) / 1e6
}

/** A wall clock that only moves with the monotonic one: a jump of the system time neither ages nor rejuvenates a record. */
export interface AnchoredClock {
  /** Unix time in microseconds. */
  nowUs(): number
}

export interface ClockAnchor {
  readonly unixUs: number
  readonly monotonicMs: number
}

export function takeAnchor(): ClockAnchor {
  return { unixUs: Date.now() * 1000, monotonicMs: monotonicMs() }
}

export function anchoredClock(anchor: ClockAnchor): AnchoredClock {
  return { nowUs: () => Math.round(anchor.unixUs + (monotonicMs() - anchor.monotonicMs) * 1000) }
}

/**
 * The monotonic clock of this thread in milliseconds. Taken before the app can put a fake one in its place (tests do)
 * or monitor it.
 */
export const nowMs: () => number = performance.now.bind(performance)

/** Unix time, in microseconds, of the zero of this thread's `performance.now()`. */
export function threadOriginUs(anchor: ClockAnchor): number {
  return anchor.unixUs + (monotonicMs() - anchor.monotonicMs) * 1000 - nowMs() * 1000
}
