/**
 * The pipeline from the ring to SQLite: `tsx tests/bench/pipeline.ts <row>` runs one row and prints one JSON line, without
 * a row it prints the names of all. Rows that compare two ways take turns, so that a slow moment falls on both.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
// Not from lib: tsx gives every closure its name by a call, which took thirty times as long as the decision itself.
import { CircuitBreaker, configure, flush, monitor, shutdown } from 'callsight'
import { Frame, FrameKind, laneMemoryBytes, RING_OFFSET } from '../../lib/queue/layout.js'
import { RingConsumer, RingProducer } from '../../lib/queue/ring.js'
import { Transcoder } from '../../lib/serialize/transcode.js'
import { StoreWriter } from '../../lib/store/insert.js'
import { openForWriting } from '../../lib/store/open.js'
import { CONTENTS, type Content, ORDER, openPipelineLane } from './pipeline-lane.js'
import { median } from './support/statistics.js'

interface RowResult {
  readonly unit: 'ns/call' | 'records/s' | 'ms' | 'ratio' | 'percent'
  readonly value: number
  readonly detail?: string
  readonly extra?: Readonly<Record<string, number>>
}

const folder = mkdtempSync(join(tmpdir(), 'callsight-pipeline-'))
/** As the writer takes them from one ring. */
const ROWS_PER_TRANSACTION = 4_000
/** Long enough that the start of the writer, whose code is not compiled yet, is a small part: it is the sustained rate that counts. */
const FLOOD_MS = 10_000
const OFFERED_MS = 3_000
let sink = 0

const share = (values: readonly number[], of: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * of))] ?? Number.NaN

/** Rounds of every way in turn, the first ones thrown away; records per second of each way. */
function inTurns(ways: readonly (() => { records: number; ms: number })[], rounds = 12): number[] {
  const rates = ways.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, way] of ways.entries()) {
      const { records, ms } = way()
      if (round >= 2) rates[index]?.push((records / ms) * 1000)
    }
  }
  return rates.map(median)
}

function timed(records: number, work: () => void): { records: number; ms: number } {
  const start = performance.now()
  work()
  return { records, ms: performance.now() - start }
}

function queueAlone(): RowResult {
  const ringBytes = 8 * 1024 ** 2
  const memory = new SharedArrayBuffer(laneMemoryBytes(ringBytes))
  const producer = new RingProducer(memory, ringBytes, 8_272)
  const consumer = new RingConsumer(memory, ringBytes)
  const u32 = new Uint32Array(memory)
  const frameBytes = 160
  const block = 1_000
  const pass = (): void => {
    for (let i = 0; i < block; i++) {
      const offset = producer.reserve()
      u32[offset >>> 2] = frameBytes
      u32[(offset >>> 2) + 1] = FrameKind.record
      u32[(offset + Frame.SITE) >>> 2] = i
      producer.publish(frameBytes)
    }
    for (let i = 0; i < block; i++) sink += u32[(consumer.next() + Frame.SITE) >>> 2] ?? 0
    consumer.release()
  }
  const round = (): { records: number; ms: number } =>
    timed(1_000 * block, () => {
      for (let i = 0; i < 1_000; i++) pass()
    })
  const [value = Number.NaN] = inTurns([round])
  return { unit: 'records/s', value, detail: `${frameBytes}-byte frames, one thread writes and reads` }
}

function breakerDecision(): RowResult {
  const breaker = new CircuitBreaker()
  const records = 200_000
  const round = (): { records: number; ms: number } =>
    timed(records, () => {
      for (let i = 0; i < records; i++) breaker.tryAcquire()?.succeed()
    })
  const [rate = Number.NaN] = inTurns([round])
  return { unit: 'ns/call', value: 1e9 / rate, detail: 'asked and told of a success' }
}

function drainFullRing(content: Content): RowResult {
  const lane = openPipelineLane(folder)
  let records = 0
  const round = (): { records: number; ms: number } => {
    records = lane.fill(content)
    const before = lane.stored
    const result = timed(records, () => lane.drain())
    if (lane.stored - before !== records) throw new Error('not every record was stored')
    return result
  }
  const [value = Number.NaN] = inTurns([round])
  lane.end()
  return { unit: 'records/s', value, detail: `${records} records in 8 MiB, nothing else runs` }
}

function transcode(content: Content): RowResult {
  const lane = openPipelineLane(folder)
  lane.fill(content, 1)
  const bytes = new Uint8Array(lane.memory)
  const view = new DataView(lane.memory)
  const payload = view.getUint32(RING_OFFSET + Frame.PAYLOAD_BYTES, true)
  const end = RING_OFFSET + Frame.HEADER_BYTES + payload
  const transcoder = new Transcoder()
  const records = 50_000
  const round = (): { records: number; ms: number } =>
    timed(records, () => {
      for (let i = 0; i < records; i++) {
        transcoder.reset()
        // Behind the header of the array: arguments, their shape, the result.
        let at = RING_OFFSET + Frame.HEADER_BYTES + 1
        while (at < end) {
          at = transcoder.value(bytes, at, end)
          sink += transcoder.text().length
        }
      }
    })
  const [rate = Number.NaN] = inTurns([round])
  lane.drain()
  lane.end()
  return { unit: 'ns/call', value: 1e9 / rate, detail: `${payload} bytes of msgpack to three texts` }
}

