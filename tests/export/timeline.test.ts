import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CHROME } from '../../lib/export/chrome.js'
import type { Heading } from '../../lib/export/format.js'
import { Lanes } from '../../lib/export/lanes.js'
import { SPEEDSCOPE } from '../../lib/export/speedscope.js'
import { traceGroups } from '../../lib/export/trace-groups.js'
import { openStore, type Store } from '../../lib/store/read.js'
import { hex16, OTHER_BOOT, scratch, T0_MS, type TestStore, traceIdOf } from '../store-read/fixture.js'
import {
  type EventedProfile,
  expectReadableSpeedscope,
  expectReadableTrace,
  type SampledProfile,
  type TraceEvent,
} from './checkers.js'
import { generate } from './generated.js'
import { EVIL, opened } from './opened.js'

const HEADING: Heading = { version: '1.2.3', recording: 'calls.db', notShown: 'Complete' }

const chromeOf = (store: Store) =>
  expectReadableTrace([...CHROME.timeline(store.callSlices(), store.stalls(), HEADING)].join(''))
const speedscopeOf = (store: Store) =>
  expectReadableSpeedscope([...SPEEDSCOPE.timeline(store.callSlices(), [], HEADING)].join(''))
const callsIn = (events: readonly TraceEvent[]) =>
  events.filter(({ ph, cat }) => ph === 'X' && cat?.startsWith('call'))

/** A root of 100 ms with two calls after one another, two that overlap, and one below those. */
function family(made: TestStore): void {
  const call = (call: number, fn: string, startMs: number, endMs: number, parent: number | null = 1) =>
    made.call({ call, trace: 1, parent, fn, atMs: T0_MS + endMs, durationMs: endMs - startMs })
  call(2, 'first', 0, 20)
  call(3, 'second', 20, 40)
  call(6, 'below', 55, 65, 4)
  call(4, 'third', 50, 70)
  call(5, 'beside', 60, 90)
  call(1, 'root', 0, 100, null)
}

function generated(calls: number): Store {
  const path = join(scratch(onTestFinished), 'calls.db')
  generate(path, { calls, endUs: T0_MS * 1000, spanUs: 10_000_000 })
  const store = openStore(path)
  onTestFinished(() => store.close())
  return store
}

