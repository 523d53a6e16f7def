import { StoreQueryError } from '../read-errors.js'
import type { RowReader } from '../read-file.js'
import { isoOf } from './coverage.js'
import { compareSides, DIFF_LEVEL, type FunctionDiff, type Verdict, worst } from './diff-compare.js'
import { type DiffSide, type FoundSide, findSide, shareCalls } from './diff-sides.js'
import { readSide, type SideTotals } from './diff-totals.js'
import { toBounds, toLimit } from './filter.js'
import { BUCKET_BOUNDS_SQL } from './statements.js'
import type { BucketBound } from './totals.js'

export type { FunctionDiff, MeasureDiff, Verdict } from './diff-compare.js'
export type { DiffSide } from './diff-sides.js'

export interface DiffFilter {
  /** What is compared with: before. An object, or a text such as `'previous'`, `'app.js[4711]'`, `'-2h..-1h'`. */
  readonly a?: DiffSide | string | undefined
  /** What is compared: after. */
  readonly b?: DiffSide | string | undefined
  /** Path of the recording side b is in. Default: the same one. */
  readonly bDb?: string | undefined
  /** Name of the function; `*` stands for any text and `?` for one character: `'Orders.*'`. */
  readonly function?: string | undefined
  /** Calls of a function that each side must have. Default 100, at least 20. */
  readonly minCalls?: number | undefined
  /** Least change of p50 or p95 that counts, as a share. Default 0.2; less than 0.125 cannot be seen. */
  readonly minLatencyChange?: number | undefined
  /** Functions compared, those with most calls first. Default 100, at most 1,000. */
  readonly limit?: number | undefined
}

export interface DiffAnswerSide {
  readonly label: string
  /** First and last minute with calls, ISO-8601 UTC; `null`: none. */
  readonly since: string | null
  readonly until: string | null
  readonly calls: number
  readonly errors: number
}

export interface DiffAnswer {
  /** The worst of all functions. */
  readonly verdict: Verdict
  readonly a: DiffAnswerSide
  readonly b: DiffAnswerSide
  /** Probability at most that any function is called worse or better where there is no difference. */
  readonly level: number
  readonly minCalls: number
  readonly minLatencyChange: number
  /** Worse ones first. */
  readonly functions: readonly FunctionDiff[]
  /** Functions with fewer calls that were not compared. */
  readonly leftOut: number
}

const DEFAULT_MIN_CALLS = 100
/** Below, the approximations of the tests are none. */
const LEAST_MIN_CALLS = 20
const DEFAULT_MIN_LATENCY_CHANGE = 0.2
/** Width of the widest latency bucket: what is one bucket apart may be no difference at all. */
const LEAST_LATENCY_CHANGE = 0.125
const MIN_ERROR_ODDS = 1.5
const MIN_ERROR_CHANGE = 1e-4
const MOST_FUNCTIONS = 1_000
const ORDER: readonly Verdict[] = ['worse', 'better', 'no difference', 'too few calls']

/**
 * @param other the file of side b; the same one when both sides are in it
 * @throws StoreQueryError when the filter is not acceptable
 */
export function readDiff(read: RowReader, other: RowReader, filter: DiffFilter, nowMs: number): DiffAnswer {
  const { minCalls, minLatencyChange, limit } = numbersOf(filter)
  const { pattern } = toBounds({ function: filter.function }, nowMs)
  if (read === other && (filter.a === undefined || filter.b === undefined)) {
    throw new StoreQueryError("A comparison has two sides: say a and b, such as a '-2h..-1h' and b '-1h..'.")
  }
  const sideA = findSide(read, 'a', filter.a, nowMs)
  const sideB = findSide(other, 'b', filter.b, nowMs)
  if (read === other && shareCalls(sideA, sideB)) {
    throw new StoreQueryError(
      'The two sides have calls in common. Give times that do not overlap, or different processes.',
    )
  }
  const bounds = read.all<BucketBound>(BUCKET_BOUNDS_SQL, {})
  const buckets = 1 + bounds.reduce((most, { bucket }) => Math.max(most, bucket), -1)
  const allA = readSide(read, sideA, pattern, buckets)
  const allB = readSide(other, sideB, pattern, buckets)
  const callsOf = (name: string) => (allA.get(name)?.calls ?? 0) + (allB.get(name)?.calls ?? 0)
  const names = [...new Set([...allA.keys(), ...allB.keys()])].sort((x, y) => callsOf(y) - callsOf(x))
  const taken = new Set(names.slice(0, limit))
  const only = (side: ReadonlyMap<string, SideTotals>) =>
    new Map([...side].filter(([name]) => taken.has(name)))
  const functions = compareSides(only(allA), only(allB), bounds, {
    minCalls,
    minLatencyChange,
    minErrorOdds: MIN_ERROR_ODDS,
    minErrorChange: MIN_ERROR_CHANGE,
  })
  return {
    verdict: worst(functions.map(({ verdict }) => verdict)),
    a: answerSide(sideA, allA),
    b: answerSide(sideB, allB),
    level: DIFF_LEVEL,
    minCalls,
    minLatencyChange,
    functions: functions.sort(
      (x, y) =>
        ORDER.indexOf(x.verdict) - ORDER.indexOf(y.verdict) || callsOf(y.function) - callsOf(x.function),
    ),
    leftOut: names.length - taken.size,
  }
}

function numbersOf(filter: DiffFilter) {
  const { minCalls = DEFAULT_MIN_CALLS, minLatencyChange = DEFAULT_MIN_LATENCY_CHANGE } = filter
  if (!(Number.isInteger(minCalls) && minCalls >= LEAST_MIN_CALLS)) {
    throw new StoreQueryError(
      `Least number of calls ${String(minCalls)} is not a whole number from ${LEAST_MIN_CALLS} on.`,
    )
  }
  if (!(typeof minLatencyChange === 'number' && minLatencyChange >= LEAST_LATENCY_CHANGE)) {
    throw new StoreQueryError(
      `Least change ${String(minLatencyChange)} is not a share from ${LEAST_LATENCY_CHANGE} on: latency is counted in buckets up to 12.5 % wide.`,
    )
  }
  return { minCalls, minLatencyChange, limit: Math.min(MOST_FUNCTIONS, toLimit(filter.limit)) }
}

function answerSide(side: FoundSide, functions: ReadonlyMap<string, SideTotals>): DiffAnswerSide {
  const all = [...functions.values()]
  const first = all.reduce((least, { minutes }) => Math.min(least, minutes[0]), Number.POSITIVE_INFINITY)
  const last = all.reduce((most, { minutes }) => Math.max(most, minutes[1]), Number.NEGATIVE_INFINITY)
  const iso = (minute: number) => (all.length === 0 ? null : isoOf(minute * 60_000))
  return {
    label: side.label,
    since: iso(first),
    until: iso(last + 1),
    calls: all.reduce((sum, { calls }) => sum + calls, 0),
    errors: all.reduce((sum, { errors }) => sum + errors, 0),
  }
}
