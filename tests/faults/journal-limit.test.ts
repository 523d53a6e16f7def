import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { incidentsOf, rowsOf, until } from '../support/disk.js'
import { imbalances, readStore } from '../support/store-account.js'
import { Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

const MIB = 1024 ** 2
const accountIn = (stdout: string): Account => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Account

function journalBytes(): number {
  const folder = dirname(scene.store)
  return readdirSync(folder)
    .filter(name => name.startsWith('calls.db.errors-'))
    .reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0)
}

interface DropRow {
  readonly name: string
  readonly count: number
  readonly first_us: number
  readonly last_us: number
}
const DROPS = `SELECT name, sum(count) AS count, min(first_us) AS first_us, max(last_us) AS last_us
  FROM drops JOIN functions USING (function_id) WHERE reason = 'journal_full' AND lane = 1 GROUP BY name`

describe('row 10: the store fails for so long that the journals reach their limit', () => {
  it('they stay within it, what is not recorded is counted with its function and span, and the disk is given back', async () => {
    mkdirSync(scene.store, { recursive: true })
    const maxBytes = MIB
    const fromUs = Date.now() * 1000
    const victim = scene.start({
      calls: 6_000,
      errorEvery: 1,
      chunk: 100,
      maxBytes,
      ending: 'watch',
      breaker: { resetTimeoutMs: 500 },
    })
    await until(() => scene.seen().errors.length >= 6_000, 'the errors')
    await victim.says('state open degraded')
    const toUs = Date.now() * 1000
    // A frame may begin below the limit and end above it.
    expect(journalBytes()).toBeLessThan(maxBytes + 64 * 1024)
    expect(journalBytes()).toBeGreaterThan(maxBytes / 2)
    rmdirSync(scene.store)
    await until(
      () => incidentsOf(scene.store, 'journal_full').some(row => row.ended_us !== null),
      'the incident',
    )
    await until(() => journalBytes() <= maxBytes / 4, 'the end of covered segments')
    victim.child.stdin.end()
    const ended = await victim.ended
    expect(ended.code).toBe(0)
    expect(ended.stderr.match(/CALLSIGHT_JOURNAL_FULL/g), 'one warning').toHaveLength(1)
    const account = accountIn(ended.stdout)
    const { errors } = account
    expect(account.balanced).toBe(true)
    expect(Object.keys(errors.dropped)).toEqual(['journal_full'])
    expect(account.errorsShrunk, 'from half of it on they are headers only').toBeGreaterThan(100)
    expect(errors.produced).toBe(scene.seen().errors.length)
    expect(errors.stored + (errors.dropped.journal_full ?? 0)).toBe(errors.produced)
    const store = readStore(scene.store)
    expect(imbalances(store)).toEqual(store.lanes.map(() => 0))
    // The store keeps within the same limit: of what it has taken the oldest went again.
    const [expired = 0] = rowsOf<{ rows: number }>(
      scene.store,
      "SELECT rows FROM expired WHERE kind = 'errors'",
    ).map(({ rows }) => rows)
    expect(store.errors.length + expired).toBe(errors.stored)
    const [drop, ...more] = rowsOf<DropRow>(scene.store, DROPS)
    expect(more).toEqual([])
    expect(drop?.name).toBe('work')
    expect(drop?.count).toBe(errors.dropped.journal_full)
    expect(drop?.last_us).toBeGreaterThan(drop?.first_us ?? 0)
    expect(drop?.first_us).toBeLessThan(toUs)
    expect(drop?.last_us).toBeGreaterThan(fromUs)
    expect(scene.journals()).toEqual([])
  })

  it('and a long outage after which all fits leaves nothing on the disk either', async () => {
    mkdirSync(scene.store, { recursive: true })
    const victim = scene.start({
      calls: 6_000,
      errorEvery: 1,
      chunk: 100,
      maxBytes: 4 * MIB,
      ending: 'watch',
      breaker: { resetTimeoutMs: 300 },
    })
    await victim.says('state open degraded')
    await until(() => journalBytes() > 1.2 * MIB, 'the outage')
    rmdirSync(scene.store)
    await until(() => rowsOf(scene.store, 'SELECT 1 FROM errors').length >= 6_000, 'all of them stored')
    await until(() => scene.journals().length <= 1, 'the end of covered segments')
    victim.child.stdin.end()
    expect(accountIn((await victim.ended).stdout)).toMatchObject({ balanced: true, errors: { dropped: {} } })
    expect(scene.journals()).toEqual([])
  })
})
