/** The HTTP service under load, instrumented as its argument says; answers its port, then what each slice cost. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { orderService } from './orders.js'
import { serve } from './report.js'
import { threadCpuMs } from './thread-cpu.js'
import { VARIANTS, type VariantName } from './variants.js'

export type ServerCommand = 'begin' | 'end' | 'stop'

export interface SliceCost {
  readonly requests: number
  readonly wallMs: number
  /** CPU time of all threads. */
  readonly cpuMs: number
  /** `null` where the system does not tell. */
  readonly mainThreadCpuMs: number | null
  readonly gcMs: number
  readonly loopDelayP99Ms: number
  readonly heapUsedBytes: number
  readonly rssBytes: number
}

/** Calls of one request that are instrumented. */
const CALLS = 3
const LOOP_DELAY_RESOLUTION_MS = 2

const name = process.argv[2] as VariantName
const delay = monitorEventLoopDelay({ resolution: LOOP_DELAY_RESOLUTION_MS })
let gcMs = 0
new PerformanceObserver(list => {
  for (const { duration } of list.getEntries()) gcMs += duration
}).observe({ entryTypes: ['gc'] })

let requests = 0
const now = () => ({
  requests,
  wallMs: performance.now(),
  cpuMs: process.cpuUsage().user / 1e3 + process.cpuUsage().system / 1e3,
  mainThreadCpuMs: threadCpuMs(),
  gcMs,
})
let begun = now()

async function slice(): Promise<SliceCost> {
  // Collections are told about in a later turn of the loop.
  await new Promise(resolve => setTimeout(resolve, 10))
  const ended = now()
  delay.disable()
  const { heapUsed, rss } = process.memoryUsage()
  const before = begun
  return {
    requests: ended.requests - before.requests,
    wallMs: ended.wallMs - before.wallMs,
    cpuMs: ended.cpuMs - before.cpuMs,
    mainThreadCpuMs:
      ended.mainThreadCpuMs === null || before.mainThreadCpuMs === null
        ? null
        : ended.mainThreadCpuMs - before.mainThreadCpuMs,
    gcMs: ended.gcMs - before.gcMs,
    loopDelayP99Ms: delay.percentile(99) / 1e6,
    heapUsedBytes: heapUsed,
    rssBytes: rss,
  }
}

const variant = VARIANTS[name]()
const place = orderService(variant)
const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => {
    place(Buffer.concat(chunks).toString()).then(digest => {
      requests++
      response.setHeader('content-length', digest.length)
      response.end(digest)
    })
  })
})

await serve(
  async () => {
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  },
  async (command: ServerCommand): Promise<SliceCost | null> => {
    switch (command) {
      case 'begin':
        delay.reset()
        delay.enable()
        begun = now()
        return null
      case 'end':
        return slice()
      case 'stop':
        server.closeAllConnections()
        await variant.end(requests * CALLS)
        return null
    }
  },
)
