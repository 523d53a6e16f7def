import { normalTails } from './tails.js'

/** Counts by rank: `counts[i]` calls lie in the i-th class, classes in ascending order. */
export type Histogram = ArrayLike<number>

/**
 * The middle rank of each class among the calls of both histograms, as a share of all (0 to 1): the ridit of Bross. The
 * mean of these scores over one group, minus the mean over the other, is P(one > other) + P(equal)/2 − 1/2.
 */
export function rankScores(a: Histogram, b: Histogram): Float64Array {
  const scores = new Float64Array(a.length)
  let total = 0
  for (let i = 0; i < a.length; i++) total += a[i]! + b[i]!
  let below = 0
  for (let i = 0; i < a.length; i++) {
    const here = a[i]! + b[i]!
    scores[i] = total === 0 ? 0.5 : (below + here / 2) / total
    below += here
  }
  return scores
}

/**
 * The Mann-Whitney test of two histograms, both sides, by its normal approximation. All calls of a class are ties: the
 * variance is that of the {@link rankScores} as they are, which is what the correction for ties amounts to.
 *
 * @param shift difference of the mean scores
 */
export function rankTest(a: Histogram, b: Histogram, scores: Float64Array, shift: number): number {
  let inA = 0
  let inB = 0
  let squares = 0
  for (let i = 0; i < scores.length; i++) {
    inA += a[i]!
    inB += b[i]!
    squares += (a[i]! + b[i]!) * (scores[i]! - 0.5) ** 2
  }
  const variance = (squares / (inA + inB - 1)) * (1 / inA + 1 / inB)
  return variance > 0 ? normalTails(shift / Math.sqrt(variance)) : 1
}

/** Sum of the scores of the calls of one histogram. */
export function scoreSum(counts: Histogram, scores: Float64Array): number {
  let sum = 0
  for (let i = 0; i < scores.length; i++) sum += counts[i]! * scores[i]!
  return sum
}
