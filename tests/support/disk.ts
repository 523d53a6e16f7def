import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect } from 'vitest'

function run(program: string, ...args: string[]): boolean {
  return spawnSync(program, args).status === 0
}

/** A file system of a few MiB in this folder. */
export const mountSmall = (folder: string, mebibytes = 8): boolean =>
  run('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder)

/** One may lie over another. */
export function unmount(folder: string): void {
  while (spawnSync('umount', ['-l', folder]).status === 0);
}

function tried(folder: string, mount: (folder: string) => boolean): boolean {
  const mounted = mount(folder)
  if (mounted) unmount(folder)
  rmSync(folder, { recursive: true, force: true })
  return mounted
}

const probeFolder = (): string => mkdtempSync(join(tmpdir(), 'callsight-mount-'))

/** Why a test that needs a small disk cannot run here; empty when it can. */
export const noSmallDisk = tried(probeFolder(), folder => mountSmall(folder))
  ? ''
  : ' (skipped: mounting a tmpfs needs root and the Debian package mount)'

/** A disk of its own in a file, which can fall out of writing while files are open on it, and come back. */
export class LoopDisk {
  readonly #image: string
  readonly #folder: string

  private constructor(image: string, folder: string) {
    this.#image = image
    this.#folder = folder
  }

  static format(image: string, folder: string): LoopDisk | null {
    writeFileSync(image, Buffer.alloc(24 * 1024 * 1024))
    const made = run('mkfs.ext4', '-q', '-F', image)
    return made && run('mount', '-o', 'loop,errors=remount-ro', image, folder)
      ? new LoopDisk(image, folder)
      : null
  }

  /** As the kernel does after an error of the disk: no open file can be written any more. */
  goReadOnly(): boolean {
    return run('sync', '-f', this.#folder) && run('mount', '-o', 'remount,abort', this.#folder)
  }

  /** Another device with the same content, over the first, because files are still open on that. */
  comeBack(): boolean {
    const copy = `${this.#image}.copy`
    copyFileSync(this.#image, copy)
    return run('mount', '-o', 'loop', copy, this.#folder)
  }
}

export const noLoopDisk = tried(probeFolder(), folder => {
  const image = `${folder}.img`
  try {
    return LoopDisk.format(image, folder) !== null
  } finally {
    rmSync(image, { force: true })
  }
})
  ? ''
  : ' (skipped: mounting an image needs root, loop devices and the Debian packages mount and e2fsprogs)'

/** Writes until not one more byte fits. */
export function fill(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(32 * 1024 * 1024))
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
  }
}

export async function until(condition: () => boolean, what = 'it', seconds = 60): Promise<void> {
  const deadline = Date.now() + seconds * 1000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${seconds} s`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Rows of a query on a store that may not be there yet, or be locked or damaged just now. */
export function rowsOf<T>(path: string, sql: string): T[] {
  if (!existsSync(path)) return []
  try {
    const db = new Database(path, { readonly: true, fileMustExist: true })
    try {
      return db.prepare(sql).all() as T[]
    } finally {
      db.close()
    }
  } catch {
    return []
  }
}

export interface IncidentRow {
  readonly kind: string
  readonly started_us: number
  readonly ended_us: number | null
  readonly detail: string
}

export const incidentsOf = (path: string, kind: string): IncidentRow[] =>
  rowsOf<IncidentRow>(path, 'SELECT * FROM incidents ORDER BY started_us').filter(row => row.kind === kind)
