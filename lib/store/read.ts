import { DEFAULTS } from '../config/defaults.js'
import type { CallFilter } from './queries/filter.js'
import { readSlow, type Slowest } from './queries/slow.js'
import { askStore, type OpenStoreOptions, Store } from './readable-store.js'

export { askStore, type OpenStoreOptions, type ReaderOptions, Store } from './readable-store.js'

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
  return new Store(path ?? defaultStorePath(), options)
}

/** `CALLSIGHT_DB`, else the default path; relative to the working directory. */
export function defaultStorePath(): string {
  return process.env['CALLSIGHT_DB'] || DEFAULTS.storePath
}

/**
 * As {@link Store.slow}, for somebody who waits.
 *
 * @param patienceMs milliseconds of work after which what was found so far is the answer
 */
export function slowestCalls(store: Store, filter: CallFilter, patienceMs: number): Slowest {
  return askStore(store, (read, nowMs) => readSlow(read, filter, nowMs, patienceMs))
}
