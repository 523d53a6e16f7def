const word = new Int32Array(new SharedArrayBuffer(4))

/** Holds this thread up. */
export function pause(ms: number): void {
  // Nobody ever wakes it: the word is known to nobody else.
  Atomics.wait(word, 0, 0, ms)
}
