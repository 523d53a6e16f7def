import { closeSync, fsyncSync, openSync } from 'node:fs'

/**
 * Waits until what was committed to this store is on the disk itself, not only in the system's cache: a commit does not.
 * Whatever else holds the same records may be removed after that. `false`: the disk does not say so.
 */
export function syncLog(storePath: string): boolean {
  let fd: number
  try {
    // SQLite locks the database and its shared memory, never the log: closing this descriptor cancels no lock.
    fd = openSync(`${storePath}-wal`, 'r')
  } catch (error) {
    // Without a log everything is in the database, and was synchronised on its way there.
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
  try {
    fsyncSync(fd)
    return true
  } catch {
    return false
  } finally {
    closeSync(fd)
  }
}
