import { type Block, blockTest } from '../../statistics/blocks.js'
import { fisherExact } from '../../statistics/fisher.js'
import { holm } from '../../statistics/holm.js'
import { rankScores, rankTest, scoreSum } from '../../statistics/ranks.js'
import type { BlockTotals, SideTotals } from './diff-totals.js'
import { type BucketBound, percentilesOf } from './totals.js'

export type Verdict = 'worse' | 'better' | 'no difference' | 'too few calls'

/** What is compared: the error rate, the median, and the 95th percentile. */
export const MEASURES = ['errors', 'p50', 'p95'] as const
export type Measure = (typeof MEASURES)[number]

export interface MeasureDiff {
  readonly verdict: Verdict
  /** Probability of such a difference by chance, corrected for all tests of the comparison; `null`: not tested. */
  readonly pValue: number | null
  /** Value of b divided by that of a; `null`: there is none, or a is 0. */
  readonly ratio: number | null
  /**
   * It differs as sure and as much as a difference must, but not by more than parts of one side differ among
   * themselves: something came and went.
   */
  readonly isUnsteady: boolean
}

export interface DiffSideTotals {
  readonly calls: number
  readonly errors: number
  readonly errorRate: number
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly maxMs: number | null
}

export interface FunctionDiff {
  readonly function: string
  readonly verdict: Verdict
  /** `null`: not called on that side. */
  readonly a: DiffSideTotals | null
  readonly b: DiffSideTotals | null
  readonly errors: MeasureDiff
  readonly p50: MeasureDiff
  readonly p95: MeasureDiff
  /** What the p-values rest on: parts of time, or for want of those single calls, taken as independent of each other. */
  readonly basis: 'blocks' | 'calls' | null
}

export interface Thresholds {
  /** Calls each side must have. */
  readonly minCalls: number
  /** Least change of a percentile, as a share: 0.2 for a fifth. */
  readonly minLatencyChange: number
  /** Least factor between the odds of failing, and least difference of the error rates. */
  readonly minErrorOdds: number
  readonly minErrorChange: number
}

/** Family-wise error rate. */
export const DIFF_LEVEL = 0.01

interface Test {
  readonly measure: Measure
  readonly byCalls: number
  readonly byBlocks: number | null
  /** Above 0: b is worse. */
  readonly direction: number
  readonly ratio: number | null
  readonly isLarge: boolean
}

interface Compared {
  readonly name: string
  readonly a: DiffSideTotals | null
  readonly b: DiffSideTotals | null
  readonly tests: readonly Test[]
}

const UNTESTED: MeasureDiff = { verdict: 'too few calls', pValue: null, ratio: null, isUnsteady: false }

/**
 * Compares every function of two sides. Each of the three measures is a number per call: failed or not, its rank among
 * the calls of both sides, longer than the 95th percentile of both or not. Each is tested twice: by calls (Fisher's
 * exact test, Mann-Whitney), which is right if calls are independent of one another, and by parts of time, which is
 * right if those are. The larger p-value counts, so that the answer is right where either is. Then Holm's correction
 * over all measures of all functions: the level is the probability at most of any wrong verdict in the whole comparison.
 *
 * With millions of calls anything is significant: a verdict also takes a change that is worth one.
 */
export function compareSides(
  a: ReadonlyMap<string, SideTotals>,
  b: ReadonlyMap<string, SideTotals>,
  bounds: readonly BucketBound[],
  thresholds: Thresholds,
): FunctionDiff[] {
  const names = [...new Set([...a.keys(), ...b.keys()])]
  const compared = names.map(name => compareOne(name, a.get(name), b.get(name), bounds, thresholds))
  const tests = compared.flatMap(of => of.tests)
  const pValues = holm(tests.map(({ byCalls, byBlocks }) => Math.max(byCalls, byBlocks ?? 0)))
  const alone = holm(tests.map(({ byCalls }) => byCalls))
  const measured = new Map(tests.map((test, i) => [test, judge(test, pValues[i]!, alone[i]!)]))
  return compared.map(of => summary(of, measured))
}

function compareOne(
  name: string,
  left: SideTotals | undefined,
  right: SideTotals | undefined,
  bounds: readonly BucketBound[],
  thresholds: Thresholds,
): Compared {
  const a = left === undefined ? null : totalsOf(left, bounds)
  const b = right === undefined ? null : totalsOf(right, bounds)
  const tests: Test[] = []
  const { minCalls } = thresholds
  if (left !== undefined && right !== undefined && a !== null && b !== null) {
    if (Math.min(left.calls, right.calls) >= minCalls) tests.push(errorTest(left, right, a, b, thresholds))
    if (Math.min(total(left.buckets), total(right.buckets)) >= minCalls) {
      tests.push(medianTest(left, right, a, b, thresholds), tailTest(left, right, a, b, thresholds))
    }
  }
  return { name, a, b, tests }
}

