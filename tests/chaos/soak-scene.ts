import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Scene, type Victim } from '../faults/harness.js'
import type { SoakPlan } from '../fixtures/src/soaked.js'

const SOAKED = fileURLToPath(new URL('../.build/standard/soaked.js', import.meta.url))
/** Room for what retention leaves, its log and the journals. */
const DISK_MIB = 96

/** An error that the program has seen, and when (Unix milliseconds). */
export interface SeenError {
  readonly n: number
  readonly seenMs: number
}

/** A scene whose store lies on a disk of its own, which can be filled; where mounting is not allowed, on the usual one. */
export class SoakScene extends Scene {
  /** Whether the store has a small disk of its own. */
  readonly ownDisk: boolean

  constructor() {
    super()
    const folder = dirname(this.store)
    mkdirSync(folder)
    this.ownDisk = succeeds('mount', '-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', folder)
  }

  begin(plan: Omit<SoakPlan, 'truth'>): Victim {
    return this.spawn(SOAKED, [JSON.stringify({ truth: this.truth, ...plan })], { nodeArgs: ['--expose-gc'] })
  }

  /** Errors that all threads of the running life have noted. */
  noted(): SeenError[] {
    // A kill may tear the last line; what is not whole was not finished.
    return this.#logs().flatMap(path =>
      readFileSync(path, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map(line => line.split(' '))
        .map(([, n, seenMs]) => ({ n: Number(n), seenMs: Number(seenMs) })),
    )
  }

  /** Everything noted was checked: the next life begins new logs. */
  rotate(): void {
    for (const path of this.#logs()) rmSync(path)
  }

  override dispose(): void {
    if (this.ownDisk) succeeds('umount', '-l', dirname(this.store))
    super.dispose()
  }

  #logs(): string[] {
    const prefix = `${basename(this.truth)}.`
    return readdirSync(this.folder)
      .filter(name => name.startsWith(prefix))
      .map(name => join(this.folder, name))
  }
}

const succeeds = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0
