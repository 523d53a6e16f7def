import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openStore, type Store } from '../../lib/store/read.js'
import { scratch, TestStore } from '../store-read/fixture.js'

/** What terminals, browsers and spreadsheets obey. */
export const EVIL =
  '\x1b[2J\x1b]0;owned\x07\u009b31m\u202e\r\n\u200b漢字"</script><img src=x onerror=alert(1)>'

/** A store for one test. */
export function opened(fill: (made: TestStore) => void): Store {
  const made = new TestStore(join(scratch(onTestFinished), 'calls.db'))
  fill(made)
  made.close()
  const store = openStore(made.path)
  onTestFinished(() => store.close())
  return store
}
