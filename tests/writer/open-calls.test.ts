import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { configure, monitor, shutdown } from 'callsight'
import { afterAll, describe, expect, it } from 'vitest'
import { live } from '../../dist/monitor/recording.js'
import { LaneI32, PENDING_SLOTS } from '../../lib/queue/layout.js'
import { Transcoder } from '../../lib/serialize/transcode.js'
import { LaneView } from '../../lib/writer/lane.js'
import {
  INNERMOST,
  NEWEST_PENDING,
  OLDEST_PENDING,
  type OpenCall,
  OpenCallsView,
  OUTERMOST,
} from '../../lib/writer/open-calls.js'
import type { FloodLane } from '../fixtures/src/open-calls-flood.js'
import fc from '../support/fast-check.js'

const RING_BYTES = 64 * 1024
const folder = mkdtempSync(join(tmpdir(), 'callsight-open-'))
configure({ store: { path: join(folder, 'calls.db') }, writer: { ringBytes: RING_BYTES } })
afterAll(async () => {
  await shutdown()
  rmSync(folder, { recursive: true, force: true })
})

const always = (): boolean => true

/** A look at the calls of this thread. */
function lookHere(): { view: OpenCallsView; lane: LaneView } {
  if (live.recording === null) throw new Error('not recording')
  const { producer, totals } = live.recording
  const memory = producer.slots.cells.buffer as SharedArrayBuffer
  const lane = new LaneView({ ring: 0, memory, ringBytes: RING_BYTES, totals: totals.memory })
  return { view: new OpenCallsView(lane, new Transcoder()), lane }
}

/** What a call should look like from outside. */
interface Twin {
  readonly name: string
  args: string | null
  depth: number | null
}

/** The stack from the outside in, then pending calls from the oldest on. */
class TwinThread {
  readonly stack: Twin[] = []
  readonly pending: Twin[] = []
  #began = 0
  readonly #order = new Map<Twin, number>()

  begin(name: string, args: string | null): Twin {
    const twin = { name, args, depth: this.stack.length }
    this.#order.set(twin, ++this.#began)
    this.stack.push(twin)
    return twin
  }

  end(): Twin {
    const twin = this.stack.pop()
    if (twin === undefined) throw new Error('nothing runs')
    return twin
  }

  goesOn(twin: Twin): void {
    twin.depth = null
    this.pending.push(twin)
    this.pending.sort((a, b) => this.#order.get(a)! - this.#order.get(b)!)
  }

  /** A generator is resumed. */
  resume(twin: Twin): void {
    this.settle(twin)
    twin.depth = this.stack.length
    this.stack.push(twin)
  }

  settle(twin: Twin): void {
    this.pending.splice(this.pending.indexOf(twin), 1)
  }

  get open(): Twin[] {
    return [...this.stack, ...this.pending]
  }
}

type Step =
  | { readonly kind: 'sync' | 'quiet' | 'untimed' | 'throws'; readonly children: readonly Step[] }
  | { readonly kind: 'promise' | 'large' | 'thenable' | 'generator'; readonly children: readonly Step[] }
  | { readonly kind: 'look' }
  | {
      readonly kind: 'resume' | 'close' | 'start'
      readonly which: number
      readonly children: readonly Step[]
    }

const { steps } = fc.letrec<{ steps: Step[]; step: Step }>(tie => ({
  steps: fc.array(tie('step'), { maxLength: 4, depthIdentifier: 'calls' }),
  step: fc.oneof(
    { depthIdentifier: 'calls', maxDepth: 5, depthSize: 'small' },
    fc.constant<Step>({ kind: 'look' }),
    fc.record({
      kind: fc.constantFrom(
        'sync',
        'quiet',
        'untimed',
        'throws',
        'promise',
        'large',
        'thenable',
        'generator',
      ),
      children: tie('steps'),
    }) as fc.Arbitrary<Step>,
    fc.record({
      kind: fc.constantFrom('resume', 'close', 'start'),
      which: fc.nat(9),
      children: tie('steps'),
    }) as fc.Arbitrary<Step>,
  ),
}))

interface Later {
  readonly twin: Twin
  readonly settle: (fails: boolean) => void
}

/** Runs steps as monitored calls, and beside them as a twin; at each `look` both must be the same. */
class Play {
  readonly twins = new TwinThread()
  readonly #later: Later[] = []
  readonly #unstarted: {
    readonly twin: Twin
    readonly target: object
    readonly settle: (fails: boolean) => void
  }[] = []
  readonly #generators: { readonly twin: Twin; readonly run: Generator<void, void, readonly Step[]> }[] = []
  #n = 0
  #returned: Twin | null = null

  run(all: readonly Step[]): void {
    for (const step of all) this.#step(step)
  }

