import type { Capture } from '../serialize/capture.js'
import { SHAPE_BYTES } from '../serialize/markers.js'
import { NIL } from './frame.js'
import { RING_OFFSET, SCRATCH_BYTES } from './layout.js'
import type { ProducedSite } from './producer.js'

/** Less room than this is not worth beginning a capture in. */
const MIN_GROUP_BYTES = 64
/** Shorter than the fixed cost of copyWithin (45 ns): a plain loop wins up to about here. */
const LOOP_BYTES = 64

/**
 * The scratch space behind the ring: arguments captured before a call wait here until the call ends. It is a stack,
 * as calls are: every call releases it to where it found it.
 */
export class Scratch {
  readonly #bytes: Uint8Array
  readonly #capture: Capture
  readonly #groupBytes: number
  readonly #end: number
  #top: number

  constructor(memory: SharedArrayBuffer, ringBytes: number, capture: Capture, groupBytes: number) {
    this.#bytes = new Uint8Array(memory)
    this.#capture = capture
    this.#groupBytes = groupBytes
    this.#top = RING_OFFSET + ringBytes
    this.#end = this.#top + SCRATCH_BYTES
  }

  /** Whether another set of arguments fits (deep recursion of recorded calls fills the space). */
  get hasRoom(): boolean {
    return this.#end - this.#top >= MIN_GROUP_BYTES
  }

  /** Captures arguments and returns the mark to {@link release} to. */
  capture(site: ProducedSite, args: ArrayLike<unknown>): number {
    const mark = this.#top
    const end = Math.min(mark + this.#groupBytes + SHAPE_BYTES, this.#end)
    try {
      this.#top = this.#capture.writeArguments(this.#bytes, mark, end, args, site.captureArgs, site)
    } catch {
      // Near the end of the app's stack the capture may not fit where the call itself still does.
      this.#bytes[mark] = NIL
      this.#bytes[mark + 1] = NIL
      this.#top = mark + 2
    }
    return mark
  }

  release(mark: number): void {
    this.#top = mark
  }

  /** Moves what was captured since `mark` out, for a call that goes on after it has returned. */
  hold(mark: number): Uint8Array {
    return this.#bytes.slice(mark, this.#top)
  }

  bytesSince(mark: number): number {
    return this.#top - mark
  }

  /** Copies what was captured since `mark`; returns the offset behind it. */
  copy(mark: number, target: Uint8Array, at: number): number {
    const length = this.#top - mark
    if (length <= LOOP_BYTES || target.buffer !== this.#bytes.buffer) {
      for (let i = 0; i < length; i++) target[at + i] = this.#bytes[mark + i]
    } else {
      target.copyWithin(at, mark, this.#top)
    }
    return at + length
  }
}
