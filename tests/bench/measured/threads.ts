/** As many threads as the argument says record as fast as they can, for two seconds; the writer stores what it can. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { flush, health, monitor, shutdown } from 'callsight'
import { recordIntoNewStore } from './recording.js'
import { report } from './report.js'

export interface ThreadsAnswer {
  readonly producedPerSecond: number
  readonly storedPerSecond: number
  readonly droppedShare: number
  readonly recordingThreads: number
}

const FLOOD_MS = 2_000

const place = (): ((symbol: string, quantity: number) => number) =>
  monitor((symbol: string, quantity: number) => symbol.length + quantity, { name: 'place' })

/** Shared with the workers: how many are ready, and whether they may begin. */
const Gate = { READY: 0, OPEN: 1 } as const

async function flood(): Promise<void> {
  const gate = workerData as Int32Array
  const call = place()
  call('EURUSD', 0)
  await flush()
  Atomics.add(gate, Gate.READY, 1)
  Atomics.wait(gate, Gate.OPEN, 0)
  const endMs = performance.now() + FLOOD_MS
  while (performance.now() < endMs) for (let i = 0; i < 200; i++) call('EURUSD', i)
  // The rest of the ring is stored while the thread still stands, as in a pool of workers.
  await flush()
}

async function measureThreads(threads: number): Promise<ThreadsAnswer> {
  recordIntoNewStore()
  place()('EURUSD', 0)
  await flush()
  const gate = new Int32Array(new SharedArrayBuffer(8))
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL(import.meta.url), { workerData: gate }),
  )
  let ended = 0
  const failures: unknown[] = []
  for (const worker of workers) {
    worker.once('error', error => failures.push(error))
    worker.once('exit', () => ended++)
  }
  while (Atomics.load(gate, Gate.READY) < threads && ended === 0) await sleep(10)
  const recordingThreads = health().writer.threads - 1
  const before = health().account.calls
  const start = performance.now()
  Atomics.store(gate, Gate.OPEN, 1)
  Atomics.notify(gate, Gate.OPEN)
  while (ended < threads) await sleep(10)
  await flush()
  const seconds = (performance.now() - start) / 1000
  await shutdown()
  // Of all threads together, also of those that have ended.
  const { calls, balanced } = health().account
  if (failures.length > 0) throw failures[0]
  if (!balanced) throw new Error('the account does not add up')
  if (recordingThreads !== threads)
    throw new Error(`the writer takes from ${recordingThreads} of ${threads} threads`)
  const { queue_full: dropped = 0, ...otherwise } = calls.dropped
  if (calls.produced !== calls.stored + dropped) throw new Error(`dropped: ${JSON.stringify(otherwise)}`)
  return {
    producedPerSecond: (calls.produced - before.produced) / seconds,
    storedPerSecond: (calls.stored - before.stored) / seconds,
    droppedShare: dropped / calls.produced,
    recordingThreads,
  }
}

if (isMainThread) await report(() => measureThreads(Number(process.argv[2])))
else await flood()
