import { describe, expect, it } from 'vitest'
import { Redaction } from '../../lib/serialize/redaction.js'
import { markAssignments } from '../../lib/serialize/secret-assignments.js'
import { fillScratch } from '../../lib/serialize/secret-screen.js'
import { allSeparators, asciiSeparators, hasAsciiSeparator } from '../../lib/serialize/secret-separators.js'
import { Spans } from '../../lib/serialize/secret-spans.js'
import fc from '../support/fast-check.js'
import { givenSeed } from '../support/seed.js'
import { SECRET_SPELLINGS } from './secret-spellings.js'
import { hostileText } from './secret-texts.js'

/** Names of the user, as odd as they come: short ones, ones with digits, the ending of a file, the name of an error. */
const judges = [
  Redaction.compile({}),
  Redaction.compile({ keys: ['mjs', 'js', 'error', '12', 'a1', '1a', /^x/, /\d$/], allow: ['token'] }),
]

function marked(text: string, found: number, truncated: boolean, names: Redaction): [number, number][] {
  const spans = new Spans()
  // A redaction judges names as its rules do.
  const judge = {
    isSecretName: (name: string) => names.isSecretName(name),
    isWholeLineName: (name: string) => ['authorization', 'cookie'].includes(name.toLowerCase()),
  }
  markAssignments(text, found, truncated, judge, spans)
  return Array.from({ length: spans.count }, (_, index) => [spans.start(index), spans.end(index)])
}

function expectSame(text: string): void {
  for (const names of judges) {
    for (const truncated of [false, true]) {
      const all = marked(text, allSeparators(text), truncated, names)
      // Asked before, for a name that is new to the rules leaves its own bytes behind.
      expect(fillScratch(text, text.length)).toBe(true)
      const isAny = hasAsciiSeparator(text.length)
      const found = asciiSeparators(text.length)
      expect(isAny).toBe(found > 0)
      expect(marked(text, found, truncated, names)).toEqual(all)
    }
  }
}

describe('the places at which an assignment is looked for', () => {
  it('are enough for what is found at all places, in hostile texts', () => {
    fc.assert(fc.property(hostileText, expectSame), { numRuns: 5_000, ...givenSeed })
  }, 120_000)

  it('are enough in every short text of the characters that matter', () => {
    const unit = fc.constantFrom(...'=:%,<{}/?#@"\'`][ \t\n\\+-_$.3dDaA5b1kpin0'.split(''))
    fc.assert(fc.property(fc.string({ unit, maxLength: 24 }), expectSame), { numRuns: 8_000, ...givenSeed })
  }, 120_000)

  it('are enough for every spelling of a secret', () => {
    for (const name of SECRET_SPELLINGS) {
      if (!/^[\0-\x7f]*$/.test(name)) continue
      for (const before of ['', ' ', '.', '"', '?a=1&', 'Error: ', '%22', '+', '- '])
        for (const after of ['=v', ': v', '":"v"', ']=v', '%5D=v', '%3Dv', '="v w"', ' = v', '>v</x>'])
          expectSame(before + name + after)
    }
  })

  it('are enough for pairs of a name and a value', () => {
    const unit = fc.constantFrom(
      ...[
        'name="password"',
        'value="x"',
        '"key":"token"',
        '"value":"y"',
        'type=password',
        '{',
        '}',
        '<a',
        'a<b',
        '< ',
      ],
      ...[', ', '\n', 'code=', 'data: 1'],
    )
    const pairs = fc.array(unit, { maxLength: 8 }).map(parts => parts.join(''))
    fc.assert(fc.property(pairs, expectSame), { numRuns: 4_000, ...givenSeed })
  })

  it('are few in a stack', () => {
    const stack = `Error: no market\n${'    at refuse (file:///srv/app/src/market.js:10:4)\n'.repeat(10)}`
    expect(fillScratch(stack, stack.length)).toBe(true)
    expect(asciiSeparators(stack.length)).toBe(1)
    expect(allSeparators(stack)).toBe(31)
  })
})
