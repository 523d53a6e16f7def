import { closeSync, openSync, renameSync, statSync, unlinkSync } from 'node:fs'
import { codeOf } from './errors.js'
import { identify } from './inspect.js'

/** SQLite names its companions after the database, so these are renamed along and stay usable with it. */
const COMPANIONS = ['-wal', '-shm', '-journal'] as const
/** Renaming takes microseconds: a lock this old belongs to a process that died meanwhile. */
const STALE_LOCK_MS = 10_000

/**
 * Renames a damaged store and its companions to `<path>.corrupt-<UTC time>` (`-wal`, `-shm`, `-journal` after it).
 *
 * @param seen the {@link identify} of the damaged file; another file that took the name meanwhile is left alone
 * @returns the new path, or `null` when another process has already set it aside
 */
export function setAside(path: string, seen: string | null = identify(path)): string | null {
  const lock = `${path}.set-aside`
  if (seen === null || !takeLock(lock)) return null
  try {
    if (identify(path) !== seen) return null
    const target = freeName(path)
    // The database goes last: until then the next start finds the damage again and finishes the job.
    for (const suffix of COMPANIONS) renameIfThere(path + suffix, target + suffix)
    renameSync(path, target)
    return target
  } finally {
    unlinkSync(lock)
  }
}

function freeName(path: string): string {
  const time = new Date().toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '')
  const base = `${path}.corrupt-${time}`
  let name = base
  for (let copy = 2; identify(name) !== null; copy++) name = `${base}-${copy}`
  return name
}

function takeLock(lock: string): boolean {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      closeSync(openSync(lock, 'wx', 0o600))
      return true
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
      if (Math.abs(age) < STALE_LOCK_MS) return false
      unlinkSync(lock)
    }
  }
  return false
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}
