/** Times of one lane that are known one by one; before the oldest of them the lane counts as taken. */
const MOST_KNOWN = 256

interface Taken {
  readonly startNs: number
  endNs: number
}

/** Puts spans of time on as few lanes as it easily can, so that none overlaps another on its lane. */
export class Lanes {
  readonly #lanes: Lane[] = []

  /** Number of the lane, from 0. */
  place(startNs: number, endNs: number): number {
    let found = this.#lanes.findIndex(lane => lane.take(startNs, endNs))
    if (found < 0) {
      const lane = new Lane()
      lane.take(startNs, endNs)
      found = this.#lanes.push(lane) - 1
    }
    return found
  }
}

class Lane {
  /** In order of time. */
  readonly #taken: Taken[] = []
  #knownFromNs = Number.NEGATIVE_INFINITY

  /** `false`: another one is there. */
  take(startNs: number, endNs: number): boolean {
    if (startNs < this.#knownFromNs) return false
    const taken = this.#taken
    // Spans come nearly in the order of their ends.
    let at = taken.length
    while (at > 0 && (taken[at - 1] as Taken).startNs >= endNs && (taken[at - 1] as Taken).endNs > startNs)
      at--
    const before = taken[at - 1]
    if (before !== undefined && before.endNs > startNs) return false
    if (before !== undefined && before.endNs === startNs) before.endNs = endNs
    else taken.splice(at, 0, { startNs, endNs })
    if (taken.length > MOST_KNOWN) this.#knownFromNs = (taken.shift() as Taken).endNs
    return true
  }
}
