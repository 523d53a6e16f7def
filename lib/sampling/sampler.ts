/**
 * Decides which ordinary calls of one call site are recorded.
 *
 * Instead of a random number per call, the number of calls to leave out before the next record is drawn from the
 * geometric distribution, which is the distribution of the gaps between independent decisions at `rate`.
 */
export class Sampler {
  /**
   * Calls left out before the next decision. A wrapper may inline the fast path of {@link Sampler.next}:
   * `if (--sampler.skip >= 0 || !sampler.refill()) { … not recorded … }`.
   */
  skip = 0
  /**
   * Weight of a record decided on now: 1 / rate. A record whose call outlives a {@link Sampler.retune} should
   * carry the value read when `next()` said yes. While the rate is 0 it stays what it was.
   */
  weight = 1
  /** Weights of the records the cap refused since the last kept one. */
  pendingWeight = 0
  #rate = 1
  #maxPerSecond = Number.POSITIVE_INFINITY
  /** ln(1 - rate), by which a uniform random number becomes a gap. */
  #logMiss = Number.NEGATIVE_INFINITY
  /** The drawn gap is longer than `skip` can say; draw again when it is used up. */
  #gapGoesOn = false
  #windowStartMs = Number.NEGATIVE_INFINITY
  #admittedInWindow = 0
  readonly #random: () => number

  /**
   * @param rate share of calls to record, 0 to 1
   * @param maxPerSecond upper limit of admitted records per second; `Infinity` = no limit
   * @param random uniform in [0, 1)
   * @throws RangeError when a number is out of range
   */
  constructor(rate: number, maxPerSecond: number, random: () => number = Math.random) {
    this.#random = random
    this.#set(rate, maxPerSecond)
    this.#drawGap()
  }

  /** True when the next ordinary call is to be recorded. One decrement and compare. */
  next(): boolean {
    return --this.skip < 0 && this.refill()
  }

  /** The slow half of {@link Sampler.next}, for when `skip` has gone below zero. */
  refill(): boolean {
    if (this.#gapGoesOn) {
      // The distribution has no memory, so the rest of a long gap is a gap of its own, from this call on.
      this.#drawGap()
      return --this.skip < 0 && this.refill()
    }
    this.#drawGap()
    return true
  }

  /**
   * Asked for a record about to be kept, with the monotonic clock; false = over the cap, to be counted as
   * `throttled`. Its weight then goes to the next record kept. Seconds are counted from the first record.
   */
  admit(nowMs: number, weight: number = this.weight): boolean {
    return this.#maxPerSecond === UNLIMITED || this.#admitCapped(nowMs, weight)
  }

  /** Whether {@link Sampler.admit} admits everything. */
  get isUncapped(): boolean {
    return this.#maxPerSecond === UNLIMITED
  }

  #admitCapped(nowMs: number, weight: number): boolean {
    const elapsedMs = nowMs - this.#windowStartMs
    // Also true for the first record, and for a clock that went back: no state may refuse for ever.
    if (!(elapsedMs >= 0 && elapsedMs < WINDOW_MS)) {
      const onGrid = elapsedMs >= 0 && elapsedMs < Number.POSITIVE_INFINITY
      this.#windowStartMs = onGrid ? nowMs - (elapsedMs % WINDOW_MS) : nowMs
      this.#admittedInWindow = 0
    }
    if (this.#admittedInWindow < this.#maxPerSecond) {
      this.#admittedInWindow++
      return true
    }
    this.pendingWeight += weight
    return false
  }

  /**
   * Weight of the record that is being kept: 1 / rate, plus the weights of the records the cap refused since the
   * last kept one, so that sums of weights estimate the number of calls. Not for calls that are kept because they
   * are slow or failed: those are kept always and weigh 1.
   */
  takeWeight(weight: number = this.weight): number {
    const total = weight + this.pendingWeight
    this.pendingWeight = 0
    return total
  }

  /**
   * New numbers from the next call on. What the cap has counted in this second and refused so far stays.
   *
   * @throws RangeError as the constructor does; nothing is changed then
   */
  retune(rate: number, maxPerSecond: number): void {
    const sameRate = rate === this.#rate
    this.#set(rate, maxPerSecond)
    // Without memory again: forgetting the gap under the old rate biases nothing.
    if (!sameRate) this.#drawGap()
  }

  #set(rate: number, maxPerSecond: number): void {
    if (!(rate >= 0 && rate <= 1)) throw new RangeError(`Sample rate must be from 0 to 1, but is ${rate}`)
    if (!(maxPerSecond >= 0)) throw new RangeError(`maxPerSecond must be 0 or more, but is ${maxPerSecond}`)
    this.#rate = rate
    this.#maxPerSecond = maxPerSecond
    this.#logMiss = Math.log1p(-rate)
    if (rate > 0) this.weight = Math.min(1 / rate, Number.MAX_VALUE)
  }

  #drawGap(): void {
    if (this.#rate === 1) {
      this.#gapGoesOn = false
      this.skip = 0
      return
    }
    const gap = this.#rate === 0 ? LONGEST_SKIP : Math.log1p(-this.#random()) / this.#logMiss
    // Written so that a NaN of a broken random source means "record nothing", not "record everything".
    this.#gapGoesOn = !(gap < LONGEST_SKIP)
    this.skip = this.#gapGoesOn ? LONGEST_SKIP : Math.floor(gap)
  }
}

const WINDOW_MS = 1_000
const UNLIMITED = Number.POSITIVE_INFINITY
/** Keeps `skip` a small integer of V8, so that the decrement stays one machine instruction without a heap number. */
const LONGEST_SKIP = 2 ** 30