  #step(step: Step): void {
    switch (step.kind) {
      case 'look':
        this.expectSame()
        return
      case 'sync':
        this.#sync(step.children)
        return
      case 'quiet':
        this.#quiet(step.children)
        return
      case 'untimed':
        this.#untimed(step.children)
        return
      case 'throws':
        expect(() => this.#throws(step.children)).toThrow('thrown')
        return
      case 'promise':
        this.#promise(step.children).catch(() => {})
        return
      case 'large':
        this.#large('x'.repeat(250), 'y'.repeat(250), step.children).catch(() => {})
        return
      case 'thenable': {
        const target = this.#thenable(step.children)
        const twin = this.#returned!
        const settle = (target as unknown as { settle: (fails: boolean) => void }).settle
        this.#unstarted.push({ twin, target, settle })
        return
      }
      case 'generator': {
        const twin: Twin = { name: 'generator', args: `[${++this.#n}]`, depth: null }
        this.twins.stack.push(twin)
        const run = this.#generator(this.#n)
        this.twins.stack.pop()
        const begun = this.twins.begin(twin.name, twin.args)
        this.twins.end()
        this.twins.goesOn(begun)
        this.#generators.push({ twin: begun, run })
        return
      }
      case 'resume':
        this.#resume(step.which, step.children)
        return
      case 'close':
        this.#close(step.which)
        return
      case 'start':
        this.#start(step.which)
    }
  }

