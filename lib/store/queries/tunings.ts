import { ISO } from '../incident-sql.js'
import type { RowReader } from '../read-file.js'
import { RECENT_TUNINGS } from '../tunings.js'

/** A change of what running processes record, asked for by `callsight set`. */
export interface TuningRow {
  readonly id: number
  readonly pattern: string | null
  /** JSON, as `tune()` takes them; `maxPerSecond` without a limit is `null`. */
  readonly options: string | null
  /** pid, `script[pid]` or boot id of the one process it is for; `null`: every process of this store. */
  readonly process: string | null
  readonly state: 'in force' | 'expired' | 'cleared'
  /** ISO-8601 UTC. */
  readonly created_at: string | null
  /** When it ended, or will. */
  readonly until: string | null
  /** User, pid and host. */
  readonly created_by: string
}

const TUNINGS_SQL = `SELECT id, pattern, options, process,
    CASE WHEN clearedUs IS NOT NULL THEN 'cleared' WHEN expiresUs > $nowUs THEN 'in force' ELSE 'expired' END AS state,
    ${ISO('createdUs')} AS created_at, ${ISO('ifnull(clearedUs, expiresUs)')} AS until, createdBy AS created_by
  FROM ${RECENT_TUNINGS} ORDER BY id DESC`

/** Newest first. */
export function readTunings(read: RowReader, nowMs: number): TuningRow[] {
  return read.all<TuningRow>(TUNINGS_SQL, { nowUs: nowMs * 1_000 })
}
