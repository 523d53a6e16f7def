import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Budget, BudgetError, judge, parseBudgets, rowsOf } from './budgets.js'
import type { Measured, NotMeasured } from './rounds.js'

const BUDGET: Budget = {
  row: 'call',
  against: 'clock',
  limit: 'at most',
  ratio: 2,
  margin: 0.1,
  why: 'The clock is most of it.',
}
const row = (name: string, values: number[], extra: Record<string, number> = {}): Measured => ({
  row: name,
  group: 'g',
  unit: 'ns/call',
  values,
  extra,
})
const state = (budget: Budget, ...rows: (Measured | NotMeasured)[]): string | undefined =>
  judge([budget], rows)[0]?.state

describe('budgets.json', () => {
  it('is a list of budgets, each of another pair of rows', () => {
    const budgets = parseBudgets(readFileSync(new URL('./budgets.json', import.meta.url), 'utf8'))
    expect(budgets.length).toBeGreaterThan(5)
    const pairs = budgets.map(({ row, against, extra }) => `${row} / ${against} / ${extra}`)
    expect(new Set(pairs).size).toBe(pairs.length)
  })

  it.each([
    ['no JSON', '['],
    ['no list', '{}'],
    ['an entry that is no object', '[null]'],
    ['a field that is misspelt', JSON.stringify([{ ...BUDGET, marign: 0.1 }])],
    ['a row that is missing', JSON.stringify([{ ...BUDGET, row: undefined }])],
    ['a limit in other words', JSON.stringify([{ ...BUDGET, limit: '<=' }])],
    ['a ratio of nothing', JSON.stringify([{ ...BUDGET, ratio: 0 }])],
    ['a margin in percent', JSON.stringify([{ ...BUDGET, margin: 10 }])],
    ['a target that is a text', JSON.stringify([{ ...BUDGET, target: '4' }])],
  ])('is refused with %s', (_, text) => {
    expect(() => parseBudgets(text)).toThrow(BudgetError)
  })

  it('names all rows it needs', () => {
    expect([...rowsOf([BUDGET, { ...BUDGET, minus: 'bare' }])]).toEqual(['call', 'clock', 'bare'])
  })
})

describe('a budget', () => {
  it('is kept up to its margin, and exceeded beyond', () => {
    expect(state(BUDGET, row('call', [21.9]), row('clock', [10]))).toBe('kept')
    expect(state(BUDGET, row('call', [22.1]), row('clock', [10]))).toBe('exceeded')
    const atLeast: Budget = { ...BUDGET, limit: 'at least' }
    expect(state(atLeast, row('call', [18.1]), row('clock', [10]))).toBe('kept')
    expect(state(atLeast, row('call', [17.9]), row('clock', [10]))).toBe('exceeded')
  })

  it('compares rows of the same round: a slow round is slow for both', () => {
    expect(state(BUDGET, row('call', [20, 80, 20]), row('clock', [10, 40, 10]))).toBe('kept')
    expect(state(BUDGET, row('call', [30, 80, 30]), row('clock', [10, 40, 10]))).toBe('exceeded')
  })

  it('may take off a row first, or look at an extra figure', () => {
    const added: Budget = { ...BUDGET, minus: 'bare' }
    expect(state(added, row('call', [30]), row('clock', [10]), row('bare', [9]))).toBe('kept')
    const extra: Budget = { ...BUDGET, extra: 'p99' }
    expect(state(extra, row('call', [1], { p99: 30 }), row('clock', [10]))).toBe('exceeded')
    expect(state(extra, row('call', [1]), row('clock', [10]))).toBe('exceeded')
  })

  it('is not kept by a row that gave no figure', () => {
    expect(state(BUDGET, row('clock', [10]))).toBe('missing')
    expect(state(BUDGET, { row: 'call', group: 'g', failed: 'Error: no' }, row('clock', [10]))).toBe(
      'missing',
    )
    expect(state({ ...BUDGET, minus: 'bare' }, row('call', [1]), row('clock', [10]))).toBe('missing')
  })

  it('that is exceeded says what to do', () => {
    const [verdict] = judge([BUDGET], [row('call', [30]), row('clock', [10])])
    expect(verdict?.text).toContain('3.00 × "clock"')
    expect(verdict?.text).toContain(BUDGET.why)
    expect(verdict?.text).toContain('npm run bench -- "call" "clock" --against')
  })
})
