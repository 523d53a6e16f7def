import type { SecondDelta, StoreWriter } from '../store/insert.js'

/** Functions that get a row of their own in a second: those with most calls, then those with errors. */
const MOST_CALLED = 32
const WITH_ERRORS = 32
const KEPT_SECONDS = 120
/** Stands for all functions that are not listed by themselves. */
const OTHERS = 0
const US_PER_SECOND = 1_000_000

interface Sum {
  readonly functionId: number
  calls: number
  errors: number
  timed: number
  durationSumNs: number
}

/**
 * What one snapshot of the totals adds to the second under way, over all recording threads of the process. It is
 * written in the transaction of the totals and from the same differences, so the two cannot disagree.
 */
export class SecondSums {
  readonly #sums = new Map<number, Sum>()

  add(functionId: number, { calls, errors, timed, durationSumNs }: SecondDelta): void {
    if (calls === 0 && errors === 0 && timed === 0) return
    const sum = this.#sums.get(functionId) ?? emptySum(functionId)
    this.#sums.set(functionId, sum)
    sum.calls += calls
    sum.errors += errors
    sum.timed += timed
    sum.durationSumNs += durationSumNs
  }

  write(store: StoreWriter, processId: number, nowUs: number): void {
    if (this.#sums.size === 0) return
    const second = Math.floor(nowUs / US_PER_SECOND)
    const others = emptySum(OTHERS)
    const listed = this.#choose(store.functionsOfSecond(processId, second))
    for (const sum of this.#sums.values()) {
      if (listed.has(sum.functionId)) store.addSecond(processId, second, sum.functionId, sum)
      else merge(others, sum)
    }
    if (others.calls > 0 || others.errors > 0 || others.timed > 0)
      store.addSecond(processId, second, OTHERS, others)
    store.deleteSecondsBefore(processId, second - KEPT_SECONDS)
  }

  /** A second may see several snapshots: a function that has its row in the file keeps it. */
  #choose(inFile: readonly number[]): ReadonlySet<number> {
    const listed = new Set(inFile)
    listed.delete(OTHERS)
    const byCalls = [...this.#sums.values()].sort((a, b) => b.calls - a.calls)
    for (const { functionId } of byCalls) {
      if (listed.size >= MOST_CALLED) break
      listed.add(functionId)
    }
    const byErrors = byCalls.filter(sum => sum.errors > 0).sort((a, b) => b.errors - a.errors)
    for (const { functionId } of byErrors) {
      if (listed.size >= MOST_CALLED + WITH_ERRORS) break
      listed.add(functionId)
    }
    return listed
  }
}

function emptySum(functionId: number): Sum {
  return { functionId, calls: 0, errors: 0, timed: 0, durationSumNs: 0 }
}

function merge(into: Sum, from: Sum): void {
  into.calls += from.calls
  into.errors += from.errors
  into.timed += from.timed
  into.durationSumNs += from.durationSumNs
}
