import { codeOf } from './errors.js'
import { ID_SALT_SPAN } from './schema.js'

/** The id is put together by SQLite: it needs 62 bits, and binding a BigInt costs more than two numbers. */
export const ID_SQL = `CAST(? AS INTEGER) * ${ID_SALT_SPAN} + CAST(? AS INTEGER)`

/** The year 2112. */
const MAX_END_US = 2 ** 63 / ID_SALT_SPAN

const ID_IS_TAKEN = 'SQLITE_CONSTRAINT_PRIMARYKEY'
/** Ids tried one after the other; then places are drawn from a range that grows fourfold each time. */
const STEPS = 4
/** Half a second of ids: room for more records than a batch can hold. */
const WIDEST_RANGE = 2 ** 30

/**
 * Runs an INSERT with ever higher ids until its id is free, so that two records that end in the same
 * microsecond with the same salt are both kept. Drawing keeps that cheap when a clock stands still and thousands
 * of records want one id.
 */
export function insertAtFreeId<T>(salt: number, insert: (salt: number) => T): T {
  for (let tries = 0, place = salt; ; tries++) {
    try {
      return insert(place)
    } catch (error) {
      if (codeOf(error) !== ID_IS_TAKEN) throw error
      place =
        tries < STEPS
          ? place + 1
          : salt + STEPS + Math.floor(Math.random() * Math.min(STEPS * 4 ** (tries - STEPS), WIDEST_RANGE))
    }
  }
}

/** NaN would be bound as NULL, and SQLite invents an id for NULL; beyond the maximum the id leaves 64 bits. */
export function isMoment(endUs: number): boolean {
  return endUs >= 0 && endUs < MAX_END_US
}
