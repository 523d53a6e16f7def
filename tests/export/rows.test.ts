import { describe, expect, it } from 'vitest'
import { CSV } from '../../lib/export/csv.js'
import { CALL_COLUMNS, ERROR_COLUMNS } from '../../lib/export/format.js'
import { NDJSON } from '../../lib/export/ndjson.js'
import { withoutContent } from '../../lib/export/without-content.js'
import type { Store } from '../../lib/store/read.js'
import { T0_MS } from '../store-read/fixture.js'
import { parseCsv } from './checkers.js'
import { EVIL, opened } from './opened.js'

const FORMULAS = ['=1+1', '+cmd', '-cmd', '@SUM(A1)', '\t=1', '\r=1', '＝1']

const ndjsonOf = (store: Store, filter = {}) =>
  [...NDJSON.rows(store.callSlices(filter), CALL_COLUMNS)]
    .join('')
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as Record<string, unknown>)

describe('columns', () => {
  it('are those of the views, and details', () => {
    const store = opened(() => undefined)
    const columnsOf = (view: string) =>
      store.sql('SELECT name FROM pragma_table_info(?)', [view]).map(row => row['name'])
    expect([...CALL_COLUMNS].sort()).toEqual(columnsOf('recent_calls').sort())
    expect([...ERROR_COLUMNS].sort()).toEqual([...columnsOf('recent_errors'), 'details'].sort())
  })
})

describe('NDJSON', () => {
  it('has every call once, the oldest first, with the values of the store', () => {
    const store = opened(made => {
      for (let i = 0; i < 30; i++) {
        if (i % 7 === 3)
          made.error({ atMs: T0_MS + i, details: '{"cause":1}', stack: 'E: x\n    at f (a.js:1:2)' })
        else made.call({ atMs: T0_MS + i, args: `[${i},{"a":"b"}]`, result: `${i}`, shape: '["number"]' })
      }
    })
    const rows = ndjsonOf(store)
    const parsed = store.calls().map(row => ({
      ...row,
      args: row.args === null ? null : JSON.parse(row.args),
      result: row.result === null ? null : JSON.parse(row.result),
      shape: row.shape === null ? null : JSON.parse(row.shape),
    }))
    expect(rows).toEqual(parsed.reverse())
    const errors = [...NDJSON.rows(store.errorSlices(), ERROR_COLUMNS)].join('').trim().split('\n')
    expect(errors.map(line => JSON.parse(line))).toEqual(
      store
        .errors()
        .reverse()
        .map(row => ({ ...row, details: { cause: 1 } })),
    )
  })

  it('keeps every digit of a number, and one line of JSON that was written on several', () => {
    const store = opened(made => {
      made.call({ atMs: T0_MS, args: '[12345678901234567890.5,\r\n {"a":1}\n]', result: '1e400' })
    })
    const [text = ''] = [...NDJSON.rows(store.callSlices(), CALL_COLUMNS)]
    expect(text.split('\n')).toHaveLength(2)
    expect(text).toContain('"args":[12345678901234567890.5, ')
    expect(text).toContain('"result":1e400')
    JSON.parse(text)
  })

  it('makes a text of what is no JSON, and sends nothing that a terminal obeys', () => {
    const store = opened(made => {
      made.call({ atMs: T0_MS, fn: EVIL, args: EVIL, result: '[1,', shape: '', cuts: '{"a":1}}' })
      made.error({ atMs: T0_MS + 1, fn: EVIL, error: EVIL, message: EVIL, stack: EVIL, details: EVIL })
    })
    const text = [
      ...NDJSON.rows(store.callSlices(), CALL_COLUMNS),
      ...NDJSON.rows(store.errorSlices(), ERROR_COLUMNS),
    ].join('')
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
    const [call, , error] = text
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line))
    expect(call).toMatchObject({ function: EVIL, args: EVIL, result: '[1,', shape: '', cuts: '{"a":1}}' })
    expect(error).toMatchObject({ function: EVIL, error: EVIL, message: EVIL, stack: EVIL, details: EVIL })
  })
})

