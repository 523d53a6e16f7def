import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import { noteStore } from './figures.js'

export interface LaneRow {
  readonly boot: string
  readonly ring: number
  readonly lane: number
  readonly produced: number
  readonly stored: number
  readonly dropped: Readonly<Record<string, number>>
  readonly ending: string | null
}

/** What a store file says about itself, read with SQLite alone. */
export interface StoreAccount {
  readonly lanes: readonly LaneRow[]
  /** Numbers of the calls and errors of the program under test. */
  readonly calls: readonly number[]
  readonly errors: readonly number[]
  readonly integrity: string
}

const firstArgument = (json: string | null): number => (JSON.parse(json ?? '[null]') as [number])[0]
const numberInMessage = (message: string | null): number =>
  Number(/^number (\d+) is/.exec(message ?? '')?.[1])

export function readStore(path: string): StoreAccount {
  return reading(path, db => ({
    ...describe(db),
    calls: texts(db, 'SELECT args FROM calls').map(firstArgument).filter(Number.isInteger),
    errors: errorsOf(db),
  }))
}

/** As above without the calls: where bytes of a file have changed, what was an argument may be no JSON any more. */
export function readErrors(path: string): Omit<StoreAccount, 'calls'> {
  return reading(path, db => ({ ...describe(db), errors: errorsOf(db) }))
}

function reading<T>(path: string, read: (db: Database.Database) => T): T {
  if (!existsSync(path)) throw new Error(`there is no store at ${path}`)
  const db = new Database(path, { fileMustExist: true })
  try {
    return read(db)
  } finally {
    db.close()
  }
}

function texts(db: Database.Database, sql: string): (string | null)[] {
  return db.prepare(sql).pluck().all() as (string | null)[]
}

/** By the message, because an error above the rate of full records has no arguments. */
function errorsOf(db: Database.Database): number[] {
  return texts(db, 'SELECT message FROM errors').map(numberInMessage).filter(Number.isInteger)
}

/** The lanes alone, and whether the file is whole: for stores with too many rows to look at each. */
export function readLanes(path: string): Pick<StoreAccount, 'lanes' | 'integrity'> {
  return reading(path, describe)
}

function describe(db: Database.Database): Pick<StoreAccount, 'lanes' | 'integrity'> {
  const rows = db
    .prepare(
      'SELECT boot, ring, lane, produced, stored, dropped, ending FROM lanes JOIN processes USING (process_id)',
    )
    .all() as (Omit<LaneRow, 'dropped'> & { dropped: string })[]
  const lanes = rows.map(row => ({ ...row, dropped: JSON.parse(row.dropped) as Record<string, number> }))
  const integrity = db.pragma('integrity_check', { simple: true }) as string
  noteStore(lanes, integrity)
  return { lanes, integrity }
}

/** Numbers that stand in a list more than once. */
export const repeated = (numbers: readonly number[]): number => numbers.length - new Set(numbers).size

export const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** `produced - stored - dropped` of every lane in a store nobody writes: all zero when the equation holds. */
export function imbalances(account: StoreAccount): number[] {
  return account.lanes.map(({ produced, stored, dropped }) => produced - stored - sumOf(dropped))
}
