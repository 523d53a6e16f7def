import { LaneF64 } from '../queue/layout.js'
import type { LaneSource } from './lanes.js'

/** How many records had left their producers at a moment; those that follow are not waited for. */
export class HighWaterMark {
  readonly #marks: readonly (readonly [f64: Float64Array, published: number])[]

  /** Marks what is there now. */
  constructor(sources: Iterable<LaneSource>) {
    this.#marks = [...sources].map(({ lane: { f64 } }) => [f64, published(f64)])
  }

  /** Whether all of them are dealt with. */
  get isReached(): boolean {
    return this.#marks.every(([f64, records]) => dealtWith(f64) >= records)
  }
}

function published(f64: Float64Array): number {
  return (
    f64[LaneF64.CALLS_PUBLISHED] +
    f64[LaneF64.ERRORS_PUBLISHED] +
    f64[LaneF64.CALLS_JOURNALED] +
    f64[LaneF64.ERRORS_JOURNALED]
  )
}

function dealtWith(f64: Float64Array): number {
  return (
    f64[LaneF64.CALLS_CONSUMED] +
    f64[LaneF64.ERRORS_CONSUMED] +
    f64[LaneF64.CALLS_REPLAYED] +
    f64[LaneF64.ERRORS_REPLAYED]
  )
}
