/**
 * A loop of work units, bare and instrumented in turns of equal length, in one process: what a turn takes longer.
 * Arguments: the variant and the length of a unit in microseconds.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { flush } from 'callsight'
import { report } from './report.js'
import { threadCpuMs } from './thread-cpu.js'
import { VARIANTS, type VariantName } from './variants.js'

export interface LoopAnswer {
  readonly unitUs: number
  /** Of each pair of turns, what one unit took. */
  readonly bareNs: readonly number[]
  readonly instrumentedNs: readonly number[]
  /** The same by the CPU time of the thread that computes; empty where the system does not tell. */
  readonly bareCpuNs: readonly number[]
  readonly instrumentedCpuNs: readonly number[]
}

const ROUNDS = 40
/**
 * Units a turn. As many as last 150 ms at most, and no more than the ring takes at once: the shortest units are
 * faster than any store, and a loop that drops records would look cheaper than it is.
 */
const UNITS: Readonly<Record<string, number>> = { 1: 20_000, 10: 15_000, 100: 1_500 }
/** Units between two turns of the event loop, without which OpenTelemetry cannot hand on its spans. */
const UNITS_A_TURN_OF_THE_LOOP = 64

const [name = 'bare', length = '100'] = process.argv.slice(2)
const units = UNITS[length]
if (units === undefined) throw new Error(`no unit of ${length} µs`)

const words = Uint32Array.from({ length: 4_096 }, (_, index) => Math.imul(index + 1, 2_654_435_761))

/** Hashes `rounds` words, as FNV-1a does. */
function hash(symbol: string, rounds: number): number {
  let value = 2_166_136_261 ^ symbol.length
  for (let i = 0; i < rounds; i++) value = Math.imul(value ^ (words[i & 4_095] as number), 16_777_619)
  return value >>> 0
}

function calibrate(microseconds: number): number {
  const rounds = 1_000_000
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 20; i++) {
    const start = process.hrtime.bigint()
    hash('EURUSD', rounds)
    best = Math.min(best, Number(process.hrtime.bigint() - start))
  }
  return Math.round((microseconds * 1000 * rounds) / best)
}

let sink = 0

async function turn(work: typeof hash, rounds: number): Promise<void> {
  for (let i = 0; i < (units as number); ) {
    const end = Math.min(units as number, i + UNITS_A_TURN_OF_THE_LOOP)
    for (; i < end; i++) sink += work('EURUSD', rounds)
    await nextTurn()
  }
}

await report(async (): Promise<LoopAnswer> => {
  const variant = VARIANTS[name as VariantName]()
  const instrumented = variant.wrap('hash', hash, (result, symbol, rounds) => ({ result, symbol, rounds }))
  const rounds = calibrate(Number(length))
  const nsOf = { bare: [] as number[], instrumented: [] as number[] }
  const cpuNsOf = { bare: [] as number[], instrumented: [] as number[] }
  const measured = async (which: 'bare' | 'instrumented'): Promise<void> => {
    const startCpuMs = threadCpuMs()
    const start = process.hrtime.bigint()
    await turn(which === 'bare' ? hash : instrumented, rounds)
    if (which === 'instrumented') await variant.settle()
    nsOf[which].push(Number(process.hrtime.bigint() - start) / (units as number))
    const endCpuMs = threadCpuMs()
    if (startCpuMs !== null && endCpuMs !== null)
      cpuNsOf[which].push(((endCpuMs - startCpuMs) * 1e6) / (units as number))
    // What the recorder's own thread still has to do must not fall on the turn of the bare loop.
    if (which === 'instrumented' && name.startsWith('Callsight')) await flush()
  }
  let calls = 0
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? (['bare', 'instrumented'] as const) : (['instrumented', 'bare'] as const)
    for (const which of order) await measured(which)
    calls += units as number
  }
  await variant.end(calls)
  if (sink === 0) throw new Error('no work was done')
  const warmUp = 4
  return {
    unitUs: Number(length),
    bareNs: nsOf.bare.slice(warmUp),
    instrumentedNs: nsOf.instrumented.slice(warmUp),
    bareCpuNs: cpuNsOf.bare.slice(warmUp),
    instrumentedCpuNs: cpuNsOf.instrumented.slice(warmUp),
  }
})
