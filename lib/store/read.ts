import { DEFAULTS } from '../config/defaults.js'
import type { CallFilter } from './queries/filter.js'
import { readSlow, type Slowest } from './queries/slow.js'
import { askStore, type OpenStoreOptions, Store } from './readable-store.js'

export { askStore, type OpenStoreOptions, type ReaderOptions, Store } from './readable-store.js'

/** Opens a recording: for apps in open-store.ts, where it is described, and for the programs of Callsight here. */
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
