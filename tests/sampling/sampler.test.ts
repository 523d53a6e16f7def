import { describe, expect, it } from 'vitest'
import { Sampler } from '../../lib/sampling/sampler.js'
import { seededRandom } from './seeded.js'

const NO_CAP = Number.POSITIVE_INFINITY
const ONCE = 2 ** 30

describe('the rate', () => {
  it.each([0.9, 0.5, 0.3, 0.1, 0.03, 0.01, 0.001])(
    '%d keeps its share, and the weights add up to the calls',
    rate => {
      const calls = 400_000
      const sampler = new Sampler(rate, NO_CAP, seededRandom(11))
      let kept = 0
      let weights = 0
      for (let call = 0; call < calls; call++) {
        if (!sampler.next()) continue
        kept++
        weights += sampler.takeWeight()
      }
      const sigma = Math.sqrt(calls * rate * (1 - rate))
      expect(Math.abs(kept - calls * rate)).toBeLessThan(5 * sigma)
      expect(Math.abs(weights - calls)).toBeLessThan((5 * sigma) / rate)
    },
  )

  it('1 keeps every call at weight 1 and asks for no random number', () => {
    const sampler = new Sampler(1, NO_CAP, () => {
      throw new Error('asked')
    })
    for (let call = 0; call < 1_000; call++) {
      expect(sampler.next()).toBe(true)
      expect(sampler.takeWeight()).toBe(1)
    }
  })

  it('0 keeps none, also beyond the longest countdown', () => {
    const sampler = new Sampler(0, NO_CAP, seededRandom(1))
    for (let call = 0; call < 1_000; call++) {
      if (call % 10 === 0) sampler.skip = 0
      expect(sampler.next()).toBe(false)
    }
    expect(Number.isFinite(sampler.weight)).toBe(true)
  })

  it('asks for one random number per kept record, not per call', () => {
    let asked = 0
    const random = seededRandom(3)
    const sampler = new Sampler(0.01, NO_CAP, () => {
      asked++
      return random()
    })
    let kept = 0
    for (let call = 0; call < 100_000; call++) if (sampler.next()) kept++
    expect(asked).toBe(kept + 1)
  })

  it('spreads the gaps between records geometrically (chi-square)', () => {
    const rate = 0.2
    const cells = 20
    const sampler = new Sampler(rate, NO_CAP, seededRandom(20_261_120))
    const seen = new Array<number>(cells + 1).fill(0)
    const gaps = 50_000
    let gap = 0
    for (let found = 0; found < gaps; ) {
      if (sampler.next()) {
        seen[Math.min(gap, cells)]!++
        gap = 0
        found++
      } else gap++
    }
    let chiSquare = 0
    for (let cell = 0; cell <= cells; cell++) {
      const share = cell < cells ? rate * (1 - rate) ** cell : (1 - rate) ** cells
      chiSquare += (seen[cell]! - gaps * share) ** 2 / (gaps * share)
    }
    // 20 degrees of freedom: 45.3 is exceeded once in a thousand seeds.
    expect(chiSquare).toBeLessThan(45.3)
  })

  it('draws gaps longer than the countdown can hold from the same distribution', () => {
    const rate = 1e-9
    const random = seededRandom(5)
    const sampler = new Sampler(rate, NO_CAP, random)
    let calls = 0
    let kept = 0
    while (kept < 2_000) {
      // Fast forward: the calls `skip` stands for are left out unseen.
      calls += sampler.skip + 1
      sampler.skip = 0
      if (sampler.next()) kept++
    }
    expect(Math.abs(calls - kept / rate)).toBeLessThan((5 * Math.sqrt(kept)) / rate)
  })

  it('keeps the countdown a small integer whatever the rate and the random source', () => {
    for (const rate of [0, 5e-324, 1e-9, 0.5, 1 - 2 ** -53, 1]) {
      for (const random of [() => 0, () => 1 - 2 ** -53, () => 1, () => Number.NaN]) {
        const sampler = new Sampler(rate, NO_CAP, random)
        for (let call = 0; call < 5; call++) {
          sampler.next()
          expect(Number.isInteger(sampler.skip) && sampler.skip >= 0 && sampler.skip <= ONCE).toBe(true)
        }
        expect(Number.isFinite(sampler.takeWeight())).toBe(true)
      }
    }
  })

  it('records nothing, rather than everything, when the random source is broken', () => {
    const sampler = new Sampler(0.5, NO_CAP, () => Number.NaN)
    for (let call = 0; call < 100; call++) expect(sampler.next()).toBe(false)
  })

  it.each([-0.1, 1.1, Number.NaN])('%d is refused', rate => {
    expect(() => new Sampler(rate, NO_CAP)).toThrow(RangeError)
    const sampler = new Sampler(1, NO_CAP)
    expect(() => sampler.retune(rate, NO_CAP)).toThrow(RangeError)
    expect(() => sampler.retune(0.5, rate === 1.1 ? -1 : rate)).toThrow(RangeError)
    expect([sampler.next(), sampler.takeWeight()]).toEqual([true, 1])
  })

  it('gives the inlined fast path the same answers', () => {
    const sampler = new Sampler(0.1, NO_CAP, seededRandom(9))
    const inlined = new Sampler(0.1, NO_CAP, seededRandom(9))
    for (let call = 0; call < 10_000; call++) {
      const recorded = !(--inlined.skip >= 0 || !inlined.refill())
      expect(recorded).toBe(sampler.next())
    }
  })
})

