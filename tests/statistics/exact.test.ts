import { describe, expect, it } from 'vitest'
import { fisherExact } from '../../lib/statistics/fisher.js'
import { holm } from '../../lib/statistics/holm.js'
import { rankScores, rankTest, scoreSum } from '../../lib/statistics/ranks.js'
import { erfc, normalTails, studentTails } from '../../lib/statistics/tails.js'
import fc from '../support/fast-check.js'

/** Equal in twelve digits, however small. */
function expectDigits(actual: number, expected: number, digits = 12): void {
  expect(Math.abs(actual / expected - 1), `${actual} for ${expected}`).toBeLessThan(10 ** -digits)
}

describe('the normal distribution', () => {
  it('has the values of the tables, in the middle and far out', () => {
    // erfc to 16 digits: Abramowitz and Stegun, table 7.1, and NIST DLMF 7.23.
    expectDigits(erfc(0.5), 0.4795001221869535)
    expectDigits(erfc(1), 0.15729920705028513)
    expectDigits(erfc(2), 0.004677734981047266)
    expectDigits(erfc(3), 2.209049699858544e-5)
    expectDigits(erfc(5), 1.5374597944280349e-12)
    expectDigits(erfc(10), 2.088487583762545e-45)
    expect(erfc(0)).toBe(1)
    expect(normalTails(0)).toBe(1)
    expectDigits(normalTails(-1.959963984540054), 0.05, 10)
  })

  it('has no step where one formula takes over from the other', () => {
    const below = erfc(2 - 1e-9)
    const above = erfc(2 + 1e-9)
    // The derivative there is -2/sqrt(pi) exp(-4).
    expectDigits((below - above) / 2e-9, (2 / Math.sqrt(Math.PI)) * Math.exp(-4), 5)
  })
})

describe("Student's distribution", () => {
  it('has the closed forms of one, two and four degrees of freedom', () => {
    for (const t of [0.01, 0.5, 1, 2, 5, 12.7, 300]) {
      expectDigits(studentTails(t, 1), (2 / Math.PI) * Math.atan(1 / t))
      const root = Math.sqrt(2 + t * t)
      // 1 - t / root without its cancellation.
      expectDigits(studentTails(-t, 2), 2 / (root * (root + t)))
      const x = t / Math.sqrt(4 + t * t)
      expectDigits(studentTails(t, 4), 1 - x * (1 + (1 - x * x) / 2), t < 10 ? 9 : 3)
    }
  })

  it('has the values of the tables', () => {
    expectDigits(studentTails(2.228138851964939, 10), 0.05, 10)
    expectDigits(studentTails(2.878440472713585, 18), 0.01, 10)
    expectDigits(studentTails(20, 18), 9.632230754827e-14, 11)
  })

  it('goes over into the normal one', () => {
    for (const t of [0.1, 1, 3, 6]) expect(studentTails(t, 1e6) / normalTails(t)).toBeCloseTo(1, 3)
    expect(studentTails(0, 5)).toBe(1)
    expect(studentTails(Number.POSITIVE_INFINITY, 5)).toBe(0)
    expect(studentTails(Number.NaN, 5)).toBe(1)
  })
})

