import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Place } from './fixtures.js'

interface Kept {
  readonly ok: number
  readonly errors: number
  readonly weight: number
  readonly heaviest: number
  readonly args: readonly (string | null)[]
}

const place = new Place()
beforeAll(async () => {
  expect(await place.json('standard', 'semantics-sampling')).toEqual({ balanced: true })
})
afterAll(() => place.dispose())

function kept(name: string): Kept {
  const rows = place.rows<{ outcome: string; weight: number; args: string | null }>(
    'SELECT outcome, weight, args FROM recent_calls WHERE function = ? ORDER BY at, call_id',
    name,
  )
  const errors = rows.filter(({ outcome }) => outcome === 'error').length
  const ordinary = rows.filter(({ outcome }) => outcome === 'ok')
  return {
    ok: ordinary.length,
    errors,
    weight: ordinary.reduce((sum, { weight }) => sum + weight, 0),
    heaviest: rows.reduce((most, { weight }) => Math.max(most, weight), 0),
    args: rows.map(({ args }) => args),
  }
}

const totals = (name: string) =>
  place.rows<{ calls: number; errors: number; mean_ms: number | null; p50_ms: number | null }>(
    'SELECT calls, errors, mean_ms, p50_ms FROM function_totals WHERE function = ?',
    name,
  )[0]

const lost = (name: string): Record<string, number> =>
  Object.fromEntries(
    place
      .rows<{ reason: string; count: number }>(
        'SELECT reason, sum(count) AS count FROM losses WHERE function = ? GROUP BY reason',
        name,
      )
      .map(({ reason, count }) => [reason, count]),
  )

/** Six standard deviations of a binomial distribution: a wrong alarm once in a billion runs. */
const within = (count: number, of: number, rate: number): boolean =>
  Math.abs(count - of * rate) <= 6 * Math.sqrt(of * rate * (1 - rate))

describe('sampling, end to end', () => {
  it('rate 1 keeps every call at weight 1', () => {
    expect(kept('rate.all')).toMatchObject({ ok: 500, weight: 500, heaviest: 1 })
    expect(kept('rate.all').args).toEqual(Array.from({ length: 500 }, (_, n) => `[${n}]`))
  })

  it('rate 0 keeps none, and the totals have them all', () => {
    expect(kept('rate.none').ok).toBe(0)
    expect(totals('rate.none')).toMatchObject({ calls: 5_000, errors: 0, p50_ms: expect.any(Number) })
  })

  it('rate 0.1 keeps a tenth, each for ten', () => {
    const tenth = kept('rate.tenth')
    expect(within(tenth.ok, 20_000, 0.1)).toBe(true)
    expect(tenth.weight).toBeCloseTo(tenth.ok * 10, 6)
    expect(tenth.heaviest).toBe(10)
    expect(totals('rate.tenth')?.calls).toBe(20_000)
  })

  it('errors are kept at every rate, and weigh 1', () => {
    expect(kept('errors.none')).toMatchObject({ ok: 0, errors: 50, heaviest: 1 })
    const tenth = kept('errors.tenth')
    expect(tenth.errors).toBe(50)
    expect(within(tenth.ok, 450, 0.1)).toBe(true)
    expect(kept('generator.none')).toMatchObject({ ok: 0, errors: 5 })
    const weights = place.rows(
      "SELECT DISTINCT weight FROM recent_calls WHERE outcome = 'error' AND function LIKE 'errors.%'",
    )
    expect(weights).toEqual([{ weight: 1 }])
    for (const name of ['errors.none', 'errors.tenth'])
      expect(totals(name)).toMatchObject({ calls: 500, errors: 50 })
  })

  it('slow calls are kept at rate 0, with the arguments they had', () => {
    expect(kept('slow.kept').args).toContain('[8]')
    expect(kept('slow.kept').heaviest).toBe(1)
    expect(totals('slow.kept')?.calls).toBe(20)
    expect(kept('slow.off').ok).toBe(0)
    expect(kept('slow.later').args).toContain('[20]')
    expect(totals('slow.later')?.calls).toBe(3)
  })

  it("timing 'sampled': no clock for the rest, so no slow rule and no latency, but every call counts", () => {
    expect(kept('timing.none').ok).toBe(0)
    expect(totals('timing.none')).toEqual({ calls: 200, errors: 0, mean_ms: null, p50_ms: null })
    const half = kept('timing.half')
    expect(within(half.ok, 2_000, 0.5)).toBe(true)
    expect(half.weight).toBe(half.ok * 2)
    expect(totals('timing.half')).toMatchObject({ calls: 2_000, mean_ms: expect.any(Number) })
    const [timed] = place.rows<{ timed: number }>(
      "SELECT sum(timed) AS timed FROM totals JOIN functions USING (function_id) WHERE name = 'timing.half'",
    )
    expect(timed?.timed).toBe(half.ok)
    expect(kept('timing.errors')).toMatchObject({ ok: 0, errors: 5 })
    expect(totals('timing.errors')).toMatchObject({ calls: 50, errors: 5 })
  })

  it('a cap per second refuses the rest, counts it, and gives its weight to the next record', () => {
    const capped = kept('cap')
    const { throttled } = lost('cap')
    expect(capped.ok + (throttled ?? 0)).toBe(301)
    // 300 calls take far less than a second, but a second may end among them.
    expect(capped.ok).toBeGreaterThanOrEqual(6)
    expect(capped.ok).toBeLessThanOrEqual(11)
    expect(capped.weight).toBe(301)
    expect(capped.args.at(-1)).toBe('[300]')
    expect(totals('cap')?.calls).toBe(301)
    expect(kept('cap.errors').errors).toBe(10)
    expect(totals('cap.errors')).toMatchObject({ calls: 100, errors: 10 })
  })

  it('tune changes the functions its pattern names, live, and expires by itself', () => {
    expect(kept('Tuned.live')).toMatchObject({ ok: 10, weight: 10 })
    // Its rule also turned the capture of arguments off.
    expect(new Set(kept('Tuned.live').args)).toEqual(new Set([null]))
    expect(kept('Other.live').ok).toBe(0)
    expect(totals('Tuned.live')?.calls).toBe(30)
  })

  it('tune also holds for functions called for the first time later, and later rules win', () => {
    expect(kept('Tuned.late')).toMatchObject({ ok: 3, weight: 3 })
    expect(totals('Tuned.late')?.calls).toBe(13)
  })

  it('generators count once, when they end; one left unfinished is none', () => {
    expect(totals('generator.none')).toMatchObject({ calls: 50, errors: 5 })
  })

  it('no call is counted as lost but by the cap', () => {
    expect(place.rows("SELECT DISTINCT reason FROM losses WHERE reason <> 'throttled'")).toEqual([])
  })
})