describe('the cap', () => {
  it('admits exactly its number in every second of a flood', () => {
    const sampler = new Sampler(1, 7)
    const startMs = 123.25
    const admitted = new Map<number, number>()
    for (let tick = 0; tick < 50_000; tick++) {
      const nowMs = startMs + tick / 10
      const second = Math.floor((nowMs - startMs) / 1_000)
      if (sampler.admit(nowMs)) admitted.set(second, (admitted.get(second) ?? 0) + 1)
    }
    expect([...admitted.values()]).toEqual([7, 7, 7, 7, 7])
  })

  it('starts afresh after quiet hours, without a saved-up burst', () => {
    const sampler = new Sampler(1, 2)
    expect([sampler.admit(0), sampler.admit(1), sampler.admit(2)]).toEqual([true, true, false])
    const laterMs = 3_600_000.5
    expect([1, 2, 3].map(n => sampler.admit(laterMs + n))).toEqual([true, true, false])
  })

  it('0 admits none; no cap admits all', () => {
    const none = new Sampler(1, 0)
    const all = new Sampler(1, NO_CAP)
    for (let nowMs = 0; nowMs < 5_000; nowMs += 100) {
      expect(none.admit(nowMs)).toBe(false)
      expect(all.admit(nowMs)).toBe(true)
    }
  })

  it('is not stuck when the clock goes back', () => {
    const sampler = new Sampler(1, 1)
    expect([sampler.admit(1e9), sampler.admit(5), sampler.admit(6), sampler.admit(1_005)]).toEqual([
      true,
      true,
      false,
      true,
    ])
  })

  it('passes the weight of what it refuses to the next record: at rate 1 the sum is exact', () => {
    const sampler = new Sampler(1, 3)
    let weights = 0
    const calls = 9_999
    for (let call = 0; call < calls; call++) {
      if (sampler.next() && sampler.admit(call / 3)) weights += sampler.takeWeight()
      expect(weights + sampler.pendingWeight).toBe(call + 1)
    }
    expect(sampler.pendingWeight).toBeGreaterThan(0)
    expect(sampler.takeWeight()).toBe(calls - weights + 1)
    expect(sampler.pendingWeight).toBe(0)
  })

  it.each([0.5, 0.1, 0.01])('on top of rate %d leaves the sum of weights an estimate of the calls', rate => {
    const calls = 300_000
    const sampler = new Sampler(rate, 5, seededRandom(77))
    let weights = 0
    let kept = 0
    for (let call = 0; call < calls; call++) {
      if (sampler.next() && sampler.admit(call / 10)) {
        weights += sampler.takeWeight()
        kept++
      }
    }
    expect(kept).toBe(150)
    const sigma = Math.sqrt((calls * (1 - rate)) / rate)
    expect(Math.abs(weights + sampler.pendingWeight - calls)).toBeLessThan(5 * sigma)
  })
})

describe('retuning', () => {
  it('mid-way keeps the sum of weights an estimate of the calls', () => {
    const sampler = new Sampler(0.001, NO_CAP, seededRandom(42))
    let weights = 0
    let calls = 0
    let variance = 0
    // Switches far more often than the old rate records: a gap carried over would show.
    for (let phase = 0; phase < 4_000; phase++) {
      const rate = [0.001, 0.5, 1, 0.05][phase % 4]!
      sampler.retune(rate, NO_CAP)
      for (let call = 0; call < 50; call++, calls++) if (sampler.next()) weights += sampler.takeWeight()
      variance += (50 * (1 - rate)) / rate
    }
    expect(Math.abs(weights - calls)).toBeLessThan(5 * Math.sqrt(variance))
  })

  it('takes effect with the next call', () => {
    const sampler = new Sampler(0, NO_CAP, seededRandom(1))
    expect(sampler.next()).toBe(false)
    sampler.retune(1, NO_CAP)
    expect(sampler.next()).toBe(true)
    sampler.retune(0, NO_CAP)
    expect(sampler.next()).toBe(false)
  })

  it('with the same rate leaves the running gap alone', () => {
    const sampler = new Sampler(0.001, NO_CAP, seededRandom(8))
    const before = sampler.skip
    sampler.retune(0.001, 5)
    expect(sampler.skip).toBe(before)
  })

  it('does not give a second cap within the same second', () => {
    const sampler = new Sampler(1, 2)
    sampler.admit(0)
    sampler.admit(1)
    sampler.retune(0.5, 2)
    expect(sampler.admit(2)).toBe(false)
    sampler.retune(0.5, 3)
    expect([sampler.admit(3), sampler.admit(4)]).toEqual([true, false])
  })

  it('keeps weights finite and lets a record in flight carry the weight it was decided with', () => {
    const sampler = new Sampler(0.25, 0, seededRandom(2))
    const decidedWith = sampler.weight
    sampler.retune(0, 0)
    expect(sampler.takeWeight()).toBe(4)
    sampler.retune(1, 0)
    expect(sampler.admit(0, decidedWith)).toBe(false)
    expect(sampler.takeWeight(decidedWith)).toBe(8)
  })
})
