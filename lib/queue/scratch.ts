import type { Capture } from '../serialize/capture.js'
import { SHAPE_BYTES } from '../serialize/markers.js'
import { FIXARRAY_3, NIL } from './frame.js'
import { RING_OFFSET, SCRATCH_BYTES } from './layout.js'
import type { ProducedSite } from './produced-site.js'

/** Less room than this is not worth beginning a capture in. */
const MIN_GROUP_BYTES = 64
/** Shorter than the fixed cost of copyWithin (45 ns): a plain loop over words wins up to about here. */
const LOOP_BYTES = 192
const SHAPE_ROOM = SHAPE_BYTES
/**
 * What was captured stands behind its size in bytes (u32) and, as in a frame, behind the array header of the payload
 * at a multiple of 8.
 */
const MARK_OFFSET = 9
const ARRAY_3 = FIXARRAY_3

/**
 * The scratch space behind the ring: arguments captured before a call wait here until the call ends. It is a stack,
 * as calls are: every call releases it to where it found it.
 */
export class Scratch {
  readonly #bytes: Uint8Array
  readonly #u32: Uint32Array
  readonly #capture: Capture
  readonly #groupBytes: number = 0
  readonly #end: number = 0
  #top = 0

  constructor(memory: SharedArrayBuffer, ringBytes: number, capture: Capture, groupBytes: number) {
    this.#bytes = new Uint8Array(memory)
    this.#u32 = new Uint32Array(memory)
    this.#capture = capture
    this.#groupBytes = groupBytes
    this.#top = RING_OFFSET + ringBytes
    this.#end = this.#top + SCRATCH_BYTES
  }

  /** Whether another set of arguments fits (deep recursion of recorded calls fills the space). */
  get hasRoom(): boolean {
    return this.#end - this.#top >= MIN_GROUP_BYTES
  }

  /** {@link capture} of most arguments, or -1. Throws at the end of the stack only. */
  tryCapture(site: ProducedSite, args: ArrayLike<unknown>): number {
    const start = this.#top
    const mark = start + MARK_OFFSET
    const bytes = this.#bytes
    const after = this.#capture.tryArguments(bytes, mark, this.#end, args, site.captureArgs, site)
    if (after === -1) return -1
    this.#u32[start >>> 2] = after - mark
    bytes[mark - 1] = ARRAY_3
    this.#top = (after + 7) & ~7
    return mark
  }

  /**
   * Captures arguments and returns the mark to {@link release} to.
   * @param isContinued {@link tryCapture} has returned -1
   */
  capture(site: ProducedSite, args: ArrayLike<unknown>, isContinued = false): number {
    const start = this.#top
    const mark = start + MARK_OFFSET
    const end = Math.min(mark + this.#groupBytes + SHAPE_ROOM, this.#end)
    let after: number
    try {
      after = this.#capture.writeArguments(this.#bytes, mark, end, args, site.captureArgs, site, isContinued)
    } catch {
      // Near the end of the app's stack the capture may not fit where the call itself still does.
      this.#bytes[mark] = NIL
      this.#bytes[mark + 1] = NIL
      after = mark + 2
    }
    this.#u32[start >>> 2] = after - mark
    this.#bytes[mark - 1] = ARRAY_3
    this.#top = (after + 7) & ~7
    return mark
  }

  release(mark: number): void {
    // It comes from where running calls stand, as a double: kept, that would make doubles of all offsets of a capture.
    this.#top = (mark | 0) - MARK_OFFSET
  }

  /** Moves what was captured at `mark` out, for a call that goes on after it has returned. */
  hold(mark: number): Uint8Array {
    return this.#bytes.slice(mark, mark + this.bytesAt(mark))
  }

  bytesAt(mark: number): number {
    return this.#u32[(mark - MARK_OFFSET) >>> 2]
  }

  /** Copies what was captured at `mark`; returns the offset behind it. */
  copy(mark: number, target: Uint8Array, at: number): number {
    const length = this.bytesAt(mark)
    const end = mark + length
    if (target.buffer === this.#bytes.buffer && length > LOOP_BYTES) target.copyWithin(at, mark, end)
    else for (let i = 0; i < length; i++) target[at + i] = this.#bytes[mark + i]
    return at + length
  }

  /**
   * {@link copy} into a frame in the ring, together with the array header in front, in words: a few bytes behind what
   * is copied are overwritten too, which is room of that frame.
   */
  copyToFrame(mark: number, at: number): number {
    const length = this.bytesAt(mark)
    if (length > LOOP_BYTES) {
      this.#bytes.copyWithin(at, mark, mark + length)
    } else {
      const u32 = this.#u32
      const from = mark >>> 2
      const to = at >>> 2
      for (let i = length >>> 2; i >= 0; i--) u32[to + i] = u32[from + i]
    }
    return at + length
  }
}
