/**
 * Counts what monitored calls do: `tsx tests/bench/count-probe.ts <dist> <calls|memory> <scene>` prints one JSON object.
 *
 * `calls`: how many functions of Callsight, built-ins, Atomics operations, clock reads and file operations a call
 * takes. `memory`: bytes of heap and ring. The calls are made in one synchronous loop in which no timer can run, so the counts are exact.
 */
import { mkdtempSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { getHeapStatistics } from 'node:v8'
import { countBuiltIns } from './count-built-ins.js'
import { countFunctions, scriptUrls } from './count-functions.js'
import { ORDERS, pick, place, refuse, SYMBOLS, weigh } from './subjects.js'

/** So many that one more per hundred calls is seen, and few enough that their records fit into the ring. */
const CALLS = 2_000
const WARM_UP_CALLS = 1_000
const MEMORY_PASSES = 5

const [dist = '', mode = '', scene = ''] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'callsight-counts-'))
const print = (figures: object): void => void writeSync(1, `${JSON.stringify(figures)}\n`)

// Before the import, because Callsight keeps the built-ins it uses as they are then.
const builtIns = mode === 'calls' ? countBuiltIns() : null
const before = mode === 'calls' ? new Set(scriptUrls()) : new Set()
const distUrl = pathToFileURL(`${dist}/`).href
const { configure, flush, health, monitor, shutdown }: typeof import('callsight') = await import(
  `${distUrl}index.js`
)

configure({
  store: { path: join(folder, 'calls.db') },
  // A machine that stands still for a second makes no record, and no number of errors in a second another one.
  slow: false,
  stalls: { threshold: false },
  errors: { fullPerSecond: Number.POSITIVE_INFINITY },
})

let sink = 0
const recorded = (): ((n: number) => void) => {
  const monitored = monitor(place)
  return n => {
    sink += monitored(pick(SYMBOLS, n), pick(ORDERS, n)).cost
  }
}
const SCENES: Record<string, () => (n: number) => void> = {
  'unsampled, timed': () => weighed(monitor(weigh, { sample: 0 })),
  'unsampled, untimed': () => weighed(monitor(weigh, { sample: 0, timing: 'sampled' })),
  'recorded, 2 arguments + result': recorded,
  'recorded, contexts entered': recorded,
  'recorded, async, until it returns': () => {
    const monitored = monitor(async function later(symbol: string, quantity: number) {
      return symbol.length + quantity
    })
    return n => void monitored(pick(SYMBOLS, n), n)
  },
  'throw, full error record': () => {
    const monitored = monitor(refuse)
    return n => {
      try {
        monitored(pick(SYMBOLS, n))
      } catch {
        sink++
      }
    }
  },
}

function weighed(fn: typeof weigh): (n: number) => void {
  return n => {
    sink += fn(pick(SYMBOLS, n), pick(ORDERS, n))
  }
}

function times(calls: number, body: (n: number) => void): void {
  for (let n = 0; n < calls; n++) body(n)
}

async function calls(body: (n: number) => void): Promise<void> {
  body(0)
  const files = scriptUrls().filter(
    url =>
      !before.has(url) &&
      url.startsWith('file:') &&
      !/\/node_modules\/(tsx|esbuild|get-tsconfig)\//.test(url),
  )
  const takeFunctions = countFunctions(distUrl)
  times(WARM_UP_CALLS, body)
  await flush()
  takeFunctions()
  builtIns?.take()
  times(CALLS, body)
  const counted = builtIns?.take() ?? {}
  const functions = takeFunctions()
  const perCall = Object.fromEntries(
    Object.entries({ functions, ...counted }).map(([name, count]) => [name, count / CALLS]),
  )
  print({ ...perCall, 'files loaded': files.length })
}

async function memory(body: (n: number) => void): Promise<void> {
  times(20 * WARM_UP_CALLS, body)
  let heapBytes = Number.POSITIVE_INFINITY
  let ringBytes = 0
  for (let pass = 0; pass < MEMORY_PASSES; pass++) {
    await flush()
    const ringBefore = health().ring.usedBytes
    const heapBefore = getHeapStatistics().used_heap_size
    times(CALLS, body)
    const heap = (getHeapStatistics().used_heap_size - heapBefore) / CALLS
    // A collection in between makes it less than nothing.
    if (heap >= 0) heapBytes = Math.min(heapBytes, heap)
    // The writer may have taken a part already.
    ringBytes = Math.max(ringBytes, (health().ring.usedBytes - ringBefore) / CALLS)
  }
  print({ 'heap bytes': Math.round(heapBytes), 'ring bytes': Math.round(ringBytes) })
}

const body = (SCENES[scene] as () => (n: number) => void)()
try {
  await { calls, memory }[mode as 'calls' | 'memory'](body)
  const { calls: kept, errors } = await shutdown()
  const dropped = { ...kept.dropped, ...errors.dropped }
  if (Object.keys(dropped).length > 0) throw new Error(`records were dropped: ${JSON.stringify(dropped)}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (sink === -1) print({})
