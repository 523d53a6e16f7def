/** Traces known at a time; the oldest is forgotten. */
const CAPACITY = 4_096

/**
 * The traces that were begun outside of this process. The context of a call holds numbers only, so each gets a local
 * number; its ids are looked up when a call of it is recorded.
 */
export class RemoteTraces {
  readonly #ids = new Map<number, Uint8Array>()

  /**
   * @param first a call number of its own, smaller than those of the calls of the trace
   * @param traceId 32 hex digits
   * @param parentId 16 hex digits
   * @returns the local number: negative, to tell it from the traces that were begun here
   */
  add(first: number, traceId: string, parentId: string): number {
    const trace = -first
    this.#ids.set(trace, Buffer.from(traceId + parentId, 'hex'))
    if (this.#ids.size > CAPACITY) {
      for (const oldest of this.#ids.keys()) {
        this.#ids.delete(oldest)
        break
      }
    }
    return trace
  }

  /** Trace id and parent id as bytes; `null` for a trace that is forgotten. */
  ids(trace: number): Uint8Array | null {
    return this.#ids.get(trace) ?? null
  }
}
