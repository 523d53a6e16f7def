/**
 * Tail probabilities, exact to about thirteen digits however far out: they are multiplied by the number of tests made,
 * so that what counts lies where `1 - cdf(x)` has no digits left. Of the packages that offer them, the precise ones are
 * half a megabyte of modules, the small ones end at 1e-16.
 */

const CLOSE = 1e-16
const MAX_TERMS = 10_000
/** Keeps the continued fractions of Lentz from dividing by zero; far below any value they take. */
const TINY = 1e-300

/** Probability that a normal variate lies at least `z` standard deviations from its mean, on either side. */
export function normalTails(z: number): number {
  return erfc(Math.abs(z) / Math.SQRT2)
}

/** Complementary error function of `x >= 0`. */
export function erfc(x: number): number {
  return x < 2 ? 1 - erfSeries(x) : (Math.exp(-x * x) / Math.sqrt(Math.PI)) * erfcFraction(x)
}

/** DLMF 7.6.2; no term is negative. */
function erfSeries(x: number): number {
  let term = x
  let sum = x
  for (let n = 1; n < MAX_TERMS && term > sum * CLOSE; n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

/** DLMF 7.9.1: 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))). */
function erfcFraction(x: number): number {
  return 1 / continued(x, n => ({ a: n / 2, b: x }))
}

/** Probability that Student's t with `df` degrees of freedom, a whole number, is at least as large, on either side. */
export function studentTails(t: number, df: number): number {
  if (!Number.isFinite(t)) return Number.isNaN(t) ? 1 : 0
  const square = t * t
  // DLMF 8.17: the incomplete beta function of df / (df + t²); from either end, so that the smaller side is computed.
  const x = df / (df + square)
  const half = df / 2
  if (x < (half + 1) / (half + 2.5)) return incompleteBeta(x, square / (df + square), half, 0.5)
  return 1 - incompleteBeta(square / (df + square), x, 0.5, half)
}

/** I_x(a, b) with `y = 1 - x`, where a and b are multiples of one half; DLMF 8.17.22. */
function incompleteBeta(x: number, y: number, a: number, b: number): number {
  if (x <= 0) return 0
  const fraction = continued(1, n => {
    const m = n >> 1
    const top = n % 2 === 0 ? m * (b - m) : -(a + m) * (a + b + m)
    return { a: (top * x) / ((a + n - 1) * (a + n)), b: 1 }
  })
  return Math.exp(a * Math.log(x) + b * Math.log(y) - logBeta(a, b)) / (a * fraction)
}

/** From B(1/2, 1/2) = π, B(1, 1/2) = 2 and B(a + 1, b) = B(a, b) · a / (a + b), DLMF 5.12.1. */
function logBeta(a: number, b: number): number {
  const [large, half] = a > b ? [a, b] : [b, a]
  let log = Number.isInteger(large) ? Math.log(2) : Math.log(Math.PI)
  for (let at = Number.isInteger(large) ? 1 : 0.5; at < large; at++) log += Math.log(at / (at + half))
  return log
}

/** first + a₁/(b₁ + a₂/(b₂ + …)), evaluated forwards by the method of Lentz as modified by Thompson and Barnett. */
function continued(first: number, term: (n: number) => { readonly a: number; readonly b: number }): number {
  let value = first
  let c = first
  let d = 0
  for (let n = 1; n < MAX_TERMS; n++) {
    const { a, b } = term(n)
    d = 1 / (b + a * d || TINY)
    c = b + a / c || TINY
    value *= c * d
    if (Math.abs(c * d - 1) < CLOSE) break
  }
  return value
}
