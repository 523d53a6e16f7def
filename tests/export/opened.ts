import type { Store } from '../../lib/store/read.js'
import type { TestStore } from '../store-read/fixture.js'
import { newTestStore, opened as read } from '../store-read/new-store.js'

/** What terminals, browsers and spreadsheets obey. */
export const EVIL =
  '\x1b[2J\x1b]0;owned\x07\u009b31m\u202e\r\n\u200b漢字"</script><img src=x onerror=alert(1)>'

/** A store for one test. */
export function opened(fill: (made: TestStore) => void): Store {
  const made = newTestStore()
  fill(made)
  made.close()
  return read(made, Date.now)
}
