/**
 * Where all threads of a process keep their store and journals, in memory that they share.
 *
 * A worker thread may be started before the main thread has been configured, and record before the main thread does.
 * Until somebody records, the main thread may still move the store; the first one to record settles it for all.
 *
 * ```
 * byte
 *    0  i32  OPEN, MOVING (the main thread is writing the path) or SETTLED
 *    4  i32  moves begun so far: whoever reads the path meanwhile reads it again
 *    8  i32  bytes of the path
 *   12       the path, UTF-8
 * ```
 */
const STATE_I32 = 0
const MOVES_I32 = 1
const BYTES_I32 = 2
const PATH_BYTE = 12

const OPEN = 0
const MOVING = 1
const SETTLED = 2

/** Options and environment allow 4,096 UTF-16 units; the working directory may stand before them. */
const MAX_PATH_BYTES = 32 * 1024

export class SharedStorePath {
  readonly memory: SharedArrayBuffer
  readonly #i32: Int32Array
  readonly #bytes: Buffer

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(PATH_BYTE + MAX_PATH_BYTES)) {
    this.memory = memory
    this.#i32 = new Int32Array(memory)
    this.#bytes = Buffer.from(memory)
  }

  get path(): string {
    for (;;) {
      this.#afterMove()
      const moves = Atomics.load(this.#i32, MOVES_I32)
      const path = this.#bytes.toString('utf8', PATH_BYTE, PATH_BYTE + Atomics.load(this.#i32, BYTES_I32))
      // Counted before a byte changes: no move has begun while this was read.
      if (Atomics.load(this.#i32, MOVES_I32) === moves) return path
    }
  }

  get isSettled(): boolean {
    return Atomics.load(this.#i32, STATE_I32) === SETTLED
  }

  /** Main thread: moves the store. `false`: some thread has settled where it is. */
  move(path: string): boolean {
    if (Atomics.compareExchange(this.#i32, STATE_I32, OPEN, MOVING) !== OPEN) return this.path === path
    Atomics.add(this.#i32, MOVES_I32, 1)
    Atomics.store(this.#i32, BYTES_I32, this.#bytes.write(path, PATH_BYTE))
    this.#leave(OPEN)
    return true
  }

  /** Settles the path for all threads, if it is this one still or already. */
  settle(path: string): boolean {
    for (;;) {
      if (this.path !== path) return false
      // Lost to a move that has begun meanwhile: look again where it went.
      if (Atomics.compareExchange(this.#i32, STATE_I32, OPEN, SETTLED) !== MOVING) return this.path === path
    }
  }

  /** A move takes microseconds, and the thread that makes it never stops in the middle. */
  #afterMove(): void {
    while (Atomics.load(this.#i32, STATE_I32) === MOVING) Atomics.wait(this.#i32, STATE_I32, MOVING, 1)
  }

  #leave(state: number): void {
    Atomics.store(this.#i32, STATE_I32, state)
    Atomics.notify(this.#i32, STATE_I32)
  }
}
