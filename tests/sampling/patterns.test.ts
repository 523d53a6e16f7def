import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../lib/config/validate.js'
import { compilePattern } from '../../lib/sampling/patterns.js'
import fc from '../support/fast-check.js'

/** The definition, spelled out: exponential, so for short texts only. */
function twin(pattern: string[], name: string[]): boolean {
  const [head, ...rest] = pattern
  if (head === undefined) return name.length === 0
  if (head === '*') return twin(rest, name) || (name.length > 0 && twin(pattern, name.slice(1)))
  return name.length > 0 && (head === '?' || head === name[0]) && twin(rest, name.slice(1))
}

describe('patterns', () => {
  it.each([
    ['Orders.place', 'Orders.place', true],
    ['Orders.place', 'Orders.placed', false],
    ['Orders.*', 'Orders.place', true],
    ['Orders.*', 'Orders.', true],
    ['Orders.*', 'Orders', false],
    ['Orders.*', 'orders.place', false],
    ['*', '', true],
    ['*', 'anything at all', true],
    ['*.place', 'Orders.place', true],
    ['O*s.p*e', 'Orders.place', true],
    ['Order?.place', 'Orders.place', true],
    ['Order?.place', 'Order.place', false],
    ['?', '😀', true],
    ['Orders.#*', 'Orders.#secret', true],
    ['a.c', 'abc', false],
    ['[ab]', 'a', false],
    ['(a+)+$', '(a+)+$', true],
    ['get ?', 'get *', true],
    ['a*', '*a', false],
    ['\\*', '\\anything', true],
  ])('%s on %s: %s', (pattern, name, expected) => {
    expect(compilePattern(pattern)(name)).toBe(expected)
  })

  it('agree with their definition', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '.'), minLength: 1, maxLength: 8 })
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 10 })
    let hits = 0
    fc.assert(
      fc.property(pattern, name, (glob, text) => {
        const expected = twin([...glob], [...text])
        if (expected) hits++
        expect(compilePattern(glob)(text)).toBe(expected)
      }),
      { numRuns: 5_000 },
    )
    expect(hits).toBeGreaterThan(100)
  })

  it('match any text by themselves when they have no wildcard', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 50 }), fc.string(), (text, other) => {
        fc.pre(!/[*?]/.test(text))
        expect(compilePattern(text)(text)).toBe(true)
        expect(compilePattern(text)(other)).toBe(other === text)
      }),
    )
  })

  it('end soon on patterns that ruin backtracking matchers', () => {
    const evil = compilePattern(`${'a*'.repeat(100)}b`)
    expect(evil('a'.repeat(20_000))).toBe(false)
    expect(compilePattern('*'.repeat(256))('a'.repeat(20_000))).toBe(true)
    expect(compilePattern(`*${'a'.repeat(200)}?b`)('a'.repeat(20_000))).toBe(false)
  })

  it.each(['', 'x'.repeat(257), 5, null, undefined, /x/, { toString: () => '*' }])('refuse %o', pattern => {
    expect(() => compilePattern(pattern as string)).toThrow(ConfigError)
  })
})
