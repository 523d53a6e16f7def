import { afterEach, beforeEach, expect, it } from 'vitest'
import { Place } from './fixtures.js'

let place: Place
beforeEach(() => {
  place = new Place()
})
afterEach(() => place.dispose())

/** Nothing is collected below this, so that the size of the heap counts what was allocated. */
const LARGE_YOUNG_GENERATION = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256']

it('a call that is not sampled allocates nothing', async () => {
  const { 'not monitored, makes an object': control, ...bytes } = await place.json<Record<string, number>>(
    'standard',
    'semantics-allocation',
    [],
    { node: LARGE_YOUNG_GENERATION },
  )
  expect(control, 'an object of one field').toBeGreaterThan(16)
  expect(bytes).toEqual(Object.fromEntries(Object.keys(bytes).map(kind => [kind, 0])))
  expect(Object.keys(bytes)).toHaveLength(7)
})
