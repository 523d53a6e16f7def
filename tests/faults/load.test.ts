import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Health } from '../../lib/health.js'
import { injected, noteLosses } from '../support/figures.js'
import { readLanes } from '../support/store-account.js'
import { Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

describe('row 20: a burst', () => {
  it('a million calls with 100,000 errors at once: no error lost, every dropped call counted', async () => {
    const calls = 1_000_000
    injected(calls)
    const ended = await scene.run(
      { calls, errorEvery: 10, ending: 'natural', print: 'health' },
      { truth: false },
    )
    expect(ended.code).toBe(0)
    const { account } = JSON.parse(ended.stdout) as Health
    expect(account.balanced).toBe(true)
    expect(account.errors).toMatchObject({
      produced: calls / 10,
      stored: calls / 10,
      dropped: {},
      inJournal: 0,
    })
    expect(account.calls.produced).toBe((calls / 10) * 9)
    const db = new Database(scene.store, { readonly: true })
    const count = (sql: string): number => db.prepare(sql).pluck().get() as number
    const distinct = count('SELECT count(DISTINCT seq) FROM errors')
    noteLosses(calls / 10 - distinct, count('SELECT count(*) FROM errors') - distinct)
    expect(count('SELECT count(*) FROM errors')).toBe(calls / 10)
    expect(distinct).toBe(calls / 10)
    expect(count('SELECT count(*) FROM calls')).toBe(account.calls.stored)
    expect(count("SELECT coalesce(sum(count), 0) FROM losses WHERE reason = 'queue_full'")).toBe(
      account.calls.dropped.queue_full ?? 0,
    )
    expect(db.prepare('SELECT calls, errors FROM function_totals').all()).toEqual([
      { calls, errors: calls / 10 },
    ])
    db.close()
    expect(readLanes(scene.store).integrity).toBe('ok')
  })
})

describe('row 18: retention under load', () => {
  it('no row older than the window and one sweep stays, none younger is deleted', async () => {
    const windowS = Number(process.env['CALLSIGHT_RETENTION_SECONDS'] ?? 2)
    const windowMs = windowS * 1_000
    // 20,000 calls a second for three windows.
    const calls = 60_000 * windowS
    injected(calls)
    const ended = await scene.run(
      {
        calls,
        errorEvery: 50,
        chunk: 200,
        pauseMs: 10,
        retention: `${windowS}s`,
        ending: 'natural',
        print: 'health',
      },
      { truth: false },
    )
    expect(ended.code).toBe(0)
    const { account } = JSON.parse(ended.stdout) as Health
    expect(account.balanced).toBe(true)
    const db = new Database(scene.store, { readonly: true })
    const row = db
      .prepare('SELECT min(id >> 11) AS oldest, max(id >> 11) AS newest, count(*) AS rows FROM calls')
      .get() as { oldest: number; newest: number; rows: number }
    const expired = db.prepare('SELECT rows, up_to_us AS upTo FROM expired WHERE kind = ?').get('calls') as
      | { rows: number; upTo: number }
      | undefined
    // Every row is either there or counted as expired, and the two ranges do not overlap.
    expect(row.rows + (expired?.rows ?? 0)).toBe(account.calls.stored)
    expect(expired?.upTo ?? 0).toBeLessThan(row.oldest)
    expect(expired?.rows ?? 0).toBeGreaterThan(0)
    // Nothing younger than the window was deleted: what was is older than the newest row by the window at least.
    expect(row.newest - (expired?.upTo ?? 0)).toBeGreaterThanOrEqual((windowMs - 50) * 1_000)
    db.close()
    expect(readLanes(scene.store).integrity).toBe('ok')
  })
})

describe('several processes on one file', () => {
  it('four at once: every account adds up, nothing is lost', async () => {
    await Promise.all(
      Array.from({ length: 4 }, () =>
        scene.run({ calls: 2_000, errorEvery: 9, chunk: 100 }, { truth: false }),
      ),
    )
    const account = await scene.recover()
    expect(account.errors).toHaveLength(4 * Math.floor(2_000 / 9))
    expect(account.calls).toHaveLength(4 * (2_000 - Math.floor(2_000 / 9)))
    expect(account.integrity).toBe('ok')
  })
})
