import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import { Scene, sorted, unique, type Victim } from '../faults/harness.js'
import type { CrewPlan } from '../fixtures/src/crew.js'
import { noteLosses } from './figures.js'
import { imbalances, type LaneRow, repeated, type StoreAccount, sumOf } from './store-account.js'

const CREW = fileURLToPath(new URL('../.build/standard/crew.js', import.meta.url))

/** A scene with a program whose worker threads record. */
export class CrewScene extends Scene {
  /** Starts a scenario of the program. */
  crew(scenario: string, plan: CrewPlan = {}): Victim {
    return this.spawn(CREW, [scenario, JSON.stringify({ truth: this.truth, ...plan })])
  }

  /** Runs a scenario to its end; returns what it printed. */
  async crewEnds<T>(scenario: string, plan: CrewPlan = {}): Promise<T> {
    const ended = await this.crew(scenario, plan).ended
    expect(ended.stderr).toBe('')
    expect(ended.code).toBe(0)
    return (ended.stdout === '' ? null : JSON.parse(ended.stdout)) as T
  }

  /** As above, with one warning of the recorder. */
  async crewEndsWithWarning<T>(scenario: string, plan: CrewPlan = {}): Promise<T> {
    const ended = await this.crew(scenario, plan).ended
    expect(ended.stderr.match(/\[CALLSIGHT_\w+\]/g)).toHaveLength(1)
    expect(ended.code).toBe(0)
    return JSON.parse(ended.stdout) as T
  }

  /** What all workers saw together, or those whose number fits. */
  override seen(of: (worker: number) => boolean = () => true): { calls: number[]; errors: number[] } {
    const prefix = `${basename(this.truth)}.`
    const lines = readdirSync(this.folder)
      .filter(name => name.startsWith(prefix) && of(Number(name.slice(prefix.length))))
      // A kill may tear the last line; what is not whole was not finished.
      .flatMap(name => readFileSync(join(this.folder, name), 'utf8').split('\n').slice(0, -1))
    const numbers = (kind: string): number[] =>
      lines.flatMap(line => (line.startsWith(`${kind} `) ? [Number(line.slice(2))] : []))
    return { calls: numbers('N'), errors: numbers('E') }
  }

  get processes(): number {
    const db = new Database(this.store, { readonly: true })
    try {
      return db.prepare('SELECT count(*) FROM processes').pluck().get() as number
    } finally {
      db.close()
    }
  }
}

/** Nothing twice, and every lane of every thread adds up. */
export function expectSound(account: StoreAccount): void {
  noteLosses(0, repeated(account.calls) + repeated(account.errors))
  expect(imbalances(account), 'produced = stored + dropped in every lane').toEqual(account.lanes.map(() => 0))
  expect(account.integrity).toBe('ok')
  expect(sorted(account.calls), 'no call is stored twice').toEqual(unique(account.calls))
  expect(sorted(account.errors), 'no error is stored twice').toEqual(unique(account.errors))
}

/** Every error and call that these workers saw is stored. */
export function expectStored(account: StoreAccount, seen: { calls: number[]; errors: number[] }): void {
  const stored = { calls: new Set(account.calls), errors: new Set(account.errors) }
  const missing = seen.errors.filter(n => !stored.errors.has(n))
  noteLosses(missing.length, 0)
  expect(missing, 'no error is lost').toEqual([])
  expect(
    seen.calls.filter(n => !stored.calls.has(n)),
    'no call is lost',
  ).toEqual([])
}

/** Records of each ring that nobody could store, of both lanes together. */
export function lostByRing(lanes: readonly LaneRow[]): number[] {
  const lost = new Map<number, number>()
  for (const { ring, dropped } of lanes) {
    lost.set(ring, (lost.get(ring) ?? 0) + (dropped['writer_lost'] ?? 0))
  }
  return [...lost.values()]
}

export const stored = (lanes: readonly LaneRow[]): number => lanes.reduce((sum, row) => sum + row.stored, 0)
export const dropped = (lanes: readonly LaneRow[]): number =>
  lanes.reduce((sum, row) => sum + sumOf(row.dropped), 0)
