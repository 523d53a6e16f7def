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

// On a buffer of its own a small array has a fixed address, which the compiler can build in.
const hrtimeNs = new BigInt64Array(new ArrayBuffer(8))
const hrtimeWords = new Uint32Array(hrtimeNs.buffer)
const LOW = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1
const HIGH = 1 - LOW
hrtimeNs[0] = hrtime()
const ZERO_LOW = hrtimeWords[LOW]
const ZERO_HIGH = hrtimeWords[HIGH]

/**
 * The monotonic clock of this thread in milliseconds, from when this module was loaded, into a word of memory: a number
 * that a function returns becomes an object where that is not inlined. The same clock as `performance.now()`, which on
 * Node 20 makes an object of each reading and takes a third longer. From a BigInt, too, only the way through memory
 * leads to a number without making one.
 */
export function readClock(into: Float64Array, at: number): void {
  hrtimeNs[0] = hrtime()
  into[at] = ((hrtimeWords[HIGH] - ZERO_HIGH) * 2 ** 32 + (hrtimeWords[LOW] - ZERO_LOW)) * 1e-6
}

const reading = new Float64Array(1)

/** {@link readClock} where it matters less. */
export function nowMs(): number {
  readClock(reading, 0)
  return reading[0]
}

/** Unix time, in microseconds, of the zero of this thread's {@link nowMs}. */
export function threadOriginUs(anchor: ClockAnchor): number {
  return anchor.unixUs + (monotonicMs() - anchor.monotonicMs) * 1000 - nowMs() * 1000
}
