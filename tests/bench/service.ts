/**
 * An HTTP service under a fixed request rate: what instrumenting three nested calls of each request adds to its
 * latency and takes of the machine. The bare service and an instrumented one stand side by side and are loaded in
 * turns of a second, so that a slow moment of the machine falls on both.
 */
import type { ChildProcess } from 'node:child_process'
import type { LoadAnswer, LoadCommand } from './measured/load.js'
import type { ServerCommand, SliceCost } from './measured/server.js'
import type { VariantName } from './measured/variants.js'
import { nextAnswer, start } from './support/measured-process.js'
import { answer, type Result, type Row } from './support/program.js'
import { mean, median, quantile } from './support/statistics.js'

const REQUESTS_PER_SECOND = 500
const WARM_UP_SECONDS = 2
const SLICES = 10
const SLICE_SECONDS = 0.8

interface Slice extends SliceCost {
  readonly latenciesMs: readonly number[]
  readonly lateMs: readonly number[]
}

class Service {
  private constructor(
    private readonly child: ChildProcess,
    private readonly port: number,
    private readonly load: ChildProcess,
  ) {}

  static async start(variant: VariantName, load: ChildProcess): Promise<Service> {
    const child = start('server', [variant])
    return new Service(child, await nextAnswer<number>(child), load)
  }

  async run(seconds: number): Promise<Slice> {
    await this.#tell('begin')
    const command: LoadCommand = { port: this.port, perSecond: REQUESTS_PER_SECOND, seconds }
    this.load.send(command)
    const answered = await nextAnswer<LoadAnswer>(this.load)
    return { ...answered, ...((await this.#tell('end')) as SliceCost) }
  }

  async stop(): Promise<void> {
    await this.#tell('stop')
    this.child.disconnect()
  }

  #tell(command: ServerCommand): Promise<SliceCost | null> {
    this.child.send(command)
    return nextAnswer(this.child)
  }
}

/** Both are loaded in turns; which comes first changes, too. */
async function sideBySide(variant: VariantName): Promise<{ bare: Slice[]; instrumented: Slice[] }> {
  const load = start('load', [])
  await nextAnswer(load)
  const services = [await Service.start('bare', load), await Service.start(variant, load)]
  const slices: Slice[][] = [[], []]
  try {
    for (const service of services) await service.run(WARM_UP_SECONDS)
    for (let round = 0; round < SLICES; round++) {
      for (const turn of [0, 1]) {
        const which = (round + turn) % 2
        slices[which]?.push(await (services[which] as Service).run(SLICE_SECONDS))
      }
    }
    for (const service of services) await service.stop()
  } finally {
    load.kill()
  }
  return { bare: slices[0] as Slice[], instrumented: slices[1] as Slice[] }
}

const latency = (slices: readonly Slice[], share: number): number =>
  quantile(
    slices.flatMap(({ latenciesMs }) => latenciesMs),
    share,
  )

function costOf(slices: readonly Slice[]) {
  const sum = (of: (slice: Slice) => number | null): number =>
    slices.reduce((total, slice) => total + (of(slice) ?? Number.NaN), 0)
  const wallMs = sum(({ wallMs }) => wallMs)
  const requests = sum(({ requests }) => requests)
  return {
    p50Ms: latency(slices, 0.5),
    p99Ms: latency(slices, 0.99),
    loopDelayP99Ms: median(slices.map(({ loopDelayP99Ms }) => loopDelayP99Ms)),
    cpuPercent: (sum(({ cpuMs }) => cpuMs) / wallMs) * 100,
    cpuUsPerRequest: (sum(({ cpuMs }) => cpuMs) / requests) * 1000,
    mainThreadCpuUsPerRequest: (sum(({ mainThreadCpuMs }) => mainThreadCpuMs) / requests) * 1000,
    gcPercent: (sum(({ gcMs }) => gcMs) / wallMs) * 100,
    heapUsedBytes: mean(slices.map(({ heapUsedBytes }) => heapUsedBytes)),
    rssBytes: slices.at(-1)?.rssBytes ?? Number.NaN,
  }
}

/** The figures of the instrumented service, and by how much each is above that of the bare one. */
async function added(variant: VariantName): Promise<Result> {
  const { bare, instrumented } = await sideBySide(variant)
  const with_ = costOf(instrumented)
  const without = costOf(bare)
  const extra: Record<string, number> = {}
  for (const [name, value] of Object.entries(with_) as [keyof typeof with_, number][]) {
    if (Number.isNaN(value)) continue
    extra[name] = value
    extra[`${name} added`] = value - without[name]
  }
  // A pair of neighbouring slices has the same machine under it.
  const pairs = bare.map((slice, index) => {
    const other = instrumented[index] as Slice
    return quantile(other.latenciesMs, 0.5) - quantile(slice.latenciesMs, 0.5)
  })
  extra['p50Ms added, standard error'] = Math.sqrt(
    mean(pairs.map(pair => (pair - mean(pairs)) ** 2)) / (pairs.length - 1),
  )
  extra['sent late, p99 ms'] = quantile(
    instrumented.flatMap(({ lateMs }) => lateMs),
    0.99,
  )
  const value = median(pairs)
  const requests = instrumented.reduce((sum, slice) => sum + slice.requests, 0)
  const detail =
    `p50 added to ${latency(bare, 0.5).toFixed(3)} ms at ${REQUESTS_PER_SECOND} requests/s; ` +
    `p99 ${extra['p99Ms added']?.toFixed(3)} added to ${latency(bare, 0.99).toFixed(3)} ms; ${requests} requests each`
  return { unit: 'ms', value, detail, extra }
}

const row = (variant: VariantName): Row => ({ run: () => added(variant) })

await answer('service', {
  'service, bare beside itself': row('bare'),
  'service, Callsight': row('Callsight'),
  'service, Callsight, types only': row('Callsight, types only'),
  'service, Callsight, sample 0.01': row('Callsight, sample 0.01'),
  'service, OpenTelemetry': row('OpenTelemetry'),
  'service, pino': row('pino'),
})
