import type { Duration } from '../../config/options.js'
import { FrameFlag } from '../../queue/layout.js'
import { formatCount } from '../../wording/format.js'
import { StoreQueryError } from '../read-errors.js'
import type { RowReader } from '../read-file.js'
import { isoOf } from './coverage.js'
import { type Bounds, type Moment, oneOf, text, toBounds, toMinDurationNs } from './filter.js'
import type { Range } from './range.js'
import { readTotals } from './totals.js'
import { addArguments, addShape } from './why-arguments.js'
import { Columns } from './why-columns.js'
import { conditionsOf, LEAST_RECORDS, testConditions } from './why-conditions.js'
import { MOST_RECORDS, readCallers, readWhyRecords, type WhyRecord, type WhyRecords } from './why-records.js'
import { listSeparations } from './why-separations.js'

export const WHY_OF = ['slow', 'errors'] as const
export type WhyOf = (typeof WHY_OF)[number]

export interface WhyFilter {
  /** Name of one function, exactly. */
  readonly function: string
  /** What is to be explained: calls that were slow (`'slow'`, default) or that failed (`'errors'`). */
  readonly of?: WhyOf | undefined
  /** Only what ended at or after this moment. Default: the beginning of the store. */
  readonly since?: Moment | undefined
  /** Only what ended before this moment. Default: now and later. */
  readonly until?: Moment | undefined
  /** Calls of at least this duration count as slow. Default: about the 95th percentile of the function in that time. */
  readonly minDurationMs?: Duration | undefined
}

/** Calls on one side of a condition; `hits` are the slow or failed ones among them. */
export interface SideCounts {
  /** Recorded calls, weighted by how many each stands for. */
  readonly calls: number
  readonly hits: number
  /** The same without weights: the records that were tested. */
  readonly records: number
  readonly hitRecords: number
}

/** One property of the arguments or the circumstances that separates the slow or failing calls from the others. */
export interface Separation {
  /** Such as `args[0].symbol = "XAUUSD"`, `args[1]: array of 1,000 items or more`. */
  readonly condition: string
  /** Other conditions that hold for the same calls, or nearly so. */
  readonly same: readonly string[]
  readonly with: SideCounts
  readonly without: SideCounts
  /** Share of hits with the condition divided by the share without; `null`: none without. */
  readonly ratio: number | null
  /** Share of the hits that have it minus share of the others that have it: 1 means it is what separates them. */
  readonly separation: number
  /** Probability of a difference at least as large by chance, after correction for the number of conditions tried. */
  readonly pValue: number
  /** A few call ids that fit, to open. */
  readonly examples: readonly string[]
}

export interface WhyAnswer {
  readonly range: Range
  readonly function: string
  readonly of: WhyOf
  /** Calls of at least this duration count as slow; `null` for errors. */
  readonly thresholdMs: number | null
  /** Recorded calls that were looked at, and how many of them were slow or failed. */
  readonly lookedAt: number
  readonly hits: number
  readonly conditionsTried: number
  /** Probability at most that anything is listed where nothing separates the calls. */
  readonly level: number
  /** Strongest first; empty when nothing separates them beyond chance. */
  readonly separations: readonly Separation[]
  /** What to bear in mind: what was not looked at, what can mislead. One sentence each. */
  readonly caveats: readonly string[]
  /** Why there is no answer, in one sentence; `null` when there is one. */
  readonly note: string | null
}

/** Family-wise error rate. */
export const WHY_LEVEL = 0.01
/** Where nothing else is said, the slowest of so many calls are the slow ones. */
const SLOW_SHARE = 0.05
/** A latency bucket is at most 12.5 % wide. */
const BUCKET_RATIO = 1.125
/** Callers are compared where nearly all are known: those of slow and failed calls are known more often. */
const KNOWN_CALLERS = 0.95
const MS_PER_HOUR = 3_600_000

