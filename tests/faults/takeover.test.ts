import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { journalPath } from '../../lib/queue/journal-format.js'
import { FrameFlag } from '../../lib/queue/layout.js'
import { injected } from '../support/figures.js'
import { bootOf, errorFrame, makeJournal, range } from '../support/journal-maker.js'
import { imbalances, readStore } from '../support/store-account.js'
import { expectErrorsKept, Scene, type Victim } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
  mkdirSync(dirname(scene.store), { recursive: true })
})
afterEach(() => scene.dispose())

const env = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)

let seed = env('CALLSIGHT_SEED', 20_261_122)
function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

async function until(condition: () => boolean, ms = 60_000): Promise<void> {
  const deadline = Date.now() + ms
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not happen in time')
    await pause(20)
  }
}

function query<T>(sql: string, ...values: unknown[]): T[] {
  const db = new Database(scene.store, { readonly: true, fileMustExist: true })
  try {
    return db
      .prepare(sql)
      .pluck()
      .all(...values) as T[]
  } finally {
    db.close()
  }
}

/** Errors in the store; 0 as long as it has no tables. */
function storedErrors(): number {
  try {
    return query<number>('SELECT count(*) FROM errors')[0] ?? 0
  } catch {
    return 0
  }
}

/** Journals of dead processes, with the numbers of their errors one behind the other. */
function makeLeftovers(processes: number, errorsEach: number): number[] {
  for (let index = 0; index < processes; index++) {
    const from = index * errorsEach + 1
    makeJournal(scene.store, {
      boot: bootOf(index + 1),
      ring: index % 2,
      numbers: range(from, from + errorsEach - 1),
      sites: 3,
      perSegment: Math.ceil(errorsEach / 3),
      // Each process counts its errors from 1.
      frame: (n, site) => errorFrame(n, site, 300, FrameFlag.error, [n], n - from + 1),
      callsProduced: 2,
    })
  }
  return range(1, processes * errorsEach)
}

/** Damages the record with this number. */
function damage(path: string, n: number): void {
  const bytes = readFileSync(path)
  bytes.writeUInt8(0, bytes.indexOf(`number ${n} is`))
  writeFileSync(path, bytes)
}

describe('row 16: the process that takes a journal over is killed', () => {
  const kills = env('CALLSIGHT_TAKEOVER_KILLS', 8)
  it(`${kills} times in a row: nothing is lost, stored twice or counted twice`, {
    timeout: 600_000,
  }, async () => {
    injected(kills)
    const numbers = makeLeftovers(6, 1_500 * kills)
    const lost = 100
    damage(journalPath(scene.store, bootOf(1), 0, 1), lost)
    let interrupted = 0
    for (let round = 0; round < kills; round++) {
      const victim = scene.start({ calls: 0, ending: 'recover' }, { truth: false })
      // While it starts, or at some moment of the replay.
      const before = storedErrors()
      if (round % 4 > 0) await until(() => storedErrors() > before)
      await pause(random() * 200)
      victim.child.kill('SIGKILL')
      await victim.ended
      if (storedErrors() > before && scene.journals().length > 0) interrupted++
    }
    expect(interrupted, 'kills that came in the middle').toBeGreaterThan(kills / 4)
    const account = await scene.recover()
    expect([...account.errors].sort((a, b) => a - b)).toEqual(numbers.filter(n => n !== lost))
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
    expect(account.integrity).toBe('ok')
    const errors = account.lanes.filter(({ lane }) => lane === 1)
    expect(errors.reduce((sum, { stored }) => sum + stored, 0)).toBe(numbers.length - 1)
    expect(errors.flatMap(({ dropped }) => Object.entries(dropped))).toEqual([['writer_lost', 1]])
    expect(query('SELECT kind FROM incidents')).toEqual(['journal_damaged'])
    expect(query('SELECT count(*) FROM journal_ranges')).toEqual([0])
  })
})

