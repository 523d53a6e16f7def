import type { Account } from 'callsight'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PENDING_SLOTS } from '../../lib/queue/layout.js'
import { SEED } from '../support/seed.js'
import { Place } from './fixtures.js'

interface Answer {
  readonly stale: number
  readonly later: string | null
  readonly odd: number
  readonly unhandled: number
  readonly thrown: number
  readonly thrownInside: number
  readonly thrownAtTheEnd: number
  readonly begun: number
  readonly ended: number
  readonly state: string
  readonly balanced: boolean
  readonly calls: Account['calls']
  readonly errors: Account['errors']
}

let place: Place
beforeEach(() => {
  place = new Place()
})
afterEach(() => place.dispose())

const KINDS = ['returns', 'throws', 'resolves', 'nested', 'generates', 'stepThrows', 'constructs', 'proxied']

describe.each(['1', '0'])('30,000 calls at the end of the stack, sample rate %s', sample => {
  it.each(KINDS)('%s: nothing is left behind, nothing vanishes, no error is lost', async kind => {
    const ended = await place.run('standard', 'semantics-stack-end', [kind, sample])
    expect(ended.code).toBe(0)
    const answer = JSON.parse(ended.stdout) as Answer
    expect(answer).toMatchObject({
      stale: 0,
      later: null,
      odd: 0,
      unhandled: 0,
      state: 'recording',
      balanced: true,
    })
    expect(answer.errors.dropped).toEqual({})
    const [after] = place.rows<{ parent_id: string | null }>(
      "SELECT parent_id FROM recent_calls WHERE function = 'after'",
    )
    expect(after).toEqual({ parent_id: null })
    const [told] = place.rows<{ errors: number }>(
      "SELECT count(*) AS errors FROM recent_errors WHERE function IN ('called', 'inner') AND message IS NULL",
    )
    expect(told).toEqual({ errors: 0 })
    // A call that ends is counted once. A generator may be given up before its first step.
    if (kind === 'generates' || kind === 'stepThrows') expect(answer.ended).toBeLessThanOrEqual(answer.begun)
    else expect(answer.ended).toBe(answer.begun)
    if (kind !== 'throws' && kind !== 'stepThrows') return
    expect(answer.thrownAtTheEnd).toBeGreaterThan(1_000)
    const [refused] = place.rows<{ count: number }>(
      "SELECT count(*) AS count FROM recent_errors WHERE function = 'called' AND error = 'Refused'",
    )
    // Calls that passed through because they could not be begun are counted, not recorded.
    const missed = answer.calls.dropped['serialize_failed'] ?? 0
    expect((refused?.count ?? 0) + missed).toBeGreaterThanOrEqual(
      kind === 'throws' ? answer.thrown : answer.thrownInside,
    )
  })
})

describe.each(['1', '0'])('10,000 random calls, many at the end of the stack, sample rate %s', sample => {
  it.each([1, 2])('seed %i: nothing runs any more, and every slot of a pending call is free', async seed => {
    const ended = await place.run('standard', 'slot-storm', [sample, String(SEED + seed)])
    expect(ended.code).toBe(0)
    const { done, ...left } = JSON.parse(ended.stdout) as { done: number }
    expect(done).toBeGreaterThanOrEqual(10_000)
    expect(left).toEqual({
      depth: 0,
      unsettled: 0,
      free: PENDING_SLOTS,
      listed: [],
      unslotted: 0,
      unended: expect.any(Number),
      balanced: true,
    })
  })
})