describe("Fisher's exact test", () => {
  const table = (a: number, b: number, c: number, d: number) =>
    fisherExact({ a: { calls: a + b, hits: a }, b: { calls: c + d, hits: c } })

  it('is right about the lady who tasted tea', () => {
    // 70 ways to choose four cups of eight: one is all right, 16 are three right.
    expectDigits(table(4, 0, 0, 4), 2 / 70)
    expectDigits(table(3, 1, 1, 3), 34 / 70)
    expect(table(2, 2, 2, 2)).toBeCloseTo(1, 12)
  })

  it('has the values counted by hand for tables that are not symmetric', () => {
    // 3 hits among 5 and 3 calls: C(5,k) C(3,3-k) / C(8,3) is 1, 15, 30, 10 of 56 for k = 0 to 3.
    expectDigits(table(0, 5, 3, 0), 1 / 56)
    expectDigits(table(3, 2, 0, 3), 11 / 56)
    expectDigits(table(1, 4, 2, 1), 26 / 56)
  })

  it('sums what factorials say, for any small table', () => {
    const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1))
    const choose = (n: number, k: number) =>
      k < 0 || k > n ? 0 : factorial(n) / factorial(k) / factorial(n - k)
    const small = fc.integer({ min: 0, max: 9 })
    fc.assert(
      fc.property(small, small, small, small, (a, b, c, d) => {
        const ways = (k: number) => choose(a + b, k) * choose(c + d, a + c - k)
        const all = Array.from({ length: a + c + 1 }, (_, k) => ways(k))
        const extreme = all.filter(w => w <= ways(a) * (1 + 1e-9)).reduce((sum, w) => sum + w, 0)
        expectDigits(table(a, b, c, d), extreme / choose(a + b + c + d, a + c), 9)
      }),
      { seed: 20_261_121 },
    )
  })

  it('agrees with the normal distribution on millions of calls, and says something of any table', () => {
    // z = 3000 / sqrt(10^7 / 2), corrected for continuity.
    expectDigits(table(5e6, 5e6, 5_003_000, 4_997_000), normalTails(2999 / Math.sqrt(5e6)), 4)
    expect(table(0, 10, 0, 20)).toBe(1)
    expect(table(10, 0, 20, 0)).toBe(1)
    expect(table(0, 0, 0, 0)).toBe(1)
    // Beyond what is summed one by one: the same ratio of the difference to its deviation.
    expectDigits(table(5e11, 5e11, 5e11 + 1e6, 5e11 - 1e6), normalTails(1e6 / Math.sqrt(5e11)), 4)
    const sure = table(0, 100_000, 50_000, 50_000)
    expect(sure).toBeGreaterThan(0)
    expect(sure).toBeLessThan(1e-299)
  })
})

describe('the test of ranks', () => {
  const test = (a: number[], b: number[]) => {
    const scores = rankScores(a, b)
    const mean = (side: number[]) => scoreSum(side, scores) / side.reduce((sum, n) => sum + n, 0)
    const shift = mean(b) - mean(a)
    return { shift, p: rankTest(a, b, scores, shift) }
  }

  it('counts pairs: how often one of b is the longer one', () => {
    // 1, 2, 2 against 2, 3: of six pairs b is longer in four and equal in two.
    const { shift } = test([1, 2, 0], [0, 1, 1])
    expect(shift).toBeCloseTo(4 / 6 + 2 / 6 / 2 - 1 / 2, 12)
  })

  it('has the variance of Mann and Whitney with the correction for ties', () => {
    // U = 5 of 6, ranks 1 3 3 3 5; variance = 3·2/12 · (6 − (3³−3)/(5·4)) = 2.4.
    const { p } = test([1, 2, 0], [0, 1, 1])
    expectDigits(p, normalTails((5 - 3) / Math.sqrt(2.4)), 10)
    // Without ties: n m (n + m + 1) / 12.
    expectDigits(test([1, 1, 0, 0], [0, 0, 1, 1]).p, normalTails(2 / Math.sqrt((4 * 5) / 12)), 10)
  })

  it('sees no difference where all calls are of one class', () => {
    expect(test([0, 50, 0], [0, 70, 0])).toEqual({ shift: 0, p: 1 })
  })
})

describe("Holm's correction", () => {
  it('has the values computed by hand', () => {
    const corrected = holm([0.01, 0.04, 0.03, 0.005])
    expect(corrected[3]).toBeCloseTo(0.02, 12)
    expect(corrected[0]).toBeCloseTo(0.03, 12)
    expect(corrected[2]).toBeCloseTo(0.06, 12)
    expect(corrected[1]).toBeCloseTo(0.06, 12)
    expect(holm([])).toEqual([])
    expect(holm([0.9, 0.8])).toEqual([1, 1])
  })
})
