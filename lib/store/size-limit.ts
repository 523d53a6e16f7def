import { type Database, prepared } from './driver.js'
import { type RecordTable, type Slice, STALLS_PER_STEP, US_PER_MINUTE } from './retention-slice.js'
import { ID_SALT_BITS } from './schema.js'
import type { StoreSize } from './store-size.js'

/** Bytes of a row with its index entries, its texts not counted. */
const ROW_BYTES = 80

const TEXT_BYTES = {
  calls: `ifnull(octet_length(shape), 0) + ifnull(octet_length(args), 0) + ifnull(octet_length(result), 0)
    + ifnull(octet_length(cuts), 0)`,
  errors: `ifnull(octet_length(shape), 0) + ifnull(octet_length(args), 0) + octet_length(message) + ifnull(octet_length(stack), 0)
    + ifnull(octet_length(details), 0) + ifnull(octet_length(cuts), 0)`,
} as const

/** Deletes the oldest ordinary calls, then the oldest stalls, then the oldest minutes of totals and drops, and errors last. */
export function deleteExcess(size: StoreSize, slice: Slice): void {
  for (const step of ['calls', 'stalls', 'totals', 'drops', 'errors'] as const) {
    const { excessBytes } = size
    if (excessBytes <= 0 || slice.left <= 0) return
    switch (step) {
      case 'calls':
      case 'errors':
        deleteOldest(step, excessBytes, slice)
        break
      case 'stalls': {
        const oldest = prepared(slice.db, 'SELECT stall_id FROM stalls ORDER BY stall_id LIMIT ?').pluck()
        slice.deleteStalls(() => oldest.all(STALLS_PER_STEP))
        break
      }
      case 'totals':
        // A minute at a time, since it cannot be told beforehand how much one frees.
        slice.deleteMinutes(step, Number.MAX_SAFE_INTEGER, 1)
        break
      case 'drops':
        // What is missing is told for as long as there is something it is missing from.
        slice.deleteMinutes(step, oldestErrorMinute(slice.db), 1)
        break
      default:
        step satisfies never
    }
    // The next kind has to wait until the space of this one is known to be too little.
    if (slice.deleted > 0) return
  }
}

function oldestErrorMinute(db: Database): number {
  const oldest = prepared(db, `SELECT min(id) >> ${ID_SALT_BITS} FROM errors`).pluck().get()
  return typeof oldest === 'number' ? Math.floor(oldest / US_PER_MINUTE) : Number.MAX_SAFE_INTEGER
}

function deleteOldest(table: RecordTable, excessBytes: number, slice: Slice): void {
  const rows = `SELECT id, ${ROW_BYTES} + ${TEXT_BYTES[table]} AS bytes FROM ${table} ORDER BY id LIMIT ?`
  // Running sums take several times as long as one sum, and mostly the whole slice is too much.
  const whole = prepared(slice.db, `SELECT max(id) FROM (${rows}) HAVING sum(bytes) <= ?`)
  const part = prepared(
    slice.db,
    `SELECT max(id) FROM (SELECT id, sum(bytes) OVER (ORDER BY id) - bytes AS freed FROM (${rows}))
     WHERE freed < ?`,
  )
  const boundaryOf = (): unknown =>
    whole.pluck().safeIntegers().get(slice.left, excessBytes) ??
    part.pluck().safeIntegers().get(slice.left, excessBytes)
  slice.deleteRecords(table, boundaryOf)
}
