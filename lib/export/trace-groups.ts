import type { RecordedCall } from '../store/queries/record-slices.js'
import type { Slices } from './format.js'

/** Calls held while the rest of their traces is awaited, in all and of one trace. */
const MOST_HELD = 20_000
const MOST_OF_TRACE = 5_000

/** Calls of one trace. A trace that is long, or goes on after its first call has ended, comes in several groups. */
export type TraceGroup = readonly RecordedCall[]

/**
 * Puts the calls of each trace together. They are read in the order in which they ended, so that the call that began a
 * trace is mostly the last one of it: it completes the group. Memory is bounded; what waits longest goes first.
 */
export function* traceGroups(slices: Slices<RecordedCall>): Generator<TraceGroup> {
  const waiting = new Map<string, RecordedCall[]>()
  let held = 0
  const take = (id: string, group: RecordedCall[]): RecordedCall[] => {
    waiting.delete(id)
    held -= group.length
    return group
  }
  for (const slice of slices) {
    for (const call of slice) {
      let group = waiting.get(call.trace_id)
      if (group === undefined) waiting.set(call.trace_id, (group = []))
      group.push(call)
      held++
      if (call.parent_id === null || group.length >= MOST_OF_TRACE) yield take(call.trace_id, group)
    }
    if (held <= MOST_HELD) continue
    for (const [id, group] of waiting) {
      if (held <= MOST_HELD / 2) break
      yield take(id, group)
    }
  }
  for (const [id, group] of waiting) yield take(id, group)
}
