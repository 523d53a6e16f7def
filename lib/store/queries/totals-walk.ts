import type { RowReader } from '../read-file.js'
import type { Steps } from './range.js'
import { BUCKET_BOUNDS_SQL } from './statements.js'
import { type BucketBound, noCounts } from './totals.js'

/** Exact sums of one function over a span of time, and in each of its steps. */
export interface FunctionWalk {
  calls: number
  errors: number
  timed: number
  sumNs: number
  maxNs: number
  readonly stepCalls: number[]
  readonly stepErrors: number[]
  readonly buckets: Float64Array
}

/** The totals of a span of time: every figure below is a sum over the same rows, so that they agree. */
export interface TotalsWalk {
  readonly bounds: readonly BucketBound[]
  readonly functions: ReadonlyMap<number, FunctionWalk>
  /** Of all these functions together, per step. */
  readonly stepBuckets: readonly Float64Array[]
  readonly stepMaxNs: readonly number[]
}

/** What one read covers: some milliseconds of work, after which the WAL is free and a question can be ended. */
const SLICE_MINUTES = 60

const COMMA = 0x2c
const ZERO = 0x30
const NINE = 0x39
const SEMICOLON = 0x3b
const QUOTE = 0x22
const OPENING = 0x7b
const CLOSING = 0x7d

const NEXT_MINUTE_SQL =
  'SELECT min(minute) AS minute FROM totals WHERE minute >= $from AND minute < $endMinute'
/**
 * The rows of each minute as one text: `<calls>,<errors>,<timed>,<sum>,<max>;<function>{"<bucket>":<calls>, …}`, one
 * behind the other in the order of the file. Row by row, or summed by SQLite, they take several times as long.
 */
const textsSql = (some: boolean) => `SELECT minute, CAST(group_concat(
      calls || ',' || errors || ',' || timed || ',' || duration_sum_ns || ',' || duration_max_ns || ';' || function_id || buckets,
      '') AS BLOB) AS texts
    FROM totals WHERE minute >= $sinceMinute AND minute < $untilMinute
    ${some ? 'AND function_id IN (SELECT value FROM json_each($functionIds))' : ''} GROUP BY minute`

/** @param functionIds only of these functions; `null`: of all */
export function walkTotals(read: RowReader, steps: Steps, functionIds: readonly number[] | null): TotalsWalk {
  const bounds = read.all<BucketBound>(BUCKET_BOUNDS_SQL, {})
  const sums = new Sums(bounds, steps.count)
  const scope = functionIds === null ? {} : { functionIds: JSON.stringify(functionIds) }
  const sql = textsSql(functionIds !== null)
  const { startMinute, stepMinutes, count } = steps
  const endMinute = startMinute + count * stepMinutes
  for (let from = startMinute; from < endMinute; ) {
    // What nobody has counted in, years perhaps, is leapt over.
    const [next] = read.all<{ minute: number | null }>(NEXT_MINUTE_SQL, { from, endMinute })
    if (next === undefined || next.minute === null) break
    const sinceMinute = next.minute
    const untilMinute = Math.min(endMinute, sinceMinute + SLICE_MINUTES)
    for (const row of read.all<{ minute: number; texts: Buffer }>(sql, {
      ...scope,
      sinceMinute,
      untilMinute,
    }))
      sums.add(Math.floor((row.minute - startMinute) / stepMinutes), row.texts)
    from = untilMinute
  }
  return sums
}

class Sums implements TotalsWalk {
  readonly bounds: readonly BucketBound[]
  readonly functions = new Map<number, FunctionWalk>()
  readonly stepBuckets: Float64Array[]
  readonly stepMaxNs: number[]
  readonly #steps: number
  readonly #head = new Float64Array(5)

  constructor(bounds: readonly BucketBound[], steps: number) {
    this.bounds = bounds
    this.#steps = steps
    this.stepBuckets = Array.from({ length: steps }, () => noCounts(bounds))
    this.stepMaxNs = new Array<number>(steps).fill(0)
  }

  add(step: number, texts: Buffer): void {
    const ofStep = this.stepBuckets[step]
    if (ofStep === undefined) return
    let ofFunction = ofStep
    let field = 0
    let inBuckets = false
    let bucket = 0
    let value = 0
    for (let i = 0; i < texts.length; i++) {
      const code = texts[i] as number
      if (code >= ZERO && code <= NINE) {
        value = value * 10 + code - ZERO
        continue
      }
      if (!inBuckets) {
        if (code === COMMA || code === SEMICOLON) this.#head[field++] = value
        else if (code === OPENING) {
          ofFunction = this.#addHead(value, step)
          inBuckets = true
        } else continue
      } else if (code === QUOTE) {
        // The one before the digits says 0, the one behind them the bucket.
        bucket = value
      } else if (code === COMMA || code === CLOSING) {
        addTo(ofFunction, bucket, value)
        addTo(ofStep, bucket, value)
        if (code === CLOSING) {
          inBuckets = false
          field = 0
        }
      } else continue
      value = 0
    }
  }

  /** @returns the latency buckets of the function */
  #addHead(functionId: number, step: number): Float64Array {
    let row = this.functions.get(functionId)
    if (row === undefined) this.functions.set(functionId, (row = emptyWalk(this.#steps, this.bounds)))
    const [calls = 0, errors = 0, timed = 0, sumNs = 0, maxNs = 0] = this.#head
    row.calls += calls
    row.errors += errors
    row.timed += timed
    row.sumNs += sumNs
    row.maxNs = Math.max(row.maxNs, maxNs)
    row.stepCalls[step] = (row.stepCalls[step] ?? 0) + calls
    row.stepErrors[step] = (row.stepErrors[step] ?? 0) + errors
    this.stepMaxNs[step] = Math.max(this.stepMaxNs[step] ?? 0, maxNs)
    return row.buckets
  }
}

function addTo(counts: Float64Array, bucket: number, calls: number): void {
  if (bucket < counts.length) counts[bucket] = Math.max(0, counts[bucket] as number) + calls
}

export function emptyWalk(steps: number, bounds: readonly BucketBound[]): FunctionWalk {
  const none = () => new Array<number>(steps).fill(0)
  return {
    calls: 0,
    errors: 0,
    timed: 0,
    sumNs: 0,
    maxNs: 0,
    stepCalls: none(),
    stepErrors: none(),
    buckets: noCounts(bounds),
  }
}
