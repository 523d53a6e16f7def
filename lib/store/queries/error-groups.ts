import type { RowReader } from '../read-file.js'
import { AT, HEX, ID_SALT_BITS, ID_SALT_SPAN } from '../record-sql.js'
import { type ErrorGroupFilter, GROUP_ORDERS, type GroupOrder, oneOf, toSteps } from './filter.js'
import { hasFunction, type RecordQuery, toRecordQuery } from './record-query.js'
import { type Conditions, FUNCTION_IDS } from './statements.js'

/** Errors of one function and class whose messages differ in numbers only. */
export interface ErrorGroup {
  /** 16 hex digits. */
  readonly fingerprint: string
  readonly function: string
  /** Class name of what was thrown. */
  readonly error: string
  /** Message of the newest one. */
  readonly message: string
  readonly count: number
  /** ISO-8601 UTC, within the range. */
  readonly firstAt: string
  readonly lastAt: string
  /** Id of the call of the newest one. */
  readonly lastCallId: string
  /**
   * Errors in equal steps of time, Unix milliseconds, from `since` to `until`; without them from the oldest error to the
   * newest record of the store. Together as many as `count`.
   */
  readonly series: { readonly startMs: number; readonly stepMs: number; readonly counts: readonly number[] }
}

interface Chosen {
  readonly fingerprint: string
  /** A key beyond 2^53. */
  readonly lastId: string
}

interface Described extends Omit<ErrorGroup, 'series' | 'count'> {}

/** With more groups than this it is cheaper to walk over the errors than to leap from group to group. */
const MAX_LEAPS = 2_000

const FINGERPRINTS = `WITH RECURSIVE known(fingerprint) AS (
    SELECT min(fingerprint) FROM errors
    UNION ALL
    SELECT (SELECT min(e.fingerprint) FROM errors e WHERE e.fingerprint > known.fingerprint) FROM known
    WHERE known.fingerprint IS NOT NULL
    LIMIT ${MAX_LEAPS + 2}
  )`
const COUNT_FINGERPRINTS_SQL = `${FINGERPRINTS} SELECT count(*) AS count FROM known WHERE fingerprint IS NOT NULL`

const inRange = ({ minDuration }: Conditions) =>
  `id >= $sinceId AND id < $untilId${minDuration ? ' AND duration_ns >= $minDurationNs' : ''}`

/** Groups and the key of the newest error of each. The index of fingerprints alone answers, unless durations are asked for. */
function groupsSql(conditions: Conditions, order: GroupOrder, leap: boolean): string {
  const ofGroup = (value: string) =>
    `(SELECT ${value} FROM errors WHERE fingerprint = known.fingerprint AND ${inRange(conditions)})`
  const groups = leap
    ? `${FINGERPRINTS} SELECT fingerprint, ${ofGroup('max(id)')} AS lastId${order === 'count' ? `, ${ofGroup('count(*)')} AS count` : ''}
       FROM known WHERE fingerprint IS NOT NULL`
    : `SELECT fingerprint, max(id) AS lastId, count(*) AS count FROM errors
       WHERE ${inRange(conditions)}${conditions.fingerprint ? ' AND fingerprint = $fingerprint' : ''} GROUP BY fingerprint`
  // All errors of a group are of one function and class: its newest one is asked for both.
  const terms = ['TRUE']
  if (conditions.pattern) terms.push(`e.${FUNCTION_IDS}`)
  if (conditions.error) terms.push('e.error = $error')
  return `SELECT g.fingerprint AS fingerprint, CAST(g.lastId AS TEXT) AS lastId
    FROM (${groups}) g CROSS JOIN errors e ON e.id = g.lastId WHERE ${terms.join(' AND ')}
    ORDER BY ${order === 'count' ? 'g.count DESC, ' : ''}g.lastId DESC LIMIT $limit`
}

/** `$groups`: JSON list of {@link Chosen}. */
function describeSql(conditions: Conditions): string {
  return `SELECT e.fingerprint AS fingerprint, coalesce(f.name, '(unknown)') AS function, e.error AS error,
      e.message AS message, ${AT('first')} AS firstAt, ${AT('e')} AS lastAt, ${HEX('e.call')} AS lastCallId
    FROM json_each($groups) g
    CROSS JOIN errors e ON e.id = CAST(json_extract(g.value, '$.lastId') AS INTEGER)
    CROSS JOIN errors first ON first.id = (SELECT min(id) FROM errors
      WHERE fingerprint = json_extract(g.value, '$.fingerprint') AND ${inRange(conditions)})
    LEFT JOIN functions f ON f.function_id = e.function_id
    ORDER BY g.key`
}

