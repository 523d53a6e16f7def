import { REMOTE_IDS_BYTES } from '../queue/frame.js'

/** Traces known at a time, a power of two; the oldest is forgotten. */
const CAPACITY = 4_096

/**
 * The traces that were begun outside of this process. The context of a call holds numbers only, so each gets a local
 * number, negative to tell it from a call number; its ids are looked up when a call of it is recorded.
 */
export class RemoteTraces {
  readonly #numbers = new Float64Array(CAPACITY)
  #ids: Uint8Array | null = null
  #last: number

  /** @param base a random multiple of 2^32, so that numbers of different threads do not meet */
  constructor(base: number) {
    this.#last = base
  }

  /**
   * @param traceId 32 hex digits
   * @param parentId 16 hex digits
   */
  add(traceId: string, parentId: string): number {
    const ids = (this.#ids ??= new Uint8Array(CAPACITY * REMOTE_IDS_BYTES))
    const slot = ++this.#last & (CAPACITY - 1)
    this.#numbers[slot] = -this.#last
    ids.set(Buffer.from(traceId + parentId, 'hex'), slot * REMOTE_IDS_BYTES)
    return -this.#last
  }

  /** The ids of a trace, `null` for one that is forgotten. */
  ids(trace: number): Uint8Array | null {
    const slot = -trace & (CAPACITY - 1)
    if (this.#ids === null || this.#numbers[slot] !== trace) return null
    return this.#ids.subarray(slot * REMOTE_IDS_BYTES, (slot + 1) * REMOTE_IDS_BYTES)
  }
}
