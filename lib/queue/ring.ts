import { Frame, FrameKind, LaneI32, RING_OFFSET } from './layout.js'

/**
 * On x86 other threads see plain stores in the order they were made. There an atomic one adds nothing but a wait until
 * all of the frame has left the processor's store buffer, and the rest of the call waits with it.
 */
const KEEPS_ORDER = process.arch === 'x64'

const { TAIL, HEAD } = LaneI32
const PADDING = FrameKind.padding
const RING_AT = RING_OFFSET

/**
 * The ring: a bounded queue of variable-sized frames between one producer and one consumer, in shared memory.
 *
 * Positions (TAIL, HEAD) count bytes modulo 2^32 and never wrap at the end of the ring, so `tail - head` is the
 * number of bytes in use and "full" and "empty" cannot be confused. A frame never wraps: when the rest of the ring
 * may be too short for the largest frame, a padding frame fills it.
 *
 * The producer writes a frame into free memory, then publishes it by storing TAIL. The consumer loads TAIL, reads
 * frames up to it, commits them to the store, and only then stores HEAD: until that moment the frames stay where
 * they are and can be read again. Neither side ever waits for the other.
 */
export class RingProducer {
  readonly #i32: Int32Array
  readonly #u32: Uint32Array
  // Numbers from the beginning: a field that was undefined first is looked at anew at each use.
  readonly #ringBytes: number = 0
  readonly #mask: number = 0
  readonly #largestFrame: number = 0
  #tail = 0
  #head = 0
  /** Where the frame handed out by {@link reserve} starts, as a position. */
  #reserved = 0

  /** @param largestFrame upper limit of a frame in bytes, a multiple of 8 */
  constructor(memory: SharedArrayBuffer, ringBytes: number, largestFrame: number) {
    this.#i32 = new Int32Array(memory)
    this.#u32 = new Uint32Array(memory)
    this.#ringBytes = ringBytes
    this.#mask = ringBytes - 1
    this.#largestFrame = largestFrame
    this.#tail = this.#i32[LaneI32.TAIL]
    // A stale head only makes the ring look fuller than it is.
    this.#head = Atomics.load(this.#i32, LaneI32.HEAD)
  }

  /** Whether more than `bytes` are in use. */
  holdsMoreThan(bytes: number): boolean {
    if ((this.#tail - this.#head) >>> 0 <= bytes) return false
    // A stale head only makes the ring look fuller than it is.
    this.#head = Atomics.load(this.#i32, HEAD)
    return (this.#tail - this.#head) >>> 0 > bytes
  }

  /** Byte offset (in the lane memory) of room for one frame of the largest size, or -1 when the ring is full. */
  reserve(): number {
    const start = this.#tail & this.#mask
    const rest = this.#ringBytes - start
    const padding = rest < this.#largestFrame ? rest : 0
    const needed = padding + this.#largestFrame
    if (this.#ringBytes - ((this.#tail - this.#head) >>> 0) < needed) {
      // Everything the consumer has read of frames before this HEAD is finished: their memory may be written again.
      this.#head = Atomics.load(this.#i32, HEAD)
      if (this.#ringBytes - ((this.#tail - this.#head) >>> 0) < needed) return -1
    }
    if (padding > 0) {
      const word = (RING_AT + start) >>> 2
      this.#u32[word] = padding
      this.#u32[word + 1] = PADDING
    }
    this.#reserved = this.#tail + padding
    return RING_AT + (this.#reserved & this.#mask)
  }

  /** Publishes the frame written at the offset {@link reserve} gave; `frameBytes` is a multiple of 8. */
  publish(frameBytes: number): void {
    this.#tail = (this.#reserved + frameBytes) | 0
    // Whoever sees this TAIL sees every byte of the frame.
    if (KEEPS_ORDER) this.#i32[TAIL] = this.#tail
    else Atomics.store(this.#i32, TAIL, this.#tail)
  }
}

/** What {@link RingConsumer.next} found. */
export const NO_FRAME = -1
export const BROKEN_RING = -2

export class RingConsumer {
  readonly #i32: Int32Array
  readonly #u32: Uint32Array
  readonly #ringBytes: number = 0
  readonly #mask: number = 0
  #position = 0
  #tail = 0

  constructor(memory: SharedArrayBuffer, ringBytes: number) {
    this.#i32 = new Int32Array(memory)
    this.#u32 = new Uint32Array(memory)
    this.#ringBytes = ringBytes
    this.#mask = ringBytes - 1
    this.#position = Atomics.load(this.#i32, LaneI32.HEAD)
    this.#tail = this.#position
  }

  /** Bytes published and not yet released. */
  get pendingBytes(): number {
    return (Atomics.load(this.#i32, LaneI32.TAIL) - Atomics.load(this.#i32, LaneI32.HEAD)) >>> 0
  }

  /** Bytes published and not yet read. */
  get unreadBytes(): number {
    return (Atomics.load(this.#i32, LaneI32.TAIL) - this.#position) >>> 0
  }

  /**
   * Byte offset of the next record frame, {@link NO_FRAME}, or {@link BROKEN_RING} when what stands there is no
   * frame (memory was overwritten); then only {@link skipAll} helps.
   */
  next(): number {
    for (;;) {
      if (this.#position === this.#tail) {
        // Pairs with the store in publish(): all frames before this TAIL are complete.
        this.#tail = Atomics.load(this.#i32, LaneI32.TAIL)
        if (this.#position === this.#tail) return NO_FRAME
      }
      const start = this.#position & this.#mask
      const word = (RING_OFFSET + start) >>> 2
      const size = this.#u32[word]
      const kind = this.#u32[word + 1] & 0xff
      const available = (this.#tail - this.#position) >>> 0
      if (size < 8 || (size & 7) !== 0 || size > available || start + size > this.#ringBytes)
        return BROKEN_RING
      if (kind === FrameKind.record) {
        if (size < Frame.HEADER_BYTES) return BROKEN_RING
        this.#position = (this.#position + size) | 0
        return RING_OFFSET + start
      }
      if (kind !== FrameKind.padding) return BROKEN_RING
      this.#position = (this.#position + size) | 0
    }
  }

  /** Goes back to the first frame that was not released: the same batch again. */
  rewind(): void {
    this.#position = Atomics.load(this.#i32, LaneI32.HEAD)
  }

  /** Gives the memory of every frame read so far back to the producer. Call it after a checked COMMIT only. */
  release(): void {
    // The producer may overwrite everything before this HEAD as soon as it sees it; we have read it all.
    Atomics.store(this.#i32, LaneI32.HEAD, this.#position)
  }

  /** Moves behind everything that is published now; returns the bytes skipped. */
  skipAll(): number {
    this.#tail = Atomics.load(this.#i32, LaneI32.TAIL)
    const skipped = (this.#tail - this.#position) >>> 0
    this.#position = this.#tail
    return skipped
  }
}