describe('CSV', () => {
  it('is a header and one record a row, from which every cell comes back', () => {
    const store = opened(made => {
      made.call({ atMs: T0_MS, fn: 'a "b", c', args: '["x\\ny"]', result: '""' })
      made.error({ atMs: T0_MS + 1, message: '', stack: EVIL })
    })
    const text = [...CSV.rows(store.errorSlices(), ERROR_COLUMNS)].join('')
    const [header, row] = parseCsv(text)
    expect(header).toEqual([...ERROR_COLUMNS])
    expect(row?.[ERROR_COLUMNS.indexOf('stack')]).toBe(EVIL)
    expect(text).toContain(',TypeError,"",')
    const [, first] = parseCsv([...CSV.rows(store.callSlices(), CALL_COLUMNS)].join(''))
    expect(first?.[CALL_COLUMNS.indexOf('function')]).toBe('a "b", c')
    expect(first?.[CALL_COLUMNS.indexOf('args')]).toBe('["x\\ny"]')
    expect(first?.[CALL_COLUMNS.indexOf('result')]).toBe('""')
    expect(first?.[CALL_COLUMNS.indexOf('parent_id')]).toBe('')
  })

  it.each(FORMULAS)('does not let a spreadsheet take %j for a formula', formula => {
    const store = opened(made => made.error({ atMs: T0_MS, fn: formula, message: formula }))
    const [, row] = parseCsv([...CSV.rows(store.errorSlices(), ERROR_COLUMNS)].join(''))
    expect(row?.[ERROR_COLUMNS.indexOf('message')]).toBe(`'${formula}`)
    expect(row?.[ERROR_COLUMNS.indexOf('function')]).toBe(`'${formula}`)
  })

  it('leaves numbers as they are, negative ones too', () => {
    const store = opened(made => made.call({ atMs: T0_MS, result: '-1.5e-7' }))
    const [, row] = parseCsv([...CSV.rows(store.callSlices(), CALL_COLUMNS)].join(''))
    expect(row?.[CALL_COLUMNS.indexOf('result')]).toBe('-1.5e-7')
  })
})

describe('filters', () => {
  it.each([
    [{ function: 'Orders.*' }],
    [{ error: 'RangeError' }],
    [{ minDurationMs: 50 }],
    [{ outcome: 'ok' as const }],
    [{ outcome: 'error' as const }],
    [{ since: new Date(T0_MS + 40), until: new Date(T0_MS + 77) }],
    [{ limit: 7 }],
    [{ limit: 7, function: 'Http.*' }],
    [{ limit: 1_000, outcome: 'error' as const }],
    [{ function: 'Nobody.*' }],
    [{ outcome: 'ok' as const, error: 'RangeError' }],
  ])('%j choose what the list of calls chooses', filter => {
    const store = opened(made => {
      for (let i = 0; i < 100; i++) {
        const fn = ['Orders.place', 'Http.post', 'Users.find'][i % 3] as string
        const seed = { atMs: T0_MS + i, fn, durationMs: i }
        if (i % 10 === 4) made.error({ ...seed, error: i % 20 === 4 ? 'RangeError' : 'TypeError' })
        else made.call(seed)
      }
    })
    const wanted = store.calls({ limit: 1_000, ...filter }).reverse()
    expect([...store.callSlices(filter)].flat().map(row => row.call_id)).toEqual(
      wanted.map(row => row.call_id),
    )
  })

  it('refuse what the list of calls refuses', () => {
    const store = opened(() => undefined)
    expect(() => store.callSlices({ limit: 0 })).toThrow(/limit/)
    expect(() => store.callSlices({ since: 'soon' })).toThrow(/is not a time/)
    expect(() => store.callSlices({ outcome: 'maybe' as 'ok' })).toThrow(/outcome/)
  })
})

describe('without content', () => {
  it('types, times and places stay', () => {
    const message = 'card 4111\n    at secret (a.js:1:2)\nmore'
    const stack = `TypeError: ${message}\n    at Http.post (http.ts:1:2)\n    at async run (run.ts:3:4)`
    const row = { error: 'TypeError', message, stack, args: '[1]', shape: '["number"]', details: '{}' }
    expect(withoutContent(row)).toEqual({
      error: 'TypeError',
      message: null,
      stack: '    at Http.post (http.ts:1:2)\n    at async run (run.ts:3:4)',
      args: null,
      shape: '["number"]',
      details: null,
    })
    const cut = { message: 'card 41…', stack: 'E: card 4111 and more\nof it\n    at f (a.js:1:2)' }
    expect(withoutContent(cut).stack).toBe('    at f (a.js:1:2)')
    expect(withoutContent({ message: '', stack: 'thrown: a text' }).stack).toBe('')
  })
})
