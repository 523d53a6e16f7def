const MAX_TRACES = 4_096

/** Remote traces of one process that a transaction has written; it may forget one, never invent one. */
export class WrittenTraces {
  readonly #traces = new Set<number>()
  #processId = 0

  /** `false`: it is there already. */
  add(processId: number, trace: number): boolean {
    if (processId !== this.#processId || this.#traces.size >= MAX_TRACES) this.clear()
    this.#processId = processId
    if (this.#traces.has(trace)) return false
    this.#traces.add(trace)
    return true
  }

  clear(): void {
    this.#traces.clear()
  }
}
