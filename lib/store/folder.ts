import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { codeOf } from './errors.js'

const FOLDER_MODE = 0o700

/**
 * Makes the folder of a store, private and ignored by git. Whoever records first makes it: the journal, when the first
 * thing to record is an error, or else the writer. A folder that was there is the user's and stays as it is.
 */
export function makeStoreFolder(folder: string): void {
  if (!makeFolders(folder)) return
  try {
    writeFileSync(join(folder, '.gitignore'), '*\n', { flag: 'wx' })
  } catch (error) {
    // Two threads that make a path of several folders at once may both be told that they made it.
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

/** `false`: it was there. Not with `recursive`, which never returns below `/proc` (Node 20). */
function makeFolders(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: FOLDER_MODE })
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && dirname(folder) !== folder) {
      makeFolders(dirname(folder))
      return makeLast(folder)
    }
    if (isFolder(folder)) return false
    throw error
  }
}

function makeLast(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: FOLDER_MODE })
    return true
  } catch (error) {
    // Another thread was faster.
    if (codeOf(error) === 'EEXIST' && isFolder(folder)) return false
    throw error
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
