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
/** The first part is the same in all rows of a statement; SQLite works it out once. */
const ROW_ID_SQL = `CAST(@baseUs AS INTEGER) * ${ID_SALT_SPAN} + CAST(? AS INTEGER)`

/** What may be the same in all rows of a statement, and is then bound once. */
interface Shared {
  /** The ids of the rows are given from here on. */
  baseUs: number
  functionId: number
  processId: number
  weight: number
  flags: number
  shape: string | null
  cuts: string | null
}

/** A row as a statement has it: for each column `?`, what is bound once for all rows, or what it always is. */
type RowSql = readonly string[]
const ANY_ROW: RowSql = [ROW_ID_SQL, ...Array.from({ length: 12 }, () => '?')]
const ALIKE: RowSql = [
  ROW_ID_SQL,
  '@functionId',
  '@processId',
  '?', // duration
  '@weight',
  '?', // call
  '?', // trace
  '?', // parent
  '@flags',
  '@shape',
  '?', // arguments
  '?', // result
  '@cuts',
]
const COLUMNS = ALIKE.length
const ID = 0
const FUNCTION_ID = 1
const PROCESS_ID = 2
const CALL = 5
const TRACE = 6
const PARENT = 7
/** Roots in order, see {@link RootOrder}. */
const ALIKE_ROOTS: RowSql = ALIKE.with(TRACE, '0').with(PARENT, 'NULL')

/** Places of the values that each row has for itself. */
const ownPlaces = (row: RowSql) => row.flatMap((sql, column) => (sql.includes('?') ? [column] : []))

/**
 * With OR FAIL the rows before the one that is refused stay. Without it SQLite keeps a copy of every page that a
 * statement of several rows changes, to be able to take them back.
 */
function insertSql(rows: number, row: RowSql): string {
  return `INSERT OR FAIL INTO calls VALUES ${Array.from({ length: rows }, () => `(${row.join(', ')})`).join(', ')}`
}

/** Writes rows that have much in common, a full statement of them. */
class AlikeRows {
  readonly #statement: Statement
  readonly #places: readonly number[]
  /** What rows have for themselves, and at the end what they share. */
  readonly #values: unknown[]

  constructor(db: Database, row: RowSql, shared: Shared) {
    this.#statement = db.prepare(insertSql(ROWS_PER_STATEMENT, row))
    this.#places = ownPlaces(row)
    this.#values = [...new Array(ROWS_PER_STATEMENT * this.#places.length).fill(null), shared]
  }

  run(rows: readonly Value[]): RunResult | undefined {
    const values = this.#values
    const places = this.#places
    let at = 0
    for (let row = 0; row < rows.length; row += COLUMNS)
      for (let i = 0; i < places.length; i++) values[at++] = rows[row + places[i]!]
    return this.#statement.run(...values)
  }
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

/** `true` for what better-sqlite3 or SQLite say about the values of a row rather than about the store. */
export function isBadData(error: unknown): boolean {
  return classify(error) === 'data' || isRefusedByDriver(error)
}

/** better-sqlite3 cannot bind a value: the statement was not run. */
function isRefusedByDriver(error: unknown): boolean {
  const isOfDriver = error instanceof TypeError || error instanceof RangeError
  return isOfDriver && /\bbind|parameter/.test(error.message)
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
  readonly #alike: AlikeRows
  readonly #alikeRoots: AlikeRows
  readonly #changes: Statement
  readonly #onBadRow: OnBadRow
  readonly #values: Value[] = new Array<Value>(ROWS_PER_STATEMENT * COLUMNS).fill(null)
  /** Where the ids of the rows queued begin, and what else these have in common as long as {@link #areAlike}. */
  readonly #shared: Shared = {
    baseUs: 0,
    functionId: 0,
    processId: 0,
    weight: 0,
    flags: 0,
    shape: null,
    cuts: null,
  }
  #areAlike = true
  #areRoots = true
  #areSound = true
  #used = 0
  #stored = 0

  constructor(db: Database, onBadRow: OnBadRow) {
    this.#statements = SIZES.map(rows => db.prepare(insertSql(rows, ANY_ROW)))
    this.#single = this.#statements[SIZES.length - 1]!
    this.#alike = new AlikeRows(db, ALIKE, this.#shared)
    this.#alikeRoots = new AlikeRows(db, ALIKE_ROOTS, this.#shared)
    this.#changes = db.prepare('SELECT changes()').pluck()
    this.#onBadRow = onBadRow
  }

  /** Rows written since the last {@link clear}, the refused ones not counted. */
  get stored(): number {
    return this.#stored
  }

  /** @param trace 0: the call is the root, and stands in order */
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
    const shared = this.#shared
    const duration = Math.round(durationNs)
    let at = this.#used
    let id = (Math.trunc(endUs) - shared.baseUs) * ID_SALT_SPAN + salt
    if (at > 0 && !Number.isSafeInteger(id)) {
      this.flush()
      at = 0
    }
    if (at === 0) {
      this.#begin(Math.trunc(endUs), functionId, processId, weight, flags, shape, cuts)
      id = salt
    } else if (this.#areAlike) {
      this.#areAlike =
        functionId === shared.functionId &&
        shape === shared.shape &&
        weight === shared.weight &&
        flags === shared.flags &&
        cuts === shared.cuts &&
        processId === shared.processId
    }
    if (trace !== 0 || parent !== 0) this.#areRoots = false
    if (
      !Number.isSafeInteger(duration) ||
      !Number.isSafeInteger(call) ||
      !Number.isSafeInteger(trace) ||
      !Number.isSafeInteger(parent)
    )
      this.#areSound = false
    values[at++] = id
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
    baseUs: number,
    functionId: number,
    processId: number,
    weight: number,
    flags: number,
    shape: string | null,
    cuts: string | null,
  ): void {
    const shared = this.#shared
    shared.baseUs = baseUs
    shared.functionId = functionId
    shared.processId = processId
    shared.weight = weight
    shared.flags = flags
    shared.shape = shape
    shared.cuts = cuts
    this.#areAlike = true
    this.#areRoots = true
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
    if (width === values.length && this.#areAlike)
      return (this.#areRoots ? this.#alikeRoots : this.#alike).run(values)
    // Spread arguments are bound faster than one array.
    return statement.run(...values.slice(from, from + width), this.#shared)
  }

  #writeSingly(from: number): void {
    const row = this.#values.slice(from, from + COLUMNS)
    try {
      const wanted = row[ID] as number
      insertAtFreeId(wanted, id => {
        row[ID] = id
        // A root that has to make room is not in order any more.
        if (id !== wanted && row[TRACE] === 0) row[TRACE] = row[CALL] as number
        if (this.#single.run(...row, this.#shared)?.changes !== 1)
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
