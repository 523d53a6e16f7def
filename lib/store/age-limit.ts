import { prepared } from './driver.js'
import { type Slice, STALLS_PER_STEP, US_PER_MINUTE } from './retention-slice.js'
import { ID_SALT_BITS } from './schema.js'

/** Stalls of one process; the oldest go first. */
export const MAX_STALLS = 500
/** Open calls of one process and the threads they belonged to: threads that ended long ago go first. */
export const MAX_IN_FLIGHT = 20_000
/** What goes with the row of a process. */
const PROCESS_TABLES = [
  'lanes',
  'reported',
  'remote_traces',
  'seconds',
  'journal_ranges',
  'recorder_states',
  'processes',
] as const

/** An incident that goes on is as old as the last sign of life of its process. */
const INCIDENT_END = `ifnull(ended_us, ifnull((SELECT max(last_seen_us, ifnull(p.ended_us, 0))
  FROM processes p WHERE p.process_id = incidents.process_id), started_us))`
const TUNING_END = 'min(expires_us, ifnull(cleared_us, expires_us))'

/**
 * Deletes what ended before that moment; a row exactly at it stays. Of calls in flight and of stalls each process also
 * has no more than {@link MAX_IN_FLIGHT} and {@link MAX_STALLS}.
 */
export function deleteOlder(cutoffUs: number, slice: Slice): void {
  for (const table of ['calls', 'errors'] as const) {
    if (slice.left <= 0) return
    // The row that a full slice ends with, skipping the others unread; else the last one of a shorter slice.
    const full = prepared(slice.db, `SELECT id FROM ${table} WHERE id < ? ORDER BY id LIMIT 1 OFFSET ?`)
    const last = prepared(slice.db, `SELECT max(id) FROM ${table} WHERE id < ?`)
    const limit = BigInt(cutoffUs) << BigInt(ID_SALT_BITS)
    const boundaryOf = (): unknown =>
      full
        .pluck()
        .safeIntegers()
        .get(limit, slice.left - 1) ?? last.pluck().safeIntegers().get(limit)
    slice.deleteRecords(table, boundaryOf)
  }
  const minute = Math.floor(cutoffUs / US_PER_MINUTE)
  for (const table of ['totals', 'drops'] as const) {
    if (slice.left > 0) slice.deleteMinutes(table, minute, slice.left)
  }
  if (slice.left > 0) deleteInFlight(cutoffUs, slice)
  if (slice.left > 0) deleteStalls(cutoffUs, slice)
  if (slice.left > 0) deleteEnded('incidents', 'incident_id', INCIDENT_END, cutoffUs, slice)
  if (slice.left > 0) deleteEnded('tunings', 'tuning_id', TUNING_END, cutoffUs, slice)
  if (slice.left > 0) deleteProcesses(cutoffUs, slice)
}

/** Threads that were looked at before the window, and what is too much of one process. */
function deleteInFlight(cutoffUs: number, slice: Slice): void {
  const old = prepared(
    slice.db,
    `SELECT process_id AS processId, ring FROM (
       SELECT process_id, ring, looked_us,
         sum(listed + 1) OVER (PARTITION BY process_id ORDER BY looked_us DESC, ring) AS rows
       FROM in_flight_looks) WHERE looked_us < ? OR rows > ? LIMIT ?`,
  )
  // Mostly there is none, and the write lock is not needed.
  if (old.get(cutoffUs, MAX_IN_FLIGHT, 1) === undefined) return
  slice.delete(() => {
    let rows = 0
    const rings = old.all(cutoffUs, MAX_IN_FLIGHT, slice.left) as { processId: number; ring: number }[]
    for (const { processId, ring } of rings) {
      for (const table of ['in_flight', 'in_flight_looks']) {
        const sql = `DELETE FROM ${table} WHERE process_id = ? AND ring = ?`
        rows += prepared(slice.db, sql).run(processId, ring).changes
      }
      if (rows >= slice.left) break
    }
    return { rows }
  })
}

function deleteStalls(cutoffUs: number, slice: Slice): void {
  const old = prepared(
    slice.db,
    `SELECT stall_id FROM (
       SELECT stall_id, seen_us, row_number() OVER (PARTITION BY process_id ORDER BY stall_id DESC) AS place
       FROM stalls) WHERE seen_us < ? OR place > ? LIMIT ?`,
  ).pluck()
  slice.deleteStalls(() => old.all(cutoffUs, MAX_STALLS, Math.min(slice.left, STALLS_PER_STEP)))
}

/** Deletes rows that ended before the window. Mostly there is none, and the write lock is not needed. */
function deleteEnded(
  table: 'incidents' | 'tunings',
  key: string,
  end: string,
  cutoffUs: number,
  slice: Slice,
): void {
  const old = prepared(slice.db, `SELECT ${key} FROM ${table} WHERE ${end} < ? LIMIT ?`).pluck()
  if (old.get(cutoffUs, 1) === undefined) return
  slice.delete(() => {
    let rows = 0
    for (const id of old.all(cutoffUs, slice.left))
      rows += prepared(slice.db, `DELETE FROM ${table} WHERE ${key} = ?`).run(id).changes
    return { rows }
  })
}

/**
 * Removes processes that were not seen within the window, with their accounts. Their calls are gone by then:
 * the writer keeps last_seen_us at or after every record's end. The newest row stays, because SQLite would
 * give its process_id to the next process while a stalled one may still use it.
 */
function deleteProcesses(cutoffUs: number, slice: Slice): void {
  const dead = prepared(
    slice.db,
    `SELECT process_id FROM processes p
     WHERE max(last_seen_us, ifnull(ended_us, 0)) < ?
       AND process_id < (SELECT max(process_id) FROM processes)
       AND NOT EXISTS (SELECT 1 FROM errors e WHERE e.process_id = p.process_id)
       AND process_id NOT IN (SELECT process_id FROM totals)
       AND process_id NOT IN (SELECT process_id FROM drops)
       AND process_id NOT IN (SELECT process_id FROM in_flight_looks)
       AND process_id NOT IN (SELECT process_id FROM stalls)
       AND process_id NOT IN (SELECT process_id FROM incidents)
     LIMIT ?`,
  ).pluck()
  // Asked for outside the transaction first: mostly there is none, and the write lock is not needed.
  if (dead.get(cutoffUs, 1) === undefined) return
  slice.delete(() => {
    let rows = 0
    for (const processId of dead.all(cutoffUs, slice.left)) {
      for (const table of PROCESS_TABLES)
        rows += prepared(slice.db, `DELETE FROM ${table} WHERE process_id = ?`).run(processId).changes
    }
    return { rows }
  })
}
