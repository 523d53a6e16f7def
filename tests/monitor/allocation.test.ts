import { afterEach, beforeEach, expect, it } from 'vitest'
import { Place } from './fixtures.js'

let place: Place
beforeEach(() => {
  place = new Place()
})
afterEach(() => place.dispose())

/** Nothing is collected below this, so that the size of the heap counts what was allocated. */
const LARGE_YOUNG_GENERATION = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256']

/** The list of its arguments, which the compiler of Node 26 makes where not every use of it has been seen at work. */
const LIST_BYTES = Number(process.versions.node.split('.')[0]) >= 26 ? 64 : 0

it('a call that is not sampled allocates nothing', async () => {
  const { 'not monitored, makes an object': control, ...bytes } = await place.json<Record<string, number>>(
    'standard',
    'semantics-allocation',
    [],
    { node: LARGE_YOUNG_GENERATION },
  )
  expect(control, 'an object of one field').toBeGreaterThan(16)
  const { 'called by an unsampled call': both = Number.NaN, ...single } = bytes
  for (const [kind, taken] of Object.entries(single)) expect(taken, kind).toBeLessThanOrEqual(LIST_BYTES)
  expect(both).toBeLessThanOrEqual(2 * LIST_BYTES)
  expect(Object.keys(bytes)).toHaveLength(7)
})
