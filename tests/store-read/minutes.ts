import type { Random } from '../statistics/random.js'
import { T0_MS, type TestStore } from './fixture.js'

/** How the calls of a function go. */
export interface Behaviour {
  readonly callsPerMinute: number
  readonly errorRate: number
  readonly medianMs: number
  /** Standard deviation of the logarithm of the duration. */
  readonly spread: number
  /** So many of the calls take so many times as long. */
  readonly tail?: { readonly share: number; readonly factor: number }
  /** Ups and downs that last: what is left of one minute's in the next, and how far they go in logarithms. */
  readonly spells?: { readonly memory: number; readonly errors: number; readonly latency: number }
}

export const FIRST_MINUTE = T0_MS / 60_000

/** A latency bucket: exponent and three top bits of the mantissa, from 64 ns on. */
export function bucketOf(ns: number): number {
  const exponent = Math.floor(Math.log2(ns))
  return Math.max(0, (exponent - 6) * 8 + Math.floor((ns / 2 ** exponent - 1) * 8))
}

/** Fills totals of a process with minutes of generated calls; what lasts goes on from one minute to the next. */
export function fillMinutes(
  made: TestStore,
  random: Random,
  fn: string,
  behaviourOf: (minute: number) => Behaviour,
  minutes: number,
  process = 1,
): void {
  const functionId = made.fn(fn)
  const insert = made.db.prepare('INSERT INTO totals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  let up = random.normal()
  made.db.exec('BEGIN')
  for (let minute = 0; minute < minutes; minute++) {
    const { callsPerMinute: calls, errorRate, medianMs, spread, tail, spells } = behaviourOf(minute)
    const memory = spells?.memory ?? 0
    up = memory * up + Math.sqrt(1 - memory * memory) * random.normal()
    const rate = errorRate * Math.exp((spells?.errors ?? 0) * up)
    const middleNs = medianMs * 1e6 * Math.exp((spells?.latency ?? 0) * up)
    const buckets: Record<number, number> = {}
    let errors = 0
    let sumNs = 0
    let maxNs = 0
    for (let call = 0; call < calls; call++) {
      if (random.uniform() < rate) errors++
      const factor = tail !== undefined && random.uniform() < tail.share ? tail.factor : 1
      const ns = Math.round(middleNs * factor * Math.exp(spread * random.normal()))
      const bucket = bucketOf(ns)
      buckets[bucket] = (buckets[bucket] ?? 0) + 1
      sumNs += ns
      maxNs = Math.max(maxNs, ns)
    }
    const row = [calls, errors, calls, calls, sumNs, maxNs, JSON.stringify(buckets)]
    insert.run(FIRST_MINUTE + minute, functionId, process, ...row)
  }
  made.db.exec('COMMIT')
}
