import { fisherExact } from '../../statistics/fisher.js'
import { holm } from '../../statistics/holm.js'
import { normalTails } from '../../statistics/tails.js'
import type { SideCounts } from './why.js'
import type { Column } from './why-columns.js'

/** One way to part the records that are known in a column. */
export interface Condition {
  readonly column: Column
  /** Its text, and that of its opposite. */
  readonly yes: string
  readonly no: string
  readonly known: readonly number[]
  /** Of the known ones, those it holds for, ascending. */
  readonly members: readonly number[]
  /** Other conditions that part the records in the very same way. */
  readonly same: { readonly yes: string; readonly no: string }[]
}

/** What a condition is measured by. */
export interface Sample {
  /** 1: slow, or failed. */
  readonly hits: Uint8Array
  readonly weights: Float64Array
}

export interface Tested {
  readonly condition: Condition
  /** The text of the side that has more hits. */
  readonly text: string
  /** Whether that side is the members, or the known others. */
  readonly isMembers: boolean
  readonly with: SideCounts
  readonly without: SideCounts
  /** Share of the hits that have it minus share of the others that have it, 0 to 1. 1: it is what separates them. */
  readonly separation: number
  readonly pValue: number
}

/** A condition is tried when it parts at least so many records from at least so many others. */
export const LEAST_RECORDS = 10
const MOST_CONDITIONS = 1_000
const QUANTILES = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
const ROUNDED = [5, 2, 1]
const MOST_ROUND = 16

/**
 * Which conditions are tried depends on the records alone and not on which of them are hits, so that it takes nothing
 * from the tests. Those that part the same records in the same way are one.
 */
export function conditionsOf(columns: readonly Column[]): { conditions: Condition[]; isCut: boolean } {
  const seen = new Map<string, Condition>()
  for (const column of columns) {
    for (const condition of [...equalities(column), ...thresholds(column)]) {
      const rest = condition.known.length - condition.members.length
      if (condition.members.length < LEAST_RECORDS || rest < LEAST_RECORDS) continue
      const key = `${digest(condition.known)} ${digest(condition.members)}`
      const known = seen.get(key)
      if (known === undefined) seen.set(key, condition)
      else if (known.column !== column) known.same.push({ yes: condition.yes, no: condition.no })
    }
  }
  const conditions = [...seen.values()]
  const isCut = conditions.length > MOST_CONDITIONS
  // Those that part off most can show most.
  if (isCut) conditions.sort((a, b) => smallerSide(b) - smallerSide(a)).length = MOST_CONDITIONS
  return { conditions, isCut }
}

const smallerSide = ({ known, members }: Condition) => Math.min(members.length, known.length - members.length)

function equalities(column: Column): Condition[] {
  const { name, words, known, texts } = column
  if (texts === null) return []
  const values = [...texts]
  const [first, second] = values
  const isEither = values.length === 2 && first![1].length + second![1].length === known.length
  return (isEither ? values.slice(0, 1) : values).map(([value, members]) => ({
    column,
    yes: words.is(name, value),
    no: isEither ? words.is(name, second![0]) : words.isNot(name, value),
    known,
    members,
    same: [],
  }))
}

function thresholds(column: Column): Condition[] {
  const { name, words, numbered, numbers } = column
  if (numbered.length < 2 * LEAST_RECORDS) return []
  const sizes = new Set<number>()
  return candidates(numbers).flatMap(threshold => {
    const members = numbered.filter((_, i) => numbers[i]! >= threshold)
    if (sizes.has(members.length)) return []
    sizes.add(members.length)
    const value = threshold.toLocaleString('en-US', { maximumSignificantDigits: 6 })
    const known = numbered
    return {
      column,
      yes: words.atLeast(name, value),
      no: words.lessThan(name, value),
      known,
      members,
      same: [],
    }
  })
}

/** Round numbers first, because they say more and part as well; then quantiles. */
function candidates(numbers: readonly number[]): number[] {
  const sorted = numbers.toSorted((a, b) => a - b)
  const least = sorted[0]!
  // Beyond these ends there are too few records to be tested.
  const low = sorted[LEAST_RECORDS]!
  const high = sorted.at(-LEAST_RECORDS)!
  const found: number[] = []
  for (let power = 12; power >= -3; power--) {
    for (const digit of ROUNDED) {
      const value = Number(`${digit}e${power}`)
      if (value > least && value >= low && value <= high && found.length < MOST_ROUND) found.push(value)
    }
  }
  // Two digits of the spread: what is finer would be an accident of these records.
  const step = 10 ** (Math.floor(Math.log10(high - low || 1)) - 1)
  for (const quantile of QUANTILES) {
    const value = Number(
      (Math.round(sorted[Math.floor(quantile * sorted.length)]! / step) * step).toPrecision(15),
    )
    if (value > least) found.push(value)
  }
  return found
}

