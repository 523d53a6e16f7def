import { HEX, LOSSES, PARENT_ID, PROCESS, REMOTE_JOIN, TRACE_ID } from './record-sql.js'

const US_PER_MINUTE = 60_000_000
/** Calls of one stall that are looked at; a recorder writes fewer. */
const MAX_STALL_CALLS = 100

/** A moment in Unix microseconds as ISO-8601 UTC with milliseconds. */
export const ISO = (us: string) => `strftime('%Y-%m-%dT%H:%M:%fZ', ${us} / 1e6, 'unixepoch')`

/** Calls in flight `i`, with the last look `l` at their thread; `also`: further columns. */
export const openCalls = (
  also = '',
) => `SELECT ${ISO('l.looked_us')} AS seen_at, coalesce(f.name, '(unknown)') AS function,
         ${ISO('i.started_us')} AS started_at, max(0, l.looked_us - i.started_us) / 1e3 AS age_ms, i.timed AS timed,
         i.depth AS depth, i.args AS args, i.shape AS shape, ${TRACE_ID('i')} AS trace_id,
         ${PARENT_ID('i')} AS parent_id, ${HEX('i.call')} AS call_id, ${PROCESS} AS process, p.ending AS process_ended${also}
  FROM in_flight i
  LEFT JOIN in_flight_looks l ON l.process_id = i.process_id AND l.ring = i.ring
  LEFT JOIN functions f ON f.function_id = i.function_id
  LEFT JOIN processes p ON p.process_id = i.process_id
  ${REMOTE_JOIN('i')}`

/** The program seen last comes first; of each thread its stack from the outside in, then what had returned a promise. */
export const OPEN_CALL_ORDER =
  'ORDER BY l.looked_us DESC, i.process_id, i.ring, i.depth IS NULL, i.depth, i.started_us, i.call'

/** The function that most looks found innermost. */
const blamed = (value: string) => `(SELECT ${value} FROM stall_calls c
           LEFT JOIN functions f ON f.function_id = c.function_id
           WHERE c.stall_id = s.stall_id GROUP BY c.function_id HAVING sum(c.inner_looks) > 0
           ORDER BY sum(c.inner_looks) DESC, max(c.depth) DESC LIMIT 1)`

/** Arguments are those of the call that most looks found; `max` takes the row that has it. */
const STALL_CALLS = `(SELECT json_group_array(json_object('function', function, 'looks', looks, 'innermost', innermost,
             'calls', calls, 'args', args, 'shape', shape))
           FROM (SELECT * FROM (
             SELECT coalesce(f.name, '(unknown)') AS function, c.depth AS depth, sum(c.looks) AS looks,
                    sum(c.inner_looks) AS innermost, count(*) AS calls, c.args AS args, c.shape AS shape, max(c.looks)
             FROM stall_calls c LEFT JOIN functions f ON f.function_id = c.function_id
             WHERE c.stall_id = s.stall_id GROUP BY c.depth, c.function_id
             ORDER BY c.depth DESC, looks LIMIT ${MAX_STALL_CALLS}
           ) ORDER BY depth, looks DESC))`

/** Stalls `s`. */
export const STALLS = `SELECT ${ISO('s.started_us')} AS at,
         (coalesce(s.ended_us, s.seen_us) - s.started_us) / 1e3 AS duration_ms, s.ended_us IS NOT NULL AS ended,
         ${blamed("coalesce(f.name, '(unknown)')")} AS function,
         ${blamed('sum(c.inner_looks) * 1.0 / max(1, s.looks)')} AS share,
         s.on_cpu * 1.0 / max(1, s.looks) AS on_cpu, ${STALL_CALLS} AS calls, ${PROCESS} AS process
  FROM stalls s LEFT JOIN processes p ON p.process_id = s.process_id`
export const STALL_ORDER = 'ORDER BY s.stall_id DESC'

/** What happened to the recording, `n`. */
export const INCIDENTS = `SELECT ${ISO('n.started_us')} AS at, ${ISO('n.ended_us')} AS until, n.kind AS kind,
         n.detail AS detail, ${PROCESS} AS process
  FROM incidents n LEFT JOIN processes p ON p.process_id = n.process_id`
export const INCIDENT_ORDER = 'ORDER BY n.started_us DESC, n.incident_id DESC'

/** Incidents that took records away, nobody knows how many. */
export const TAKEN_AWAY = ['store_set_aside', 'store_gone', 'journal_set_aside']
  .map(kind => `'${kind}'`)
  .join(', ')

/** Conditions on the records that were lost and on the incidents that took some away. */
export interface LossConditions {
  readonly records: string
  readonly incidents: string
}

/** What is missing, when and why; incidents concern every function. */
export const losses = (where: LossConditions = { records: 'TRUE', incidents: 'TRUE' }) =>
  `SELECT strftime('%Y-%m-%dT%H:%MZ', d.minute * 60, 'unixepoch') AS minute, coalesce(f.name, '(unknown)') AS function,
         d.reason AS reason, sum(d.count) AS count, ${ISO('min(d.first_us)')} AS first_at,
         ${ISO('max(d.last_us)')} AS last_at, NULL AS detail
  FROM (${LOSSES}) d LEFT JOIN functions f USING (function_id) WHERE ${where.records}
  GROUP BY d.minute, d.function_id, d.reason
  UNION ALL
  SELECT strftime('%Y-%m-%dT%H:%MZ', n.started_us / ${US_PER_MINUTE} * 60, 'unixepoch'), '(all)', n.kind, NULL,
         ${ISO('n.started_us')}, ${ISO('coalesce(n.ended_us, n.started_us)')}, n.detail
  FROM incidents n WHERE n.kind IN (${TAKEN_AWAY}) AND ${where.incidents}
  ORDER BY minute DESC, count DESC, last_at DESC`
