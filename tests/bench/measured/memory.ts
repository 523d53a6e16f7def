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

function fileSizes(): { fileBytes: number; storeBytes: number } {
  let fileBytes = 0
  for (const name of readdirSync(dirname(path), { recursive: true, encoding: 'utf8' })) {
    const file = statSync(join(dirname(path), name), { throwIfNoEntry: false })
    if (file?.isFile()) fileBytes += file.size
  }
  return { fileBytes, storeBytes: statSync(path, { throwIfNoEntry: false })?.size ?? 0 }
}

function sample(startMs: number, thorough: boolean): MemorySample {
  const { rss } = process.memoryUsage()
  const at = (performance.now() - startMs) / 1000
  if (!thorough) return { seconds: at, rssBytes: rss, collected: null, ...fileSizes() }
  collect?.()
  const { rss: rssBytes, heapUsed: heapBytes } = process.memoryUsage()
  return { seconds: at, rssBytes: rss, collected: { rssBytes, heapBytes }, ...fileSizes() }
}

await report(async (): Promise<MemoryAnswer> => {
  await sleep(500)
  collect()
  const beforeRssBytes = process.memoryUsage().rss
  await place('EURUSD', order, 1)
  await flush()
  collect()
  const startedRssBytes = process.memoryUsage().rss
  const startMs = performance.now()
  const samples: MemorySample[] = [sample(startMs, true)]
  let calls = 1
  let sampled = 0
  for (let elapsedMs = 0; elapsedMs < seconds * 1000; elapsedMs = performance.now() - startMs) {
    const due = Math.floor((elapsedMs / 1000) * CALLS_PER_SECOND)
    for (; calls < due; calls++) place('EURUSD', order, calls).catch(() => {})
    if (elapsedMs >= (sampled + 1) * SAMPLE_MS) {
      sampled = Math.floor(elapsedMs / SAMPLE_MS)
      samples.push(sample(startMs, sampled % COLLECT_EVERY === 0))
    }
    await sleep(TICK_MS)
  }
  const off = health().state === 'off'
  const { expired } = await endRecording()
  if (!off && seconds > 30 && expired === 0) throw new Error('retention has deleted nothing')
  return { beforeRssBytes, startedRssBytes, samples, calls, expired }
})