  /** The arguments of a call are its number, so that it is known by them. */
  readonly #call = (
    name: string,
    body: (n: number, children: readonly Step[]) => unknown,
    options: object,
  ) => {
    const monitored = monitor((n: number, children: () => readonly Step[]) => body(n, children()), {
      name,
      redact: [1],
      ...options,
    })
    return (children: readonly Step[]): unknown => monitored(++this.#n, () => children)
  }

  readonly #body =
    (name: string, isSampled: boolean) =>
    (n: number, children: readonly Step[]): void => {
      this.twins.begin(name, isSampled ? `[${n},"[redacted]"]` : null)
      try {
        this.run(children)
      } finally {
        this.#returned = this.twins.end()
      }
    }

  readonly #sync = this.#call('sync', this.#body('sync', true), {})
  readonly #quiet = this.#call('quiet', this.#body('quiet', false), { sample: 0, slow: false })
  readonly #untimed = this.#call('untimed', this.#body('untimed', false), {
    sample: 0,
    slow: false,
    timing: 'sampled',
  })
  readonly #throws = this.#call(
    'throws',
    (n, children) => {
      this.#body('throws', true)(n, children)
      throw new Error('thrown')
    },
    {},
  )
  readonly #promise = this.#call(
    'promise',
    (n, children) => {
      this.#body('promise', true)(n, children)
      return this.#pendingPromise()
    },
    {},
  ) as (children: readonly Step[]) => Promise<void>

  /** Its arguments do not fit into a slot: seen as long as it runs. */
  readonly #large = monitor(
    (one: string, two: string, children: readonly Step[]): Promise<void> => {
      this.twins.begin('large', JSON.stringify([one, two, '[redacted]']))
      try {
        this.run(children)
      } finally {
        this.#returned = this.twins.end()
        this.#returned.args = null
      }
      return this.#pendingPromise()
    },
    { name: 'large', redact: [2] },
  )

  readonly #thenable = this.#call(
    'thenable',
    (n, children) => {
      this.#body('thenable', true)(n, children)
      const handlers: ((value: unknown) => void)[] = []
      const twin = this.#returned!
      this.twins.goesOn(twin)
      return {
        // biome-ignore lint/suspicious/noThenProperty: the thenable under test
        then: (ok: (value: unknown) => void, failed: (value: unknown) => void) => handlers.push(ok, failed),
        settle: (fails: boolean) => handlers[fails ? 1 : 0]?.(0),
      }
    },
    {},
  ) as (children: readonly Step[]) => object

  readonly #generator = monitor(
    (() => {
      const play = this
      return function* (_n: number): Generator<void, void, readonly Step[]> {
        for (;;) play.run(yield)
      }
    })(),
    { name: 'generator' },
  )

  #pendingPromise(): Promise<void> {
    const twin = this.#returned!
    this.twins.goesOn(twin)
    return new Promise((resolve, reject) => {
      this.#later.push({ twin, settle: fails => (fails ? reject(new Error('rejected')) : resolve()) })
    })
  }

  #resume(which: number, children: readonly Step[]): void {
    const found = this.#generators[which % (this.#generators.length || 1)]
    // One that is running cannot be resumed.
    if (found === undefined || found.twin.depth !== null) return
    this.twins.resume(found.twin)
    found.run.next([])
    found.run.next(children)
    this.twins.end()
    this.twins.goesOn(found.twin)
  }

  #close(which: number): void {
    const at = which % (this.#generators.length || 1)
    const found = this.#generators[at]
    if (found === undefined || found.twin.depth !== null) return
    found.run.return()
    this.#generators.splice(at, 1)
    this.twins.settle(found.twin)
  }

  /** From here on the thenable can settle. */
  #start(which: number): void {
    const [found] = this.#unstarted.splice(which % (this.#unstarted.length || 1), 1)
    if (found === undefined) return
    const { twin, target, settle } = found
    ;(target as PromiseLike<void>).then(
      () => {},
      () => {},
    )
    this.#later.push({ twin, settle })
  }

  /** Ends some of the calls that go on. */
  async settle(share: number): Promise<void> {
    for (const [index, { twin, settle }] of this.#later
      .splice(0, Math.ceil(this.#later.length * share))
      .entries()) {
      settle(index % 2 === 1)
      this.twins.settle(twin)
    }
    await new Promise(setImmediate)
  }

  /** Ends all of them. */
  async end(): Promise<void> {
    while (this.#unstarted.length > 0) this.#start(0)
    while (this.#generators.length > 0) this.#close(0)
    await this.settle(1)
  }

  expectSame(): void {
    const { view, lane } = lookHere()
    const found = view
      .look(always)
      .map(({ site, args, depth }) => ({ name: lane.siteName(site), args, depth }))
    expect(found).toEqual(this.twins.open)
    expect(view.open).toBe(this.twins.open.length)
  }
}

describe('a look at the open calls of a thread', () => {
  it('finds what a simple twin has, whatever begins, goes on, is resumed and ends', async () => {
    monitor(() => {}, { name: 'first' })()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(steps, fc.double({ min: 0, max: 1, noNaN: true })), { maxLength: 4 }),
        async rounds => {
          const play = new Play()
          for (const [some, share] of rounds) {
            play.run(some)
            play.expectSame()
            await play.settle(share)
            play.expectSame()
          }
          await play.end()
          play.expectSame()
          expect(play.twins.open).toEqual([])
        },
      ),
      { numRuns: Number(process.env['CALLSIGHT_LOOKS'] ?? 300) },
    )
  })

  it('says when each began, to which trace it belongs and who called it', () => {
    let found: readonly OpenCall[] = []
    const inner = monitor(() => (found = lookHere().view.look(always)), { name: 'inner' })
    monitor(() => inner(), { name: 'outer' })()
    const [outer, within] = found
    expect(within).toMatchObject({ trace: outer!.trace, parent: outer!.call, depth: 1 })
    expect(outer).toMatchObject({ trace: outer!.call, parent: 0, depth: 0 })
    expect(outer!.startMs).toBeLessThanOrEqual(within!.startMs)
    expect(within!.startMs).toBeLessThanOrEqual(performance.now())
  })

  it('reads the two ends of a deep stack, and the oldest and the newest of many that wait', async () => {
    let found: readonly OpenCall[] = []
    const settle: (() => void)[] = []
    const wait = monitor((_: number) => new Promise<void>(resolve => settle.push(resolve)), { name: 'wait' })
    const waiting = Array.from({ length: 5_000 }, (_, n) => wait(n))
    const deep = monitor((n: number): void => {
      if (n === 100) found = lookHere().view.look(always)
      else deep(n + 1)
    })
    deep(1)
    const stack = found.filter(({ depth }) => depth !== null).map(({ depth }) => depth)
    expect(stack).toEqual([
      ...Array.from({ length: OUTERMOST }, (_, n) => n),
      ...Array.from({ length: INNERMOST }, (_, n) => 100 - INNERMOST + n),
    ])
    const pending = found.filter(({ depth }) => depth === null).map(({ args }) => args)
    expect(pending).toEqual([
      ...Array.from({ length: OLDEST_PENDING }, (_, n) => `[${n}]`),
      ...Array.from({ length: NEWEST_PENDING }, (_, n) => `[${PENDING_SLOTS - NEWEST_PENDING + n}]`),
    ])
    const { view, lane } = lookHere()
    expect(view.open).toBe(5_000)
    expect(lane.i32[LaneI32.UNSLOTTED]).toBe(5_000 - 4_096)
    for (const end of settle) end()
    await Promise.all(waiting)
    expect(view.open).toBe(0)
    expect(view.look(always)).toEqual([])
    expect(lane.i32[LaneI32.UNSLOTTED]).toBe(0)
  })

  it('throws away what is torn, while the thread goes on as fast as it can', async () => {
    const worker = new Worker(
      fileURLToPath(new URL('../.build/standard/open-calls-flood.js', import.meta.url)),
    )
    try {
      const [{ memory, totals, ringBytes, base, levels }] = (await once(worker, 'message')) as [FloodLane]
      const lane = new LaneView({ ring: 1, memory, ringBytes, totals })
      const view = new OpenCallsView(lane, new Transcoder())
      let seen = 0
      for (const endMs = performance.now() + 1_500; performance.now() < endMs; ) {
        for (const { call, args, site, depth } of view.look(always)) {
          seen++
          // Every round makes the same calls: the number of a call says which it is.
          const place = (call - base) % (levels + 1)
          const round = Math.floor((call - base) / (levels + 1))
          expect({ name: lane.siteName(site), args, depth }).toEqual({
            name: place === levels ? 'later' : `level${place}`,
            args: `[${place},${round}]`,
            // The last one goes on after it has returned.
            depth: place === levels && depth === null ? null : place,
          })
        }
      }
      expect(seen).toBeGreaterThan(1_000)
    } finally {
      await worker.terminate()
    }
  })
})
