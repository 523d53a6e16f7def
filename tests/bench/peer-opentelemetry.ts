import { type Attributes, context, trace } from '@opentelemetry/api'
import type { Peer } from './peer.js'
import { add, ORDERS, pick, place, SYMBOLS } from './subjects.js'

interface SpanOptions {
  /** `flattened`: what Callsight records of the same call, as attributes, which know no objects. */
  readonly attributes: 'none' | 'scalars' | 'flattened' | 'nested'
  /** As an app's instrumentation makes spans: active while the function runs. */
  readonly inContext?: boolean
  /** Encodes each batch for the network, as the exporter would; nothing is sent. */
  readonly encode?: boolean
}

/** More than a block of calls leaves behind: with the default of 2,048 spans would be dropped. */
const MAX_QUEUE_SIZE = 65_536
const CALLS_PER_TREE = 3

/** The SDK with its batch processor at its default batch size and an exporter that takes everything. */
export async function openTelemetry({
  attributes,
  inContext = false,
  encode = false,
}: SpanOptions): Promise<Peer> {
  const { BasicTracerProvider, BatchSpanProcessor } = await import('@opentelemetry/sdk-trace-base')
  const { AsyncLocalStorageContextManager } = await import('@opentelemetry/context-async-hooks')
  const { ProtobufTraceSerializer } = await import('@opentelemetry/otlp-transformer')
  let started = 0
  let exported = 0
  let bytes = 0
  const processor = new BatchSpanProcessor(
    {
      export: (spans, done) => {
        exported += spans.length
        if (encode) bytes += ProtobufTraceSerializer.serializeRequest(spans)?.length ?? 0
        done({ code: 0 })
      },
      shutdown: async () => {},
    },
    { maxQueueSize: MAX_QUEUE_SIZE },
  )
  const provider = new BasicTracerProvider({ spanProcessors: [processor] })
  if (inContext) context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  trace.setGlobalTracerProvider(provider)
  const tracer = trace.getTracer('bench')
  let sink = 0

  function spanned<R>(
    name: string,
    given: Attributes | undefined,
    call: () => R,
    shown: (result: R) => Attributes,
  ): R {
    started++
    return tracer.startActiveSpan(name, given === undefined ? {} : { attributes: given }, span => {
      const result = call()
      span.setAttributes(shown(result))
      span.end()
      return result
    })
  }
  const tree = (name: string, call: (symbol: string, quantity: number) => number) => {
    const shown = (result: number): Attributes => ({ result })
    return (symbol: string, quantity: number): number =>
      spanned(name, { 'args.0': symbol, 'args.1': quantity }, () => call(symbol, quantity), shown)
  }
  const nested = tree('outer', tree('middle', tree('inner', add)))

  const bodies: Record<SpanOptions['attributes'], (n: number) => void> = {
    none: n => {
      const span = tracer.startSpan('add')
      sink += add(pick(SYMBOLS, n), n)
      span.end()
      started++
    },
    scalars: n => {
      const symbol = pick(SYMBOLS, n)
      const span = tracer.startSpan('add', { attributes: { 'args.0': symbol, 'args.1': n } })
      const result = add(symbol, n)
      span.setAttribute('result', result)
      span.end()
      started++
      sink += result
    },
    flattened: inContext
      ? n => {
          const symbol = pick(SYMBOLS, n)
          const order = pick(ORDERS, n)
          const call = (): ReturnType<typeof place> => place(symbol, order)
          sink += spanned('place', flat(symbol, order), call, flatResult).cost
        }
      : n => {
          const symbol = pick(SYMBOLS, n)
          const order = pick(ORDERS, n)
          const span = tracer.startSpan('place', { attributes: flat(symbol, order) })
          const result = place(symbol, order)
          span.setAttributes(flatResult(result))
          span.end()
          started++
          sink += result.cost
        },
    nested: n => {
      sink += nested(pick(SYMBOLS, n), n)
    },
  }

  return {
    body: bodies[attributes],
    settle: () => processor.forceFlush(),
    finish: async () => {
      await provider.shutdown()
      if (exported !== started)
        throw new Error(`OpenTelemetry dropped ${started - exported} of ${started} spans`)
      if (encode && bytes === 0) throw new Error('nothing was encoded')
      if (sink === 0) throw new Error('nothing was called')
    },
    callsPerBody: attributes === 'nested' ? CALLS_PER_TREE : 1,
    detail: `batch processor, ${encode ? 'OTLP protobuf, not sent' : 'exporter that takes everything'}`,
  }
}

const flat = (symbol: string, order: (typeof ORDERS)[number]): Attributes => ({
  'args.0': symbol,
  'args.1.quantity': order.quantity,
  'args.1.limit': order.limit,
  'args.1.side': order.side,
  'args.1.venue': order.venue,
})

const flatResult = (result: ReturnType<typeof place>): Attributes => ({
  'result.symbol': result.symbol,
  'result.cost': result.cost,
})
