import { closeSync, existsSync, openSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import type { Victim } from '../faults/harness.js'
import type { SoakScene } from './soak-scene.js'

/** One program from its start to its end. */
export interface Life {
  readonly scene: SoakScene
  readonly victim: Victim
  readonly random: () => number
  /** Moment up to which errors may have gone with a store that was taken away, Unix milliseconds. */
  excusedUntilMs: number
}

/** A writer that lives notices within a second that its store is gone; a dead one has none open. */
const LOOKS_FOR_NEW_STORE = 60

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

const between = ({ random }: Life, from: number, to: number): number => from + random() * (to - from)

function order(life: Life, line: string): void {
  life.victim.child.stdin.write(`${line}\n`)
}

/** Faults in the middle of a life. Each leaves the system as it found it; the program goes on. */
export const FAULTS = {
  /** By the test hooks of the writer; after a few deaths in a row its restarts are far apart. */
  async 'writer killed'(life) {
    order(life, `fault ${1 + Math.floor(life.random() * 3)}`)
  },

  async 'store locked'(life) {
    const holder = new Database(life.scene.store, { timeout: 5_000 })
    try {
      holder.exec('BEGIN EXCLUSIVE')
      await pause(between(life, 200, 2_000))
      holder.exec('ROLLBACK')
    } finally {
      holder.close()
    }
  },

  async 'store unlinked'(life) {
    rmSync(life.scene.store, { force: true })
    life.excusedUntilMs = Date.now()
    await pause(between(life, 0, 1_500))
  },

  async 'disk full'(life) {
    if (!life.scene.ownDisk) return 'not here'
    // A file that is gone and a disk that refuses the journal, both at once, are beyond what is promised.
    for (let looks = 0; looks < LOOKS_FOR_NEW_STORE && !existsSync(life.scene.store); looks++) await pause(50)
    const hog = join(dirname(life.scene.store), 'hog')
    fill(hog)
    await pause(between(life, 200, 1_500))
    rmSync(hog)
    // Errors that no disk took are in the ring or in the memory of the program, and would end with it.
    const before = life.victim.output.length
    order(life, 'settle')
    while (!life.victim.output.slice(before).includes('settled') && alive(life)) await pause(10)
    return 'done'
  },

  async 'stopped for a while'(life) {
    life.victim.child.kill('SIGSTOP')
    await pause(between(life, 100, 1_500))
    life.victim.child.kill('SIGCONT')
  },

  async 'worker terminated'(life) {
    order(life, 'terminate')
  },
} satisfies Record<string, (life: Life) => Promise<unknown>>

/** Ends of a life. */
export const ENDS = {
  SIGKILL: life => void life.victim.child.kill('SIGKILL'),
  SIGTERM: life => void life.victim.child.kill('SIGTERM'),
  natural: life => order(life, 'end natural'),
  'process.exit': life => order(life, 'end exit'),
  throw: life => order(life, 'end throw'),
} satisfies Record<string, (life: Life) => void>

export const alive = ({ victim: { child } }: Life): boolean =>
  child.exitCode === null && child.signalCode === null

/** Writes until not one more byte fits. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (const bytes of [1 << 20, 1 << 12, 1]) {
      const block = Buffer.alloc(bytes)
      try {
        for (;;) if (writeSync(file, block) < bytes) break
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    }
  } finally {
    closeSync(file)
  }
}
