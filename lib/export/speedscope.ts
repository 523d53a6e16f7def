import type { RecordedCall } from '../store/queries/record-slices.js'
import { parentsOf } from '../store/queries/trace-order.js'
import { visibleJson } from '../wording/text.js'
import type { TimelineFormat } from './format.js'
import { type Span, type Strip, stripsOf } from './strips.js'
import { type TraceGroup, traceGroups } from './trace-groups.js'

const SCHEMA = 'https://www.speedscope.app/file-format-schema.json'
/** Traces that are shown as they went, the longest ones. */
const TIMELINES = 20
/** Different paths of one process; beyond it the time of a path counts for the path above. */
const MOST_PATHS = 50_000
const DEEPEST = 200

/**
 * A file for speedscope: of each process where its recorded calls spent their time, summed up by the path of calls, and
 * the longest traces as they went. Sizes depend on how many different paths there are, not on how many calls.
 */
export const SPEEDSCOPE: TimelineFormat = {
  *timeline(calls, _stalls, heading) {
    const frames = new Frames()
    const processes = new Map<string, Paths>()
    const longest = new Longest()
    for (const group of traceGroups(calls)) {
      addTimes(processes, frames, group)
      longest.add(group)
      // Whoever takes the pieces may do something else meanwhile.
      yield ''
    }
    yield `{"$schema":${JSON.stringify(SCHEMA)},"exporter":${json(`callsight ${heading.version}`)},`
    yield `"name":${json(heading.recording)},"activeProfileIndex":0,"profiles":[\n`
    let separator = ''
    for (const [process, paths] of processes) {
      yield separator + sampled(`${process}: recorded calls by path`, paths)
      separator = ',\n'
    }
    for (const group of longest.groups) {
      for (const strip of stripsOf(group, startOf(group))) {
        yield separator + evented(frames, strip)
        separator = ',\n'
      }
    }
    yield `\n],"shared":{"frames":[\n${frames.names.map(name => `{"name":${json(name)}}`).join(',\n')}\n]}}\n`
  },
}

class Frames {
  readonly names: string[] = []
  readonly #indexes = new Map<string, number>()

  indexOf(name: string): number {
    let index = this.#indexes.get(name)
    if (index === undefined) this.#indexes.set(name, (index = this.names.push(name) - 1))
    return index
  }
}

/** Calls that lead to one another, by their functions. */
interface Path {
  readonly frames: readonly number[]
  readonly below: Map<number, Path>
  /** Time spent in it and not in recorded calls that it made. */
  selfNs: number
}

class Paths {
  readonly root: Path = { frames: [], below: new Map(), selfNs: 0 }
  #count = 0

  /** The path with one more call, or the path itself when there are enough of them. */
  below(path: Path, frame: number): Path {
    const known = path.below.get(frame)
    if (known !== undefined) return known
    const isFull = this.#count >= MOST_PATHS || path.frames.length >= DEEPEST
    if (isFull && path !== this.root) return path
    const made = { frames: [...path.frames, frame], below: new Map<number, Path>(), selfNs: 0 }
    path.below.set(frame, made)
    this.#count++
    return made
  }
}

function addTimes(processes: Map<string, Paths>, frames: Frames, group: TraceGroup): void {
  const parents = parentsOf(group)
  const children = new Map<RecordedCall, RecordedCall[]>()
  for (const [call, parent] of parents) {
    if (call.process !== parent.process) continue
    const known = children.get(parent)
    if (known === undefined) children.set(parent, [call])
    else known.push(call)
  }
  const pathOf = new Map<RecordedCall, Path>()
  // A call has a higher number than the one that made it.
  for (const call of [...group].sort((a, b) => (a.call_id < b.call_id ? -1 : 1))) {
    let paths = processes.get(call.process)
    if (paths === undefined) processes.set(call.process, (paths = new Paths()))
    const parent = parents.get(call)
    const above = parent?.process === call.process ? pathOf.get(parent) : undefined
    const path = paths.below(above ?? paths.root, frames.indexOf(call.function))
    path.selfNs += selfTime(call, children.get(call) ?? [])
    pathOf.set(call, path)
  }
}

/** Its duration without the times in which a call that it made went on. */
function selfTime(call: RecordedCall, made: readonly RecordedCall[]): number {
  const lengthNs = Math.max(0, call.duration_ns)
  const startOfMade = (other: RecordedCall) =>
    lengthNs - (call.end_us - other.end_us) * 1_000 - other.duration_ns
  let busyNs = 0
  let doneNs = 0
  for (const other of [...made].sort((a, b) => startOfMade(a) - startOfMade(b))) {
    const startNs = Math.max(doneNs, startOfMade(other))
    const endNs = Math.min(lengthNs, lengthNs - (call.end_us - other.end_us) * 1_000)
    if (endNs <= startNs) continue
    busyNs += endNs - startNs
    doneNs = endNs
  }
  return lengthNs - busyNs
}

/** The traces whose first call took longest. */
class Longest {
  #found: { readonly group: TraceGroup; readonly ns: number }[] = []

  get groups(): readonly TraceGroup[] {
    return this.#found.map(({ group }) => group)
  }

  add(group: TraceGroup): void {
    const ns = group.reduce((most, call) => Math.max(most, call.duration_ns), 0)
    if (this.#found.length >= TIMELINES && ns <= (this.#found.at(-1)?.ns ?? 0)) return
    this.#found.push({ group, ns })
    this.#found.sort((a, b) => b.ns - a.ns)
    this.#found.length = Math.min(this.#found.length, TIMELINES)
  }
}

function sampled(name: string, paths: Paths): string {
  const samples: string[] = []
  const weights: number[] = []
  const open = [paths.root]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (path.selfNs > 0) {
      samples.push(`[${path.frames.join(',')}]`)
      weights.push(path.selfNs)
    }
    open.push(...[...path.below.values()].reverse())
  }
  const total = weights.reduce((sum, ns) => sum + ns, 0)
  return `{"type":"sampled","name":${json(name)},"unit":"nanoseconds","startValue":0,"endValue":${total},"samples":[${samples.join(',')}],"weights":[${weights.join(',')}]}`
}

function evented(frames: Frames, strip: Strip): string {
  const events: string[] = []
  const event = (type: 'O' | 'C', { call }: Span, at: number) =>
    events.push(`{"type":"${type}","frame":${frames.indexOf(call.function)},"at":${at}}`)
  const open: Span[] = []
  const close = (beforeNs: number) => {
    for (let top = open.at(-1); top !== undefined && top.endNs <= beforeNs; top = open.at(-1))
      event('C', open.pop() as Span, top.endNs)
  }
  for (const span of strip.spans) {
    close(span.startNs)
    open.push(span)
    event('O', span, span.startNs)
  }
  close(Number.POSITIVE_INFINITY)
  const first = strip.spans[0]?.call
  const name = `${strip.process}: ${first?.function} at ${first?.at}, trace ${first?.trace_id}`
  return `{"type":"evented","name":${json(name)},"unit":"nanoseconds","startValue":${strip.startNs},"endValue":${strip.endNs},"events":[${events.join(',')}]}`
}

function startOf(group: TraceGroup): number {
  return group.reduce((least, call) => Math.min(least, call.start_us), group[0]?.start_us ?? 0) - 1
}

function json(text: string): string {
  return visibleJson(JSON.stringify(text))
}
