import type { Database, RunResult, Statement } from './driver.js'
import { type BadRow, BadRowError, CommitLostError, classify, codeOf } from './errors.js'
import { ID_SALT_SPAN } from './schema.js'

/** Told of every call row that SQLite refuses; the others are stored. */
export type OnBadRow = (error: BadRowError) => void

/**
 * Rows of one statement. Measured with all indexes: 25 rows take 12 % less than 10, 40 rows 3 % less than 25, and 100 no
 * less than 40, while what is left of a statement that fails is written row by row.
 */
const ROWS_PER_STATEMENT = 40
/** What is left of a batch goes in as fives, then ones. */
const SIZES = [ROWS_PER_STATEMENT, 5, 1] as const

/** The id is put together by SQLite: it needs 62 bits, and binding a BigInt costs more than two numbers. */
export const ID_SQL = `CAST(? AS INTEGER) * ${ID_SALT_SPAN} + CAST(? AS INTEGER)`

/**
 * The values of a row, two for the id and one for each other column. Those that are often the same in all rows of a
 * statement have the name by which they are bound once.
 */
const SHARED: readonly (keyof Shared | null)[] = [
  null, // end, in microseconds
  null, // salt
  'functionId',
  'processId',
  null, // duration
  'weight',
  null, // call
  null, // trace
  null, // parent
  'flags',
  'shape',
  null, // arguments
  null, // result
  'cuts',
]
const COLUMNS = SHARED.length
const SALT = 1
const FUNCTION_ID = 2
const PROCESS_ID = 3
const CALL = 6
/** Places in a row of what each row has for itself. */
const OWN = SHARED.flatMap((name, column) => (name === null ? [column] : []))

interface Shared {
  functionId: number
  processId: number
  weight: number
  flags: number
  shape: string | null
  cuts: string | null
}

/**
 * With OR FAIL the rows before the one that is refused stay. Without it SQLite keeps a copy of every page that a
 * statement of several rows changes, to be able to take them back.
 */
function insertSql(rows: number, shared: readonly (string | null)[]): string {
  const [, , ...columns] = shared
  const row = `(${[ID_SQL, ...columns.map(name => (name === null ? '?' : `@${name}`))].join(', ')})`
  return `INSERT OR FAIL INTO calls VALUES ${Array.from({ length: rows }, () => row).join(', ')}`
}

/** The year 2112. */
const MAX_END_US = 2 ** 63 / ID_SALT_SPAN

type Value = number | string | null

const ID_IS_TAKEN = 'SQLITE_CONSTRAINT_PRIMARYKEY'
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

/** `true` for what better-sqlite3 or SQLite say about the values of a row rather than about the store. */
export function isBadData(error: unknown): boolean {
  return classify(error) === 'data' || isRefusedByDriver(error)
}

/** better-sqlite3 cannot bind a value: the statement was not run. */
function isRefusedByDriver(error: unknown): boolean {
  const isOfDriver = error instanceof TypeError || error instanceof RangeError
  return isOfDriver && /\bbind|parameter value/.test(error.message)
}

/** After these `changes()` tells how many rows came before; after a value of the wrong type it says 0, and they stay. */
const STOPS_AT_ITS_ROW = /^SQLITE_CONSTRAINT_(?!DATATYPE)/

/**
 * Collects call rows and writes them with multi-row statements. Rows with a number that is not of the type of its column
 * are written one by one.
 */
export class CallRows {
  readonly #statements: readonly Statement[]
  readonly #single: Statement
  readonly #alike: Statement
  readonly #changes: Statement
  readonly #onBadRow: OnBadRow
  readonly #values: Value[] = new Array<Value>(ROWS_PER_STATEMENT * COLUMNS).fill(null)
  /** What the rows queued have in common, as long as {@link #areAlike}. */
  readonly #shared: Shared = { functionId: 0, processId: 0, weight: 0, flags: 0, shape: null, cuts: null }
  /** What rows that are alike have for themselves, and at the end what they share. */
  readonly #ownValues: unknown[] = new Array(ROWS_PER_STATEMENT * OWN.length + 1).fill(null)
  #areAlike = true
  #areSound = true
  #used = 0
  #stored = 0

  constructor(db: Database, onBadRow: OnBadRow) {
    const none = SHARED.map(() => null)
    this.#statements = SIZES.map(rows => db.prepare(insertSql(rows, none)))
    this.#single = this.#statements[SIZES.length - 1]!
    this.#alike = db.prepare(insertSql(ROWS_PER_STATEMENT, SHARED))
    this.#changes = db.prepare('SELECT changes()').pluck()
    this.#ownValues[this.#ownValues.length - 1] = this.#shared
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
    const duration = Math.round(durationNs)
    let at = this.#used
    if (at === 0) this.#begin(functionId, processId, weight, flags, shape, cuts)
    else if (this.#areAlike) {
      const shared = this.#shared
      this.#areAlike =
        functionId === shared.functionId &&
        shape === shared.shape &&
        weight === shared.weight &&
        flags === shared.flags &&
        cuts === shared.cuts &&
        processId === shared.processId
    }
    if (
      !Number.isSafeInteger(duration) ||
      !Number.isSafeInteger(call) ||
      !Number.isSafeInteger(trace) ||
      !Number.isSafeInteger(parent)
    )
      this.#areSound = false
    values[at++] = endUs
    values[at++] = salt
    values[at++] = functionId
    values[at++] = processId
    values[at++] = duration
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

  #begin(
    functionId: number,
    processId: number,
    weight: number,
    flags: number,
    shape: string | null,
    cuts: string | null,
  ): void {
    const shared = this.#shared
    shared.functionId = functionId
    shared.processId = processId
    shared.weight = weight
    shared.flags = flags
    shared.shape = shape
    shared.cuts = cuts
    this.#areAlike = true
    this.#areSound = true
  }

  #write(statement: Statement, from: number, width: number, rows: number): void {
    let written = 0
    if (this.#areSound) {
      try {
        const done = this.#run(statement, from, width)
        if (done?.changes !== rows)
          throw new CommitLostError(`An INSERT of ${rows} calls did not report them`)
        written = rows
      } catch (error) {
        if (STOPS_AT_ITS_ROW.test(codeOf(error))) written = this.#changes.get() as number
        else if (!isRefusedByDriver(error)) throw error
      }
    }
    this.#stored += written
    for (let row = from + written * COLUMNS; row < from + width; row += COLUMNS) this.#writeSingly(row)
  }

  #run(statement: Statement, from: number, width: number): RunResult | undefined {
    const values = this.#values
    // Spread arguments are bound faster than one array.
    if (width < values.length) return statement.run(...values.slice(from, from + width))
    if (!this.#areAlike) return statement.run(...values)
    const own = this.#ownValues
    let at = 0
    for (let row = 0; row < values.length; row += COLUMNS)
      for (let i = 0; i < OWN.length; i++) own[at++] = values[row + OWN[i]!]
    return this.#alike.run(...own)
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
