import type { RecordedCall } from '../store/queries/record-slices.js'
import type { StallRow } from '../store/queries/statements.js'
import { parentsOf } from '../store/queries/trace-order.js'
import { visibleJson } from '../wording/text.js'
import type { Heading, Slices, TimelineFormat } from './format.js'
import { jsonObject } from './json.js'
import { Lanes } from './lanes.js'
import { type Span, type Strip, stripsOf } from './strips.js'
import { traceGroups } from './trace-groups.js'

/** Moments count from so long before the first call that is read ended: what began earlier is cut there. */
const BEFORE_US = 24 * 60 * 60 * 1_000_000
const NS_PER_US = 1_000
/** Numbers of tracks: calls from 1 on, stalls beyond all of them; only a damaged recording has two at once. */
const FIRST_CALLS = 1
const FIRST_STALLS = 1_000_000_000

/** What a click on a call shows. */
const DETAILS = [
  'outcome',
  'error',
  'message',
  'args',
  'result',
  'duration_ms',
  'trace_id',
  'call_id',
  'parent_id',
  'weight',
  'recorded',
  'at',
] as const satisfies readonly (keyof RecordedCall)[]

interface Place {
  readonly pid: number
  readonly tid: number
}

/**
 * Trace Event Format, as Perfetto and chrome://tracing read it. Each call is a complete event on a track on which any two
 * events are apart or one within the other; calls of a trace that overlapped stand on tracks of their own. A track is no
 * thread: it takes the calls of many traces after one another.
 */
export const CHROME: TimelineFormat = {
  *timeline(calls, stalls, heading) {
    const file = new ChromeFile(stalls)
    yield '{"traceEvents":[\n'
    yield* file.events(calls)
    yield `],"displayTimeUnit":"ms","otherData":${otherData(heading, file.zeroUs)}}\n`
  },
}

class ChromeFile {
  zeroUs = 0
  readonly #stalls: readonly StallRow[]
  readonly #pids = new Map<string, number>()
  readonly #lanes = new Map<string, Lanes>()
  readonly #stallLanes = new Map<string, Lanes>()
  readonly #named = new Set<string>()
  #separator = ''
  #flows = 0

  constructor(stalls: readonly StallRow[]) {
    this.#stalls = stalls
  }

  *events(calls: Slices<RecordedCall>): Generator<string> {
    for (const group of traceGroups(this.#timed(calls))) {
      const events: string[] = []
      const places = new Map<RecordedCall, Span & Place>()
      for (const strip of stripsOf(group, this.zeroUs)) {
        const place = this.#place(events, strip)
        for (const span of strip.spans) {
          places.set(span.call, { ...span, ...place })
          addCall(events, span, place)
        }
      }
      for (const [call, parent] of parentsOf(group))
        if (call.process !== parent.process) this.#addFlow(events, places.get(parent), places.get(call))
      yield this.#joined(events)
    }
    const events: string[] = []
    for (const stall of this.#stalls) this.#addStall(events, stall)
    yield this.#joined(events)
  }

  *#timed(calls: Slices<RecordedCall>): Generator<readonly RecordedCall[]> {
    for (const slice of calls) {
      if (this.zeroUs === 0) this.zeroUs = (slice[0]?.end_us ?? 0) - BEFORE_US
      yield slice
    }
  }

  #joined(events: readonly string[]): string {
    if (events.length === 0) return ''
    const text = `${this.#separator}${events.join(',\n')}`
    this.#separator = ',\n'
    return text
  }

  #place(events: string[], { process, startNs, endNs }: Strip): Place {
    const lanes = lanesOf(this.#lanes, process)
    const tid = FIRST_CALLS + lanes.place(startNs, endNs)
    return this.#track(events, process, tid, `calls ${tid}`, tid)
  }

