import {
  ALIKE,
  ALIKE_ROOTS,
  AlikeRows,
  ANY_ROW,
  COLUMNS,
  Column,
  insertSql,
  ROWS_PER_STATEMENT,
  type Shared,
  type Value,
} from './call-statements.js'
import type { Database, RunResult, Statement } from './driver.js'
import { type BadRow, BadRowError, CommitLostError, classify, codeOf } from './errors.js'
import { insertAtFreeId } from './row-ids.js'
import { ID_SALT_SPAN } from './schema.js'

/** Told of every call row that SQLite refuses; the others are stored. */
export type OnBadRow = (error: BadRowError) => void

/** What is left of a batch goes in as fives, then ones. */
const SIZES = [ROWS_PER_STATEMENT, 5, 1] as const

const { ID, FUNCTION_ID, PROCESS_ID, CALL, TRACE } = Column

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
