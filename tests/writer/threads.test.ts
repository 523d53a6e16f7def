import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Health } from '../../lib/health.js'
import type { Account } from '../../lib/queue/account.js'
import { CrewScene, dropped, expectSound, expectStored } from '../support/crew-scene.js'
import { imbalances, readStore } from '../support/store-account.js'

const program = fileURLToPath(new URL('../.build/standard/threads.js', import.meta.url))

describe('the main thread and a worker', () => {
  let folder: string
  let printed: { loaded: string[]; onceLoaded: string[]; code: number; account: Account }
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'callsight-threads-'))
    const output = execFileSync(process.execPath, [program], {
      cwd: folder,
      env: { ...process.env, NODE_OPTIONS: '', CALLSIGHT_DB: join(folder, 'calls.db') },
    })
    printed = JSON.parse(output.toString()) as typeof printed
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('the app thread never loads SQLite', () => {
    expect(printed.loaded).toEqual([])
    // The program would have seen it.
    expect(printed.onceLoaded).not.toEqual([])
    expect(printed.account).toMatchObject({ balanced: true, calls: { stored: 6 }, errors: { stored: 3 } })
  })

  it('a worker thread of the app records into the same file, with an account of its own', () => {
    expect(printed.code).toBe(0)
    const account = readStore(join(folder, 'calls.db'))
    expect(account.calls).toHaveLength(12)
    expect(account.errors).toHaveLength(6)
    expect(new Set(account.lanes.map(({ ring }) => ring)).size).toBe(2)
    expect(new Set(account.lanes.map(({ boot }) => boot)).size).toBe(1)
    expect(imbalances(account)).toEqual([0, 0, 0, 0])
    expect(account.integrity).toBe('ok')
  })
})

