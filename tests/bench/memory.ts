/**
 * What the process takes over time under a service-like load, beside the same program with `CALLSIGHT=off`: the first
 * ten seconds after the first record, and the slope over `CALLSIGHT_BENCH_MINUTES` (1) minutes from the time on at which
 * the ring has been written through once: until then each of its pages is used for the first time. Retention is 10
 * seconds, so rows are deleted as fast as they come.
 */

import { commonSlope, type Point } from '../chaos/slope.js'
import type { MemoryAnswer, MemorySample } from './measured/memory.js'
import { measure } from './support/measured-process.js'
import { answer, type Result } from './support/program.js'
import { median } from './support/statistics.js'

const MINUTES = Number(process.env['CALLSIGHT_BENCH_MINUTES'] ?? 1)
const START_SECONDS = 10
/** 1,000 records a second of about 220 bytes fill the ring's 8 MiB in 40. */
const STEADY_SECONDS = 50

const run = (seconds: number, mode: 'on' | 'off'): Promise<MemoryAnswer> =>
  measure('memory', [String(seconds)], { flags: ['--expose-gc'], env: { CALLSIGHT: mode } })

const mib = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(2)} MiB`

/** The last second's samples against the state when the first record was stored. */
function grown({ samples, startedRssBytes }: MemoryAnswer): number {
  const last = samples.filter(({ seconds }) => seconds > START_SECONDS - 1.6)
  return median(last.map(({ rssBytes }) => rssBytes)) - startedRssBytes
}

async function firstSeconds(): Promise<Result> {
  // Not at the same time: they would compete for two processors.
  const on = await run(START_SECONDS, 'on')
  const off = await run(START_SECONDS, 'off')
  const heapOf = ({ samples }: MemoryAnswer): number[] =>
    samples.flatMap(({ collected }) => (collected === null ? [] : [collected.heapBytes]))
  const value = grown(on)
  const startBytes = on.startedRssBytes - on.beforeRssBytes
  const heap = heapOf(on)
  return {
    unit: 'bytes',
    value,
    detail: `${mib(value)} after the first record, ${mib(grown(off))} with CALLSIGHT=off; the recorder's start took ${mib(startBytes)}`,
    extra: {
      'CALLSIGHT=off': grown(off),
      'start of the recorder': startBytes,
      'start with CALLSIGHT=off': off.startedRssBytes - off.beforeRssBytes,
      'heap after collections, last - first': (heap.at(-1) as number) - (heap[0] as number),
      calls: on.calls,
    },
  }
}

const BYTES_A_MINUTE = 60

/** Least squares over all samples later than `fromSeconds`, in bytes a minute. */
function slope(
  samples: readonly MemorySample[],
  fromSeconds: number,
  of: (sample: MemorySample) => number | undefined,
): { perMinute: number; standardError: number } {
  const points = samples.flatMap((sample): Point[] => {
    const y = of(sample)
    return sample.seconds < fromSeconds || y === undefined ? [] : [[sample.seconds, y]]
  })
  const { perX, standardError } = commonSlope([points])
  return { perMinute: perX * BYTES_A_MINUTE, standardError: standardError * BYTES_A_MINUTE }
}

async function slopeAfter(): Promise<Result> {
  const { samples, calls, expired, startedRssBytes } = await run(STEADY_SECONDS + MINUTES * 60, 'on')
  const off = await run(STEADY_SECONDS + 30, 'off')
  const rss = slope(samples, STEADY_SECONDS, ({ rssBytes }) => rssBytes)
  const filling = slope(
    samples.filter(({ seconds }) => seconds < STEADY_SECONDS),
    START_SECONDS,
    ({ rssBytes }) => rssBytes,
  )
  const collectedRss = slope(samples, STEADY_SECONDS, ({ collected }) => collected?.rssBytes)
  const heap = slope(samples, STEADY_SECONDS, ({ collected }) => collected?.heapBytes)
  const files = slope(samples, STEADY_SECONDS, ({ fileBytes }) => fileBytes)
  const offRss = slope(off.samples, STEADY_SECONDS, ({ rssBytes }) => rssBytes)
  const last = samples.at(-1) as MemorySample
  const total = median(samples.slice(-6).map(({ rssBytes }) => rssBytes)) - startedRssBytes
  return {
    unit: 'bytes',
    value: rss.perMinute,
    detail:
      `RSS a minute: ${mib(rss.perMinute)} (standard error ${mib(rss.standardError)}) over ${MINUTES} minutes, ` +
      `${mib(offRss.perMinute)} with CALLSIGHT=off; while the ring was first filled ${mib(filling.perMinute)}; ` +
      `${mib(total)} in all after the first record`,
    extra: {
      'RSS a minute, standard error': rss.standardError,
      'RSS a minute while the ring was first filled': filling.perMinute,
      'RSS in all after the first record': total,
      'RSS after collections a minute': collectedRss.perMinute,
      'RSS after collections a minute, standard error': collectedRss.standardError,
      'heap after collections a minute': heap.perMinute,
      'heap after collections a minute, standard error': heap.standardError,
      'RSS a minute with CALLSIGHT=off': offRss.perMinute,
      'RSS a minute with CALLSIGHT=off, standard error': offRss.standardError,
      'files a minute': files.perMinute,
      'files together': last.fileBytes,
      store: last.storeBytes,
      'highest RSS': Math.max(...samples.map(({ rssBytes }) => rssBytes)),
      calls,
      'rows deleted by retention': expired,
    },
  }
}

await answer('memory', {
  'memory, the first 10 s': { run: firstSeconds },
  'memory, growth a minute in the steady state': { slow: true, run: slopeAfter },
})
