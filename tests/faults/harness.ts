import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import type { Plan } from '../fixtures/src/victim.js'
import { noteLosses, noteRecovery } from '../support/figures.js'
import { imbalances, readStore, repeated, type StoreAccount } from '../support/store-account.js'

const VICTIM = fileURLToPath(new URL('../.build/standard/victim.js', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts of a program in a row until everything that dead ones left is taken over. */
const MAX_RECOVERIES = 10
/** How often the folder is looked at while a program takes over what dead ones left. */
const LOOK_INTERVAL_MS = 5

/** One folder with a store and a truth log, and the processes that use them. */
export class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), 'callsight-fault-'))
  readonly store = join(this.folder, 'store', 'calls.db')
  readonly truth = join(this.folder, 'truth.log')
  readonly #children = new Set<ChildProcessWithoutNullStreams>()

  /** Starts the program under test. */
  start(
    plan: Partial<Plan>,
    how: { nodeArgs?: string[]; env?: NodeJS.ProcessEnv; truth?: boolean; wrap?: string[] } = {},
  ): Victim {
    const complete: Plan = {
      calls: 20,
      errorEvery: 4,
      chunk: 0,
      endAfterMs: -1,
      ending: 'natural',
      ...(how.truth === false ? {} : { truth: this.truth }),
      ...plan,
    }
    return this.spawn(VICTIM, [JSON.stringify(complete)], how)
  }

  protected spawn(
    program: string,
    args: string[],
    how: { nodeArgs?: string[]; env?: NodeJS.ProcessEnv; wrap?: string[] } = {},
  ): Victim {
    // No core files: a killed child must not fill the disk.
    const node = [...(how.wrap ?? []), process.execPath, ...(how.nodeArgs ?? [])]
    const command = ['-c', 'ulimit -c 0; exec "$@"', 'sh', ...node]
    const child = spawn('sh', [...command, program, ...args], {
      cwd: this.folder,
      env: { ...process.env, NODE_OPTIONS: '', CALLSIGHT_DB: this.store, ...how.env },
    })
    this.#children.add(child)
    child.on('exit', () => this.#children.delete(child))
    return new Victim(child)
  }

  run(plan: Partial<Plan>, how: Parameters<Scene['start']>[1] = {}): Promise<Ended> {
    return this.start(plan, how).ended
  }

  /** A healthy start that takes over what dead processes left, then says what the file holds. */
  async recover(): Promise<StoreAccount> {
    const waiting = this.journals().length > 0
    const startedMs = performance.now()
    let tookMs: number | null = null
    const look = setInterval(() => {
      if (this.journals().length === 0) tookMs ??= performance.now() - startedMs
    }, LOOK_INTERVAL_MS)
    try {
      await this.#takeOver()
    } finally {
      clearInterval(look)
      if (waiting) noteRecovery(tookMs ?? performance.now() - startedMs)
    }
    expect(this.journals()).toEqual([])
    return readStore(this.store)
  }

  async #takeOver(): Promise<void> {
    // A program that ends soon takes over a piece at each of its ends; on a busy machine the pieces are small.
    for (let starts = 0; starts === 0 || (this.journals().length > 0 && starts < MAX_RECOVERIES); starts++) {
      const ended = await this.run({ calls: 0, ending: 'recover' }, { truth: false })
      expect(ended.stderr).toBe('')
      expect(ended.code).toBe(0)
    }
  }

  journals(): string[] {
    const folder = dirname(this.store)
    // Killed before it made its folder, a program has left nothing.
    if (!existsSync(folder)) return []
    return readdirSync(folder).filter(name => name.startsWith(`${basename(this.store)}.errors-`))
  }

  /** Waits until the file has this many calls and errors. */
  async untilStored(records: number): Promise<void> {
    const stored = (): unknown => {
      const db = new Database(this.store, { readonly: true })
      try {
        return db.prepare('SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM errors)').pluck().get()
      } finally {
        db.close()
      }
    }
    // Asked again as long as there is no store either.
    await expect.poll(stored, { timeout: 60_000 }).toBe(records)
  }

  /** What the app saw: numbers of calls that returned, and of errors that reached it. */
  seen(): { calls: number[]; errors: number[] } {
    // Killed before it could open its log, the program has seen nothing.
    const lines = existsSync(this.truth) ? readFileSync(this.truth, 'utf8').split('\n') : []
    // A kill may tear the last line; what is not whole was not finished.
    const numbers = (kind: string): number[] =>
      lines.slice(0, -1).flatMap(line => (line.startsWith(`${kind} `) ? [Number(line.slice(2))] : []))
    return { calls: numbers('N'), errors: numbers('E') }
  }

  dispose(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export class Victim {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Ended>
  #stdout = ''

  constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child
    let stderr = ''
    child.stdout.on('data', (text: Buffer) => {
      this.#stdout += text.toString()
    })
    child.stderr.on('data', (text: Buffer) => {
      stderr += text.toString()
    })
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => resolve({ code, signal, stdout: this.#stdout, stderr }))
    })
  }

  /** What the program has printed so far. */
  get output(): string {
    return this.#stdout
  }

  /** Waits until the program has printed this. */
  async says(text: string): Promise<void> {
    while (!this.#stdout.includes(text)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`the program ended without saying "${text}"; it said: ${this.#stdout}`)
      }
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }
}

export const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)
export const unique = (numbers: readonly number[]): number[] => sorted([...new Set(numbers)])

/** Every error the app saw is stored, once; every account in the file adds up; the file is whole. */
export function expectErrorsKept(scene: Scene, account: StoreAccount): void {
  const stored = sorted(account.errors)
  const known = new Set(stored)
  const missing = scene.seen().errors.filter(n => !known.has(n))
  noteLosses(missing.length, repeated(account.errors) + repeated(account.calls))
  expect(stored, 'no error is stored twice').toEqual(unique(stored))
  expect(missing, 'no error is lost').toEqual([])
  expect(imbalances(account), 'produced = stored + dropped in every lane').toEqual(account.lanes.map(() => 0))
  expect(account.integrity).toBe('ok')
  expect(sorted(account.calls), 'no call is stored twice').toEqual(unique(account.calls))
}

/** As above, and not one ordinary call is missing either. */
export function expectAllKept(scene: Scene, account: StoreAccount): void {
  expectErrorsKept(scene, account)
  expect(sorted(account.calls)).toEqual(sorted(scene.seen().calls))
}
