import { flush, health, shutdown } from 'callsight'
import { afterAll, describe, expect, it } from 'vitest'
import { describeClasses } from './class-table.js'
import { describeConstructors } from './construct-table.js'
import { Place } from './fixtures.js'
import { describeForeign } from './foreign-table.js'
import { describeFunctions } from './function-table.js'
import { describeGenerators } from './generator-table.js'
import { describePromises } from './promise-table.js'
import { allVariants, symbolKeyOf } from './variants.js'

const place = new Place()
process.env['CALLSIGHT_DB'] = place.store
afterAll(async () => {
  await shutdown()
  place.dispose()
})

const symbolKey = await symbolKeyOf()
describe.each(await allVariants())('$name', variant => {
  describe('functions', () => describeFunctions(variant))
  describe('constructors', () => describeConstructors(variant))
  describe('foreign values and functions', () => describeForeign(variant))
  describe('promises', () => describePromises(variant))
  describe('generators', () => describeGenerators(variant))
  describe('classes', () => describeClasses(variant, symbolKey))
})

describe('afterwards', () => {
  it('the recorder is well and every record of all this is accounted for', async () => {
    const account = await flush()
    expect(health().state).toBe('recording')
    expect(account).toMatchObject({ balanced: true, errors: { dropped: {} } })
    expect(account.calls.stored).toBeGreaterThan(100)
    expect(account.errors.stored).toBeGreaterThan(100)
  })
})
