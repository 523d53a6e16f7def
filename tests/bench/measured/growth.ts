/**
 * What a recorded call costs at several sizes of one thing, in turns: argument `arguments <kind>`, `sites`, `depth` or
 * `pending`. Each turn is a few milliseconds long and followed by a flush, so nothing is dropped and each size meets
 * the same moments of the machine.
 */
import { flush, monitor } from 'callsight'
import { endRecording, recordIntoNewStore } from './recording.js'
import { report } from './report.js'

export interface Growth {
  /** By size: nanoseconds of one call, the median of all turns. */
  readonly nsPerCall: Readonly<Record<string, number>>
  /** Other figures of the same run. */
  readonly others: Readonly<Record<string, number>>
}

/** One size: `turn` makes `calls` recorded calls. */
interface Size {
  readonly name: string
  readonly calls: number
  readonly turn: () => void | Promise<void>
}

const ROUNDS = 60
const WARM_UP_ROUNDS = 15
/** Calls of one turn; what costs more gets fewer, so that it lasts about {@link TURN_NS}. */
const CALLS = 2_000
const TRIAL_CALLS = 50
const TURN_NS = 4e6

const now = (): number => Number(process.hrtime.bigint())
const middle = (values: number[]): number => values.sort((a, b) => a - b)[values.length >>> 1] ?? Number.NaN

async function inTurns(sizes: readonly Size[]): Promise<Record<string, number>> {
  const nsOf = sizes.map((): number[] => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, { calls, turn }] of sizes.entries()) {
      await flush()
      const start = now()
      const ended = turn()
      if (ended !== undefined) await ended
      if (round >= WARM_UP_ROUNDS) nsOf[index]?.push((now() - start) / calls)
    }
  }
  return Object.fromEntries(sizes.map(({ name }, index) => [name, middle(nsOf[index] as number[])]))
}

const repeated = (name: string, calls: number, call: () => unknown): Size => ({
  name,
  calls,
  turn: () => {
    for (let i = 0; i < calls; i++) call()
  },
})

const SIZES = [10, 1_000, 100_000, 10_000_000]
const shared = { id: 1, symbol: 'EURUSD' }

const VALUES: Readonly<Record<string, (size: number) => unknown>> = {
  'list of numbers': size => Array.from({ length: size }, (_, index) => index),
  // Ten million objects of their own would need more memory than the smallest machines have.
  'list of objects': size =>
    size > 1e6 ? new Array(size).fill(shared) : Array.from({ length: size }, (_, id) => ({ ...shared, id })),
  string: size => 'the quick brown fox '.repeat(Math.ceil(size / 20)).slice(0, size),
  'typed array': size => new Float64Array(size),
  'object with a list': size => ({ name: 'batch', rows: Array.from({ length: size }, (_, index) => index) }),
}

async function argumentSizes(kind: string): Promise<Growth> {
  const others: Record<string, number> = {}
  const sizes: Size[] = []
  for (const size of SIZES) {
    const value = VALUES[kind]?.(size)
    // A call site of its own: what a value has cost is remembered by call site and position.
    const take = monitor((given: unknown) => given !== null, { name: `take ${size}` })
    const start = now()
    take(value)
    others[`first capture of ${size}, ns`] = now() - start
    for (let i = 0; i < TRIAL_CALLS; i++) take(value)
    await flush()
    const trial = now()
    for (let i = 0; i < TRIAL_CALLS; i++) take(value)
    const calls = Math.min(
      CALLS,
      Math.max(TRIAL_CALLS, Math.round((TURN_NS * TRIAL_CALLS) / (now() - trial))),
    )
    sizes.push(repeated(String(size), calls, () => take(value)))
  }
  return { nsPerCall: await inTurns(sizes), others }
}

const SITES = [10, 100, 1_000, 10_000]

