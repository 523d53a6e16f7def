import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { injected } from '../support/figures.js'
import { imbalances } from '../support/store-account.js'
import { expectAllKept, expectErrorsKept, Scene } from './harness.js'

const canTrace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0
const why = canTrace ? '' : ' (skipped: no strace, or no ptrace here; apt-get install strace)'

/** Full form: every N up to this one, once and for ever. */
const full = Number(process.env['CALLSIGHT_IO_FAULTS'] ?? 0)
const AT_A_TIME = 2
/** Calls of the program under strace. In four parts, so that there is more than one batch. */
const PLAN = { calls: 12, errorEvery: 3, chunk: 3, pauseMs: 30, ending: 'shutdown' } as const

/** Chooses by seed, so that a failure can be repeated. */
function chosen(upTo: number, count: number): number[] {
  let seed = Number(process.env['CALLSIGHT_SEED'] ?? 20_261_121)
  const found = new Set<number>()
  while (found.size < count) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    found.add(1 + (seed % upTo))
  }
  return [...found].sort((a, b) => a - b)
}

/** The Nth calls at which the fault comes: all in the full form, some in the short one. strace counts by thread. */
function moments({ upTo }: Fault): number[] {
  if (full === 0) return chosen(upTo, Math.min(upTo, 4))
  return Array.from({ length: Math.min(full, upTo) }, (_, index) => index + 1)
}

interface Fault {
  readonly calls: string
  readonly effect: string
  /** Only the store and its log: the journal, whose name is not known beforehand, takes everything. */
  readonly storeOnly: boolean
  /** Largest N: about as often as a thread of the program makes the call. */
  readonly upTo: number
}

interface Ran {
  readonly scene: Scene
  readonly account: Account
  readonly injected: number
}

/** Runs the program with the fault at its Nth call and hands on what became of it. */
async function run(fault: Fault, when: string, check: (ran: Ran) => Promise<void>): Promise<number> {
  const scene = new Scene()
  try {
    const log = join(scene.folder, 'strace.log')
    const inject = `inject=${fault.calls}:${fault.effect}:when=${when}`
    const paths = ['', '-wal', '-journal'].flatMap(suffix => ['-P', `${scene.store}${suffix}`])
    const wrap = [
      'strace',
      '-f',
      '--seccomp-bpf',
      '-q',
      '-o',
      log,
      '-e',
      `trace=${fault.calls}`,
      '-e',
      inject,
    ]
    const ended = await scene.run(PLAN, { wrap: fault.storeOnly ? [...wrap, ...paths] : wrap })
    const what = `${inject}: `
    expect(ended.code, what + ended.stderr).toBe(0)
    expect(scene.seen(), what).toMatchObject({ calls: [1, 2, 4, 5, 7, 8, 10, 11], errors: [3, 6, 9, 12] })
    const account = JSON.parse(ended.stdout) as Account
    expect(account.balanced, what).toBe(true)
    const injected = readFileSync(log, 'utf8').match(/\(INJECTED\)/g)?.length ?? 0
    try {
      await check({ scene, account, injected })
    } catch (error) {
      throw new Error(`${inject}: ${String(error)}`, { cause: error })
    }
    return injected
  } finally {
    scene.dispose()
  }
}

/** Two programs at a time. Returns how many faults there were in each. */
async function all(
  fault: Fault,
  whens: readonly string[],
  check: (ran: Ran) => Promise<void>,
): Promise<number[]> {
  const waiting = [...whens]
  const injected: number[] = []
  const one = async (): Promise<void> => {
    for (let when = waiting.shift(); when !== undefined; when = waiting.shift()) {
      injected.push(await run(fault, when, check))
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, one))
  return injected
}

async function nothingIsLost({ scene }: Ran): Promise<void> {
  expectAllKept(scene, await scene.recover())
}

/** The disk took the errors, whatever it did to the store: they are all there after the next start. */
async function noErrorIsLost({ scene }: Ran): Promise<void> {
  expectErrorsKept(scene, await scene.recover())
}

/** Neither file could be written any more: what is in neither is counted by the program itself. */
async function whatIsLostIsCounted({ scene, account }: Ran): Promise<void> {
  const found = await scene.recover()
  expect(imbalances(found)).toEqual(found.lanes.map(() => 0))
  expect(found.integrity).toBe('ok')
  for (const [name, lane] of [
    ['errors', account.errors],
    ['calls', account.calls],
  ] as const) {
    expect(new Set(found[name]).size).toBe(found[name].length)
    // Refused by the disk and by now gone with the program's memory; it said so when it ended.
    const refused = Object.values(lane.dropped).reduce(
      (sum, count) => sum + count,
      lane.inMemory + lane.inRing,
    )
    expect(scene.seen()[name].length - found[name].length).toBeLessThanOrEqual(refused)
  }
}

const EIO = 'error=EIO'
/** A write that reports that it wrote nothing, without an error: the shortest of short writes. */
const SHORT = 'retval=0'
const syncs = 'fsync,fdatasync'
const faults: readonly (readonly [string, Fault])[] = [
  ['a write fails', { calls: 'pwrite64', effect: EIO, storeOnly: false, upTo: 100 }],
  ['a write of the store fails', { calls: 'pwrite64', effect: EIO, storeOnly: true, upTo: 20 }],
  ['a write is cut short', { calls: 'pwrite64', effect: SHORT, storeOnly: false, upTo: 20 }],
  ['a sync fails', { calls: syncs, effect: EIO, storeOnly: false, upTo: 12 }],
  ['a truncation fails', { calls: 'ftruncate', effect: EIO, storeOnly: false, upTo: 2 }],
]

describe.skipIf(!canTrace)(`row 11: I/O errors${why}`, () => {
  const timeout = 480_000
  it.each(faults)('%s once: nothing is lost', { timeout }, async (_, fault) => {
    const faultsOf = await all(fault, moments(fault).map(String), nothingIsLost)
    injected(faultsOf.reduce((sum, count) => sum + count, 0))
    // In the thread of the app, in that of the writer, or in both.
    expect(Math.max(...faultsOf)).toBeGreaterThanOrEqual(1)
    expect(Math.max(...faultsOf)).toBeLessThanOrEqual(2)
  })

  it.each(faults)(
    '%s, and all after it: no error is lost that the disk took',
    { timeout },
    async (_, fault) => {
      const journalWorks = fault.storeOnly || fault.calls !== 'pwrite64'
      const check = journalWorks ? noErrorIsLost : whatIsLostIsCounted
      const faultsOf = await all(
        fault,
        moments(fault).map(n => `${n}+`),
        check,
      )
      injected(faultsOf.reduce((sum, count) => sum + count, 0))
      expect(Math.max(...faultsOf)).toBeGreaterThan(0)
    },
  )
})