/** Two sums of another kind, and the count: different lists of 20,000 at most have another digest in all but jest. */
function digest(members: readonly number[]): string {
  let a = 0
  let b = 1
  for (const member of members) {
    a = (Math.imul(a, 31) + member + 1) | 0
    b = Math.imul(b ^ member, 0x01000193)
  }
  return `${members.length}:${a}:${b}`
}

/**
 * Tests every condition: is a hit more likely with it than without? Corrected by Holm for their number.
 *
 * Why it holds on records of which some were sampled and others, the slow and the failed, always kept: whether a call
 * is recorded depends on how it ended, never on its arguments. If a condition has nothing to do with how calls end, it
 * is dealt out by chance among the recorded ones, whatever was left out: Fisher's exact test of the plain counts. The
 * one thing that breaks this is a rate of sampling that changes (`tune`, a cap per second, another program) together
 * with the condition. Where weights differ among hits or among the others, shares by weight are therefore tested, too,
 * and the larger p-value counts: it is right where either of the two is.
 */
export function testConditions(conditions: readonly Condition[], sample: Sample): Tested[] {
  const tested = conditions.map(condition => testOne(condition, sample))
  const corrected = holm(tested.map(({ pValue }) => pValue))
  return tested.map((test, i) => ({ ...test, pValue: corrected[i]! }))
}

interface Sums {
  records: number
  hitRecords: number
  calls: number
  hits: number
  squares: number
  hitSquares: number
}

function testOne(condition: Condition, sample: Sample): Tested {
  const all = sums(condition.known, sample)
  const members = sums(condition.members, sample)
  const others: Sums = {
    records: all.records - members.records,
    hitRecords: all.hitRecords - members.hitRecords,
    calls: all.calls - members.calls,
    hits: all.hits - members.hits,
    squares: all.squares - members.squares,
    hitSquares: all.hitSquares - members.hitSquares,
  }
  const ofHits = share(members.hits, all.hits)
  const ofRest = share(members.calls - members.hits, all.calls - all.hits)
  const isMembers = ofHits >= ofRest
  const exact = fisherExact({
    a: { calls: members.records, hits: members.hitRecords },
    b: { calls: others.records, hits: others.hitRecords },
  })
  return {
    condition,
    text: isMembers ? condition.yes : condition.no,
    isMembers,
    with: isMembers ? members : others,
    without: isMembers ? others : members,
    separation: Math.abs(ofHits - ofRest),
    pValue: Math.max(exact, weightedTest(ofHits - ofRest, members, all)),
  }
}

/**
 * Difference of two weighted shares under the hypothesis that they are one. A group of weights w says as much as
 * (Σw)²/Σw² records of equal weight (Kish, Survey Sampling, 1965).
 */
function weightedTest(difference: number, members: Sums, all: Sums): number {
  const p = share(members.calls, all.calls)
  const rest = all.calls - all.hits
  const perHit = all.hitSquares / all.hits ** 2
  const perOther = (all.squares - all.hitSquares) / rest ** 2
  const isEven = (per: number, records: number) => per * records < 1 + 1e-9
  // The rate was one for all hits, and one for all others: the plain counts are right as they are.
  if (isEven(perHit, all.hitRecords) && isEven(perOther, all.records - all.hitRecords)) return 0
  const variance = p * (1 - p) * (perHit + perOther)
  return variance > 0 ? normalTails(difference / Math.sqrt(variance)) : 1
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0
}

function sums(records: readonly number[], { hits, weights }: Sample): Sums {
  const sum: Sums = { records: records.length, hitRecords: 0, calls: 0, hits: 0, squares: 0, hitSquares: 0 }
  for (const record of records) {
    const weight = weights[record]!
    sum.calls += weight
    sum.squares += weight * weight
    if (hits[record] === 0) continue
    sum.hitRecords++
    sum.hits += weight
    sum.hitSquares += weight * weight
  }
  return sum
}
