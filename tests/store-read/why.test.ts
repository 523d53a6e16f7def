import { describe, expect, it } from 'vitest'
import { FrameFlag } from '../../lib/queue/layout.js'
import { StoreQueryError } from '../../lib/store/read-errors.js'
import { bucketUpperNs } from '../../lib/totals/layout.js'
import { hex16, OTHER_BOOT, T0_MS, type TestStore } from './fixture.js'
import { newOpenedStore } from './new-store.js'

/** 40 calls; the first 20 fail, and carry one kind of argument. */
function failing(
  made: TestStore,
  of: (failed: boolean, i: number) => Partial<Parameters<TestStore['error']>[0]>,
) {
  for (let i = 0; i < 40; i++) {
    const atMs = T0_MS + i * 1000
    if (i < 20) made.error({ atMs, ...of(true, i) })
    else made.call({ atMs, ...of(false, i) })
  }
}
const why = (store: ReturnType<typeof newOpenedStore>['store'], more = {}) =>
  store.why({ function: 'Orders.place', of: 'errors', ...more })
const conditions = (answer: ReturnType<typeof why>) =>
  answer.separations.flatMap(({ condition, same }) => [condition, ...same])

describe('why', () => {
  it('names the condition with the counts behind it, an exact p-value and calls to open', () => {
    const { made, store } = newOpenedStore()
    failing(made, failed => ({ args: `[{"symbol":"${failed ? 'XAUUSD' : 'EURUSD'}"}]` }))
    const answer = why(store)
    expect(answer).toMatchObject({
      function: 'Orders.place',
      of: 'errors',
      lookedAt: 40,
      hits: 20,
      note: null,
    })
    expect(answer.range).toEqual({ sinceMs: T0_MS, untilMs: T0_MS + 3_600_000 })
    const [first] = answer.separations
    expect(first).toMatchObject({
      condition: 'args[0].symbol = "XAUUSD"',
      with: { calls: 20, hits: 20, records: 20, hitRecords: 20 },
      without: { calls: 20, hits: 0, records: 20, hitRecords: 0 },
      ratio: null,
      separation: 1,
      examples: [20, 19, 18].map(call => hex16(call)),
    })
    // Two of the C(40, 20) ways to deal 20 errors out, times the one condition there is.
    expect(answer.conditionsTried).toBe(1)
    expect(first!.pValue / (2 / 137_846_528_820)).toBeCloseTo(1, 9)
  })

  it('weighs records by the calls they stand for, and leaves out those kept in hindsight', () => {
    const { made, store } = newOpenedStore()
    failing(made, (failed, i) => ({
      args: `["${failed || i < 22 ? 'a' : 'b'}"]`,
      weight: 100,
    }))
    for (let i = 0; i < 50; i++) {
      made.call({ atMs: T0_MS + i, args: '["b"]', weight: 0, flags: FrameFlag.hindsight })
    }
    const answer = why(store)
    expect(answer.lookedAt).toBe(40)
    expect(answer.separations[0]).toMatchObject({
      condition: 'args[0] = "a"',
      with: { calls: 220, hits: 20, records: 22, hitRecords: 20 },
      without: { calls: 1800, hits: 0, records: 18, hitRecords: 0 },
    })
  })

  it('takes the 95th percentile of exact totals for slow, unless told otherwise', () => {
    const { made, store } = newOpenedStore()
    made.totals(T0_MS, 'Orders.place', { calls: 1000, maxMs: 100, buckets: { 120: 940, 150: 60 } })
    for (let i = 0; i < 60; i++) {
      made.call({
        atMs: T0_MS + i,
        durationMs: i < 30 ? 90 : 1,
        shape: `[["array",${i < 30 ? 5000 + i : i}]]`,
      })
    }
    const answer = store.why({ function: 'Orders.place' })
    expect(answer.thresholdMs).toBe(bucketUpperNs(150) / 1e6)
    expect(answer.separations[0]?.condition).toMatch(
      /^args\[0\]: array of (100|200|500|1,000|2,000|5,000) items or more$/,
    )
    expect(answer.separations).toHaveLength(1)
    expect(store.why({ function: 'Orders.place', minDurationMs: '95ms' })).toMatchObject({
      thresholdMs: 95,
      hits: 0,
      note: 'Only 0 of 60 recorded calls were slow: at least 10 are needed. Give a shorter minimum duration, or take a longer time.',
    })
  })

  it('divides the bucket that holds the 95th percentile by what the records of it took', () => {
    const { made, store } = newOpenedStore()
    const bucket = 161
    const upperMs = bucketUpperNs(bucket) / 1e6
    made.totals(T0_MS, 'Orders.place', {
      calls: 400,
      maxMs: 2 * upperMs,
      buckets: { 120: 360, [bucket]: 40 },
    })
    for (let i = 0; i < 400; i++) {
      const isSlow = i % 10 === 0
      made.call({
        atMs: T0_MS + i,
        durationMs: isSlow ? 0.95 * upperMs + i / 1e4 : 1,
        args: `[${isSlow ? 1000 : i}]`,
      })
    }
    // 5 % of 400: the slowest 20 of the 40.
    const answer = store.why({ function: 'Orders.place' })
    expect(answer).toMatchObject({ hits: 20, note: null })
    expect(answer.separations[0]).toMatchObject({
      condition: 'args[0] = 1000',
      with: { hits: 20, calls: 40 },
      without: { hits: 0 },
    })
  })

  it('never takes what was hidden or cut for a value', () => {
    const { made, store } = newOpenedStore()
    failing(made, failed => ({
      args: failed
        ? '[{"token":"[redacted]","text":"ab…[5 more: string]","list":"[Array: depth]","mail":"to [redacted]","…":"[3 more: fields]"},"[uncapturable]","[Proxy]"]'
        : '[{"token":"x","text":"y","list":"z","mail":"w","known":1},"a","b"]',
    }))
    const answer = why(store)
    expect(JSON.stringify(answer)).not.toMatch(/redacted|more: |depth|Proxy|uncapturable|known|token/)
    expect(answer.separations).toEqual([])
  })

  it('knows that a key is missing only of objects that are whole', () => {
    const { made, store } = newOpenedStore()
    failing(made, failed => ({ args: failed ? '[{"a":1}]' : '[{"a":1,"b":2}]' }))
    expect(conditions(why(store))).toContain('args[0].b is missing')
    const { made: cut, store: ofCut } = newOpenedStore()
    failing(cut, failed => ({ args: failed ? '[{"a":1,"…":"[9 more: fields]"}]' : '[{"a":1,"b":2}]' }))
    expect(conditions(why(ofCut))).toEqual([])
  })

  it('lists what holds for the same calls once', () => {
    const { made, store } = newOpenedStore()
    failing(made, failed => ({
      args: `[{"symbol":"${failed ? 'XAUUSD' : 'EURUSD'}","desk":${failed ? 7 : 8}}]`,
      shape: `[["${failed ? 'Gold' : 'Cash'}",2]]`,
    }))
    const answer = why(store)
    expect(answer.separations).toHaveLength(1)
    expect(conditions(answer)).toEqual(
      expect.arrayContaining(['args[0].symbol = "XAUUSD"', 'args[0].desk = 7', 'type of args[0] = Gold']),
    )
  })

  it('asks for the process and the caller, too', () => {
    const { made, store } = newOpenedStore()
    made.process(2, OTHER_BOOT, { ended: true })
    const parents = ['Http.post', 'Cron.run'].map(fn => made.call({ atMs: T0_MS, fn }))
    failing(made, (failed, i) => {
      const parent = parents[failed ? 0 : 1]!
      return { process: i % 2 === 0 ? 1 : 2, trace: parent, parent }
    })
    // Only calls of the first process have their caller in it.
    expect(conditions(why(store))).toEqual([])
    const { made: one, store: ofOne } = newOpenedStore()
    const callers = ['Http.post', 'Cron.run'].map(fn => one.call({ atMs: T0_MS, fn }))
    failing(one, failed => ({ trace: callers[failed ? 0 : 1]!, parent: callers[failed ? 0 : 1]! }))
    expect(conditions(why(ofOne))).toEqual(['caller = Http.post'])
    const { made: two, store: ofTwo } = newOpenedStore()
    two.process(2, OTHER_BOOT, { ended: true })
    failing(two, failed => ({ process: failed ? 2 : 1 }))
    expect(conditions(why(ofTwo))).toEqual(['process = app.ts[102]'])
  })

  it('says so when arguments were read after the call', () => {
    const { made, store } = newOpenedStore()
    for (let i = 0; i < 40; i++) {
      const flags = i < 20 ? FrameFlag.slow | FrameFlag.argsAfter : 0
      made.call({ atMs: T0_MS + i, durationMs: i < 20 ? 50 : 1, flags, args: `[${i < 20 ? 0 : 5}]` })
    }
    const { caveats } = store.why({ function: 'Orders.place', minDurationMs: 20 })
    expect(caveats).toEqual([
      expect.stringContaining('The arguments of 20 of the 20 slow calls were read after the call'),
    ])
  })

  it('looks at both kinds of records over the same time when there are too many', () => {
    const { made, store } = newOpenedStore()
    made.db.exec('BEGIN')
    for (let i = 0; i < 10_500; i++) made.call({ atMs: T0_MS + i, args: '["x"]' })
    for (let i = 0; i < 300; i++) made.error({ atMs: T0_MS + i, args: '["x"]' })
    for (let i = 0; i < 30; i++) made.error({ atMs: T0_MS + 10_000 + i, args: '["x"]' })
    made.db.exec('COMMIT')
    const answer = why(store)
    expect(answer.hits).toBe(30)
    expect(answer.range.sinceMs).toBeGreaterThanOrEqual(T0_MS + 499)
    expect(answer.caveats).toEqual([expect.stringContaining('Only the newest records were looked at')])
  })

  it('says why there is no answer', () => {
    const { made, store } = newOpenedStore()
    expect(store.why({ function: 'nothing' }).note).toContain('No function of this name has been recorded.')
    made.call({ atMs: T0_MS })
    expect(why(store).note).toBe('Only 0 of 1 recorded calls failed: at least 10 are needed.')
    expect(why(store, { since: '1s' }).note).toBe('No call of this function is recorded in that time.')
    expect(store.why({ function: 'Orders.place' }).note).toContain('give a minimum duration')
    failing(made, () => ({}))
    expect(why(store).note).toContain('No arguments are recorded')
    failing(made, (_, i) => ({ args: `[${i % 2}]` }))
    expect(why(store).note).toMatch(/^None of \d+ conditions separates the failed calls/)
  })

  it('refuses what it cannot mean', () => {
    const { store } = newOpenedStore()
    const bad: object[] = [
      { function: '' },
      {},
      { function: 'f', of: 'fast' },
      { function: 'f', of: 'errors', minDurationMs: 5 },
      { function: 'f', minDurationMs: 'soon' },
    ]
    for (const filter of bad) expect(() => store.why(filter as never)).toThrow(StoreQueryError)
  })

  it('stands whatever a file holds', () => {
    const { made, store } = newOpenedStore()
    const hostile = [
      '[{"__proto__":{"a":1},"constructor":1,"toString":2}]',
      `[${'['.repeat(5000)}${']'.repeat(5000)}]`,
      `[{${Array.from({ length: 3000 }, (_, i) => `"k${i}":${i}`).join()}}]`,
      '[1e999, -1e999, "\\u001b[2J", "<img onerror>"]',
      `["${'x'.repeat(100_000)}"]`,
      'no json',
      '{"a":1}',
      '[null,true,"[5 more: items]",["[99999999999999999999 more: items]"]]',
    ]
    for (let i = 0; i < 200; i++) {
      const args = hostile[i % hostile.length]!
      const seed = { atMs: T0_MS + i, args, shape: args, weight: [1, -5, 1e308, 0][i % 4]! }
      if (i % 3 === 0) made.error(seed)
      else made.call(seed)
    }
    const answer = why(store)
    expect(answer.lookedAt).toBe(200)
    expect(({} as Record<string, unknown>)['a']).toBeUndefined()
    for (const { pValue } of answer.separations) expect(pValue).toBeLessThanOrEqual(0.01)
  })
})
