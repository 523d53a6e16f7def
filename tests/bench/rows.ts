/** The rows about single calls: what Callsight costs the thread of the app. Protocol: see `protocol.ts`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Frame } from '../../lib/queue/layout.js'
import { type Body, perAwaitedCall, perCall, perCallInBlocks, perCallOnThread } from './measure.js'
import type { RowEntry, RowResult } from './protocol.js'
import { add, ORDERS, pick, place, REQUESTS, refuse, SYMBOLS, tenValues, weigh } from './subjects.js'

const wanted = process.argv[2] ?? ''
// Read when a function is monitored, and by the import below.
if (wanted === 'off') process.env['CALLSIGHT'] = 'off'
// tsx switches source maps on, for which Node looks up each line of each stack: 11 to 18 µs that are none of ours.
process.setSourceMapsEnabled(false)
const { configure, flush, health, monitor, shutdown } = await import('callsight')

type Figures = Omit<RowResult, 'row' | 'unit'>

const MANY = 10_000_000
const BLOCKS_OF_ERRORS = { callsPerBlock: 1_000, blocks: 30, settle: flush }

let sink = 0

/** Bytes a record takes in the ring, as this call of a monitored function leaves it there. */
async function recordBytes(call: () => void): Promise<{ frame: number; payload: number }> {
  let frame = 0
  // A drain may come in between: the largest difference is the whole record.
  for (let i = 0; i < 5; i++) {
    await flush()
    const before = health().ring.usedBytes
    call()
    // What goes on is recorded when it has settled.
    await new Promise(setImmediate)
    frame = Math.max(frame, health().ring.usedBytes - before)
    await sleep(10)
  }
  return { frame, payload: frame - Frame.HEADER_BYTES }
}

const bytesOf = ({ frame, payload }: { frame: number; payload: number }): string =>
  `${payload} B of values, ${frame} B in the ring`

async function recorded(body: Body): Promise<Figures> {
  body(0)
  const bytes = await recordBytes(() => body(1))
  const value = await perCallInBlocks(body, { settle: flush })
  return {
    value,
    detail: bytesOf(bytes),
    extra: { 'payload bytes': bytes.payload, 'frame bytes': bytes.frame },
  }
}

async function memoryCopy(): Promise<Figures> {
  const monitored = monitor(place)
  monitored(pick(SYMBOLS, 0), pick(ORDERS, 0))
  const { frame } = await recordBytes(() => void monitored(pick(SYMBOLS, 1), pick(ORDERS, 1)))
  await shutdown()
  const ring = new Uint8Array(new SharedArrayBuffer(8 * 1024 ** 2))
  const record = new Uint8Array(frame).fill(7)
  let at = 0
  const value = await perCall(() => {
    ring.set(record, at)
    at = (at + frame) % (ring.length - frame)
  })
  return { value, detail: `${frame} B, as "recorded, 2 arguments + result" puts into the ring` }
}

/** Also by the method the peers are measured with, which sees what timers and callbacks do later. */
async function twoArguments(): Promise<Figures> {
  const monitored = monitor(place)
  const body = (n: number): void => {
    sink += monitored(pick(SYMBOLS, n), pick(ORDERS, n)).cost
  }
  const { value, detail, extra } = await recorded(body)
  const { wholeNs } = await perCallOnThread(body, { settle: async () => {} })
  return {
    value,
    ...(detail === undefined ? {} : { detail }),
    extra: { ...extra, 'ns with timers': wholeNs },
  }
}

async function listOf(items: number): Promise<Figures> {
  const first = monitor(function first(list: readonly number[]) {
    return list.length
  })
  first([1])
  await flush()
  const list = Array.from({ length: items }, (_, index) => index)
  const start = performance.now()
  first(list)
  const firstUs = (performance.now() - start) * 1_000
  const bytes = await recordBytes(() => first(list))
  const value = await perCallInBlocks(() => void (sink += first(list)), { settle: flush })
  return { value, detail: bytesOf(bytes), extra: { 'first capture µs': firstUs } }
}

async function wholeLife(): Promise<Figures> {
  const bare = async (symbol: string, quantity: number): Promise<number> => add(symbol, quantity)
  const monitored = monitor(async function later(symbol: string, quantity: number) {
    return add(symbol, quantity)
  })
  const { addedNs, callNs, bareNs } = await perAwaitedCall(
    n => monitored(pick(SYMBOLS, n), n),
    n => bare(pick(SYMBOLS, n), n),
    { settle: flush },
  )
  return {
    value: addedNs,
    detail: 'awaited one by one; less the same without Callsight',
    extra: { callNs, bareNs },
  }
}

