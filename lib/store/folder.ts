import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER_MODE = 0o700

/**
 * Makes the folder of a store, private and ignored by git. Whoever records first makes it: the journal, when the first
 * thing to record is an error, or else the writer. A folder that was there is the user's and stays as it is.
 */
export function makeStoreFolder(folder: string): void {
  // mkdir returns undefined when there was nothing to make.
  if (mkdirSync(folder, { recursive: true, mode: FOLDER_MODE }) === undefined) return
  try {
    writeFileSync(join(folder, '.gitignore'), '*\n', { flag: 'wx' })
  } catch (error) {
    // Two threads that make a path of several folders at once may both be told that they made it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
