import {
  INCIDENT_ORDER,
  INCIDENTS,
  ISO,
  OPEN_CALL_ORDER,
  openCalls,
  STALL_ORDER,
  STALLS,
  TAKEN_AWAY,
} from '../incident-sql.js'
import { LOSSES } from '../record-sql.js'
import { FUNCTION_IDS } from './statements.js'

/** Which conditions a statement carries; an absent one needs no parameter. */
export interface IncidentConditions {
  readonly pattern: boolean
  readonly process: boolean
  readonly kind: boolean
}

const NAMED_PROCESS = `process_id IN (SELECT process_id FROM processes
    WHERE CAST(pid AS TEXT) = $process OR script || '[' || pid || ']' = $process OR boot = $process)`

const all = (...terms: readonly (string | false)[]) => terms.filter(term => term !== false).join(' AND ')

export function openCallsSql({ pattern, process }: IncidentConditions): string {
  const where = all('TRUE', process && `i.${NAMED_PROCESS}`, pattern && `i.${FUNCTION_IDS}`)
  return `${openCalls()} WHERE ${where} ${OPEN_CALL_ORDER} LIMIT $limit`
}

export function stallsSql({ pattern, process }: IncidentConditions): string {
  const where = all(
    'coalesce(s.ended_us, s.seen_us) >= $sinceUs AND s.started_us < $untilUs',
    process && `s.${NAMED_PROCESS}`,
    pattern && `s.stall_id IN (SELECT stall_id FROM stall_calls WHERE ${FUNCTION_IDS})`,
  )
  return `${STALLS} WHERE ${where} ${STALL_ORDER} LIMIT $limit`
}

export function incidentsSql({ process, kind }: IncidentConditions): string {
  const where = all(
    '(n.ended_us IS NULL OR n.ended_us >= $sinceUs) AND n.started_us < $untilUs',
    process && `n.${NAMED_PROCESS}`,
    kind && 'n.kind = $kind',
  )
  return `${INCIDENTS} WHERE ${where} ${INCIDENT_ORDER} LIMIT $limit`
}

/** Calls that had begun and not ended, by process; of some functions those that are listed. */
export function unendedSql(pattern: boolean): string {
  return pattern
    ? `SELECT process_id AS processId, count(*) AS calls FROM in_flight
       WHERE ${FUNCTION_IDS} AND started_us < $untilUs GROUP BY process_id`
    : 'SELECT process_id AS processId, total(max(open, 0)) AS calls FROM in_flight_looks GROUP BY process_id'
}

export const LOST_FILES_SQL = `SELECT count(*) AS files FROM incidents
  WHERE kind IN (${TAKEN_AWAY}) AND coalesce(ended_us, started_us) >= $sinceUs AND started_us < $untilUs`

/** What follows is of one process, `$processId`. */
export const LOOKS_SQL = `SELECT ring AS thread, looked_us AS lookedUs, open, listed FROM in_flight_looks
  WHERE process_id = $processId ORDER BY ring LIMIT $limit`

export const IN_FLIGHT_SQL = `${openCalls(', i.ring AS thread')} WHERE i.process_id = $processId
  ORDER BY i.ring, i.depth IS NULL, i.depth, i.started_us, i.call LIMIT $limit`

export const LAST_STALL_SQL = `${STALLS} WHERE s.process_id = $processId ${STALL_ORDER} LIMIT 1`

export const HAS_ERRORS_SQL = 'SELECT 1 FROM errors WHERE process_id = $processId LIMIT 1'

export const INCIDENTS_OF_PROCESS_SQL = `${INCIDENTS} WHERE n.process_id = $processId ${INCIDENT_ORDER} LIMIT $limit`

export const SECONDS_SQL = `SELECT second, total(calls) AS calls, total(errors) AS errors,
    CASE WHEN total(timed) > 0 THEN total(duration_sum_ns) / 1e6 / total(timed) END AS meanMs
  FROM seconds WHERE process_id = $processId AND second BETWEEN $first AND $last GROUP BY second`

/** Of each second the functions that are listed by themselves, the one with most calls first. */
export const SECOND_FUNCTIONS_SQL = `SELECT s.second AS second, coalesce(f.name, '(unknown)') AS function, s.calls AS calls
  FROM seconds s LEFT JOIN functions f USING (function_id)
  WHERE s.process_id = $processId AND s.second BETWEEN $first AND $last AND s.function_id <> 0
  ORDER BY s.second, s.calls DESC, s.duration_sum_ns DESC LIMIT 10000`

export const LAST_SECOND_SQL = 'SELECT max(second) AS second FROM seconds WHERE process_id = $processId'

export const LOSSES_OF_PROCESS_SQL = `SELECT coalesce(f.name, '(unknown)') AS function, d.reason AS reason,
    total(d.count) AS count, ${ISO('min(d.first_us)')} AS first_at, ${ISO('max(d.last_us)')} AS last_at
  FROM (${LOSSES}) d LEFT JOIN functions f USING (function_id) WHERE d.process_id = $processId
  GROUP BY d.function_id, d.reason ORDER BY count DESC LIMIT $limit`
