import { existsSync } from 'node:fs'
import { configure, flush, health } from 'callsight'
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
configure({ enabled: false })
afterAll(() => place.dispose())

const symbolKey = await symbolKeyOf()
const variants = (await allVariants()).filter(({ name }) => !name.includes(','))

describe.each(variants)('wrapped, with recording switched off by configure(): $name', variant => {
  // Nothing is recorded by any of them now, the bare one included.
  const silent = { ...variant, monitored: false }
  describe('functions', () => describeFunctions(silent))
  describe('constructors', () => describeConstructors(silent))
  describe('foreign values and functions', () => describeForeign(silent))
  describe('promises', () => describePromises(silent))
  describe('generators', () => describeGenerators(silent))
  describe('classes', () => describeClasses(silent, symbolKey))
})

describe('afterwards', () => {
  it('nothing was recorded and nothing created', async () => {
    expect((await flush()).calls.produced).toBe(0)
    expect(health().state).toBe('off')
    expect(existsSync(place.store)).toBe(false)
  })
})
