import { type Database, prepared } from './driver.js'

/** A row of `recorder_states`. */
export interface RecorderStateRow {
  readonly writtenUs: number
  readonly breaker: number
  readonly openings: number
  /** `null`: never. */
  readonly openedUs: number | null
  readonly closedUs: number | null
  readonly queueBytes: number
  readonly capacityBytes: number
  readonly highestBytes: number
  readonly highestOfBytes: number
  /** `null`: the system does not tell. */
  readonly writerCpuMs: number | null
  readonly batches: number
  readonly sweeps: number
  readonly retentionMs: number
  readonly maxBytes: number
}

const PUT_SQL = `INSERT OR REPLACE INTO recorder_states (process_id, written_us, breaker, openings, opened_us, closed_us,
    queue_bytes, capacity_bytes, highest_bytes, highest_of_bytes, writer_cpu_ms, batches, sweeps, retention_ms, max_bytes)
  VALUES ($processId, $writtenUs, $breaker, $openings, $openedUs, $closedUs,
    $queueBytes, $capacityBytes, $highestBytes, $highestOfBytes, $writerCpuMs, $batches, $sweeps, $retentionMs, $maxBytes)`

/** Part of the batch's transaction. */
export function putRecorderState(db: Database, processId: number, row: RecorderStateRow): void {
  prepared(db, PUT_SQL).run({ processId, ...row })
}
