import { max } from './intrinsics.js'

const CAPACITY = 128

/** Ranges of a text that must not be shown. Bounded: when it is full, its last range reaches to the end of the text. */
export class Spans {
  readonly #starts = new Int32Array(CAPACITY)
  readonly #ends = new Int32Array(CAPACITY)
  #count = 0
  #overflowed = false

  get count(): number {
    return this.#count
  }

  clear(): void {
    this.#count = 0
    this.#overflowed = false
  }

  add(start: number, end: number): void {
    if (this.#count === CAPACITY) {
      this.#overflowed = true
      return
    }
    this.#starts[this.#count] = start
    this.#ends[this.#count++] = end
  }

  start(index: number): number {
    return this.#starts[index] as number
  }

  end(index: number): number {
    return this.#ends[index] as number
  }

  /** Orders the ranges by their start. Few and nearly sorted: insertion. */
  sort(textLength: number): void {
    for (let i = 1; i < this.#count; i++) {
      const start = this.start(i)
      const end = this.end(i)
      let j = i - 1
      for (; j >= 0 && this.start(j) > start; j--) {
        this.#starts[j + 1] = this.start(j)
        this.#ends[j + 1] = this.end(j)
      }
      this.#starts[j + 1] = start
      this.#ends[j + 1] = end
    }
    // Ranges beyond the capacity are unknown, and each kind is found from left to right: hide from the first on.
    if (this.#overflowed) this.#ends[0] = max(textLength, this.end(0))
  }
}
