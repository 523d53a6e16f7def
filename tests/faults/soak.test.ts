import { describe, expect, it } from 'vitest'
import type { Slope } from '../chaos/slope.js'
import { type SoakLengths, soak } from '../chaos/soak.js'
import { injected, remark } from '../support/figures.js'
import { SEED } from '../support/seed.js'

const seconds = Number(process.env['CALLSIGHT_SOAK_SECONDS'] ?? 9)
const long = seconds >= 300
// The heaps of the threads come to their working size after about 100 s.
const lengths: SoakLengths = long
  ? { totalMs: seconds * 1_000, lifeMs: 240_000, warmUpMs: 110_000, pauseMs: 2_000 }
  : { totalMs: seconds * 1_000, lifeMs: 3_000, warmUpMs: 2_000, pauseMs: 600 }
/** What a process may grow by between warm-up and end, in the long form: more than this is no noise. */
const MAX_GROWTH_MIB = 32

describe('row 25: soak with random faults', () => {
  it(`${seconds} s: after every end the account adds up, no error is lost, none is stored twice`, async () => {
    const { faults, ends, inLife, acrossLives, sampledSeconds } = await soak(SEED, lengths)
    const total = (counts: Readonly<Record<string, number>>): number =>
      Object.values(counts).reduce((sum, count) => sum + count, 0)
    injected(total(faults) + total(ends))
    remark(`${seconds} s, seed ${SEED}, ${total(ends)} lives, which ended by ${list(ends)}.`)
    remark(`Faults in the middle of a life: ${list(faults)}.`)
    if (!long) return
    remark(`Resident memory of a living process after its warm-up: ${slope(inLife)}.`)
    remark(`Mean resident memory from one life to the next: ${slope(acrossLives)}.`)
    const growthMiB = ((inLife.perX - 2 * inLife.standardError) * sampledSeconds) / 3_600
    expect(growthMiB, 'a process does not grow with time').toBeLessThan(MAX_GROWTH_MIB)
  }, 86_400_000)
})

const list = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')

const slope = ({ perX, standardError, points }: Slope): string =>
  `${perX.toFixed(1)} ± ${standardError.toFixed(1)} MiB/h (${points} samples)`
