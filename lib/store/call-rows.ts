import type { Database, Statement } from './driver.js'
import { type BadRow, BadRowError, CommitLostError, classify, codeOf } from './errors.js'
import { ID_SALT_SPAN } from './schema.js'

/** Told of every call row that SQLite refuses; the others are stored. */
export type OnBadRow = (error: BadRowError) => void

/**
 * Rows of one statement. Measured with all indexes, 25 rows reach 1.4 times the rate of single rows and 50 add
 * under 2 %, while a statement that fails is redone row by row.
 */
const ROWS_PER_STATEMENT = 25
/** What is left of a batch goes in as fives, then ones. */
const SIZES = [ROWS_PER_STATEMENT, 5, 1] as const

/** The id is put together by SQLite: it needs 62 bits, and binding a BigInt costs more than two numbers. */
export const ID_SQL = `CAST(? AS INTEGER) * ${ID_SALT_SPAN} + CAST(? AS INTEGER)`
const ROW_SQL = `(${ID_SQL}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
const COLUMNS = 14
const SALT = 1
const FUNCTION_ID = 2
const PROCESS_ID = 3
const CALL = 6

/** The year 2112. */
const MAX_END_US = 2 ** 63 / ID_SALT_SPAN

type Value = number | string | null

/** Ids tried one after the other; then places are drawn from a range that grows fourfold each time. */
const STEPS = 4
/** Half a second of ids: room for more records than a batch can hold. */
const WIDEST_RANGE = 2 ** 30

/**
 * Runs an INSERT with ever higher salts until its id is free, so that two records that end in the same
 * microsecond with the same salt are both kept. Drawing keeps that cheap when a clock stands still and thousands
 * of records want one id.
 */
export function insertAtFreeId<T>(salt: number, insert: (salt: number) => T): T {
  for (let tries = 0, place = salt; ; tries++) {
    try {
      return insert(place)
    } catch (error) {
      if (codeOf(error) !== 'SQLITE_CONSTRAINT_PRIMARYKEY') throw error
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

/** `true` for what better-sqlite3 or SQLite say about the values of a row rather than about the store. */
export function isBadData(error: unknown): boolean {
  if (classify(error) === 'data') return true
  const isOfDriver = error instanceof TypeError || error instanceof RangeError
  return isOfDriver && /\bbind|parameter value/.test(error.message)
}

/** Collects call rows and writes them with multi-row statements. */
export class CallRows {
  readonly #statements: readonly Statement[]
  readonly #single: Statement
  readonly #onBadRow: OnBadRow
  readonly #values: Value[] = new Array<Value>(ROWS_PER_STATEMENT * COLUMNS).fill(null)
  #used = 0
  #stored = 0

  constructor(db: Database, onBadRow: OnBadRow) {
    this.#statements = SIZES.map(rows => db.prepare(`INSERT INTO calls VALUES ${repeat(rows)}`))
    this.#single = this.#statements[SIZES.length - 1]!
    this.#onBadRow = onBadRow
  }

  /** Rows written since the last {@link clear}, the refused ones not counted. */
  get stored(): number {
    return this.#stored
  }

  add(
    endUs: number,
    salt: number,
    functionId: number,
    processId: number,
    durationNs: number,
    weight: number,
    call: number,
    trace: number,
    parent: number,
    flags: number,
    shape: string | null,
    args: string | null,
    result: string | null,
    cuts: string | null,
  ): void {
    const values = this.#values
    let at = this.#used
    values[at++] = endUs
    values[at++] = salt
    values[at++] = functionId
    values[at++] = processId
    values[at++] = Math.round(durationNs)
    values[at++] = weight
    values[at++] = call
    values[at++] = trace
    values[at++] = parent === 0 ? null : parent
    values[at++] = flags
    values[at++] = shape
    values[at++] = args
    values[at++] = result
    values[at++] = cuts
    this.#used = at
    if (at === values.length) this.flush()
  }

  /** Writes what is queued. */
  flush(): void {
    const used = this.#used
    this.#used = 0
    let from = 0
    for (const [index, rows] of SIZES.entries()) {
      const width = rows * COLUMNS
      for (; used - from >= width; from += width) this.#write(this.#statements[index]!, from, width, rows)
    }
  }

  /** Forgets what is queued. */
  clear(): void {
    this.#used = 0
    this.#stored = 0
  }

  #write(statement: Statement, from: number, width: number, rows: number): void {
    const values = this.#values
    try {
      // Spread arguments are bound faster than one array.
      const done =
        width === values.length
          ? statement.run(...values)
          : statement.run(...values.slice(from, from + width))
      if (done?.changes !== rows) throw new CommitLostError(`An INSERT of ${rows} calls did not report them`)
      this.#stored += rows
    } catch (error) {
      if (!isBadData(error)) throw error
      // The statement had no effect: SQLite takes back all rows of one that fails.
      for (let row = from; row < from + width; row += COLUMNS) this.#writeSingly(row)
    }
  }

  #writeSingly(from: number): void {
    const row = this.#values.slice(from, from + COLUMNS)
    try {
      insertAtFreeId(row[SALT] as number, salt => {
        row[SALT] = salt
        if (this.#single.run(...row)?.changes !== 1)
          throw new CommitLostError('An INSERT of a call did not report it')
      })
      this.#stored++
    } catch (error) {
      if (!isBadData(error)) throw error
      this.#onBadRow(new BadRowError(describe(row), error))
    }
  }
}

function describe(row: readonly Value[]): BadRow {
  return {
    table: 'calls',
    functionId: Number(row[FUNCTION_ID]),
    processId: Number(row[PROCESS_ID]),
    call: Number(row[CALL]),
  }
}

function repeat(rows: number): string {
  return Array.from({ length: rows }, () => ROW_SQL).join(', ')
}
