import { afterEach, describe, expect, it, vi } from 'vitest'
import { hiddenInJson } from '../../lib/store/hidden-names.js'
import { parseRecorded } from '../../lib/store/recorded-json.js'
import { formatShape } from '../../lib/wording/shape.js'
import fc from '../support/fast-check.js'

afterEach(() => {
  vi.restoreAllMocks()
})
const lists = (levels: number, inside = '') => `${'['.repeat(levels)}${inside}${']'.repeat(levels)}`

describe('JSON out of a recording', () => {
  it('has the value that JSON.parse gives it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(3), (value, blanks) => {
        const json = JSON.stringify([value, ']['.repeat(600), '\\"['.repeat(600)], null, blanks)
        expect(parseRecorded(json)).toEqual(JSON.parse(json))
      }),
    )
  })

  it('of 1,000 levels is read, and so are any number of brackets in texts or beside each other', () => {
    for (const json of [
      lists(1_000),
      `["${'['.repeat(5_000)}\\"${'['.repeat(5_000)}"]`,
      `[${Array(3_000).fill('[{}]').join()}]`,
    ])
      expect(parseRecorded(json)).toEqual(JSON.parse(json))
  })

  it('of 200,000 levels is no JSON, and is not even parsed: it is shown as it stands', () => {
    const parse = vi.spyOn(JSON, 'parse')
    for (const json of [
      lists(200_000),
      lists(1_001),
      `${'{"cause":'.repeat(200_000)}1${'}'.repeat(200_000)}`,
    ]) {
      expect(() => parseRecorded(json)).toThrow(SyntaxError)
      expect(formatShape(json)).toBe(json)
    }
    expect(hiddenInJson(lists(200_000, '"[redacted]"'))).toEqual([{ name: '', inText: true }])
    expect(parse).not.toHaveBeenCalled()
  })

  it.each(['', '[', '{"a"', '"', '"\\', lists(2_000).slice(1)])('that is none is refused: %s', json => {
    expect(() => parseRecorded(json)).toThrow(SyntaxError)
  })
})