describe('row 14: several processes take the same journals over at once', () => {
  it('eight starts: each record is stored once, each damage is counted once', {
    timeout: 300_000,
  }, async () => {
    const numbers = makeLeftovers(4, 1_500)
    const lost = 100
    damage(journalPath(scene.store, bootOf(1), 0, 1), lost)
    const ends = await Promise.all(
      Array.from({ length: 8 }, () => scene.run({ calls: 0, ending: 'recover' }, { truth: false })),
    )
    for (const { code, stderr } of ends) expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const account = await scene.recover()
    expect([...account.errors].sort((a, b) => a - b)).toEqual(numbers.filter(n => n !== lost))
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
    const errors = account.lanes.filter(({ lane }) => lane === 1)
    expect(errors.flatMap(({ dropped }) => Object.entries(dropped))).toEqual([['writer_lost', 1]])
    expect(account.integrity).toBe('ok')
    expect(query('SELECT kind FROM incidents')).toEqual(['journal_damaged'])
  })
})

describe('row 16: a large journal', () => {
  const megabytes = env('CALLSIGHT_JOURNAL_MB', 64)
  const bytesEach = 1024
  const errors = Math.round((megabytes * 1024 * 1024) / bytesEach)

  /** The most memory the process has had at once, in MiB. */
  function peakMiB(pid: number | undefined): number {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  }
  const busy = { calls: 1e9, errorEvery: 7, chunk: 20, pauseMs: 5, ending: 'natural' } as const

  it(`${megabytes} MB: replayed in bounded memory, while fresh records are stored`, {
    timeout: 900_000,
  }, async () => {
    const alone = new Scene()
    let usualMiB: number
    try {
      const victim = alone.start(busy)
      await until(() => alone.seen().errors.length > 500)
      usualMiB = peakMiB(victim.child.pid)
      victim.child.kill('SIGKILL')
      await victim.ended
    } finally {
      alone.dispose()
    }
    const boot = bootOf(1)
    // Beside the stack a record has about 200 bytes.
    makeJournal(scene.store, { boot, numbers: counted(errors), stackBytes: bytesEach - 200 })
    const written = scene
      .journals()
      .reduce((sum, name) => sum + statSync(join(dirname(scene.store), name)).size, 0)
    expect(written / 1024 / 1024).toBeGreaterThan(0.9 * megabytes)
    const victim = scene.start(busy)
    const leftovers = () => scene.journals().filter(name => name.includes(boot)).length
    const fresh = 'SELECT count(*) FROM errors JOIN processes USING (process_id) WHERE boot <> ?'
    await until(() => existsSync(scene.store) && statSync(scene.store).size > 0 && isReady())
    const replayed = 'SELECT count(*) FROM errors JOIN processes USING (process_id) WHERE boot = ?'
    await until(() => (query<number>(replayed, boot)[0] ?? 0) > 0)
    const before = query<number>(fresh, boot)[0] ?? 0
    await until(() => (query<number>(fresh, boot)[0] ?? 0) > before)
    expect(leftovers(), 'fresh errors are stored before the replay has ended').toBeGreaterThan(0)
    await until(() => leftovers() === 0, 800_000)
    const peak = peakMiB(victim.child.pid)
    victim.child.kill('SIGTERM')
    await victim.ended
    expect(peak - usualMiB).toBeLessThan(100)
    const own = 'WHERE process_id = (SELECT process_id FROM processes WHERE boot = ?)'
    expect(query(`SELECT count(DISTINCT seq) FROM errors ${own}`, boot)).toEqual([errors])
    expect(query(`SELECT stored FROM lanes ${own} AND lane = 1`, boot)).toEqual([errors])
    expect(query('SELECT kind FROM incidents')).toEqual([])
  })

  function* counted(upTo: number): Generator<number> {
    for (let n = 1; n <= upTo; n++) yield n
  }

  function isReady(): boolean {
    try {
      return query("SELECT 1 FROM sqlite_master WHERE name = 'journal_ranges'").length === 1
    } catch {
      return false
    }
  }
})

