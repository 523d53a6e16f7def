import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openStore, type Store } from '../../lib/store/read.js'
import { scratch, T0_MS, TestStore } from './fixture.js'

/** Gone after the test, with all that is in it. */
export const newFolder = (): string => scratch(onTestFinished)

/** A store for one test, closed after it. */
export function newTestStore(): TestStore {
  const made = new TestStore(join(newFolder(), 'calls.db'))
  onTestFinished(() => made.close())
  return made
}

/** Reads a store at that moment; closed after the test. */
export function opened({ path }: TestStore, now: number | (() => number) = T0_MS + 3_600_000): Store {
  const store = openStore(path, { now: typeof now === 'number' ? () => now : now })
  onTestFinished(() => store.close())
  return store
}

/** Both at once. */
export function newOpenedStore(now?: number | (() => number)): { made: TestStore; store: Store } {
  const made = newTestStore()
  return { made, store: opened(made, now) }
}
