import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { incidentsOf } from '../support/disk.js'
import { readStore } from '../support/store-account.js'
import { expectAllKept, expectErrorsKept, Scene, sorted, unique, type Victim } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

const accountIn = (stdout: string): Account => JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Account

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not happen within half a minute')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

function errorsIn(path: string): number {
  try {
    const db = new Database(path, { readonly: true, fileMustExist: true })
    try {
      return db.prepare('SELECT count(*) FROM errors').pluck().get() as number
    } finally {
      db.close()
    }
  } catch {
    return 0
  }
}

async function stop(victim: Victim): Promise<Account> {
  victim.child.stdin.end()
  const ended = await victim.ended
  expect(ended.code).toBe(0)
  return accountIn(ended.stdout)
}

describe('row 12: the store goes away while it is open', () => {
  const losses: (readonly [string, () => void])[] = [
    ['unlinked', () => rmSync(scene.store)],
    ['renamed', () => renameSync(scene.store, `${scene.store}.old`)],
    ['its folder removed', () => rmSync(dirname(scene.store), { recursive: true, maxRetries: 10 })],
  ]
  it.each(losses)('%s: a new one is started, with every error since', async (_, lose) => {
    const victim = scene.start({ calls: 10, ending: 'watch' })
    await until(() => errorsIn(scene.store) > 5)
    // Another batch: only then it is certain that the writer's first look at the file is over, and the next a second away.
    const stored = errorsIn(scene.store)
    await until(() => errorsIn(scene.store) > stored)
    const before = new Set(scene.seen().errors)
    lose()
    await until(() => errorsIn(scene.store) > 5)
    const account = await stop(victim)
    expect(account).toMatchObject({ balanced: true, errors: { dropped: {}, inJournal: 0 } })
    const after = readStore(scene.store)
    const missing = scene.seen().errors.filter(n => !before.has(n) && !after.errors.includes(n))
    expect(missing, 'no error since is lost').toEqual([])
    expect(sorted(after.errors), 'no error is stored twice').toEqual(unique(after.errors))
    expect(after.integrity).toBe('ok')
    expect(scene.journals()).toEqual([])
    const [incident, ...more] = incidentsOf(scene.store, 'store_gone')
    expect(more, 'one incident, in the new store').toEqual([])
    expect(incident?.detail).toBe(`${scene.store} was removed`)
    expect(incident?.ended_us, 'noticed within a second, give or take a batch').toBeLessThan(
      (incident?.started_us ?? 0) + 2_500_000,
    )
  })

  it.each([
    ['log', '-wal'],
    ['index of its log', '-shm'],
  ])('its %s removed: opened again, with every error since', async (_, suffix) => {
    const victim = scene.start({ calls: 10, ending: 'watch' })
    await until(() => errorsIn(scene.store) > 5)
    rmSync(scene.store + suffix)
    const before = scene.seen().errors.length
    await until(() => scene.seen().errors.length > before + 100)
    const account = await stop(victim)
    expect(account).toMatchObject({ balanced: true, errors: { dropped: {}, inJournal: 0 } })
    expectErrorsKept(scene, await scene.recover())
    const [incident] = incidentsOf(scene.store, 'store_gone')
    expect(incident?.detail).toBe(`calls.db${suffix} of ${scene.store} was removed`)
  })

  it('unlinked just before the end: the errors since are in a new one', async () => {
    const victim = scene.start({ calls: 10, ending: 'watch' })
    await until(() => errorsIn(scene.store) > 5)
    const before = new Set(scene.seen().errors)
    rmSync(scene.store)
    await until(() => scene.seen().errors.length > before.size + 5)
    expect((await stop(victim)).balanced).toBe(true)
    const after = readStore(scene.store)
    expect(scene.seen().errors.filter(n => !before.has(n) && !after.errors.includes(n))).toEqual([])
  })
})

