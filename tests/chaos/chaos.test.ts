import { describe, expect, it } from 'vitest'
import type { Figures } from '../support/figures.js'
import { matrix, quantile, reportRow } from './matrix.js'
import type { TestResult } from './run-tests.js'
import { commonSlope } from './slope.js'

const ROW = { row: 3, fault: 'SIGKILL' }
const FIGURES: Figures = {
  injected: 40,
  produced: 100,
  stored: 90,
  dropped: { writer_lost: 10 },
  lostErrors: 0,
  duplicates: 0,
  lanes: 4,
  unbalanced: 0,
  stores: 2,
  damaged: [],
  recoveriesMs: [100, 300, 200],
  remarks: [],
}
const test = (figures: Partial<Figures> = {}, status: TestResult['status'] = 'passed'): TestResult => ({
  name: 'row 3: SIGKILL',
  status,
  durationMs: 1,
  messages: [],
  figures: { ...FIGURES, ...figures },
})

describe('a row of the matrix', () => {
  it('sums the figures of its tests', () => {
    const report = reportRow(ROW, [
      test(),
      test({ dropped: { queue_full: 1, writer_lost: 2 }, produced: 93 }),
    ])
    expect(report).toMatchObject({
      state: 'ok',
      injected: 80,
      produced: 193,
      stored: 180,
      dropped: { writer_lost: 12, queue_full: 1 },
    })
    expect(matrix([report]).split('\n').at(-1)).toBe(
      '| 3 | SIGKILL | 80 | 193 | 180 | writer_lost 12, queue_full 1 | 0 | 0 | holds | ok | 200 ms / 300 ms | ok |',
    )
  })

  it.each([
    ['an error is lost', { lostErrors: 1 }],
    ['an error is stored twice', { duplicates: 1 }],
    ['a lane does not add up', { unbalanced: 1 }],
    ['a store is damaged', { damaged: ['wrong page'] }],
  ])('is failed when %s, also where the tests pass', (_, figures) => {
    expect(reportRow(ROW, [test(), test(figures)]).state).toBe('failed')
  })

  it('is missing without a test, skipped when all are, and failed when one is', () => {
    expect(reportRow(ROW, []).state).toBe('missing')
    expect(reportRow(ROW, [test({}, 'skipped')]).state).toBe('skipped')
    expect(reportRow(ROW, [test(), test({}, 'failed')]).state).toBe('failed')
    expect(reportRow(ROW, [test(), test({}, 'skipped')])).toMatchObject({
      state: 'ok',
      result: 'ok, 1 of 2 tests skipped: the tests say why',
    })
  })
})

describe('figures', () => {
  it('a quantile is one of the values', () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index)
    expect([0.5, 0.99, 1].map(share => quantile(values, share))).toEqual([100, 198, 200])
    expect(quantile([7], 0.99)).toBe(7)
  })

  it('a slope is what several lines have in common, whatever their levels', () => {
    const { perX, standardError, points } = commonSlope([
      [
        [0, 10],
        [1, 12],
        [2, 14],
      ],
      [
        [5, 100],
        [6, 102],
      ],
      [[9, 1]],
    ])
    expect([perX, points]).toEqual([2, 5])
    expect(standardError).toBeCloseTo(0)
  })

  it('the error of a slope is that of the textbook', () => {
    // y = x with residuals +1, -2, +1: sxx 2, slope 1, residual sum 6 over one degree of freedom.
    const { perX, standardError } = commonSlope([
      [
        [0, 1],
        [1, -1],
        [2, 3],
      ],
    ])
    expect(perX).toBe(1)
    expect(standardError).toBeCloseTo(Math.sqrt(6 / 1 / 2))
  })
})
