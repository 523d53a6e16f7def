import { clock, day, isSameDay } from '../data/figures.js'

const STEPS_MS = [
  1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
  3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000,
  2_592_000_000, 7_776_000_000, 31_536_000_000,
]

/** Moments a person counts in, at most `most` of them, within the span; whole in the reader's time zone. */
export function timeTicks(sinceMs: number, untilMs: number, most: number): number[] {
  const step = STEPS_MS.find(candidate => (untilMs - sinceMs) / candidate <= most) ?? STEPS_MS.at(-1)!
  const offsetMs = new Date(sinceMs).getTimezoneOffset() * 60_000
  const first = Math.ceil((sinceMs - offsetMs) / step) * step + offsetMs
  const ticks: number[] = []
  for (let at = first; at < untilMs && ticks.length <= most; at += step) ticks.push(at)
  return ticks
}

/** Labels as short as the span allows: `14:02:10`, `14:02`, `21 Nov`. */
export function timeLabels(ticks: readonly number[]): string[] {
  const step = (ticks[1] ?? 0) - (ticks[0] ?? 0)
  return ticks.map((at, i) => {
    if (step >= 86_400_000) return day(at, at)
    const before = ticks[i - 1]
    if (before !== undefined && !isSameDay(before, at)) return day(at, at)
    return step < 60_000 ? clock(at) : clock(at).slice(0, 5)
  })
}
