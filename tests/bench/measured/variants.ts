/**
 * One function, instrumented in each of the ways that are compared. What is written of a call is the same: name, time,
 * duration, parent (not by pino) and the described values; Callsight describes arguments and result by itself.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MonitorOptions, monitor } from 'callsight'
import { endRecording, recordIntoNewStore } from './recording.js'
import { MissingPeer } from './report.js'

export type Attributes = Record<string, string | number>

export interface Variant {
  wrap<A extends unknown[], R>(
    name: string,
    fn: (...args: A) => R,
    describe: (result: Awaited<R>, ...args: A) => Attributes,
  ): (...args: A) => R
  /** What is left to be done of the calls so far on the thread that made them. */
  settle(): Promise<void>
  /** Ends it. @throws when one of `calls` has not arrived */
  end(calls: number): Promise<void>
}

export type VariantName = keyof typeof VARIANTS

export const VARIANTS = {
  bare: (): Variant => ({ wrap: (_, fn) => fn, settle: async () => {}, end: async () => {} }),
  Callsight: () => callsight({}),
  'Callsight, types only': () => callsight({ capture: { args: 'types', result: 'types' } }),
  'Callsight, sample 0.01': () => callsight({ sample: 0.01 }),
  'Callsight, unsampled': () => callsight({ sample: 0 }),
  OpenTelemetry: openTelemetry,
  pino,
} satisfies Record<string, () => Variant>

function callsight(options: MonitorOptions): Variant {
  recordIntoNewStore()
  return {
    wrap: (name, fn) => monitor(fn, { ...options, name }) as typeof fn,
    settle: async () => {},
    async end(calls) {
      const account = await endRecording()
      if (options.sample !== undefined) return
      if (account.calls.stored !== calls)
        throw new Error(`${account.calls.stored} of ${calls} calls are stored`)
    },
  }
}

function load<T>(name: string): T {
  try {
    return createRequire(import.meta.url)(name) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND')
      throw new MissingPeer(`${name} is not installed`)
    throw error
  }
}

interface Span {
  setAttribute(name: string, value: string | number): void
  end(): void
}

/** The parts of OpenTelemetry's packages that are used. */
interface OtelApi {
  readonly context: { setGlobalContextManager(manager: unknown): void }
}
interface OtelHooks {
  readonly AsyncLocalStorageContextManager: new () => { enable(): unknown }
}
interface OtelTrace {
  readonly BatchSpanProcessor: new (exporter: unknown, options: object) => unknown
  readonly BasicTracerProvider: new (options: {
    spanProcessors: unknown[]
  }) => {
    getTracer(name: string): { startActiveSpan<R>(name: string, body: (span: Span) => R): R }
    forceFlush(): Promise<void>
    shutdown(): Promise<void>
  }
}
interface OtelTransformer {
  readonly ProtobufTraceSerializer: { serializeRequest(spans: unknown[]): Uint8Array | undefined }
}

/** Batch processor, encoded as OTLP, sent nowhere. */
function openTelemetry(): Variant {
  const { context } = load<OtelApi>('@opentelemetry/api')
  const { AsyncLocalStorageContextManager } = load<OtelHooks>('@opentelemetry/context-async-hooks')
  const { BasicTracerProvider, BatchSpanProcessor } = load<OtelTrace>('@opentelemetry/sdk-trace-base')
  const { ProtobufTraceSerializer } = load<OtelTransformer>('@opentelemetry/otlp-transformer')
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  let exported = 0
  const exporter = {
    export(spans: unknown[], done: (result: { code: number }) => void) {
      if ((ProtobufTraceSerializer.serializeRequest(spans)?.length ?? 0) === 0)
        throw new Error('nothing encoded')
      exported += spans.length
      done({ code: 0 })
    },
    shutdown: async () => {},
  }
  const provider = new BasicTracerProvider({
    // Larger than by default, where a loop that does not yield for long loses spans.
    spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: 16_384 })],
  })
  const tracer = provider.getTracer('bench')
  return {
    wrap:
      (name, fn, describe) =>
      (...args) =>
        tracer.startActiveSpan(name, span =>
          settled(fn(...args), result => {
            const attributes = describe(result, ...args)
            for (const key in attributes) span.setAttribute(key, attributes[key] as string)
            span.end()
          }),
        ),
    settle: () => provider.forceFlush(),
    async end(calls) {
      await provider.shutdown()
      if (exported !== calls) throw new Error(`${exported} of ${calls} spans were exported`)
    },
  }
}

interface Pino {
  (transport: unknown): { info(values: object, message: string): void }
  transport(options: object): { end(): void; once(event: string, listener: () => void): void }
}

/** A line a call through the worker transport, into a file. */
function pino(): Variant {
  const create = load<Pino>('pino')
  const folder = mkdtempSync(join(tmpdir(), 'callsight-bench-pino-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'log')
  const transport = create.transport({ target: 'pino/file', options: { destination: file } })
  const logger = create(transport)
  return {
    wrap:
      (name, fn, describe) =>
      (...args) => {
        const start = performance.now()
        return settled(fn(...args), result => {
          const attributes: Attributes = describe(result, ...args)
          attributes['durationMs'] = performance.now() - start
          logger.info(attributes, name)
        })
      },
    settle: async () => {},
    async end(calls) {
      // Nothing of pino keeps the process alive for it.
      const alive = setInterval(() => {}, 1_000)
      const closed = new Promise<void>(resolve => transport.once('close', resolve))
      transport.end()
      await closed
      clearInterval(alive)
      const lines = countLines(file)
      if (lines !== calls) throw new Error(`${lines} of ${calls} lines are in the file`)
    },
  }
}

/** In pieces: the file may be larger than the longest string. */
function countLines(file: string): number {
  const piece = Buffer.alloc(2 ** 20)
  const descriptor = openSync(file, 'r')
  let lines = 0
  for (let bytes = -1; bytes !== 0; ) {
    bytes = readSync(descriptor, piece)
    for (let at = piece.indexOf(10); at >= 0 && at < bytes; at = piece.indexOf(10, at + 1)) lines++
  }
  closeSync(descriptor)
  return lines
}

/** Calls `then` with what a function returned, or with what its promise becomes. */
function settled<R>(result: R, then: (value: Awaited<R>) => void): R {
  if (!(result instanceof Promise)) {
    then(result as Awaited<R>)
    return result
  }
  return result.then(value => {
    then(value)
    return value
  }) as R
}
