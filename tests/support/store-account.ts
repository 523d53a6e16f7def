import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'

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
  /** Numbers found as first argument of stored calls and errors. */
  readonly calls: readonly number[]
  readonly errors: readonly number[]
  readonly integrity: string
}

const firstArgument = (json: string | null): number => (JSON.parse(json ?? '[null]') as [number])[0]

export function readStore(path: string): StoreAccount {
  if (!existsSync(path)) throw new Error(`there is no store at ${path}`)
  const db = new Database(path, { fileMustExist: true })
  try {
    const lanes = db
      .prepare('SELECT boot, ring, lane, produced, stored, dropped, ending FROM lanes JOIN processes USING (process_id)')
      .all() as (Omit<LaneRow, 'dropped'> & { dropped: string })[]
    const numbers = (table: string): number[] =>
      (db.prepare(`SELECT args FROM ${table}`).pluck().all() as (string | null)[]).map(firstArgument)
    return {
      lanes: lanes.map(row => ({ ...row, dropped: JSON.parse(row.dropped) as Record<string, number> })),
      calls: numbers('calls'),
      errors: numbers('errors'),
      integrity: db.pragma('integrity_check', { simple: true }) as string,
    }
  } finally {
    db.close()
  }
}

export const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** `produced - stored - dropped` of every lane in a store nobody writes: all zero when the equation holds. */
export function imbalances(account: StoreAccount): number[] {
  return account.lanes.map(({ produced, stored, dropped }) => produced - stored - sumOf(dropped))
}