describe('a Chrome trace', () => {
  it('shows calls within the call that made them, and beside it those that overlap', () => {
    const events = callsIn(chromeOf(opened(family)).traceEvents)
    const track = (name: string) => events.find(event => event.name === name)?.tid
    expect(new Set(['root', 'first', 'second', 'third', 'below'].map(track)).size).toBe(1)
    expect(track('beside')).not.toBe(track('root'))
    const root = events.find(event => event.name === 'root')
    expect(root).toMatchObject({ dur: 100_000, pid: 1, cat: 'call' })
    expect(root?.args).toMatchObject({ outcome: 'ok', call_id: hex16(1), trace_id: traceIdOf(1) })
    const starts = Object.fromEntries(events.map(event => [event.name, event.ts - (root?.ts ?? 0)]))
    expect(starts).toEqual({
      root: 0,
      first: 0,
      second: 20_000,
      third: 50_000,
      below: 55_000,
      beside: 60_000,
    })
  })

  it('marks what failed, and says what is missing', () => {
    const { traceEvents, otherData } = chromeOf(
      opened(made =>
        made.error({ atMs: T0_MS, fn: 'Http.post', message: 'no answer', args: '[1]', durationMs: 3 }),
      ),
    )
    const [call] = callsIn(traceEvents)
    expect(call).toMatchObject({ name: 'Http.post', cat: 'call,error', dur: 3_000 })
    expect(call?.args).toMatchObject({
      outcome: 'error',
      error: 'TypeError',
      message: 'no answer',
      args: [1],
    })
    expect(traceEvents.find(event => event.ph === 'i')).toMatchObject({
      name: 'TypeError',
      cat: 'error',
      s: 't',
      ts: (call?.ts ?? 0) + 3_000,
    })
    expect(otherData).toEqual({
      recorder: 'callsight 1.2.3',
      recording: 'calls.db',
      not_shown: 'Complete',
      zero_at: new Date(T0_MS - 86_400_000).toISOString(),
    })
  })

  it('leads from a call to the one it made in another process', () => {
    const store = opened(made => {
      made.process(2, OTHER_BOOT, { script: 'api.ts' })
      made.remote(-7, traceIdOf(1), hex16(1), 2)
      made.call({ process: 2, call: 9, trace: -7, fn: 'Api.answer', atMs: T0_MS + 8, durationMs: 5 })
      made.call({ call: 1, fn: 'Client.ask', atMs: T0_MS + 10, durationMs: 10 })
    })
    const { traceEvents } = chromeOf(store)
    const [answer, ask] = [
      callsIn(traceEvents).find(e => e.name === 'Api.answer'),
      callsIn(traceEvents).find(e => e.name === 'Client.ask'),
    ]
    expect(answer?.pid).not.toBe(ask?.pid)
    const flow = traceEvents.filter(event => 'sf'.includes(event.ph))
    expect(flow.map(({ ph, pid, ts }) => ({ ph, pid, ts }))).toEqual([
      { ph: 's', pid: ask?.pid, ts: answer?.ts },
      { ph: 'f', pid: answer?.pid, ts: answer?.ts },
    ])
  })

  it('has stalls on a track of their own, of a recording without calls too', () => {
    const calls = [['Orders.sum', 0, 3, 3] as const]
    const stall = { atMs: T0_MS, seenMs: T0_MS + 700, endedMs: T0_MS + 750, looks: 3, calls }
    const { traceEvents } = chromeOf(opened(made => made.stall(stall)))
    expect(traceEvents.filter(event => event.ph === 'X')).toEqual([
      expect.objectContaining({ name: 'stall: Orders.sum', cat: 'stall', dur: 750_000 }),
    ])
    expect(traceEvents.find(event => event.name === 'thread_name')?.args).toEqual({ name: 'event loop' })
    const both = chromeOf(opened(made => [made.stall(stall), family(made)]))
    expect(both.traceEvents.filter(event => event.ph === 'X')).toHaveLength(7)
  })

  it('has every call of a large recording once', () => {
    const store = generated(20_000)
    const { traceEvents } = chromeOf(store)
    const ids = callsIn(traceEvents).map(event => event.args['call_id'])
    expect(ids).toHaveLength(20_000)
    expect(new Set(ids).size).toBe(20_000)
    expect(traceEvents.filter(event => event.ph === 'i')).toHaveLength(100)
  })

  it('stays readable whatever is in the recording', () => {
    const store = opened(made => {
      const evil = { fn: EVIL, args: EVIL, result: EVIL, cuts: EVIL, shape: EVIL }
      made.call({ ...evil, atMs: T0_MS, call: 1, trace: 1, parent: 1, durationMs: 1e9 })
      made.call({ ...evil, atMs: T0_MS + 1, call: 2, trace: 1, parent: 3, durationMs: -5 })
      made.call({ ...evil, atMs: T0_MS + 2, call: 3, trace: 1, parent: 2, durationMs: 0 })
      made.error({ ...evil, atMs: T0_MS + 3, call: 3, trace: 1, error: EVIL, message: EVIL })
      made.call({ ...evil, atMs: 1, call: 4, trace: 1, durationMs: 10 })
      made.remote(-5, EVIL, EVIL)
      made.call({ ...evil, atMs: T0_MS + 4, trace: -5 })
      made.stall({
        atMs: T0_MS,
        seenMs: T0_MS - 1_000,
        looks: -1,
        onCpu: 99,
        calls: [[EVIL, -1, 1, 1, EVIL]],
      })
      made.stall({ atMs: 4e15, seenMs: -4e15, looks: 0 })
      made.run('UPDATE processes SET script = ?', EVIL)
    })
    const text = [...CHROME.timeline(store.callSlices(), store.stalls(), HEADING)].join('')
    expect(callsIn(expectReadableTrace(text).traceEvents)).toHaveLength(6)
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    speedscopeOf(store)
  })
})

