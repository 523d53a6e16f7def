/** Columns of totals that add up; those of an hour mean the same as those of a minute. */
const ADDED = 'function_id, calls, errors, kept, timed, duration_sum_ns, duration_max_ns, buckets'

/** Hours of which every minute with totals is in `hours`. */
export const SUMMED_HOURS = 'SELECT hour FROM hours_summed WHERE summed_up_to IS NULL'

/** Table expression `hour_of(hour)`: hours that have totals, oldest first, and at last one that is NULL. One seek each. */
export const HOUR_OF = `hour_of(hour) AS (
  SELECT min(minute) / 60 FROM totals
  UNION ALL
  SELECT (SELECT min(minute) / 60 FROM totals WHERE minute >= (h.hour + 1) * 60) FROM hour_of h WHERE h.hour IS NOT NULL
)`

/** Totals of everything: hours where they are summed, minutes elsewhere. */
const ALL_TOTALS = `SELECT ${ADDED} FROM hours WHERE hour IN (${SUMMED_HOURS})
  UNION ALL
  SELECT ${ADDED} FROM hour_of h CROSS JOIN totals t ON t.minute >= h.hour * 60 AND t.minute < (h.hour + 1) * 60
  WHERE h.hour NOT IN (${SUMMED_HOURS})`

/** Totals of the spans `[[first, behind], …]` of hours in `$hours` and of minutes in `$minutes`. */
export const TOTALS_OF_SPANS = `SELECT ${ADDED} FROM json_each($hours) s
    CROSS JOIN hours t ON t.hour >= s.value ->> 0 AND t.hour < s.value ->> 1
  UNION ALL
  SELECT ${ADDED} FROM json_each($minutes) s
    CROSS JOIN totals t ON t.minute >= s.value ->> 0 AND t.minute < s.value ->> 1`

export const FUNCTION_TOTALS = `WITH RECURSIVE ${HOUR_OF}, parts AS (
  ${ALL_TOTALS}
), sums AS (
  SELECT function_id, sum(calls) AS calls, sum(errors) AS errors, sum(timed) AS timed,
         sum(duration_sum_ns) AS sum_ns, max(duration_max_ns) AS max_ns
  FROM parts GROUP BY function_id
), histogram AS (
  SELECT t.function_id, CAST(j.key AS INTEGER) AS bucket, sum(j.value) AS n
  FROM parts t, json_each(t.buckets) j GROUP BY 1, 2
), ranked AS (
  SELECT function_id, b.upper_ns,
         sum(n) OVER (PARTITION BY function_id ORDER BY h.bucket) AS upto, sum(n) OVER (PARTITION BY function_id) AS total
  FROM histogram h JOIN latency_buckets b USING (bucket)
), percentiles AS (
  SELECT function_id,
         min(CASE WHEN upto >= 0.50 * total THEN upper_ns END) AS p50,
         min(CASE WHEN upto >= 0.95 * total THEN upper_ns END) AS p95,
         min(CASE WHEN upto >= 0.99 * total THEN upper_ns END) AS p99
  FROM ranked GROUP BY function_id
)
SELECT f.name AS function, s.calls AS calls, s.errors AS errors,
       CASE WHEN s.timed > 0 THEN s.sum_ns / 1e6 / s.timed END AS mean_ms,
       min(p.p50, s.max_ns) / 1e6 AS p50_ms, min(p.p95, s.max_ns) / 1e6 AS p95_ms, min(p.p99, s.max_ns) / 1e6 AS p99_ms,
       CASE WHEN s.timed > 0 THEN s.max_ns / 1e6 END AS max_ms
FROM sums s JOIN functions f USING (function_id) LEFT JOIN percentiles p USING (function_id)
ORDER BY s.sum_ns DESC`