describe('row 15: something else stands in place of the store', () => {
  beforeEach(() => mkdirSync(dirname(scene.store), { recursive: true }))

  it('zero bytes: it becomes the store', async () => {
    writeFileSync(scene.store, '')
    const ended = await scene.run({ calls: 40 })
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expectAllKept(scene, await scene.recover())
  })

  it.each([
    ['a symbolic link', () => symlinkSync(join(scene.folder, 'elsewhere'), scene.store)],
    ['a directory', () => mkdirSync(scene.store)],
  ])('%s: refused and left as it is; nothing is lost that the journal can keep', async (_, place) => {
    place()
    const ended = await scene.run({ calls: 40, ending: 'shutdown', breaker: { failureThreshold: 1 } })
    expect(ended.code).toBe(0)
    expect(ended.stderr).toMatch(/CALLSIGHT_STORE_FAILING/)
    expect(accountIn(ended.stdout).balanced).toBe(true)
    expect(existsSync(join(scene.folder, 'elsewhere'))).toBe(false)
    rmSync(scene.store, { recursive: true })
    expectAllKept(scene, await scene.recover())
  })

  it('a store with damaged pages: set aside, and a new one has everything since', async () => {
    await scene.run({ calls: 400 }, { truth: false })
    const file = openSync(scene.store, 'r+')
    writeSync(file, Buffer.alloc(10 * 4096, 0xa5), 0, 10 * 4096, 4096)
    closeSync(file)
    const ended = await scene.run({ calls: 40, ending: 'flush' })
    expect(ended.code).toBe(0)
    expect(ended.stderr).toMatch(/CALLSIGHT_STORE_SET_ASIDE/)
    const moved = readdirSync(dirname(scene.store)).find(name => /^calls\.db\.corrupt-[0-9TZ]+$/.test(name))
    expectAllKept(scene, await scene.recover())
    expect(incidentsOf(scene.store, 'store_set_aside')).toMatchObject([
      { detail: join(dirname(scene.store), moved ?? 'nothing was moved') },
    ])
  })

  it('a page overwritten while it is open: set aside in the middle of work, errors since are in a new one', async () => {
    const victim = scene.start({ calls: 3_000, errorEvery: 7, ending: 'watch' })
    await until(() => errorsIn(scene.store) > 5)
    const holder = new Database(scene.store)
    // Moves everything to the database; nobody else has it in memory from then on.
    holder.pragma('wal_checkpoint(TRUNCATE)')
    const before = new Set(scene.seen().errors)
    const pages = holder.pragma('page_count', { simple: true }) as number
    const file = openSync(scene.store, 'r+')
    for (let page = 1; page < pages; page++) writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096)
    // Not closed before the other connection: that would cancel its locks, as it does in any process.
    await until(() => readdirSync(dirname(scene.store)).some(name => name.includes('.corrupt-')))
    holder.close()
    closeSync(file)
    await until(() => errorsIn(scene.store) > 5)
    victim.child.stdin.end()
    const ended = await victim.ended
    expect(ended.code).toBe(0)
    expect(ended.stderr.match(/CALLSIGHT_STORE_SET_ASIDE/g)).toHaveLength(1)
    expect(accountIn(ended.stdout).balanced).toBe(true)
    const after = readStore(scene.store)
    expect(after.integrity).toBe('ok')
    expect(scene.seen().errors.filter(n => !before.has(n) && !after.errors.includes(n))).toEqual([])
    expect(incidentsOf(scene.store, 'store_set_aside')).toHaveLength(1)
  })

  it.each([
    ['another program', 'PRAGMA application_id = 1', /of another program.*CALLSIGHT_DB/],
    [
      'a newer Callsight',
      'PRAGMA user_version = 1000',
      /schema version 1000.*Update callsight.*CALLSIGHT_DB/,
    ],
  ])('a store of %s: left alone, one warning that says what to do', async (_, change, advice) => {
    await scene.run({ calls: 40 })
    const db = new Database(scene.store)
    db.exec(change)
    db.pragma('journal_mode = DELETE')
    db.close()
    const untouched = readFileSync(scene.store)
    const ended = await scene.run({
      calls: 40,
      ending: 'shutdown',
      endAfterMs: 1_500,
      breaker: { resetTimeoutMs: 200 },
    })
    expect(ended.code).toBe(0)
    expect(ended.stderr).toMatch(advice)
    expect(ended.stderr.match(/CallsightWarning/g), 'one warning').toHaveLength(1)
    expect(accountIn(ended.stdout)).toMatchObject({ balanced: true, errors: { dropped: {} } })
    expect(readFileSync(scene.store).equals(untouched)).toBe(true)
    rmSync(scene.store)
    const { errors } = await scene.recover()
    expect(sorted(errors)).toEqual(Array.from({ length: 10 }, (_, n) => 4 * (n + 1)))
  })

  it('and nothing but calls was made: they wait in the journal too', async () => {
    writeFileSync(scene.store, 'my diary')
    const ended = await scene.run({ calls: 40, errorEvery: 0, breaker: { failureThreshold: 1 } })
    expect(ended.code).toBe(0)
    rmSync(scene.store)
    expectAllKept(scene, await scene.recover())
  })
})
