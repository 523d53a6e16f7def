/**
 * A service-like load of 1,000 calls a second, all recorded, one in 200 failing: what the process takes over time.
 * Argument: for how many seconds. With `CALLSIGHT=off` it is the same program without the recorder.
 */
import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { flush, health, monitor } from 'callsight'
import { endRecording, recordIntoNewStore } from './recording.js'
import { report } from './report.js'

export interface MemorySample {
  readonly seconds: number
  readonly rssBytes: number
  /** RSS and heap after a full collection; only every {@link COLLECT_EVERY}th sample has them. */
  readonly collected: { readonly rssBytes: number; readonly heapBytes: number } | null
  /** Store, log, shared-memory file and journals. */
  readonly fileBytes: number
  readonly storeBytes: number
}

export interface MemoryAnswer {
  /** Before the first monitored call. */
  readonly beforeRssBytes: number
  /** When the first record is stored. */
  readonly startedRssBytes: number
  readonly samples: readonly MemorySample[]
  readonly calls: number
  readonly expired: number
}

const CALLS_PER_SECOND = 1_000
const TICK_MS = 10
const FAILING = 200
const SAMPLE_MS = 500
const COLLECT_EVERY = 4

const seconds = Number(process.argv[2])
const collect = globalThis.gc
if (collect === undefined) throw new Error('run it with --expose-gc')
const path = recordIntoNewStore({ store: { retention: '10s', sweepInterval: '1s' } })

const order = { quantity: 5, limit: 101.25, side: 'buy', venue: 'XETR' }
const place = monitor(async function place(symbol: string, wanted: typeof order, id: number) {
  if (id % FAILING === 0) throw new Error(`no market for ${symbol}`)
  return { symbol, id, cost: wanted.quantity * wanted.limit }
})

const NONE = -1
const COLUMNS = 6
/** The samples, in memory that is there from the beginning: lists that grow would be measured as well. */
const figures = new Float64Array((Math.ceil((seconds * 1000) / SAMPLE_MS) + 10) * COLUMNS)
let sampleCount = 0

function fileBytes(): number {
  let bytes = 0
  for (const name of readdirSync(dirname(path), { recursive: true, encoding: 'utf8' })) {
    const file = statSync(join(dirname(path), name), { throwIfNoEntry: false })
    if (file?.isFile()) bytes += file.size
  }
  return bytes
}

function sample(startMs: number, thorough: boolean): void {
  const at = sampleCount++ * COLUMNS
  figures[at] = (performance.now() - startMs) / 1000
  figures[at + 1] = process.memoryUsage.rss()
  figures[at + 2] = fileBytes()
  figures[at + 3] = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (thorough) collect?.()
  figures[at + 4] = thorough ? process.memoryUsage.rss() : NONE
  figures[at + 5] = thorough ? process.memoryUsage().heapUsed : NONE
}

const samples = (): MemorySample[] =>
  Array.from({ length: sampleCount }, (_, index) => {
    const row = figures.subarray(index * COLUMNS, (index + 1) * COLUMNS)
    const [at = 0, rssBytes = 0, fileBytes = 0, storeBytes = 0, collectedRss = 0, heapBytes = 0] = row
    const collected = heapBytes === NONE ? null : { rssBytes: collectedRss, heapBytes }
    return { seconds: at, rssBytes, collected, fileBytes, storeBytes }
  })

await report(async (): Promise<MemoryAnswer> => {
  await sleep(500)
  collect()
  const beforeRssBytes = process.memoryUsage.rss()
  await place('EURUSD', order, 1)
  await flush()
  collect()
  const startedRssBytes = process.memoryUsage.rss()
  const startMs = performance.now()
  sample(startMs, true)
  let calls = 1
  let sampled = 0
  for (let elapsedMs = 0; elapsedMs < seconds * 1000; elapsedMs = performance.now() - startMs) {
    const due = Math.floor((elapsedMs / 1000) * CALLS_PER_SECOND)
    for (; calls < due; calls++) place('EURUSD', order, calls).catch(() => {})
    if (elapsedMs >= (sampled + 1) * SAMPLE_MS) {
      sampled = Math.floor(elapsedMs / SAMPLE_MS)
      sample(startMs, sampled % COLLECT_EVERY === 0)
    }
    await sleep(TICK_MS)
  }
  const off = health().state === 'off'
  const { expired } = await endRecording()
  if (!off && seconds > 30 && expired === 0) throw new Error('retention has deleted nothing')
  return { beforeRssBytes, startedRssBytes, samples: samples(), calls, expired }
})
