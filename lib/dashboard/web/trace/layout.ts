import type { TraceRow } from '../../../store/queries/rows.js'
import { inTreeOrder } from '../../../store/queries/trace-order.js'

/** A call of a trace in its place, in tree order: those it made follow it, one deeper. */
export interface Span {
  readonly row: TraceRow
  readonly index: number
  readonly depth: number
  /** Index of the call that made it, -1: none that is recorded. */
  readonly parent: number
  /** Index behind the last call below it. */
  readonly end: number
  readonly startMs: number
  readonly endMs: number
}

export interface TraceLayout {
  readonly spans: readonly Span[]
  readonly startMs: number
  readonly endMs: number
}

export function layOut(rows: readonly TraceRow[]): TraceLayout {
  const order = inTreeOrder(rows)
  const ends = new Array<number>(order.length).fill(order.length)
  const parents = new Array<number>(order.length).fill(-1)
  const open: number[] = []
  order.forEach(({ depth }, index) => {
    while (open.length > depth) ends[open.pop()!] = index
    parents[index] = open.at(-1) ?? -1
    open.push(index)
  })
  const spans = order.map(({ row, depth }, index) => {
    const startMs = row.start_us / 1000
    return {
      row,
      index,
      depth,
      parent: parents[index]!,
      end: ends[index]!,
      startMs,
      endMs: startMs + row.duration_ms,
    }
  })
  const startMs = spans.reduce((least, span) => Math.min(least, span.startMs), Number.POSITIVE_INFINITY)
  const endMs = spans.reduce((most, span) => Math.max(most, span.endMs), Number.NEGATIVE_INFINITY)
  return spans.length === 0
    ? { spans, startMs: 0, endMs: 1 }
    : { spans, startMs, endMs: Math.max(endMs, startMs + 1e-6) }
}

/** Calls that are not below a folded one. */
export function unfolded(spans: readonly Span[], folded: ReadonlySet<number>): Span[] {
  const shown: Span[] = []
  for (let index = 0; index < spans.length; ) {
    const span = spans[index]!
    shown.push(span)
    index = folded.has(index) ? span.end : index + 1
  }
  return shown
}

/**
 * Row of each span in a flame view, 0 at the top: below the call that made it, and below what runs at the same time,
 * so that no two spans cover each other.
 */
export function flameRows(spans: readonly Span[]): number[] {
  const rows = new Array<number>(spans.length).fill(0)
  const busyUntil: number[] = []
  // A call starts after the one that made it, and at the same microsecond stands behind it in tree order.
  const byStart = spans.toSorted((a, b) => a.startMs - b.startMs || a.index - b.index)
  for (const span of byStart) {
    let row = span.parent === -1 ? 0 : rows[span.parent]! + 1
    while ((busyUntil[row] ?? Number.NEGATIVE_INFINITY) > span.startMs) row++
    rows[span.index] = row
    busyUntil[row] = span.endMs
  }
  return rows
}
