import { CALL_BLOCK } from '../queue/layout.js'

/** Roots further apart than this keep their entry: they are few, and their neighbours may be far away. */
const QUIET_US = 100_000
/** Threads whose place is known; a program that has had more begins anew. */
const MAX_THREADS = 1_000

interface Thread {
  readonly processId: number
  readonly block: number
  /** Of the last root that came in order; infinite: none is known to. */
  call: number
  /** Of the last root that came in order, or before that of the first root seen. */
  endUs: number
}

/**
 * Tells which root calls of a thread stand in the file in the order of their numbers: later ends, higher numbers. Such a
 * root is found by its neighbours (`ORDERED_ROOT`) and takes no entry in the index of traces, which is more
 * than a sixth of what inserting costs.
 *
 * Calls that overlap end in another order than they began; then some are not in order. What an earlier writer of this
 * process has put there is not known, but all of it had begun when the first root that is seen here ended.
 */
export class RootOrder {
  readonly #threads = new Map<number, Thread>()
  #last: Thread = { processId: Number.NaN, block: 0, call: 0, endUs: 0 }

  /** To be asked once for each root, in the order in which they come out of the ring of their thread. */
  isNext(processId: number, call: number, endUs: number, durationNs: number): boolean {
    const block = Math.floor(call / CALL_BLOCK)
    let thread = this.#last
    if (block !== thread.block || processId !== thread.processId) {
      thread = this.#threadOf(processId, block, endUs)
      this.#last = thread
    }
    const isInOrder =
      thread.call === Number.POSITIVE_INFINITY
        ? endUs - durationNs / 1000 > thread.endUs + 1
        : call > thread.call && endUs >= thread.endUs
    if (!isInOrder) return false
    const quietUs = endUs - thread.endUs
    thread.call = call
    thread.endUs = endUs
    return quietUs <= QUIET_US
  }

  #threadOf(processId: number, block: number, endUs: number): Thread {
    const key = processId * 2 ** 21 + block
    let thread = this.#threads.get(key)
    if (thread === undefined) {
      if (this.#threads.size >= MAX_THREADS) this.#threads.clear()
      thread = { processId, block, call: Number.POSITIVE_INFINITY, endUs }
      this.#threads.set(key, thread)
    }
    return thread
  }
}