/** @throws StoreQueryError when the filter is not acceptable */
export function readWhy(read: RowReader, filter: WhyFilter, nowMs: number): WhyAnswer {
  const name = text('function', filter.function)
  const of = oneOf('of', filter.of, WHY_OF) ?? 'slow'
  const { since, until } = filter
  const bounds = toBounds({ since, until }, nowMs)
  const least = toMinDurationNs(filter.minDurationMs)
  if (of === 'errors' && least !== null) {
    throw new StoreQueryError('A minimum duration says what is slow. Leave it out when you ask for errors.')
  }
  const [known] = read.all<{ functionId: number }>(FUNCTION_SQL, { name })
  const found: WhyRecords =
    known === undefined
      ? { records: [], fromUs: bounds.sinceUs, isCut: false }
      : readWhyRecords(read, known.functionId, bounds)
  const { records } = found
  const thresholdNs =
    of === 'errors' || known === undefined ? null : (least ?? percentile(read, bounds, name, records))
  const isHit = (record: WhyRecord) =>
    of === 'errors' ? record.failed === 1 : thresholdNs !== null && record.durationNs >= thresholdNs
  const hits = Uint8Array.from(records, record => (isHit(record) ? 1 : 0))
  const answer: WhyAnswer = {
    range: rangeOf(found, bounds, nowMs),
    function: name,
    of,
    thresholdMs: thresholdNs === null ? null : thresholdNs / 1e6,
    lookedAt: records.length,
    hits: hits.reduce((sum, hit) => sum + hit, 0),
    conditionsTried: 0,
    level: WHY_LEVEL,
    separations: [],
    caveats: [],
    note: null,
  }
  const note =
    known === undefined
      ? 'No function of this name has been recorded. Name one exactly, as "callsight top" lists them.'
      : tooFew(answer)
  return note === null
    ? separated(read, answer, found, hits)
    : { ...answer, caveats: caveatsOf(answer, found, hits, false), note }
}

const FUNCTION_SQL = 'SELECT function_id AS functionId FROM functions WHERE name = $name'

/**
 * The totals, in which every call counts, tell the bucket; where in it, the records tell. At its upper end hardly one of
 * the calls would be slow that took as long as each other.
 */
