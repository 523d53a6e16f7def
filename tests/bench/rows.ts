/**
 * One row of the benchmark, run in a process of its own so that no row meets code another one has warmed up:
 * `tsx tests/bench/rows.ts <row>`. Prints one JSON line.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configure, flush, health, monitor, shutdown } from 'callsight'
import { Bench } from 'tinybench'
import { Frame, FrameKind, laneMemoryBytes } from '../../dist/queue/layout.js'
import { RingConsumer, RingProducer } from '../../dist/queue/ring.js'

/** Nanoseconds per call, or records per second, as the row's name says. */
interface RowResult {
  readonly row: string
  readonly unit: 'ns/call' | 'records/s'
  readonly value: number
  readonly detail?: string
}

const folder = mkdtempSync(join(tmpdir(), 'callsight-bench-'))
const wanted = process.argv[2] ?? ''
configure({
  store: { path: join(folder, 'calls.db') },
  // Otherwise all but the first 1,000 failing calls of a second would be measured as header-only records.
  errors: { fullPerSecond: wanted.includes('header only') ? 0 : Number.POSITIVE_INFINITY },
})

let sink = 0
const order = { quantity: 5, limit: 101.25, side: 'buy', venue: 'XETR' }

/** Calls per look at the clock: the clock itself costs as much as what is measured. */
const BLOCK = 1_000

async function perCall(row: string, body: () => void): Promise<RowResult> {
  const block = (): void => {
    for (let i = 0; i < BLOCK; i++) body()
  }
  const bench = new Bench({ time: 600, warmupTime: 300 })
  bench.add(row, block)
  await bench.run()
  const result = bench.tasks[0]?.result
  if (result === undefined || !('latency' in result)) throw new Error(`${row} gave no result`)
  return { row, unit: 'ns/call', value: (result.latency.p50 * 1e6) / BLOCK }
}

/** As {@link perCall}, with pauses in which the writer empties the ring: what is measured is recording, not dropping. */
async function perRecordedCall(row: string, body: () => void): Promise<RowResult> {
  const rounds: number[] = []
  for (let round = 0; round < 25; round++) {
    await flush()
    const start = process.hrtime.bigint()
    for (let i = 0; i < 5 * BLOCK; i++) body()
    rounds.push(Number(process.hrtime.bigint() - start) / (5 * BLOCK))
  }
  const measured = rounds.slice(5).sort((a, b) => a - b)
  const { calls } = health().account
  if (calls.dropped.queue_full !== undefined)
    throw new Error(`${row} dropped records: it measured the wrong thing`)
  return { row, unit: 'ns/call', value: measured[measured.length >>> 1] ?? 0 }
}

async function flood(): Promise<RowResult> {
  const place = monitor(function place(symbol: string, wanted: typeof order) {
    return { symbol, cost: wanted.quantity * wanted.limit }
  })
  place('EURUSD', order)
  await flush()
  const start = performance.now()
  const durationMs = 5_000
  while (performance.now() - start < durationMs) for (let i = 0; i < 200; i++) place('EURUSD', order)
  const account = await shutdown()
  const seconds = (performance.now() - start) / 1000
  if (!account.balanced) throw new Error('the account does not add up')
  const { produced, stored, dropped } = account.calls
  const detail = `produced ${produced}, stored ${stored}, dropped ${JSON.stringify(dropped)}, balanced`
  return { row: 'flood', unit: 'records/s', value: stored / seconds, detail }
}

function queueAlone(): RowResult {
  const ringBytes = 8 * 1024 ** 2
  const memory = new SharedArrayBuffer(laneMemoryBytes(ringBytes))
  const producer = new RingProducer(memory, ringBytes, 8_272)
  const consumer = new RingConsumer(memory, ringBytes)
  const u32 = new Uint32Array(memory)
  const frameBytes = 160
  const start = performance.now()
  let records = 0
  while (performance.now() - start < 2_000) {
    for (let i = 0; i < BLOCK; i++) {
      const offset = producer.reserve()
      u32[offset >>> 2] = frameBytes
      u32[(offset >>> 2) + 1] = FrameKind.record
      u32[(offset + Frame.SITE) >>> 2] = i
      producer.publish(frameBytes)
    }
    for (let i = 0; i < BLOCK; i++) sink += u32[(consumer.next() + Frame.SITE) >>> 2] ?? 0
    consumer.release()
    records += BLOCK
  }
  return { row: 'queue alone', unit: 'records/s', value: records / ((performance.now() - start) / 1000) }
}

const bare = (symbol: string, wanted: typeof order): number => symbol.length + wanted.quantity
const never = monitor(
  function never(symbol: string, wanted: typeof order) {
    return symbol.length + wanted.quantity
  },
  { sample: 0 },
)
const untimed = monitor(
  function untimed(symbol: string, wanted: typeof order) {
    return symbol.length + wanted.quantity
  },
  { sample: 0, timing: 'sampled' },
)
const noArguments = monitor(function noArguments() {
  return 1
})
const scalars = monitor(function scalars(symbol: string, quantity: number) {
  return symbol.length + quantity
})
const objects = monitor(function objects(symbol: string, wanted: typeof order) {
  return { symbol, cost: wanted.quantity * wanted.limit }
})
const later = monitor(async function later(symbol: string, quantity: number) {
  return symbol.length + quantity
})
function refuse(symbol: string): never {
  throw new Error(`no market for ${symbol}`)
}
const failing = monitor(refuse)
function caught(fn: (symbol: string) => never): void {
  try {
    fn('EURUSD')
  } catch {
    sink++
  }
}

const ROWS: Record<string, () => Promise<RowResult> | RowResult> = {
  'two clock reads': () =>
    perCall('two clock reads', () => {
      const start = performance.now()
      sink += performance.now() - start
    }),
  bare: () =>
    perCall('bare', () => {
      sink += bare('EURUSD', order)
    }),
  off: () =>
    perCall('off', () => {
      sink += never('EURUSD', order)
    }),
  'unsampled, timed': () =>
    perCall('unsampled, timed', () => {
      sink += never('EURUSD', order)
    }),
  'unsampled, untimed': () =>
    perCall('unsampled, untimed', () => {
      sink += untimed('EURUSD', order)
    }),
  'recorded, no arguments': () =>
    perRecordedCall('recorded, no arguments', () => {
      sink += noArguments()
    }),
  'recorded, string + number': () =>
    perRecordedCall('recorded, string + number', () => {
      sink += scalars('EURUSD', 5)
    }),
  'recorded, string + object, object result': () =>
    perRecordedCall('recorded, string + object, object result', () => {
      sink += objects('EURUSD', order).cost
    }),
  'recorded, async, until it returns': () =>
    perRecordedCall('recorded, async, until it returns', () => {
      void later('EURUSD', 5)
    }),
  'failing, not monitored': () => perCall('failing, not monitored', () => caught(refuse)),
  'failing (journal, header only)': () =>
    perRecordedCall('failing (journal, header only)', () => caught(failing)),
  'failing (journal, full record)': () =>
    perRecordedCall('failing (journal, full record)', () => caught(failing)),
  'queue alone': queueAlone,
  flood,
}

const run = ROWS[wanted]
if (run === undefined) {
  process.stdout.write(`${JSON.stringify(Object.keys(ROWS))}\n`)
} else {
  const result = await run()
  await shutdown()
  process.stdout.write(`${JSON.stringify({ ...result, sink: undefined })}\n`)
}
rmSync(folder, { recursive: true, force: true })
if (sink === -1) process.stdout.write('')
