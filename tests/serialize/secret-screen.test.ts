import { describe, expect, it } from 'vitest'
import { PHRASE_PATTERNS } from '../../lib/serialize/secret-phrases.js'
import { screen, Trait } from '../../lib/serialize/secret-screen.js'
import { TOKEN_PATTERNS } from '../../lib/serialize/secret-tokens.js'
import fc from '../support/fast-check.js'
import { givenSeed } from '../support/seed.js'
import { matchingText } from './secret-texts.js'

const traits = (text: string): number => screen(text, text.length)

describe('the screen of texts', () => {
  it.each([...TOKEN_PATTERNS, ...PHRASE_PATTERNS])('lets no text pass that holds %s', pattern => {
    const around = fc.string({ unit: fc.constantFrom(...' a.-9'), maxLength: 40 })
    fc.assert(
      fc.property(around, matchingText(pattern), around, (before, secret, after) => {
        const text = `${before} ${secret} ${after}`
        expect(traits(text) & Trait.token).toBe(Trait.token)
        expect(traits(secret) & Trait.token).toBe(Trait.token)
      }),
      { numRuns: 60, ...givenSeed },
    )
  })

  it('finds a run of digits wherever it stands, and none where there is none', () => {
    const unit = fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(...'0123456789 -') },
      fc.constantFrom('a', '.'),
    )
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 120 }), text => {
        const hasRun = text.split(/[^0-9 -]/).some(run => run.replace(/[^0-9]/g, '').length >= 13)
        expect((traits(text) & Trait.digits) !== 0).toBe(hasRun)
      }),
      { numRuns: 3_000, ...givenSeed },
    )
  })

  it.each([
    'In early years the country had no entry for the request; a clear search is a basis for music',
    'the back door, a task of the center, updated at_once by the best agency, or in a pattern',
  ])('suspects no plain prose: %s', text => {
    expect(traits(text)).toBe(0)
  })
})
