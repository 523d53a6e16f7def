/**
 * The rows about other tools, with the same functions and values as `rows.ts`: each records the call by the means it
 * has, with what its documentation advises for production, and buffers so large that nothing is dropped. The figure is the whole
 * cost on the thread of the app, with what batch timers and callbacks do there. Protocol: see `protocol.ts`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { perCallOnThread } from './measure.js'
import type { Peer } from './peer.js'
import { openTelemetry } from './peer-opentelemetry.js'
import type { RowEntry, RowResult } from './protocol.js'
import { ORDERS, pick, place, SYMBOLS } from './subjects.js'

const GROUP = 'the same calls, other tools'
const folder = mkdtempSync(join(tmpdir(), 'callsight-peers-'))
let sink = 0

async function pinoTo(target: 'worker' | 'file'): Promise<Peer> {
  const { pino } = await import('pino')
  const path = join(folder, 'calls.log')
  // The size of the buffer is the one pino's page on asynchronous logging uses.
  const destination =
    target === 'worker'
      ? pino.transport({ target: 'pino/file', options: { destination: path } })
      : pino.destination({ dest: path, sync: false, minLength: 4_096 })
  const logger = pino(destination)
  let lines = 0
  const flush = (): Promise<unknown> =>
    new Promise((resolve, reject) => logger.flush(error => (error ? reject(error) : resolve(undefined))))
  return {
    body: n => {
      const symbol = pick(SYMBOLS, n)
      const order = pick(ORDERS, n)
      const start = performance.now()
      const result = place(symbol, order)
      logger.info({ durationMs: performance.now() - start, args: [symbol, order], result }, 'place')
      lines++
      sink += result.cost
    },
    settle: flush,
    finish: async () => {
      await flush()
      if (lines === 0) throw new Error('pino wrote nothing')
    },
    detail:
      target === 'worker'
        ? 'transport in a worker thread, JSON lines'
        : 'asynchronous destination, JSON lines',
  }
}

async function promClient(): Promise<Peer> {
  const { Histogram, Registry } = await import('prom-client')
  const registry = new Registry()
  const histogram = new Histogram({
    name: 'function_duration_seconds',
    help: 'Duration of calls',
    labelNames: ['function', 'outcome'] as const,
    registers: [registry],
  })
  let calls = 0
  return {
    body: n => {
      const start = performance.now()
      const result = place(pick(SYMBOLS, n), pick(ORDERS, n))
      histogram.observe({ function: 'place', outcome: 'ok' }, (performance.now() - start) / 1_000)
      calls++
      sink += result.cost
    },
    settle: async () => {},
    finish: async () => {
      if (!(await registry.metrics()).includes(`_count{function="place",outcome="ok"} ${calls}`)) {
        throw new Error('prom-client has not counted every call')
      }
    },
    detail: 'metrics only: histogram with two labels',
  }
}

async function autometricsWrap(): Promise<Peer> {
  const { autometrics, registerExporter } = await import('@autometrics/autometrics')
  const { createRequire } = await import('node:module')
  // Its own version of the metrics SDK, which it does not export.
  const require = createRequire(createRequire(import.meta.url).resolve('@autometrics/autometrics'))
  const { AggregationTemporality, InMemoryMetricExporter, PeriodicExportingMetricReader } =
    require('@opentelemetry/sdk-metrics') as typeof import('@opentelemetry/sdk-metrics')
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000 })
  registerExporter({
    metricReader: reader as unknown as Parameters<typeof registerExporter>[0]['metricReader'],
  })
  const wrapped = autometrics({ functionName: 'place', moduleName: 'orders' }, place)
  let calls = 0
  return {
    body: n => {
      calls++
      sink += wrapped(pick(SYMBOLS, n), pick(ORDERS, n)).cost
    },
    settle: async () => exporter.reset(),
    finish: async () => {
      await reader.forceFlush()
      if (!JSON.stringify(exporter.getMetrics()).includes(`"value":${calls}`)) {
        throw new Error('autometrics has not counted every call')
      }
      await reader.shutdown()
    },
    detail: 'metrics only: counter and histogram, read every second',
  }
}

const ROWS: Record<string, () => Promise<Peer>> = {
  'OpenTelemetry span, no attributes': () => openTelemetry({ attributes: 'none' }),
  'OpenTelemetry span, string + number → number': () => openTelemetry({ attributes: 'scalars' }),
  'OpenTelemetry span, 2 arguments + result': () => openTelemetry({ attributes: 'flattened' }),
  'OpenTelemetry span, in its context': () => openTelemetry({ attributes: 'flattened', inContext: true }),
  'OpenTelemetry span, nested three deep': () => openTelemetry({ attributes: 'nested', inContext: true }),
  'OpenTelemetry span, encoded as OTLP': () => openTelemetry({ attributes: 'flattened', encode: true }),
  'pino, worker transport': () => pinoTo('worker'),
  'pino, asynchronous file': () => pinoTo('file'),
  'prom-client histogram': promClient,
  'autometrics wrap': autometricsWrap,
}

const wanted = process.argv[2] ?? ''
const setUp = ROWS[wanted]
try {
  if (setUp === undefined) {
    const list: RowEntry[] = Object.keys(ROWS).map(row => ({ row, group: GROUP }))
    process.stdout.write(`${JSON.stringify(list)}\n`)
  } else {
    const { body, settle, finish, detail, callsPerBody = 1 } = await setUp()
    const { wholeNs, untilReturnNs } = await perCallOnThread(body, { settle })
    await finish()
    const result: RowResult = {
      row: wanted,
      unit: 'ns/call',
      value: wholeNs / callsPerBody,
      detail,
      extra: { 'ns until it returns': untilReturnNs / callsPerBody },
    }
    process.stdout.write(`${JSON.stringify(result)}\n`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (sink === -1) process.stdout.write('')
