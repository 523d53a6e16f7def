import { afterAll, describe, expect, it } from 'vitest'
import { answerTo, NotFound } from '../../lib/dashboard/answers.js'
import type { Api } from '../../lib/dashboard/api.js'
import { Parameters } from '../../lib/dashboard/parameters.js'
import { codeOf } from '../../lib/store/errors.js'
import { Store } from '../../lib/store/read.js'
import { T0_MS } from '../store-read/fixture.js'
import {
  CALL,
  FINGERPRINT,
  FUNCTION,
  HOSTILE_STORES,
  hostileStore,
  TRACE,
} from '../support/hostile-stores.js'

const cleanups: (() => void)[] = []
afterAll(() => {
  for (const clean of cleanups.splice(0).reverse()) clean()
})

const span = { since: String(T0_MS), until: String(T0_MS + 3_600_000) }
/** What the page asks, of each address at least once. */
const QUESTIONS: { readonly [Address in keyof Api]: readonly Readonly<Record<string, string>>[] } = {
  '/api/session': [{}],
  '/api/overview': [{}, span, { ...span, function: 'O*' }],
  '/api/function': [{ name: FUNCTION, ...span }, { name: FUNCTION }],
  '/api/why': [
    { name: FUNCTION, ...span },
    { name: FUNCTION, of: 'errors', ...span },
  ],
  '/api/errors': [{}, span],
  '/api/error-group': [{ fingerprint: FINGERPRINT, ...span }],
  '/api/error': [{ call: CALL }],
  '/api/calls': [span, { ...span, function: 'O*', min_duration: '5' }],
  '/api/trace': [{ id: TRACE }, { id: CALL }],
  '/api/tail': [{}],
  '/api/health': [{}, span],
}
const ADDRESSES = Object.keys(QUESTIONS) as (keyof Api)[]
/** More than any page shows, and less than a thread of the server can hold. */
const MOST_CHARACTERS = 40_000_000

describe('a recording that no recorder wrote', () => {
  it.each(HOSTILE_STORES)('is answered for, or refused in words of ours: $name', ({ spoil, unread }) => {
    const path = hostileStore(spoil, clean => cleanups.push(clean))
    let answered = 0
    for (const address of ADDRESSES) {
      for (const parameters of QUESTIONS[address]) {
        const shown = `${address} ${JSON.stringify(parameters)}`
        let store: Store | null = null
        try {
          store = new Store(path, { now: () => T0_MS + 3_600_000 })
          const body = JSON.stringify(answerTo(store, address, new Parameters(parameters), '1.2.3'))
          expect(body.length, shown).toBeLessThan(MOST_CHARACTERS)
          answered++
        } catch (error) {
          // Everything else the page could only call "could not be answered".
          if (error instanceof NotFound) continue
          expect(codeOf(error), `${shown}: ${String(error)}`).toMatch(/^CALLSIGHT_/)
          expect((error as Error).message, shown).not.toMatch(/Check that you may read|SQLITE_/)
          expect((error as Error).message, shown).toMatch(/^[^\n]+\.$/)
          if (unread !== 'some') expect.fail(`${shown} has no answer: ${String(error)}`)
        } finally {
          store?.close()
        }
      }
    }
    if (unread !== 'some') expect(answered).toBeGreaterThan(0)
  })
})
