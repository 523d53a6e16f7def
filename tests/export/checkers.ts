import { expect } from 'vitest'

/** An event of the Trace Event Format; which fields it has depends on its phase. */
export interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly cat?: string
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur: number
  readonly id?: number
  readonly bp?: string
  readonly s?: string
  readonly args: Readonly<Record<string, unknown>>
}

export interface ChromeTrace {
  readonly traceEvents: readonly TraceEvent[]
  readonly displayTimeUnit: string
  readonly otherData: Readonly<Record<string, unknown>>
}

const PHASES = new Set(['X', 'M', 'i', 's', 'f'])

/**
 * What a reader of the format relies on. Perfetto drops an event that overlaps another one of its track in part, so that
 * is looked at event by event.
 */
export function expectReadableTrace(text: string): ChromeTrace {
  const trace = JSON.parse(text) as ChromeTrace
  expect(trace.displayTimeUnit).toBe('ms')
  const tracks = new Map<string, TraceEvent[]>()
  for (const event of trace.traceEvents) {
    if (!PHASES.has(event.ph)) throw new Error(`unknown phase ${event.ph}`)
    for (const number of [event.pid, event.tid]) expect(Number.isInteger(number) && number >= 0).toBe(true)
    expect(typeof event.name).toBe('string')
    if (event.ph === 'M') continue
    if (!Number.isInteger(event.ts) || event.ts < 0) throw new Error(`${event.name} begins at ${event.ts}`)
    if (event.ph !== 'X') continue
    if (!Number.isInteger(event.dur) || event.dur < 0) throw new Error(`${event.name} takes ${event.dur}`)
    const key = `${event.pid} ${event.tid}`
    const known = tracks.get(key)
    if (known === undefined) tracks.set(key, [event])
    else known.push(event)
  }
  for (const [track, events] of tracks) expectNested(track, events)
  expectNamed(trace, tracks)
  expectFlows(trace, tracks)
  return trace
}

/** As readers do: by time, and of those that begin together the longer first, else the earlier in the file. */
function expectNested(track: string, events: readonly TraceEvent[]): void {
  const open: TraceEvent[] = []
  for (const event of [...events].sort((a, b) => a.ts - b.ts || b.dur - a.dur)) {
    while (open.length > 0 && endOf(open.at(-1)!) <= event.ts) open.pop()
    const around = open.at(-1)
    if (around !== undefined && endOf(event) > endOf(around)) {
      throw new Error(
        `track ${track}: ${event.name} at ${event.ts} overlaps ${around.name} at ${around.ts} in part`,
      )
    }
    open.push(event)
  }
}

const endOf = (event: TraceEvent): number => event.ts + event.dur

function expectNamed(trace: ChromeTrace, tracks: ReadonlyMap<string, unknown>): void {
  const named = (name: string) => trace.traceEvents.filter(event => event.ph === 'M' && event.name === name)
  const processes = named('process_name').map(event => event.pid)
  const threads = named('thread_name').map(event => `${event.pid} ${event.tid}`)
  expect(new Set(processes).size).toBe(processes.length)
  expect([...threads].sort()).toEqual([...tracks.keys()].sort())
  expect(new Set(threads.map(key => Number(key.split(' ')[0])))).toEqual(new Set(processes))
}

/** Each flow leaves one event and enters one, later. */
function expectFlows(trace: ChromeTrace, tracks: ReadonlyMap<string, readonly TraceEvent[]>): void {
  const starts = trace.traceEvents.filter(event => event.ph === 's')
  const ends = trace.traceEvents.filter(event => event.ph === 'f')
  expect(starts.map(event => event.id)).toEqual(ends.map(event => event.id))
  expect(new Set(starts.map(event => event.id)).size).toBe(starts.length)
  for (const event of [...starts, ...ends]) {
    const around = tracks.get(`${event.pid} ${event.tid}`) ?? []
    expect(around.some(other => other.ts <= event.ts && event.ts <= endOf(other))).toBe(true)
  }
}

