import type { RecordedCall } from '../store/queries/record-slices.js'
import { parentsOf } from '../store/queries/trace-order.js'
import type { TraceGroup } from './trace-groups.js'

/** A call in time, in nanoseconds since a moment that the caller chose. */
export interface Span {
  readonly call: RecordedCall
  readonly startNs: number
  readonly endNs: number
}

/**
 * Spans of one process and trace, outer ones first, any two of which are apart or one within the other: a stack over
 * time. The innermost span around another one is the call that made it.
 */
export interface Strip {
  readonly process: string
  readonly spans: readonly Span[]
  readonly startNs: number
  readonly endNs: number
}

/** Ends are stored in whole microseconds, durations in nanoseconds: neighbours seem to overlap by less than this. */
const ROUNDING_NS = 1_000

/** Calls that overlap and did not make one another, such as those awaited together, come on different strips. */
export function stripsOf(group: TraceGroup, zeroUs: number): Strip[] {
  const parents = parentsOf(group)
  const strips: OpenStrip[] = []
  const stripOf = new Map<RecordedCall, OpenStrip>()
  for (const span of inOrder(group, parents, zeroUs)) {
    const parent = parents.get(span.call)
    const ofParent = parent && stripOf.get(parent)
    const candidates = ofParent === undefined ? strips : [ofParent, ...strips]
    let strip = candidates.find(candidate => candidate.takes(span, parent))
    if (strip === undefined) strips.push((strip = new OpenStrip(span.call.process)))
    strip.add(span, parent)
    stripOf.set(span.call, strip)
  }
  return strips
}

class OpenStrip implements Strip {
  readonly process: string
  readonly spans: Span[] = []
  endNs = 0
  readonly #stack: Span[] = []
  /** End of the last span that is on the stack no more. */
  #settledNs = Number.NEGATIVE_INFINITY

  constructor(process: string) {
    this.process = process
  }

  get startNs(): number {
    return this.spans[0]?.startNs ?? 0
  }

  takes(span: Span, parent: RecordedCall | undefined): boolean {
    if (span.call.process !== this.process) return false
    const top = this.#stack[this.#depthAt(span, parent) - 1]
    return top === undefined || (top.call === parent && top.endNs >= span.endNs)
  }

  /** One that is taken. */
  add(span: Span, parent: RecordedCall | undefined): void {
    for (const over of this.#stack.splice(this.#depthAt(span, parent)))
      this.#settledNs = Math.max(this.#settledNs, over.endNs)
    const startNs = Math.max(span.startNs, this.#settledNs)
    const placed = { call: span.call, startNs, endNs: Math.max(startNs, span.endNs) }
    this.#stack.push(placed)
    this.spans.push(placed)
    this.endNs = Math.max(this.endNs, placed.endNs)
  }

  /** Spans of the stack that go on when this one begins. */
  #depthAt({ startNs }: Span, parent: RecordedCall | undefined): number {
    let depth = this.#stack.length
    for (; depth > 0; depth--) {
      const top = this.#stack[depth - 1] as Span
      if (top.call === parent || top.endNs > startNs + ROUNDING_NS) break
    }
    return depth
  }
}

/** By their starts, a call before those it made. */
function inOrder(
  group: TraceGroup,
  parents: ReadonlyMap<RecordedCall, RecordedCall>,
  zeroUs: number,
): readonly Span[] {
  const spans = new Map<RecordedCall, Span>()
  // A call has a higher number than the one that made it.
  for (const call of [...group].sort(byNumber)) {
    const endNs = Math.max(0, Math.round((call.end_us - zeroUs) * 1_000))
    const startNs = Math.max(0, endNs - Math.max(0, call.duration_ns))
    const parent = spans.get(parents.get(call) as RecordedCall)
    const within = parent?.call.process === call.process ? parent : undefined
    spans.set(call, {
      call,
      startNs: within === undefined ? startNs : rounded(startNs, within.startNs, within.startNs - startNs),
      endNs: within === undefined ? endNs : rounded(endNs, within.endNs, endNs - within.endNs),
    })
  }
  return [...spans.values()].sort(
    (a, b) => a.startNs - b.startNs || b.endNs - a.endNs || byNumber(a.call, b.call),
  )
}

/** The bound, when it is passed by no more than rounding explains. */
function rounded(ns: number, boundNs: number, beyondNs: number): number {
  return beyondNs > 0 && beyondNs <= ROUNDING_NS ? boundNs : ns
}

function byNumber(a: RecordedCall, b: RecordedCall): number {
  return a.call_id < b.call_id ? -1 : a.call_id > b.call_id ? 1 : 0
}
