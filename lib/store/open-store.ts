import { createRequire } from 'node:module'
import type { OpenStoreOptions, Store } from './read.js'

const require = createRequire(import.meta.url)

/**
 * Opens a recording for reading. It works on the file of a running program as well as on a finished or copied one,
 * never changes it and never starts a recorder.
 *
 * @param path the SQLite file; default `CALLSIGHT_DB`, else `.callsight/calls.db` in the working directory
 * @throws StoreNotFoundError (`CALLSIGHT_STORE_NOT_FOUND`) when there is no file
 * @throws ForeignStoreError (`CALLSIGHT_STORE_FOREIGN`) when the file was not made by Callsight
 * @throws StoreReadError (`CALLSIGHT_STORE_NEWER`, `_OLDER`, `_DAMAGED`, `_UNREADABLE`) when it cannot be read
 * @throws DriverError when better-sqlite3 cannot be loaded
 */
export function openStore(path?: string, options: OpenStoreOptions = {}): Store {
  // A program of its own, loaded here: an app that only records would otherwise parse half as much code again. It is
  // CommonJS, because loaders such as tsx give a module that is required another instance of all it imports.
  const { openStore: open } = require('../store/read.cjs') as typeof import('./read.js')
  return open(path, options)
}