describe('lanes', () => {
  it('never hold two spans at once, in whatever order they come', () => {
    let state = 7
    const random = (below: number) => {
      state = (state * 48_271) % 2_147_483_647
      return state % below
    }
    const lanes = new Lanes()
    const placed = new Map<number, [number, number][]>()
    for (let i = 0; i < 4_000; i++) {
      const start = random(100_000) + i * random(3)
      const end = start + (random(4) === 0 ? 0 : random(900))
      const lane = lanes.place(start, end)
      placed.set(lane, [...(placed.get(lane) ?? []), [start, end]])
    }
    expect([...placed.values()].flat()).toHaveLength(4_000)
    for (const spans of placed.values()) {
      spans.sort((a, b) => a[0] - b[0] || a[1] - b[1])
      for (const [i, [start]] of spans.entries()) {
        if (i > 0) expect(start).toBeGreaterThanOrEqual(spans[i - 1]?.[1] ?? 0)
      }
    }
  })

  it('are few when spans follow one another', () => {
    const lanes = new Lanes()
    const numbers = Array.from({ length: 2_000 }, (_, i) => lanes.place(i * 10, i * 10 + 10))
    expect(new Set(numbers)).toEqual(new Set([0]))
  })
})

describe('groups of a trace', () => {
  it('hold no more calls than a bound, and lose none', () => {
    const store = generated(1)
    const [[call] = []] = [...store.callSlices()]
    let given = 0
    let taken = 0
    let mostHeld = 0
    // Traces whose first call never ends.
    function* endless() {
      for (let slice = 0; slice < 100; slice++) {
        given += 1_000
        yield Array.from({ length: 1_000 }, (_, i) => ({
          ...call!,
          parent_id: hex16(1),
          trace_id: traceIdOf(slice % 10 === 0 ? 1 : slice * 1_000 + i),
        }))
      }
    }
    for (const group of traceGroups(endless())) {
      taken += group.length
      mostHeld = Math.max(mostHeld, given - taken)
    }
    expect(taken).toBe(100_000)
    expect(mostHeld).toBeLessThanOrEqual(21_000)
  })
})

describe('a speedscope file', () => {
  const sampledOf = (store: Store) => {
    const { profiles, shared } = speedscopeOf(store)
    const profile = profiles[0] as SampledProfile
    return Object.fromEntries(
      profile.samples.map((path, i) => [
        path.map(frame => shared.frames[frame]?.name).join(' '),
        (profile.weights[i] ?? 0) / 1e6,
      ]),
    )
  }

  it('sums up where a process spent its time, by path', () => {
    expect(sampledOf(opened(family))).toEqual({
      root: 20,
      'root first': 20,
      'root second': 20,
      'root third': 10,
      'root third below': 10,
      'root beside': 30,
    })
  })

  it('adds what took the same path, and keeps processes apart', () => {
    const store = opened(made => {
      made.process(2, OTHER_BOOT, { script: 'api.ts' })
      for (const process of [1, 2, 1]) made.call({ process, atMs: T0_MS, fn: 'Orders.place', durationMs: 4 })
    })
    expect(sampledOf(store)).toEqual({ 'Orders.place': 8 })
    expect(speedscopeOf(store).profiles.filter(({ type }) => type === 'sampled')).toHaveLength(2)
  })

  it('has the longest traces as they went', () => {
    const { profiles, shared } = speedscopeOf(opened(family))
    const evented = profiles.filter(({ type }) => type === 'evented') as EventedProfile[]
    expect(evented).toHaveLength(2)
    expect(evented[0]?.events.map(({ type, frame }) => `${type} ${shared.frames[frame]?.name}`)).toEqual([
      'O root',
      'O first',
      'C first',
      'O second',
      'C second',
      'O third',
      'O below',
      'C below',
      'C third',
      'C root',
    ])
    expect(evented[1]?.events).toHaveLength(2)
  })

  it('counts all recorded time of a large recording, in a file whose size does not grow with it', () => {
    const store = generated(20_000)
    const text = [...SPEEDSCOPE.timeline(store.callSlices(), [], HEADING)].join('')
    const { profiles } = expectReadableSpeedscope(text)
    expect(profiles.filter(({ type }) => type === 'evented').length).toBeGreaterThanOrEqual(20)
    const [times] = store.sql('SELECT sum(duration_ms) AS ms FROM recent_calls WHERE parent_id IS NULL')
    const summed = (profiles[0] as SampledProfile).endValue / 1e6
    // Calls that overlap count more than once.
    expect(summed).toBeGreaterThanOrEqual(Number(times?.['ms']) * 0.999)
    expect(text.length).toBeLessThan(500_000)
  })
})