async function callSites(): Promise<Growth> {
  const others: Record<string, number> = {}
  const sizes: Size[] = []
  const bare: Size[] = []
  for (const count of SITES) {
    // Functions of their own, not one closure made often: that is what a program with so many call sites has.
    const fns = Array.from({ length: count }, (_, index) => (symbol: string, quantity: number) => {
      return symbol.length + quantity + index
    })
    let start = now()
    const sites = fns.map((fn, index) => monitor(fn, { name: `site ${count}.${index}` }))
    others[`monitor(), ns each of ${count}`] = (now() - start) / count
    start = now()
    for (const site of sites) site('EURUSD', 5)
    others[`first call, ns each of ${count}`] = (now() - start) / count
    const calls = Math.max(CALLS, count)
    sizes.push(repeated(String(count), calls, inRing(sites)))
    // So many functions are slow to call by themselves: most have not been called often enough to be compiled well.
    bare.push(repeated(String(count), calls, inRing(fns)))
    await flush()
  }
  for (const [count, ns] of Object.entries(await inTurns(bare))) others[`not monitored, ns of ${count}`] = ns
  return { nsPerCall: await inTurns(sizes), others }
}

/** One call of the next function at a time. */
function inRing(fns: readonly ((symbol: string, quantity: number) => number)[]): () => void {
  let next = 0
  return () => {
    fns[next]?.('EURUSD', 5)
    next = next + 1 === fns.length ? 0 : next + 1
  }
}

async function depths(): Promise<Growth> {
  const nested: (left: number, symbol: string) => number = monitor(
    (left: number, symbol: string) => (left > 1 ? nested(left - 1, symbol) + 1 : 1),
    { name: 'nested' },
  )
  const sizes = [1, 10, 100, 1_000].map((depth): Size => {
    const calls = 2_000
    return {
      name: String(depth),
      calls,
      turn: () => {
        for (let i = 0; i < calls; i += depth) nested(depth, 'EURUSD')
      },
    }
  })
  return { nsPerCall: await inTurns(sizes), others: {} }
}

async function pendingCalls(): Promise<Growth> {
  const wait = monitor((until: Promise<unknown>, _id: number) => until, { name: 'wait' })
  const plain = monitor((symbol: string, quantity: number) => symbol.length + quantity, { name: 'plain' })
  const later = monitor(async (symbol: string, quantity: number) => symbol.length + quantity, {
    name: 'later',
  })
  const others: Record<string, number> = {}
  const nsPerCall: Record<string, number> = {}
  const batch: Promise<unknown>[] = []
  const awaited: Size = {
    name: 'async',
    calls: CALLS,
    turn: async () => {
      for (let i = 0; i < CALLS; i++) await later('EURUSD', 5)
    },
  }
  // Calls that wait cannot be un-made, so the sizes come one after the other; those of the first are taken again.
  const measureAt = async (pending: number, again = ''): Promise<void> => {
    const taken = await inTurns([repeated('sync', CALLS, () => plain('EURUSD', 5)), awaited])
    nsPerCall[`${pending} pending, async call${again}`] = taken['async'] as number
    others[`${pending} pending, sync call${again}`] = taken['sync'] as number
  }
  let letGo: (value: unknown) => void = () => {}
  const until = new Promise(resolve => {
    letGo = resolve
  })
  for (const pending of [0, 4_000, 20_000]) {
    while (batch.length < pending) {
      for (let i = 0; i < CALLS; i++) batch.push(wait(until, i))
      await flush()
    }
    await measureAt(pending)
  }
  letGo(null)
  await Promise.all(batch)
  await flush()
  await measureAt(0, ', again')
  return { nsPerCall, others }
}

const BY_NAME: Readonly<Record<string, () => Promise<Growth>>> = {
  sites: callSites,
  depth: depths,
  pending: pendingCalls,
}

const [what = '', kind = ''] = process.argv.slice(2)
await report(async () => {
  recordIntoNewStore()
  const growth = await (what === 'arguments'
    ? argumentSizes(kind)
    : (BY_NAME[what] as () => Promise<Growth>)())
  await endRecording()
  return growth
})