async function nested(): Promise<Figures> {
  const inner = monitor(function inner(symbol: string, quantity: number) {
    return add(symbol, quantity)
  })
  const middle = monitor(function middle(symbol: string, quantity: number) {
    return inner(symbol, quantity)
  })
  const outer = monitor(function outer(symbol: string, quantity: number) {
    return middle(symbol, quantity)
  })
  const body = (n: number): void => void (sink += outer(pick(SYMBOLS, n), n))
  const value = await perCallInBlocks(body, { settle: flush, callsPerBlock: 2_000, blocks: 50 })
  return { value: value / 3, detail: 'per monitored call; string + number each' }
}

function caught(fn: (symbol: string) => never, n: number): void {
  try {
    fn(pick(SYMBOLS, n))
  } catch {
    sink++
  }
}

/** Formatting a stack is the engine's work, and has to be done before an error is on disk. */
function readStack(fn: (symbol: string) => never, n: number): void {
  try {
    fn(pick(SYMBOLS, n))
  } catch (error) {
    sink += String((error as Error).stack).length
  }
}

async function failing(fullPerSecond: number): Promise<Figures> {
  // Otherwise all but the first 1,000 failing calls of a second would be measured as header-only records.
  configure({ errors: { fullPerSecond } })
  const monitored = monitor(refuse)
  return { value: await perCallInBlocks(n => caught(monitored, n), BLOCKS_OF_ERRORS) }
}

const drain = (values: Iterable<number>): void => {
  for (const value of values) sink += value
}

const called = async (body: Body): Promise<Figures> => ({ value: await perCall(body) })
const weighed = (fn: typeof weigh): Promise<Figures> =>
  called(n => void (sink += fn(pick(SYMBOLS, n), pick(ORDERS, n))))

const ROWS: Record<string, Record<string, () => Promise<Figures>>> = {
  'the floor': {
    'two clock reads': () =>
      called(() => {
        const start = performance.now()
        sink += performance.now() - start
      }),
    // The other clock of Node.
    'two readings of hrtime': () =>
      called(() => {
        const start = process.hrtime.bigint()
        sink += Number(process.hrtime.bigint() - start)
      }),
    'memory copy of a record': memoryCopy,
    bare: () => weighed(weigh),
  },
  'calls that are not recorded': {
    off: () => weighed(monitor(weigh, { sample: 0 })),
    'unsampled, untimed': () => weighed(monitor(weigh, { sample: 0, timing: 'sampled' })),
    'unsampled, timed': () => weighed(monitor(weigh, { sample: 0 })),
  },
  'recorded calls': {
    'recorded, no arguments': () => {
      const monitored = monitor(function noArguments() {
        return 1
      })
      return recorded(() => void (sink += monitored()))
    },
    'recorded, string + number → number': () => {
      const monitored = monitor(add)
      return recorded(n => void (sink += monitored(pick(SYMBOLS, n), n)))
    },
    'recorded, 2 arguments + result': twoArguments,
    'recorded, object of 1 KB': () => {
      const monitored = monitor(function confirm(request: object) {
        return request !== null
      })
      return recorded(n => void (sink += Number(monitored(pick(REQUESTS, n)))))
    },
    'recorded, list of 10 items': () => listOf(10),
    'recorded, list of 10,000,000 items': () => listOf(MANY),
    'recorded, nested three deep': nested,
    'recorded, async, until it returns': () => {
      const monitored = monitor(async function later(symbol: string, quantity: number) {
        return add(symbol, quantity)
      })
      return recorded(n => void monitored(pick(SYMBOLS, n), n))
    },
    'recorded, async, whole life': wholeLife,
    'generator of 10 values, bare': () => called(n => drain(tenValues(n))),
    'generator of 10 values, recorded': () => {
      const monitored = monitor(tenValues)
      return recorded(n => drain(monitored(n)))
    },
  },
  'failing calls': {
    'throw, not monitored': () => called(n => caught(refuse, n)),
    'throw, stack read, not monitored': () => called(n => readStack(refuse, n)),
    'throw, header only': () => failing(0),
    'throw, full error record': () => failing(Number.POSITIVE_INFINITY),
  },
}

/** A figure is only one of recording when everything was recorded. */
function checkAccount(row: string): void {
  const { calls, errors, balanced } = health().account
  const dropped = { ...calls.dropped, ...errors.dropped }
  if (Object.keys(dropped).length > 0) throw new Error(`${row} dropped records: ${JSON.stringify(dropped)}`)
  if (!balanced) throw new Error(`${row}: the account does not add up`)
}

const run = Object.values(ROWS).find(rows => wanted in rows)?.[wanted]
if (run === undefined) {
  const list: RowEntry[] = Object.entries(ROWS).flatMap(([group, rows]) =>
    Object.keys(rows).map(row => ({ row, group })),
  )
  process.stdout.write(`${JSON.stringify(list)}\n`)
} else {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-bench-'))
  try {
    configure({ store: { path: join(folder, 'calls.db') } })
    const figures = await run()
    await shutdown()
    checkAccount(wanted)
    const result: RowResult = { row: wanted, unit: 'ns/call', ...figures }
    process.stdout.write(`${JSON.stringify(result)}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
if (sink === -1) process.stdout.write('')