export interface Speedscope {
  readonly $schema: string
  readonly name: string
  readonly exporter: string
  readonly activeProfileIndex: number
  readonly shared: { readonly frames: readonly { readonly name: string }[] }
  readonly profiles: readonly (SampledProfile | EventedProfile)[]
}

interface ProfileHead {
  readonly name: string
  readonly unit: string
  readonly startValue: number
  readonly endValue: number
}

export interface SampledProfile extends ProfileHead {
  readonly type: 'sampled'
  readonly samples: readonly (readonly number[])[]
  readonly weights: readonly number[]
}

export interface EventedProfile extends ProfileHead {
  readonly type: 'evented'
  readonly events: readonly { readonly type: 'O' | 'C'; readonly frame: number; readonly at: number }[]
}

const UNITS = ['none', 'nanoseconds', 'microseconds', 'milliseconds', 'seconds', 'bytes']

/** The rules of the published schema, and those of its importer: times never go back, and frames close inside out. */
export function expectReadableSpeedscope(text: string): Speedscope {
  const file = JSON.parse(text) as Speedscope
  expect(file.$schema).toBe('https://www.speedscope.app/file-format-schema.json')
  const frames = file.shared.frames.length
  expect(file.shared.frames.every(frame => typeof frame.name === 'string')).toBe(true)
  expect(new Set(file.shared.frames.map(frame => frame.name)).size).toBe(frames)
  expect(Object.keys(file).sort()).toEqual(
    ['$schema', 'activeProfileIndex', 'exporter', 'name', 'profiles', 'shared'].sort(),
  )
  for (const profile of file.profiles) {
    expect(UNITS).toContain(profile.unit)
    expect(profile.endValue).toBeGreaterThanOrEqual(profile.startValue)
    if (profile.type === 'sampled') expectSampled(profile, frames)
    else expectEvented(profile, frames)
  }
  return file
}

function expectSampled({ samples, weights, startValue, endValue }: SampledProfile, frames: number): void {
  expect(samples.length).toBe(weights.length)
  expect(samples.flat().every(frame => Number.isInteger(frame) && frame >= 0 && frame < frames)).toBe(true)
  expect(weights.every(weight => weight > 0)).toBe(true)
  expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(endValue - startValue)
}

function expectEvented({ name, events, startValue, endValue }: EventedProfile, frames: number): void {
  const open: number[] = []
  let at = startValue
  for (const event of events) {
    if (event.at < at) throw new Error(`${name}: time goes back from ${at} to ${event.at}`)
    at = event.at
    expect(event.frame >= 0 && event.frame < frames).toBe(true)
    if (event.type === 'O') open.push(event.frame)
    else if (open.pop() !== event.frame) throw new Error(`${name}: ${event.frame} closes and is not on top`)
  }
  expect(open).toEqual([])
  expect(at).toBeLessThanOrEqual(endValue)
}

/** RFC 4180, as strictly as it stands: CRLF between records, quotes doubled, as many cells everywhere. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let at = 0
  while (at < text.length) {
    let cell = ''
    if (text[at] === '"') {
      for (at++; ; at++) {
        if (at >= text.length) throw new Error('a quote is not closed')
        if (text[at] !== '"') cell += text[at]
        else if (text[at + 1] === '"') cell += text[at++]
        else break
      }
      at++
    } else {
      const end = /[,\r\n"]/g
      end.lastIndex = at
      const stop = end.exec(text)?.index ?? text.length
      cell = text.slice(at, stop)
      at = stop
    }
    row.push(cell)
    if (text[at] === ',') at++
    else if (text.startsWith('\r\n', at)) {
      rows.push(row)
      row = []
      at += 2
    } else throw new Error(`no comma and no CRLF at ${at}: ${JSON.stringify(text.slice(at, at + 20))}`)
  }
  for (const { length } of rows) expect(length).toBe(rows[0]?.length)
  return rows
}