const TEXTS = {
  shape: '[["string",6],["object",4]]',
  args: JSON.stringify(CONTENTS.object.args),
  result: JSON.stringify(CONTENTS.object.result),
}
const T0_US = Date.now() * 1000

/** One transaction of rows as a program would write them that knows nothing of this project. */
function rawInserts(path: string, rowsPerStatement: number): { transaction: () => void; close: () => void } {
  const db = openForWriting(path)
  const row = '(CAST(? AS INTEGER) * 2048 + CAST(? AS INTEGER), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
  const insert = db.prepare(
    `INSERT INTO calls VALUES ${Array.from({ length: rowsPerStatement }, () => row).join(', ')}`,
  )
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const { shape, args, result } = TEXTS
  let made = 0
  return {
    transaction() {
      begin.run()
      for (let rows = 0; rows < ROWS_PER_TRANSACTION; rows += rowsPerStatement) {
        const values: unknown[] = []
        for (let i = 0; i < rowsPerStatement; i++) {
          made++
          const parent = made % 5 === 0 ? null : made - 1
          const trace = made - (made % 5)
          values.push(
            T0_US + made,
            made % 2048,
            1,
            1,
            1_000,
            1,
            made,
            trace,
            parent,
            0,
            shape,
            args,
            result,
            null,
          )
        }
        insert.run(...values)
      }
      commit.run()
    },
    close: () => db.close(),
  }
}

function ownInserts(path: string): { transaction: () => void; close: () => void } {
  const db = openForWriting(path)
  const store = new StoreWriter(db)
  const startedUs = T0_US
  const processId = store.registerProcess({
    boot: 'a',
    pid: 1,
    script: '',
    host: '',
    nodeVersion: '',
    version: '',
    startedUs,
  })
  const { shape, args, result } = TEXTS
  let made = 0
  return {
    transaction() {
      store.begin()
      for (let rows = 0; rows < ROWS_PER_TRANSACTION; rows++) {
        made++
        const parent = made % 5 === 0 ? 0 : made - 1
        const trace = made - (made % 5)
        const salt = made % 2048
        store.call(
          T0_US + made,
          salt,
          1,
          processId,
          1_000,
          1,
          made,
          trace,
          parent,
          0,
          shape,
          args,
          result,
          null,
        )
      }
      store.flushRows()
      store.lane(processId, 0, 0, made, made, '{}', made)
      store.commit()
    },
    close: () => db.close(),
  }
}

const WAYS = {
  own: (): ReturnType<typeof ownInserts> => ownInserts(join(folder, 'own.db')),
  single: (): ReturnType<typeof rawInserts> => rawInserts(join(folder, 'single.db'), 1),
  fifty: (): ReturnType<typeof rawInserts> => rawInserts(join(folder, 'fifty.db'), 50),
}

/** Rows per second of one way, with single-row statements taking turns as the measure. */
function inserts(way: keyof typeof WAYS): RowResult {
  const transactions = 10
  const measured = [WAYS.single(), ...(way === 'single' ? [] : [WAYS[way]()])]
  const rates = inTurns(
    measured.map(
      ({ transaction }) =>
        () =>
          timed(transactions * ROWS_PER_TRANSACTION, () => {
            for (let i = 0; i < transactions; i++) transaction()
          }),
    ),
  )
  for (const { close } of measured) close()
  const [single = Number.NaN, value = single] = rates
  const extra = { 'of single-row inserts': value / single }
  return {
    unit: 'records/s',
    value,
    extra,
    detail: 'same table, columns, pragmas; one transaction per 4,000 rows',
  }
}

const place = monitor(function place(symbol: string, wanted: typeof ORDER) {
  return { symbol, cost: wanted.quantity * wanted.limit }
})

async function start(): Promise<void> {
  configure({ store: { path: join(folder, 'calls.db') } })
  place('EURUSD', ORDER)
  await flush()
}

/** Closes the recorder; a row whose account does not add up has failed. */
async function finish(): Promise<{ produced: number; stored: number; dropped: number; byReason: string }> {
  const { balanced, calls } = await shutdown()
  if (!balanced) throw new Error('the account does not add up')
  const { produced, stored, dropped } = calls
  const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0)
  return { produced, stored, dropped: lost, byReason: JSON.stringify(dropped) }
}

async function flood(): Promise<RowResult> {
  const raw = WAYS.single()
  const rawMs: number[] = []
  const measureRaw = (): void => {
    for (let i = 0; i < 40; i++) rawMs.push(timed(1, raw.transaction).ms)
  }
  for (let i = 0; i < 10; i++) raw.transaction()
  measureRaw()
  await start()
  const begun = performance.now()
  while (performance.now() - begun < FLOOD_MS) for (let i = 0; i < 200; i++) place('EURUSD', ORDER)
  const { produced, stored, dropped, byReason } = await finish()
  const value = stored / ((performance.now() - begun) / 1000)
  measureRaw()
  raw.close()
  const rawRate = (ROWS_PER_TRANSACTION * rawMs.length) / (rawMs.reduce((sum, ms) => sum + ms, 0) / 1000)
  return {
    unit: 'records/s',
    value,
    extra: { 'of single-row inserts': value / rawRate, 'dropped, percent': (100 * dropped) / produced },
    detail: `produced ${produced}, stored ${stored}, dropped ${byReason}, balanced; raw ${Math.round(rawRate)} rows/s`,
  }
}

