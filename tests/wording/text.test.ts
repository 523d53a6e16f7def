import { describe, expect, it } from 'vitest'
import type { Screen } from '../../lib/cli/screen.js'
import { type Column, renderTable } from '../../lib/cli/table.js'
import { formatBytes, formatDuration } from '../../lib/wording/format.js'
import { displayWidth, truncate, visible, visibleJson, visibleLines, wrap } from '../../lib/wording/text.js'
import fc from '../support/fast-check.js'

const DANGEROUS: readonly (readonly [first: number, last: number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x2069],
  [0xd800, 0xdfff],
  [0xfeff, 0xfeff],
  [0xe0000, 0xe007f],
]

/** What a terminal may act on, turn around or hide, said another way than the code does. */
function dangerous(text: string): string[] {
  return [...text].filter(character => {
    const code = character.codePointAt(0) ?? 0
    return DANGEROUS.some(([first, last]) => code >= first && code <= last)
  })
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc
    .array(
      fc.nat(0xffff).map(code => String.fromCharCode(code)),
      { maxLength: 30 },
    )
    .map(units => units.join('')),
  fc.constantFrom(
    '\x1b[2J\x1b]0;t\x07',
    '\u009b31m',
    '漢字テスト',
    '👩‍👩‍👧‍👦',
    'e\u0301\u0301',
    '\u202edlrow',
    '\udc00x',
    '한국어',
    '❤️',
  ),
)

function screenOf(width: number | null): Screen {
  return {
    width,
    isTerminal: width !== null,
    isUtf8: true,
    working: () => {},
    style: (_, text) => text,
    write: () => {},
    writeError: () => {},
  }
}

describe('captured text on a terminal', () => {
  it('never carries a control, direction or invisible character', () => {
    fc.assert(
      fc.property(anyText, text => {
        expect(dangerous(visible(text))).toEqual([])
        for (const line of visibleLines(text)) expect(dangerous(line)).toEqual([])
      }),
      { numRuns: 2_000 },
    )
    expect(visible('a\x1b[31mb\nc\td\u009b\u202e')).toBe('a\\x1b[31mb\\nc\\td\\x9b\\u{202e}')
    expect(visible('plain, żółć 漢字 👍')).toBe('plain, żółć 漢字 👍')
  })

  it('means the same as JSON after escaping', () => {
    fc.assert(
      fc.property(anyText, text => {
        const json = visibleJson(JSON.stringify({ [text]: text }))
        expect(dangerous(json)).toEqual([])
        expect(JSON.parse(json)).toEqual({ [text]: text })
      }),
      { numRuns: 2_000 },
    )
  })

  it('is measured in columns: wide, combining, plain', () => {
    expect(['abc', '漢字', 'e\u0301', '👍', 'ﾊ', '한', 'é', '…'].map(displayWidth)).toEqual([
      3, 4, 1, 2, 1, 2, 1, 1,
    ])
  })

  it('is cut and wrapped to the width, losing nothing but blanks while there is room', () => {
    fc.assert(
      fc.property(anyText.map(visible), fc.integer({ min: 2, max: 40 }), (text, width) => {
        const cut = truncate(text, width)
        expect(displayWidth(cut)).toBeLessThanOrEqual(width)
        if (displayWidth(text) <= width) expect(cut).toBe(text)
        else expect(cut.endsWith('…')).toBe(true)
        const lines = wrap(text, width, 1_000)
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width)
        expect(lines.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''))
        expect(wrap(text, width, 3).length).toBeLessThanOrEqual(3)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a table', () => {
  const columns: Column<string[]>[] = [
    { header: 'ONE', value: row => row[0] ?? '', min: 4, max: 20 },
    { header: 'TWO', value: row => row[1] ?? '', align: 'right' },
    { header: 'THREE', value: row => row[2] ?? '', min: 0 },
  ]

  it('fits the screen whatever is in it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(anyText, { minLength: 3, maxLength: 3 }), { maxLength: 8 }),
        fc.integer({ min: 20, max: 140 }),
        (rows, width) => {
          const below = (row: string[]) => row[2] ?? ''
          const lines = renderTable(columns, rows, screenOf(width), { below }).split('\n')
          for (const line of lines) {
            expect(displayWidth(line)).toBeLessThanOrEqual(width)
            expect(dangerous(line)).toEqual([])
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('aligns, and cuts nothing in a pipe', () => {
    const long = 'x'.repeat(500)
    const text = renderTable(
      columns,
      [
        ['漢字', '1', long],
        ['abcdefghijklmnopqrstuvwxyz', '22', 'b'],
      ],
      screenOf(null),
    )
    expect(text).toBe(
      [
        `ONE                         TWO  THREE`,
        `漢字                          1  ${long}`,
        `abcdefghijklmnopqrstuvwxyz   22  b`,
        '',
      ].join('\n'),
    )
  })
})

describe('figures', () => {
  it.each([
    [null, '-'],
    [0, '0 ms'],
    [0.00085, '850 ns'],
    [0.0009999, '1.00 µs'],
    [0.9996, '1.00 ms'],
    [1.2, '1.20 ms'],
    [12.34, '12.3 ms'],
    [999.6, '1.00 s'],
    [3400, '3.40 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min 00 s'],
    [125_000, '2 min 05 s'],
    [3_599_600, '1 h 00 min'],
    [9_000_000_000, '2,500 h 00 min'],
    [Number.NaN, '-'],
    [-1.5, '-1.50 ms'],
  ])('%s ms reads %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1024 ** 2 - 1, '1.00 MiB'],
    [1.5 * 1024 ** 3, '1.50 GiB'],
  ])('%s bytes read %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })
})
