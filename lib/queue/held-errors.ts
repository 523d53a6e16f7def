/** Upper limit of what error records may take of the program's memory while disk and ring refuse them. */
const MAX_BYTES = 64 * 1024 * 1024

interface Held {
  readonly frame: Uint8Array
  readonly site: number
}

/** Error records in the program's own memory, oldest first: the last resort of the error lane. */
export class HeldErrors {
  #records: Held[] = []
  #bytes = 0

  get count(): number {
    return this.#records.length
  }

  /** Keeps a copy; `false` when the limit of 64 MiB is reached. */
  add(frame: Uint8Array, site: number): boolean {
    if (this.#bytes + frame.byteLength > MAX_BYTES) return false
    // Not slice(): of a Buffer that is no copy, and this one is written over by the next error.
    this.#records.push({ frame: new Uint8Array(frame), site })
    this.#bytes += frame.byteLength
    return true
  }

  /** Hands records out in order until `accept` refuses one; returns how many are left. */
  drain(accept: (frame: Uint8Array, site: number) => boolean): number {
    let taken = 0
    for (const { frame, site } of this.#records) {
      if (!accept(frame, site)) break
      this.#bytes -= frame.byteLength
      taken++
    }
    if (taken > 0) this.#records = this.#records.slice(taken)
    return this.#records.length
  }
}
