import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Dialect, Place } from './fixtures.js'

let place: Place
beforeEach(() => {
  place = new Place()
})
afterEach(() => place.dispose())

interface Answer {
  readonly seen: unknown[]
  readonly replaced: number
  readonly sharedIsTheSame: boolean
  readonly blockSaw: number
}

const MONITORED = {
  'Service.get level': 3,
  'Service.set level': 1,
  'Service.work': 2,
  'Service.[shown]': 1,
  'Service.get name': 1,
  'Service.get length': 1,
  'Service.set only': 1,
  'Service.[Symbol.iterator]': 1,
  'Service.[Symbol.asyncIterator]': 1,
  'Service.[Symbol.dispose]': 1,
  'Service.toDetach': 1,
  'own options': 1,
  'Service.ownBelow': 1,
  'Service.make': 1,
  'Service.ownDetached': 1,
  'Child.getAll': 1,
}
const calls = (): Record<string, number> =>
  Object.fromEntries(
    place
      .rows<{ function: string; calls: number }>('SELECT function, calls FROM function_totals')
      .map(row => [row.function, row.calls]),
  )

describe.each<Dialect>(['standard', 'legacy'])('@monitor() on a whole class, %s dialect', dialect => {
  it('takes every method and accessor but the excluded, and leaves fields, nested classes and hooks alone', async () => {
    const answer = await place.json<Answer>(dialect, 'semantics-whole')
    expect(answer).toEqual({
      seen: ['of the instance', 2, 7, '[object Service]', 1, 3, 'inspected', 'true', 2, 2],
      replaced: 2,
      sharedIsTheSame: true,
      blockSaw: 1,
    })
    const byDialect = {
      // The class is decorated after its static blocks have run.
      legacy: { 'Service.ownAbove': 1 },
      // Without Symbol.metadata nothing tells that a function nobody knows has a wrapper inside.
      standard: { 'Service.ownAbove': 2, 'Service.early': 1 },
    }
    expect(calls()).toEqual({ ...MONITORED, ...byDialect[dialect] })
  })

  it('a member with a decorator of its own keeps its options, once', async () => {
    const define =
      "Symbol.metadata ?? Object.defineProperty(Symbol, 'metadata', { value: Symbol('metadata') })"
    const node = ['--import', `data:text/javascript,${encodeURIComponent(define)}`]
    await place.json<Answer>(dialect, 'semantics-whole', [], { node })
    expect(calls()).toMatchObject({ 'Service.ownAbove': 1, 'Service.ownBelow': 1, 'own options': 1 })
    const kept = place.rows<{ function: string }>('SELECT DISTINCT function FROM recent_calls')
    for (const name of ['own options', 'Service.ownBelow', 'Service.ownAbove']) {
      expect(kept.map(row => row.function)).not.toContain(name)
    }
  })
})
