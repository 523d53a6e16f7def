import { BUCKET_COUNT } from '../totals/layout.js'
import { addBuckets, bucketText, emptyCounts, NO_BUCKETS } from './bucket-texts.js'
import { type Database, prepared } from './driver.js'
import { HOUR_OF, SUMMED_HOURS } from './totals-sql.js'
import { inTransaction } from './transaction.js'

const US_PER_MINUTE = 60_000_000
const MINUTES_PER_HOUR = 60
/** Processes whose clocks differ a little still write into the hour that is just over. */
const GRACE_MINUTES = 2
/** Functions summed in one transaction: with one process some 2,000 rows, 10 ms. */
const FUNCTIONS_PER_STEP = 32

/**
 * The oldest hour is left out: of that, retention deletes minute after minute, and each time its sums would have to be
 * made again.
 */
const DUE = `WITH RECURSIVE ${HOUR_OF}
  SELECT min(hour) FROM hour_of
  WHERE hour > (SELECT min(minute) / ${MINUTES_PER_HOUR} FROM totals) AND hour < ? AND hour NOT IN (${SUMMED_HOURS})`

const rowsOf = (columns: string) => `WITH RECURSIVE minute_of(minute) AS (
    SELECT $hour * ${MINUTES_PER_HOUR}
    UNION ALL SELECT minute + 1 FROM minute_of WHERE minute + 1 < ($hour + 1) * ${MINUTES_PER_HOUR}
  ) SELECT ${columns}
  FROM minute_of m CROSS JOIN totals t ON t.minute = m.minute AND t.function_id > $after AND t.function_id <= $upTo`
const SUMS = `${rowsOf(`t.function_id AS functionId, sum(t.calls) AS calls, sum(t.errors) AS errors, sum(t.kept) AS kept,
  sum(t.timed) AS timed, sum(t.duration_sum_ns) AS sumNs, max(t.duration_max_ns) AS maxNs`)} GROUP BY t.function_id`
const BUCKETS = rowsOf("CAST(group_concat(t.function_id || t.buckets, '') AS BLOB)")

interface FunctionRow {
  readonly functionId: bigint
  readonly calls: bigint
  readonly errors: bigint
  readonly kept: bigint
  readonly timed: bigint
  readonly sumNs: bigint
  readonly maxNs: bigint
}

/**
 * Sums the minutes of hours that are over, once, so that a long span is read from a sixtieth of the rows. Each step is
 * one short transaction, in which nobody else can add to a minute; whoever does so later, or deletes one, takes the sums
 * of its hour away ({@link forgetHour}). So any process may do a step, or be killed in it, at any time.
 */
export class HourSums {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** `true` when there is more to do. */
  step(nowUs: number): boolean {
    const current = Math.floor((nowUs / US_PER_MINUTE - GRACE_MINUTES) / MINUTES_PER_HOUR)
    // Asked for outside the transaction: mostly there is none, and the write lock is not needed.
    const hour = prepared(this.#db, DUE).pluck().get(current)
    if (typeof hour !== 'number') return false
    inTransaction(this.#db, () => this.#sum(hour))
    return true
  }

  #sum(hour: number): void {
    const progress = prepared(this.#db, 'SELECT summed_up_to AS upTo FROM hours_summed WHERE hour = ?').get(
      hour,
    ) as { upTo: number | null } | undefined
    // Another process has been faster.
    if (progress?.upTo === null) return
    // Rows that nobody answers for, in a file that was tampered with, would stop this for ever.
    if (progress === undefined) prepared(this.#db, 'DELETE FROM hours WHERE hour = ?').run(hour)
    const after = progress?.upTo ?? 0
    const upTo = after + FUNCTIONS_PER_STEP
    const last = Number(prepared(this.#db, 'SELECT max(function_id) FROM functions').pluck().get() ?? 0)
    const range = { hour, after, upTo }
    const rows = prepared(this.#db, SUMS).safeIntegers().all(range) as FunctionRow[]
    const counts = emptyCounts(
      rows.map(row => Number(row.functionId)),
      BUCKET_COUNT,
    )
    const texts = prepared(this.#db, BUCKETS).pluck().get(range)
    if (texts instanceof Buffer) addBuckets(texts, id => counts.get(id) ?? NO_BUCKETS)
    const insert = prepared(this.#db, 'INSERT INTO hours VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
    for (const { functionId, calls, errors, kept, timed, sumNs, maxNs } of rows) {
      const buckets = bucketText(counts.get(Number(functionId)) ?? new Float64Array(0))
      insert.run(hour, functionId, calls, errors, kept, timed, sumNs, maxNs, buckets)
    }
    prepared(this.#db, 'INSERT OR REPLACE INTO hours_summed VALUES (?, ?)').run(
      hour,
      upTo >= last ? null : upTo,
    )
  }
}

/** To be called in the transaction that adds to a minute of this hour. */
export function forgetHour(db: Database, hour: number): void {
  const { changes } = prepared(db, 'DELETE FROM hours_summed WHERE hour = ?').run(hour)
  if (changes > 0) prepared(db, 'DELETE FROM hours WHERE hour = ?').run(hour)
}

/** To be called in the transaction that deletes the totals of this minute and all before it. */
export function forgetHoursUpTo(db: Database, minute: number): void {
  const hour = Math.floor(minute / MINUTES_PER_HOUR)
  for (const table of ['hours', 'hours_summed'])
    prepared(db, `DELETE FROM ${table} WHERE hour <= ?`).run(hour)
}