describe('one writer for all threads of a process', () => {
  let scene: CrewScene
  beforeEach(() => {
    scene = new CrewScene()
  })
  afterEach(() => scene.dispose())

  it('eight workers at once, the main thread records nothing: one process, every record stored once', async () => {
    const { codes, health } = await scene.crewEnds<{ codes: number[]; health: Health }>('crowd', {
      workers: 8,
      calls: 5_000,
    })
    expect(codes).toEqual(Array.from({ length: 8 }, () => 0))
    const account = readStore(scene.store)
    expectSound(account)
    expectStored(account, scene.seen())
    expect(account.calls.length + account.errors.length).toBe(8 * 5_000)
    expect(dropped(account.lanes)).toBe(0)
    expect(account.lanes).toHaveLength(16)
    expect(scene.processes).toBe(1)
    expect(health.account).toMatchObject({ balanced: true, calls: { stored: account.calls.length } })
    expect(health.writer.restarts).toBe(0)
  })

  it.each([
    ['in the moment its worker ends', 'end with the worker', 0],
    ['without ever having heard of its worker', 'blocked to the end', 0],
    ['while the writer boots', 'end while it boots', 1],
  ])('the main thread ends the process %s', async (_, scenario, inMain) => {
    await scene.crewEnds(scenario)
    const account = readStore(scene.store)
    expectSound(account)
    expectStored(account, scene.seen())
    expect(account.calls.length + account.errors.length).toBe(100)
    const recorded = account.lanes.reduce((sum, row) => sum + row.stored, 0)
    expect(recorded).toBe(100 + inMain)
  })

  it('a worker may return, exit, throw, record while it ends, start workers, or shut itself down', async () => {
    expect(await scene.crewEnds('endings')).toEqual({ codes: [3, 1, 0, 0, 0] })
    const account = readStore(scene.store)
    expectSound(account)
    expectStored(account, scene.seen())
    expect(account.calls.length + account.errors.length).toBe(6 * 100 + 1)
    expect(scene.processes).toBe(1)
    expect(scene.journals()).toEqual([])
  })

  it('200 short-lived workers, one after the other: their memory, files and journals are let go', async () => {
    const { health, open, openBefore, residentMiB } = await scene.crewEnds<{
      health: Health
      open: number
      openBefore: number
      residentMiB: number
    }>('short', { workers: 200, calls: 10 })
    expect(health.writer.threads).toBe(1)
    expect(health.account).toMatchObject({
      balanced: true,
      calls: { stored: 200 * 9 },
      errors: { stored: 200 },
    })
    // Every worker had its own journal; those still open when the last one ended were of the last second.
    expect(open).toBeLessThanOrEqual(openBefore)
    expect(open).toBeLessThan(60)
    // 30 MiB each would be 6 GiB; what was kept of it without a mapping of its own was 1 GiB.
    expect(residentMiB).toBeLessThan(400)
    expect(scene.journals()).toEqual([])
    const account = readStore(scene.store)
    expectSound(account)
    expectStored(account, scene.seen())
  })

  it('a worker is heard of and stored while the main thread is blocked', async () => {
    const { health } = await scene.crewEnds<{ health: Health }>('blocked')
    expect(health.account).toMatchObject({ calls: { stored: 87 }, errors: { stored: 14 }, balanced: true })
  })

  it('flush() of one worker is answered while another floods; health() there is about that worker', async () => {
    const { flushed, health } = await scene.crewEnds<{ flushed: Account; health: Health }>('flushes')
    expect(flushed).toMatchObject({
      calls: { stored: 86, inRing: 0 },
      errors: { stored: 14 },
      balanced: true,
    })
    expect(health.account).toEqual(flushed)
    // On a busy machine the flood is not stored when the process must end; the next start closes its account.
    expectSound(await scene.recover())
  })

  it('workers inherit options and lay their own over them; one with another store has a writer there', async () => {
    const otherStore = join(scene.folder, 'other.db')
    await scene.crewEnds('options', { otherStore })
    const account = readStore(scene.store)
    expectSound(account)
    const workers = account.calls.map(n => Math.floor(n / 1e6))
    const callsOf = (worker: number): number => workers.filter(of => of === worker).length
    // 2 inherits `sample: 0`; 4 has an empty environment, 5 limits, 6 is a piece of source text.
    expect([1, 2, 3, 4, 5, 6].map(callsOf)).toEqual([86, 0, 0, 86, 86, 1])
    expect(account.errors).toHaveLength(4 * 14)
    expect(scene.processes).toBe(1)
    const other = readStore(otherStore)
    expectSound(other)
    expect(other.calls).toHaveLength(86)
  })

  it('a worker that cannot be given the predicate of the main thread hides everything, and says so once', async () => {
    const { stdout, stderr } = await scene.crew('predicate').ended
    expect(JSON.parse(stdout)).toEqual(['CALLSIGHT_NO_PREDICATE'])
    expect(stderr.match(/CALLSIGHT_NO_PREDICATE/g)).toHaveLength(1)
    const db = new Database(scene.store, { readonly: true })
    const rows = db.prepare('SELECT function, args FROM recent_calls ORDER BY at, call_id').raw().all()
    db.close()
    expect(rows).toEqual([
      ['inMain', '[{"nickname":"[redacted]","city":"Ulm"}]'],
      ['inWorker', '[{"nickname":"[redacted]","city":"[redacted]"}]'],
      ['inWorker', '[{"nickname":"Bo","city":"[redacted]"}]'],
    ])
  })

  it('a worker that was started before the recorder was loaded has a writer of its own', async () => {
    await scene.crewEnds('strangers')
    expect(scene.processes).toBe(2)
    const account = readStore(scene.store)
    expectSound(account)
    expectStored(account, scene.seen())
  })

  it('two copies of the package in one worker do not share its ring', async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url))
    const copy = join(scene.folder, 'copy')
    cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true })
    cpSync(join(root, 'package.json'), join(copy, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    expect(await scene.crewEnds('copies', { copy: join(copy, 'dist', 'index.js') })).toEqual({ code: 0 })
    const account = readStore(scene.store)
    expectSound(account)
    expect(account.calls).toHaveLength(2 * (50 - 7))
    expect(account.errors).toHaveLength(2 * 7)
    expect(scene.processes).toBe(2)
  })

  it('child processes with workers are processes of their own on the same file', async () => {
    const ended = await scene.crew('children', { workers: 3 }).ended
    expect(ended.code).toBe(0)
    expect(scene.processes).toBe(4)
    const account = readStore(scene.store)
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
    expect(account.errors).toHaveLength(3 * 14)
    expect(account.integrity).toBe('ok')
  })
})
