import { describe, expect, it } from 'vitest'
import { ProtocolError, parseRowLine, parseRowList } from './protocol.js'

describe('a list of rows', () => {
  it('holds names, or names with their group', () => {
    expect(parseRowList('["a", {"row": "b", "group": "g", "slow": true}]', 'loop.ts')).toEqual([
      { row: 'a', group: 'loop' },
      { row: 'b', group: 'g', slow: true },
    ])
  })

  it.each(['', 'no JSON', '{}', '[1]', '[""]', '[{"row": "b"}]', '[{"group": "g"}]'])('refuses %j', text => {
    expect(() => parseRowList(text, 'loop.ts')).toThrow(ProtocolError)
  })
})

describe('the line of a row', () => {
  it('is a figure, with what belongs to it', () => {
    const line = { row: 'bare', unit: 'ns/call', value: 4.2, detail: 'd', extra: { p99: 5 } }
    expect(parseRowLine(`${JSON.stringify(line)}\n`, 'bare')).toEqual(line)
    expect(parseRowLine('{"row": "bare", "unit": "ms", "value": 0}', 'bare')).toEqual({
      row: 'bare',
      unit: 'ms',
      value: 0,
    })
  })

  it('or says why there is none', () => {
    const line = '{"row": "bare", "skipped": "no strace"}'
    expect(parseRowLine(line, 'bare')).toEqual({ row: 'bare', skipped: 'no strace' })
  })

  it.each([
    ['nothing', ''],
    ['two lines', '{"row": "bare", "unit": "ms", "value": 1}\n{"row": "bare", "unit": "ms", "value": 2}'],
    ['other output', 'warming up'],
    ['another row', '{"row": "off", "unit": "ms", "value": 1}'],
    ['an unknown unit', '{"row": "bare", "unit": "s", "value": 1}'],
    ['no value', '{"row": "bare", "unit": "ms"}'],
    ['NaN, which is null in JSON', '{"row": "bare", "unit": "ms", "value": null}'],
    ['a text as an extra figure', '{"row": "bare", "unit": "ms", "value": 1, "extra": {"p99": "1"}}'],
  ])('is not %s', (_, text) => {
    expect(() => parseRowLine(text, 'bare')).toThrow(ProtocolError)
  })
})