describe('row 15: the write-ahead log of a killed process is cut', () => {
  const cuts = env('CALLSIGHT_WAL_CUTS', 8)
  it(`at a random byte, or gone, ${cuts} times: the errors come from the journal`, {
    timeout: 600_000,
  }, async () => {
    injected(cuts)
    let notInFile = 0
    for (let round = 0; round < cuts; round++) {
      const one = new Scene()
      try {
        const victim = one.start({ calls: 1e9, errorEvery: 7, chunk: 20, pauseMs: 5, ending: 'natural' })
        await until(() => one.seen().errors.length > 100 + random() * 200)
        victim.child.kill('SIGKILL')
        await victim.ended
        const log = `${one.store}-wal`
        // Killed before it could open its store, the program has left no log.
        const logBytes = statSync(log, { throwIfNoEntry: false })?.size ?? 0
        if (round % 4 === 0) rmSync(log, { force: true })
        else if (logBytes > 0) truncateSync(log, Math.floor(random() * logBytes))
        rmSync(`${one.store}-shm`, { force: true })
        const stored = new Set(errorsIn(one.store))
        notInFile += one.seen().errors.filter(n => !stored.has(n)).length
        expectErrorsKept(one, await one.recover())
      } finally {
        one.dispose()
      }
    }
    expect(notInFile, 'errors that only the journal had').toBeGreaterThan(0)
  })

  function errorsIn(store: string): number[] {
    try {
      return readStore(store).errors as number[]
    } catch {
      // Not even its tables were in the database yet.
      return []
    }
  }
})

const canTrace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0
const why = canTrace ? '' : ' (skipped: no strace, or no ptrace here; apt-get install strace)'

describe.skipIf(!canTrace)(`a segment of a journal is removed${why}`, () => {
  /** What the thread did with the log just before it removed a journal: `fsync`, or `pwrite64` when it was not on disk. */
  function lastBeforeRemoval(log: string): string[] {
    const before = new Map<string, string>()
    const found: string[] = []
    for (const line of readFileSync(log, 'utf8').split('\n')) {
      const [, thread = '', call = ''] = /^(\d+) +(\w+)\(/.exec(line) ?? []
      if (call === 'unlink' && line.includes('.errors-')) found.push(before.get(thread) ?? 'nothing')
      else if (line.includes(`${basename(scene.store)}-wal>`)) before.set(thread, call)
    }
    return found
  }

  async function trace(
    plan: Parameters<Scene['run']>[0],
    until: (victim: Victim) => Promise<void>,
  ): Promise<string[]> {
    const log = join(scene.folder, 'strace.log')
    const calls = 'trace=pwrite64,fsync,fdatasync,unlink'
    const wrap = ['strace', '-f', '--seccomp-bpf', '-q', '-y', '-o', log, '-e', calls]
    const victim = scene.start(plan, { wrap, truth: false })
    await until(victim)
    expect((await victim.ended).code).toBe(0)
    return lastBeforeRemoval(log)
  }

  it('once its records are on the disk, when its own process goes on', { timeout: 120_000 }, async () => {
    const removals = await trace(
      { calls: 60_000, errorEvery: 1, chunk: 1_000, ending: 'watch' },
      async victim => {
        await victim.says('state')
        await until(() => scene.journals().length === 1)
        victim.child.stdin.end()
      },
    )
    // The last one goes at the end, after the store was closed.
    expect(removals.length).toBeGreaterThan(1)
    expect(removals.slice(0, -1).filter(call => !call.endsWith('sync'))).toEqual([])
  })

  it("once its records are on the disk, when it was a dead one's", { timeout: 120_000 }, async () => {
    makeLeftovers(2, 300)
    const removals = await trace({ calls: 0, ending: 'recover' }, async () => {})
    expect(removals.length).toBeGreaterThanOrEqual(6)
    expect(removals.slice(0, 6).filter(call => !call.endsWith('sync'))).toEqual([])
  })
})