function percentile(
  read: RowReader,
  bounds: Bounds,
  name: string,
  records: readonly WhyRecord[],
): number | null {
  const pattern = name.replace(/[*?[]/g, '[$&]')
  const p95 = readTotals(read, { ...bounds, pattern, limit: 1 }, 'total')[0]?.p95_ms
  if (p95 == null) return null
  const upperNs = p95 * 1e6
  const slowest = records.toSorted((a, b) => b.durationNs - a.durationNs)
  const all = records.reduce((sum, record) => sum + weightOf(record), 0)
  let behind = 0
  const at = slowest.find(record => {
    behind += weightOf(record)
    return behind >= SLOW_SHARE * all
  })
  return Math.min(upperNs, Math.max(upperNs / BUCKET_RATIO, at?.durationNs ?? upperNs))
}

function weightOf({ weight }: WhyRecord): number {
  return weight > 0 && Number.isFinite(weight) ? weight : 0
}

function rangeOf({ fromUs, isCut, records }: WhyRecords, { sinceUs, untilUs }: Bounds, nowMs: number): Range {
  const untilMs = Math.min(untilUs / 1000, nowMs)
  // Without a beginning given it begins with the oldest record there is.
  const oldestUs = isCut ? fromUs : Math.max(sinceUs, records.at(-1)?.endUs ?? sinceUs)
  return { sinceMs: Math.min(Math.floor(oldestUs / 1000), untilMs), untilMs }
}

function tooFew({ of, lookedAt, hits, thresholdMs }: WhyAnswer): string | null {
  if (lookedAt === 0) return 'No call of this function is recorded in that time.'
  if (of === 'slow' && thresholdMs === null) {
    return 'No call of this function was timed in that time, so that nobody knows which are slow: give a minimum duration.'
  }
  const what = of === 'errors' ? 'failed' : 'were slow'
  if (hits < LEAST_RECORDS) {
    const slower =
      of === 'slow' && lookedAt > LEAST_RECORDS
        ? ' Give a shorter minimum duration, or take a longer time.'
        : ''
    return `Only ${hits} of ${lookedAt.toLocaleString('en-US')} recorded calls ${what}: at least ${LEAST_RECORDS} are needed.${slower}`
  }
  const others = lookedAt - hits
  if (others >= LEAST_RECORDS) return null
  const record =
    of === 'errors' ? 'Sample more of them, or take a longer time.' : 'Give a longer minimum duration.'
  return `Only ${others} of ${lookedAt.toLocaleString('en-US')} recorded calls are others, to compare with: at least ${LEAST_RECORDS} are needed. ${record}`
}

function separated(read: RowReader, answer: WhyAnswer, found: WhyRecords, hits: Uint8Array): WhyAnswer {
  const { records } = found
  const columns = new Columns()
  const callers = callersOf(read, records, hits)
  for (const [index, record] of records.entries()) addRecord(columns, index, record, answer.of, callers)
  const { conditions, isCut } = conditionsOf(columns.all)
  const weights = Float64Array.from(records, weightOf)
  const tested = testConditions(conditions, { hits, weights })
  const significant = tested.filter(test => test.pValue <= WHY_LEVEL)
  const separations = listSeparations(significant, records, hits)
  const caveats = caveatsOf(answer, found, hits, columns.isCut || isCut)
  const conditionsTried = conditions.length
  const note = separations.length > 0 ? null : nothingFound(answer, records, conditionsTried)
  return { ...answer, conditionsTried, separations, caveats, note }
}

function addRecord(
  columns: Columns,
  index: number,
  record: WhyRecord,
  of: WhyOf,
  callers: ReadonlyMap<number, string>,
): void {
  addShape(columns, index, record.shape)
  addArguments(columns, index, record.args)
  columns.value(index, 'process', record.process)
  columns.value(index, 'hour', hourOf(record.endUs))
  columns.value(index, 'called by a monitored function', record.parent === null ? 'no' : 'yes')
  if (of === 'slow') columns.value(index, 'outcome', record.failed === 1 ? 'error' : 'ok')
  const caller = callers.get(index)
  if (caller !== undefined) columns.value(index, 'caller', caller)
}

function hourOf(endUs: number): string {
  const startMs = Math.floor(endUs / 1000 / MS_PER_HOUR) * MS_PER_HOUR
  return isoOf(startMs).replace(/:00:00.000Z$/, 'h UTC')
}

/**
 * Which function called. A slow or failed call has its callers recorded for its sake, and those of others are there
 * as they were sampled: what is known of callers says something about them only where nearly all are known.
 */
function callersOf(read: RowReader, records: readonly WhyRecord[], hits: Uint8Array): Map<number, string> {
  const looked = [...readCallers(read, records)]
  const isKnown = [0, 1].every(hit => {
    const group = looked.filter(([index]) => hits[index] === hit)
    return group.filter(([, caller]) => caller !== null).length >= KNOWN_CALLERS * group.length
  })
  return new Map(
    isKnown ? looked.flatMap(([index, caller]) => (caller === null ? [] : [[index, caller]])) : [],
  )
}

function caveatsOf(answer: WhyAnswer, found: WhyRecords, hits: Uint8Array, isCut: boolean): string[] {
  const caveats: string[] = []
  if (found.isCut) {
    const most = MOST_RECORDS.toLocaleString('en-US')
    caveats.push(
      `Only the newest records were looked at (at most ${most} that returned and ${most} that failed), those since ${isoOf(answer.range.sinceMs)}.`,
    )
  }
  if (isCut) caveats.push('The arguments have more parts than are compared; some were left out.')
  const after = (hit: number) =>
    found.records.filter((record, i) => hits[i] === hit && (record.flags & FrameFlag.argsAfter) !== 0).length
  const afterHits = after(1)
  if (afterHits * (answer.lookedAt - answer.hits) > (1 + after(0)) * answer.hits) {
    caveats.push(
      `The arguments of ${formatCount(afterHits)} of the ${formatCount(answer.hits)} ${answer.of === 'errors' ? 'failed' : 'slow'} calls were read after the call: what the function itself changes in them can look like a cause.`,
    )
  }
  return caveats
}

function nothingFound({ of }: WhyAnswer, records: readonly WhyRecord[], tried: number): string {
  const what = of === 'errors' ? 'failed' : 'slow'
  const isBlind = records.every(({ args, shape }) => args === null && shape === null)
  if (isBlind)
    return `No arguments are recorded of these calls, so that little can be told about the ${what} ones.`
  return `None of ${tried} conditions separates the ${what} calls from the others beyond chance.`
}