  /** Names process and track when they are new. */
  #track(events: string[], process: string, tid: number, name: string, order: number): Place {
    let pid = this.#pids.get(process)
    if (pid === undefined) {
      this.#pids.set(process, (pid = this.#pids.size + 1))
      events.push(event({ name: 'process_name', ph: 'M', pid, tid, args: { name: process } }))
    }
    const key = `${pid} ${tid}`
    if (!this.#named.has(key)) {
      this.#named.add(key)
      events.push(event({ name: 'thread_name', ph: 'M', pid, tid, args: { name } }))
      events.push(event({ name: 'thread_sort_index', ph: 'M', pid, tid, args: { sort_index: order } }))
    }
    return { pid, tid }
  }

  /** From a call to one that it made in another process. */
  #addFlow(events: string[], from: (Span & Place) | undefined, to: (Span & Place) | undefined): void {
    if (from === undefined || to === undefined) return
    // A flow begins within the call it leaves.
    const startNs = Math.min(Math.max(to.startNs, from.startNs), from.endNs)
    const flow = { name: 'call', cat: 'trace', id: ++this.#flows }
    events.push(event({ ...flow, ph: 's', pid: from.pid, tid: from.tid, ts: us(startNs) }))
    events.push(event({ ...flow, ph: 'f', bp: 'e', pid: to.pid, tid: to.tid, ts: us(to.startNs) }))
  }

  #addStall(events: string[], stall: StallRow): void {
    const startUs = Date.parse(stall.at) * 1000 - this.#zeroFor(stall)
    const startNs = Math.max(0, startUs * NS_PER_US)
    const endNs = startNs + Math.max(0, stall.duration_ms * 1e6)
    // Hostile or damaged: no time at all.
    if (!Number.isFinite(startNs) || !Number.isFinite(endNs)) return
    const tid = FIRST_STALLS + lanesOf(this.#stallLanes, stall.process).place(startNs, endNs)
    const place = this.#track(events, stall.process, tid, 'event loop', 0)
    const name = stall.function === null ? 'stall' : `stall: ${stall.function}`
    const { share, on_cpu, ended } = stall
    const args = { function: stall.function, share, on_cpu, ended: ended === 1 }
    events.push(event({ name, cat: 'stall', ph: 'X', ...place, ...times(startNs, endNs), args }))
  }

  /** Without any call a stall is where time begins. */
  #zeroFor(stall: StallRow): number {
    if (this.zeroUs === 0) this.zeroUs = Date.parse(stall.at) * 1000 - BEFORE_US
    return this.zeroUs
  }
}

function lanesOf(known: Map<string, Lanes>, process: string): Lanes {
  let lanes = known.get(process)
  if (lanes === undefined) known.set(process, (lanes = new Lanes()))
  return lanes
}

function addCall(events: string[], { call, startNs, endNs }: Span, { pid, tid }: Place): void {
  const isError = call.outcome === 'error'
  const cat = isError ? 'call,error' : 'call'
  const head = event({ name: call.function, cat, ph: 'X', pid, tid, ...times(startNs, endNs) })
  events.push(`${head.slice(0, -1)},"args":${jsonObject(call, DETAILS)}}`)
  if (!isError) return
  const args = { message: call.message, call_id: call.call_id }
  const name = call.error ?? 'error'
  events.push(event({ name, cat: 'error', ph: 'i', s: 't', pid, tid, ts: us(endNs), args }))
}

/** Whole microseconds: with fractions, readers that count in nanoseconds would make neighbours overlap. */
function us(ns: number): number {
  return Math.floor(ns / NS_PER_US)
}

function times(startNs: number, endNs: number): { ts: number; dur: number } {
  return { ts: us(startNs), dur: us(endNs) - us(startNs) }
}

function event(fields: object): string {
  return visibleJson(JSON.stringify(fields))
}

function otherData({ version, recording, notShown }: Heading, zeroUs: number): string {
  const zero = new Date(zeroUs / 1000)
  const zeroAt = Number.isNaN(zero.getTime()) ? null : zero.toISOString()
  return visibleJson(
    JSON.stringify({ recorder: `callsight ${version}`, recording, zero_at: zeroAt, not_shown: notShown }),
  )
}
