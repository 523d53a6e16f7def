import { describe, expect, it } from 'vitest'
import type { DiffAnswer, FunctionDiff } from '../../lib/store/queries/diff.js'
import type { Store } from '../../lib/store/read.js'
import { mostAlarms, Random } from '../statistics/random.js'
import { type Behaviour, FIRST_MINUTE, fillMinutes } from './minutes.js'
import { newOpenedStore } from './new-store.js'

/** What the README and `callsight diff --help` say: a wrong verdict in at most 1 of 100 comparisons. */
const LEVEL = 0.01
/** Some ten million calls are generated here. */
const TIMEOUT_MS = 600_000
const STEADY: Behaviour = { callsPerMinute: 60, errorRate: 0.03, medianMs: 5, spread: 0.7 }

const newStore = () => newOpenedStore((FIRST_MINUTE + 10_000_000) * 60_000)

const date = (minute: number) => new Date((FIRST_MINUTE + minute) * 60_000)

/** Comparisons of neighbouring spans of time, one pair after another. */
function pairs(store: Store, count: number, minutes: number): DiffAnswer[] {
  return Array.from({ length: count }, (_, pair) => {
    const start = 2 * minutes * pair
    const middle = date(start + minutes)
    return store.diff({
      a: { since: date(start), until: middle },
      b: { since: middle, until: date(start + 2 * minutes) },
    })
  })
}

const measures = ({ errors, p50, p95 }: FunctionDiff) => [errors, p50, p95]
const isSignificant = ({ functions, level }: DiffAnswer) =>
  functions.flatMap(measures).some(({ pValue }) => pValue !== null && pValue <= level)

describe('identical sides', { timeout: TIMEOUT_MS }, () => {
  it('differ in no more than 1 of 100 comparisons of three functions, whatever the least change', () => {
    const { made, store } = newStore()
    const random = new Random(11)
    for (const fn of ['a', 'b', 'c']) fillMinutes(made, random, fn, () => STEADY, 1_000 * 2 * 10)
    const answers = pairs(store, 1_000, 10)
    expect(answers.every(({ functions }) => functions.every(({ basis }) => basis === 'blocks'))).toBe(true)
    expect(answers.filter(isSignificant).length).toBeLessThanOrEqual(mostAlarms(1_000, LEVEL))
  })

  it('nor where only single calls can be compared', () => {
    const { made, store } = newStore()
    const random = new Random(12)
    for (const fn of ['a', 'b', 'c']) {
      fillMinutes(made, random, fn, () => ({ ...STEADY, callsPerMinute: 300 }), 1_000 * 2)
    }
    const answers = pairs(store, 1_000, 1)
    expect(answers.every(({ functions }) => functions.every(({ basis }) => basis === 'calls'))).toBe(true)
    const alarms = answers.filter(isSignificant).length
    expect(alarms).toBeLessThanOrEqual(mostAlarms(1_000, LEVEL))
    // A test that never rejects would keep any rate.
    expect(alarms).toBeGreaterThan(0)
  })

  it('nor where things go up and down by themselves for minutes, which tests of calls take for differences', () => {
    const { made, store } = newStore()
    const random = new Random(13)
    const spells = { memory: 0.5, errors: 0.8, latency: 0.4 }
    for (const fn of ['a', 'b']) fillMinutes(made, random, fn, () => ({ ...STEADY, spells }), 500 * 2 * 60)
    const answers = pairs(store, 500, 60)
    expect(answers.filter(isSignificant).length).toBeLessThanOrEqual(mostAlarms(500, LEVEL))
    // Large enough for a verdict, and sure if calls were independent of one another.
    const unsteady = answers.filter(({ functions }) =>
      functions.flatMap(measures).some(({ isUnsteady }) => isUnsteady),
    )
    expect(unsteady.length).toBeGreaterThan(50)
  })
})

describe('a planted difference', { timeout: TIMEOUT_MS }, () => {
  const CHANGES: Readonly<Record<'errors' | 'p50' | 'p95', Partial<Behaviour>>> = {
    errors: { errorRate: 0.09 },
    p50: { medianMs: 7.5 },
    p95: { tail: { share: 0.12, factor: 12 } },
  }

  for (const [measure, change] of Object.entries(CHANGES) as [
    'errors' | 'p50' | 'p95',
    Partial<Behaviour>,
  ][]) {
    for (const minutes of [2, 20]) {
      it(`of ${measure} is found in 95 of 100 comparisons of ${minutes} minutes, and only there`, () => {
        const { made, store } = newStore()
        const random = new Random(14)
        const runs = 200
        const steady = { ...STEADY, callsPerMinute: minutes === 2 ? 600 : 100 }
        const planted = { ...steady, ...change }
        const isB = (minute: number) => Math.floor(minute / minutes) % 2 === 1
        fillMinutes(made, random, 'as.before', () => steady, runs * 2 * minutes)
        fillMinutes(made, random, 'worse', m => (isB(m) ? planted : steady), runs * 2 * minutes)
        fillMinutes(made, random, 'better', m => (isB(m) ? steady : planted), runs * 2 * minutes)
        const answers = pairs(store, runs, minutes)
        const found = (fn: string, verdict: string) =>
          answers.filter(({ functions }) =>
            functions.some(
              row => row.function === fn && row.verdict === verdict && row[measure].verdict === verdict,
            ),
          ).length
        expect(found('worse', 'worse')).toBeGreaterThanOrEqual(0.95 * runs)
        expect(found('better', 'better')).toBeGreaterThanOrEqual(0.95 * runs)
        const wrong = answers.filter(({ functions }) =>
          functions.some(
            ({ function: fn, verdict }) => (verdict === 'worse' || verdict === 'better') && verdict !== fn,
          ),
        )
        expect(wrong.length).toBeLessThanOrEqual(mostAlarms(runs, LEVEL))
      })
    }
  }
})