/** Counts of each group in `$steps` steps of `$stepUs`, in order; `$startUs` is the start of the first. */
function seriesSql(conditions: Conditions): string {
  const key = (step: string) => `($startUs + (${step}) * $stepUs) * ${ID_SALT_SPAN}`
  return `WITH RECURSIVE steps(step) AS (SELECT 0 UNION ALL SELECT step + 1 FROM steps WHERE step + 1 < $steps)
    SELECT (SELECT count(*) FROM errors WHERE fingerprint = json_extract(g.value, '$.fingerprint')
        AND id >= max($sinceId, ${key('s.step')}) AND id < min($untilId, ${key('s.step + 1')})
        ${conditions.minDuration ? 'AND duration_ns >= $minDurationNs' : ''}) AS count
    FROM json_each($groups) g CROSS JOIN steps s ORDER BY g.key, s.step`
}

const RECORDED_SPAN_SQL = `SELECT (SELECT min(id) FROM errors) >> ${ID_SALT_BITS} AS oldestErrorUs,
  max((SELECT max(id) FROM errors), coalesce((SELECT max(id) FROM calls), 0)) >> ${ID_SALT_BITS} AS newestUs`

interface Request extends RecordQuery {
  /** Whether the filter says where the range begins, and where it ends. */
  readonly hasSince: boolean
  readonly hasUntil: boolean
  readonly order: GroupOrder
  readonly steps: number
}

function toRequest(filter: ErrorGroupFilter, nowMs: number): Request {
  return {
    ...toRecordQuery(filter, nowMs, filter.fingerprint),
    hasSince: filter.since !== undefined,
    hasUntil: filter.until !== undefined,
    order: oneOf('sort', filter.sort, GROUP_ORDERS) ?? 'newest',
    steps: toSteps(filter.steps),
  }
}

export function readErrorGroups(read: RowReader, filter: ErrorGroupFilter, nowMs: number): ErrorGroup[] {
  const request = toRequest(filter, nowMs)
  const { conditions, params, bounds, order, steps } = request
  if (!hasFunction(read, bounds)) return []
  const chosen = read.all<Chosen>(groupsSql(conditions, order, canLeap(read, conditions)), params)
  if (chosen.length === 0) return []
  const { pattern: _, error: __, fingerprint: ___, limit: ____, ...range } = params
  const groups = JSON.stringify(chosen)
  const { startUs, stepUs } = stepsOf(read, request)
  const described = read.all<Described>(describeSql(conditions), { ...range, groups })
  const counts = read.all<{ count: number }>(seriesSql(conditions), {
    ...range,
    groups,
    // Whole numbers, and beyond 2^53 once they are keys: a double in the sum would make all of it one.
    startUs: BigInt(startUs),
    stepUs: BigInt(stepUs),
    steps,
  })
  return described.map((group, index) => {
    const ofGroup = counts.slice(index * steps, (index + 1) * steps).map(({ count }) => count)
    return {
      fingerprint: group.fingerprint,
      function: group.function,
      error: group.error,
      message: group.message,
      count: ofGroup.reduce((sum, count) => sum + count, 0),
      firstAt: group.firstAt,
      lastAt: group.lastAt,
      lastCallId: group.lastCallId,
      series: { startMs: startUs / 1000, stepMs: stepUs / 1000, counts: ofGroup },
    }
  })
}

function canLeap(read: RowReader, { minDuration, fingerprint }: Conditions): boolean {
  if (minDuration || fingerprint) return false
  return (read.all<{ count: number }>(COUNT_FINGERPRINTS_SQL, {})[0]?.count ?? 0) <= MAX_LEAPS
}

function stepsOf(
  read: RowReader,
  { bounds, hasSince, hasUntil, steps }: Request,
): { startUs: number; stepUs: number } {
  const [span] = read.all<{ oldestErrorUs: number; newestUs: number }>(RECORDED_SPAN_SQL, {})
  const startUs = hasSince ? bounds.sinceUs : (span?.oldestErrorUs ?? 0)
  const endUs = hasUntil ? bounds.untilUs : (span?.newestUs ?? 0) + 1
  return { startUs, stepUs: Math.max(1, Math.ceil((endUs - startUs) / steps)) }
}