function errorTest(
  left: SideTotals,
  right: SideTotals,
  a: DiffSideTotals,
  b: DiffSideTotals,
  { minErrorOdds, minErrorChange }: Thresholds,
): Test {
  const blocks = (side: SideTotals): Block[] =>
    side.blocks.map(({ calls, errors }) => ({ calls, sum: errors }))
  const change = b.errorRate - a.errorRate
  // Odds, because twice as many of 60 % are more than all.
  const odds = (a.errors * (b.calls - b.errors)) / (b.errors * (a.calls - a.errors))
  return {
    measure: 'errors',
    byCalls: fisherExact({
      a: { calls: left.calls, hits: left.errors },
      b: { calls: right.calls, hits: right.errors },
    }),
    byBlocks: blockTest(blocks(left), blocks(right)),
    direction: change,
    ratio: a.errors > 0 ? b.errorRate / a.errorRate : null,
    isLarge: Math.abs(change) >= minErrorChange && !(Math.max(odds, 1 / odds) < minErrorOdds),
  }
}

function medianTest(
  left: SideTotals,
  right: SideTotals,
  a: DiffSideTotals,
  b: DiffSideTotals,
  thresholds: Thresholds,
): Test {
  const scores = rankScores(left.buckets, right.buckets)
  const mean = (side: SideTotals) => scoreSum(side.buckets, scores) / total(side.buckets)
  const shift = mean(right) - mean(left)
  return {
    measure: 'p50',
    byCalls: rankTest(left.buckets, right.buckets, scores, shift),
    byBlocks: blockTest(scored(left, scores), scored(right, scores)),
    ...latencyChange(a.p50Ms, b.p50Ms, shift, thresholds),
  }
}

/** A tail moves the mean rank by little: the share of calls beyond the common 95th percentile shows it. */
function tailTest(
  left: SideTotals,
  right: SideTotals,
  a: DiffSideTotals,
  b: DiffSideTotals,
  thresholds: Thresholds,
): Test {
  const beyond = beyondTail(left.buckets, right.buckets)
  const hits = (side: SideTotals) => ({ calls: total(side.buckets), hits: scoreSum(side.buckets, beyond) })
  const [inA, inB] = [hits(left), hits(right)]
  return {
    measure: 'p95',
    byCalls: fisherExact({ a: inA, b: inB }),
    byBlocks: blockTest(scored(left, beyond), scored(right, beyond)),
    ...latencyChange(a.p95Ms, b.p95Ms, inB.hits / inB.calls - inA.hits / inA.calls, thresholds),
  }
}

/** Score 1 for the buckets beyond the one that holds the 95th percentile of both sides. */
function beyondTail(a: Float64Array, b: Float64Array): Float64Array {
  const all = total(a) + total(b)
  let below = 0
  return a.map((count, bucket) => {
    const isBeyond = below >= 0.95 * all
    below += count + b[bucket]!
    return isBeyond ? 1 : 0
  })
}

function scored(side: SideTotals, scores: Float64Array): Block[] {
  return side.blocks
    .map(({ buckets }: BlockTotals) => ({ calls: total(buckets), sum: scoreSum(buckets, scores) }))
    .filter(({ calls }) => calls > 0)
}

function latencyChange(
  a: number | null,
  b: number | null,
  direction: number,
  { minLatencyChange }: Thresholds,
): Pick<Test, 'direction' | 'ratio' | 'isLarge'> {
  const ratio = a === null || b === null || a === 0 ? null : b / a
  // The test and the percentile have to say the same.
  const change = ratio === null ? 1 : direction > 0 ? ratio : 1 / ratio
  return { direction, ratio, isLarge: change >= 1 + minLatencyChange }
}

function judge({ direction, ratio, isLarge }: Test, pValue: number, alone: number): MeasureDiff {
  const isSure = pValue <= DIFF_LEVEL
  const changed: Verdict = direction > 0 ? 'worse' : 'better'
  return {
    verdict: isSure && isLarge ? changed : 'no difference',
    pValue,
    ratio,
    isUnsteady: isLarge && !isSure && alone <= DIFF_LEVEL,
  }
}

function summary({ name, a, b, tests }: Compared, measured: ReadonlyMap<Test, MeasureDiff>): FunctionDiff {
  const of = (measure: Measure): MeasureDiff => {
    const test = tests.find(candidate => candidate.measure === measure)
    return (test === undefined ? undefined : measured.get(test)) ?? UNTESTED
  }
  const diffs = { errors: of('errors'), p50: of('p50'), p95: of('p95') }
  return {
    function: name,
    verdict: worst(MEASURES.map(measure => diffs[measure].verdict)),
    a,
    b,
    ...diffs,
    basis: tests.length === 0 ? null : tests.some(({ byBlocks }) => byBlocks !== null) ? 'blocks' : 'calls',
  }
}

const VERDICTS: readonly Verdict[] = ['worse', 'better', 'no difference', 'too few calls']

/** The one that decides about all: something that got worse is not made good by something else. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  return VERDICTS.find(verdict => verdicts.includes(verdict)) ?? 'too few calls'
}

function totalsOf(
  { calls, errors, maxNs, buckets }: SideTotals,
  bounds: readonly BucketBound[],
): DiffSideTotals {
  const isTimed = total(buckets) > 0
  const percentileMs = percentilesOf(buckets, bounds, maxNs)
  return {
    calls,
    errors,
    errorRate: calls > 0 ? errors / calls : 0,
    p50Ms: isTimed ? percentileMs(0.5) : null,
    p95Ms: isTimed ? percentileMs(0.95) : null,
    maxMs: isTimed ? maxNs / 1e6 : null,
  }
}

function total(counts: Float64Array): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