async function offered(perSecond: number): Promise<RowResult> {
  await start()
  const begun = performance.now()
  for (let made = 0, nowMs = 0; nowMs < OFFERED_MS; nowMs = performance.now() - begun) {
    const due = Math.min(made + 200, Math.floor((nowMs * perSecond) / 1000))
    for (; made < due; made++) place('EURUSD', ORDER)
  }
  const seconds = (performance.now() - begun) / 1000
  const { produced, dropped, byReason } = await finish()
  return {
    unit: 'percent',
    value: (100 * dropped) / produced,
    detail: `${Math.round(produced / seconds)} records/s were offered for ${OFFERED_MS / 1000} s; dropped ${byReason}`,
  }
}

/** From the end of a call to the moment another process sees its row. */
async function latency(): Promise<RowResult> {
  const calls = 5_000
  const stamp = monitor(function stamp(_endedMs: number) {})
  await start()
  const script = fileURLToPath(new URL('./visible-rows.ts', import.meta.url))
  const arguments_ = ['--import', 'tsx', script, join(folder, 'calls.db'), String(calls)]
  const reader = promisify(execFile)(process.execPath, arguments_)
  // It opens the store and reads what is there, before anything is counted.
  await new Promise(resolve => setTimeout(resolve, 2_000))
  const begun = performance.now()
  for (let made = 0; made < calls; ) {
    for (; made < performance.now() - begun && made < calls; made++) {
      stamp(performance.timeOrigin + performance.now())
    }
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  const { stdout } = await reader
  await finish()
  const ms = JSON.parse(stdout) as number[]
  const p50 = share(ms, 0.5)
  const extra = { p50, p99: share(ms, 0.99), max: share(ms, 1) }
  return { unit: 'ms', value: p50, extra, detail: `${ms.length} calls, 1,000 a second` }
}

/** Batches, and slices of retention between them, with as many rows going as coming. */
function retention(): RowResult {
  const windowRecords = 150_000
  const recordsPerRound = 16_000
  const laneOf = (name: string, retentionMs: number) => {
    const path = mkdtempSync(join(folder, name))
    const lane = openPipelineLane(path, { retentionMs })
    const round = (): { records: number; ms: number } => {
      const records = lane.fill('object', recordsPerRound)
      return timed(records, () => {
        lane.drain()
        while (lane.session.sweep());
      })
    }
    for (let records = 0; records < windowRecords; ) records += round().records
    return { lane, round, path: join(path, 'calls.db') }
  }
  const without = laneOf('without-', 6 * 60 * 60_000)
  const within = laneOf('within-', windowRecords / 100)
  const [plain = Number.NaN, value = Number.NaN] = inTurns([without.round, within.round], 30)
  without.lane.end()
  within.lane.end()
  const db = openForWriting(within.path)
  const kept = db.prepare('SELECT count(*) FROM calls').pluck().get() as number
  const expired = db.prepare("SELECT rows FROM expired WHERE kind = 'calls'").pluck().get() as number
  db.close()
  if (kept > windowRecords + 1) throw new Error(`${kept} rows are left of a window of ${windowRecords}`)
  return {
    unit: 'records/s',
    value,
    extra: { 'of without': value / plain },
    detail: `a window of ${kept} records, ${expired} deleted; ${Math.round(plain)} without`,
  }
}

const ROWS: Record<string, () => Promise<RowResult> | RowResult> = {
  'queue alone': queueAlone,
  'breaker decision': breakerDecision,
  'drain of a full ring, scalars': () => drainFullRing('scalars'),
  'drain of a full ring, object': () => drainFullRing('object'),
  'transcode, scalars': () => transcode('scalars'),
  'transcode, object': () => transcode('object'),
  'insert alone': () => inserts('own'),
  'raw better-sqlite3, one row a statement': () => inserts('single'),
  'raw better-sqlite3, 50 rows a statement': () => inserts('fifty'),
  'stored under a flood': flood,
  'dropped at 100,000 records/s': () => offered(100_000),
  'dropped at 200,000 records/s': () => offered(200_000),
  'dropped at 300,000 records/s': () => offered(300_000),
  'dropped at 500,000 records/s': () => offered(500_000),
  'dropped under a flood': () => offered(Number.POSITIVE_INFINITY),
  'call to visible row': latency,
  'retention, steady state': retention,
}

const row = process.argv[2] ?? ''
const run = ROWS[row]
try {
  const result = run === undefined ? Object.keys(ROWS) : { row, ...(await run()) }
  process.stdout.write(`${JSON.stringify(result)}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (sink === -1) process.stdout.write('')
