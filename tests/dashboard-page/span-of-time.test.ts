import { describe, expect, it } from 'vitest'
import { timeLabels, timeTicks } from '../../lib/dashboard/web/charts/time-axis.js'
import { formatRate, formatShare, short } from '../../lib/dashboard/web/data/figures.js'
import { askedRange, chosenRange, spanParameters } from '../../lib/dashboard/web/data/range.js'

const MINUTE = 60_000
const recorded = { sinceMs: 1_000_000, untilMs: 100_000_000 }

describe('the span of time in an address', () => {
  const chosen = (query: string) => chosenRange(new URLSearchParams(query))

  it('is the last hour, a preset, or two moments', () => {
    expect(chosen('')).toEqual({ kind: 'last', preset: '1h' })
    expect(chosen('range=5m')).toEqual({ kind: 'last', preset: '5m' })
    expect(chosen('range=all')).toEqual({ kind: 'last', preset: 'all' })
    const span = { kind: 'span', sinceMs: 1_000, untilMs: 61_000 }
    expect(chosen('from=1970-01-01T00:00:01Z&to=1970-01-01T00:01:01Z&range=5m')).toEqual(span)
  })

  it('is the last hour where the address makes no sense', () => {
    const usual = { kind: 'last', preset: '1h' }
    for (const query of ['range=constructor', 'range=7y', 'from=x&to=y', 'from=2026-01-02Z&to=2026-01-01Z'])
      expect(chosen(query)).toEqual(usual)
  })

  it('comes back from the parameters it is written as', () => {
    const parameters = spanParameters(1_500, 61_500)
    const query = new URLSearchParams(
      Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== null),
    )
    expect(chosenRange(query)).toEqual({ kind: 'span', sinceMs: 1_500, untilMs: 61_500 })
  })

  it('ends where the recording ends when nobody writes into it', () => {
    const last = { kind: 'last', preset: '5m' } as const
    expect(askedRange(last, { isLive: true, recorded })).toEqual({ since: '5m' })
    expect(askedRange(last, { isLive: false, recorded })).toEqual({
      since: String(recorded.untilMs - 5 * MINUTE),
      until: String(recorded.untilMs),
    })
    expect(askedRange({ kind: 'last', preset: 'all' }, { isLive: true, recorded })).toEqual({
      since: String(recorded.sinceMs),
    })
    expect(askedRange(last, { isLive: false, recorded: null })).toEqual({ since: '5m' })
  })
})

describe('the axis of time', () => {
  it('has few, whole moments within the span, whatever its length', () => {
    for (const spanMs of [3_000, MINUTE, 17 * MINUTE, 400 * MINUTE, 40 * 86_400_000, 4_000 * 86_400_000]) {
      const since = Date.UTC(2026, 10, 21, 10, 0, 7)
      const ticks = timeTicks(since, since + spanMs, 8)
      expect(ticks.length).toBeGreaterThan(0)
      expect(ticks.length).toBeLessThanOrEqual(9)
      expect(ticks.every(tick => tick >= since && tick < since + spanMs)).toBe(true)
      expect(ticks.every(tick => tick % 1_000 === 0)).toBe(true)
      expect(timeLabels(ticks)).toHaveLength(ticks.length)
    }
  })
})

describe('figures', () => {
  it('are rates to think in', () => {
    expect([12.34, 1, 0.5, 0.001, 0].map(formatRate)).toEqual([
      '12.3 /s',
      '1 /s',
      '30 /min',
      '3.60 /h',
      '0 /s',
    ])
  })

  it('are shares that never say nothing of something', () => {
    expect([0, 0.0001, 0.012, 0.5, 1].map(formatShare)).toEqual(['0 %', '< 0.1 %', '1.2 %', '50 %', '100 %'])
    expect(formatShare(0 / 0)).toBe('-')
  })

  it('are short', () => {
    expect([7, 8.125, 940, 1_200, 99_950, 3e6].map(short)).toEqual([
      '7',
      '8.13',
      '940',
      '1.20k',
      '100k',
      '3.00M',
    ])
  })
})
