import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { answerTo } from '../../lib/dashboard/answers.js'
import { Parameters } from '../../lib/dashboard/parameters.js'
import type { Tail } from '../../lib/store/queries/tail.js'
import { Store } from '../../lib/store/read.js'
import { scratch, T0_MS, TestStore } from '../store-read/fixture.js'
import fc from '../support/fast-check.js'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean()
})

function following() {
  const folder = scratch(clean => cleanups.push(clean))
  const made = new TestStore(join(folder, 'calls.db'))
  const store = new Store(made.path, {})
  cleanups.push(
    () => made.close(),
    () => store.close(),
  )
  const look = (after: string | null, parameters: Record<string, string> = {}): Tail =>
    answerTo(
      store,
      '/api/tail',
      new Parameters({ ...parameters, ...(after === null ? {} : { after }) }),
      '',
    ) as Tail
  return { made, look }
}

const idsOf = ({ calls }: Tail): number[] => calls.map(row => Number.parseInt(row.call_id, 16))

describe('the tail', () => {
  it('begins with the newest calls and goes on with those that came since, each once', () => {
    const { made, look } = following()
    for (let i = 1; i <= 5; i++) made.call({ atMs: T0_MS + i, call: i })
    const first = look(null, { limit: '3' })
    expect(idsOf(first)).toEqual([5, 4, 3])
    expect(look(first.cursor)).toMatchObject({ calls: [], skipped: 0 })
    made.error({ atMs: T0_MS + 10, call: 6 })
    const second = look(first.cursor)
    expect(idsOf(second)).toEqual([6])
    expect(idsOf(look(second.cursor))).toEqual([])
  })

  it('of an empty recording begins with its first call', () => {
    const { made, look } = following()
    const { cursor } = look(null)
    made.call({ atMs: T0_MS, call: 1 })
    expect(idsOf(look(cursor))).toEqual([1])
  })

  it('tells calls that are handed over late, after younger ones', () => {
    const { made, look } = following()
    made.call({ atMs: T0_MS + 1_000, call: 2 })
    const { cursor } = look(null)
    made.call({ atMs: T0_MS, call: 1 })
    const late = look(cursor)
    expect(idsOf(late)).toEqual([1])
    expect(idsOf(look(late.cursor))).toEqual([])
  })

  it('counts what the limit leaves out, and does not come back to it', () => {
    const { made, look } = following()
    made.call({ atMs: T0_MS, call: 1 })
    const { cursor } = look(null)
    for (let i = 2; i <= 21; i++) made.call({ atMs: T0_MS + i, call: i })
    const flood = look(cursor, { limit: '5' })
    expect([idsOf(flood), flood.skipped]).toEqual([[21, 20, 19, 18, 17], 15])
    expect(look(flood.cursor)).toMatchObject({ calls: [], skipped: 0 })
  })

  it('follows one function or outcome', () => {
    const { made, look } = following()
    made.call({ atMs: T0_MS, call: 1, fn: 'A' })
    const { cursor } = look(null, { function: 'B*' })
    made.call({ atMs: T0_MS + 1, call: 2, fn: 'A' })
    made.call({ atMs: T0_MS + 2, call: 3, fn: 'Bee' })
    made.error({ atMs: T0_MS + 3, call: 4, fn: 'Bee' })
    expect(idsOf(look(cursor, { function: 'B*' }))).toEqual([4, 3])
    expect(idsOf(look(cursor, { function: 'B*', outcome: 'ok' }))).toEqual([3])
    expect(idsOf(look(cursor, { outcome: 'error' }))).toEqual([4])
  })

  it('has a cursor that stays short enough for an address', () => {
    const { made, look } = following()
    let { cursor } = look(null)
    for (let i = 1; i <= 1_500; i++) {
      made.call({ atMs: T0_MS + i, call: i })
      if (i % 100 === 0) cursor = look(cursor, { limit: '1000' }).cursor
      expect(cursor.length).toBeLessThanOrEqual(1_000)
    }
    expect(look(cursor)).toMatchObject({ calls: [], skipped: 0 })
  })

  it('tells every call once as long as none is later than two seconds and the limit is not reached', () => {
    const { made, look } = following()
    fc.assert(
      fc.property(
        fc.array(fc.record({ lateMs: fc.nat(1_900), isError: fc.boolean(), looks: fc.boolean() }), {
          maxLength: 60,
        }),
        arrivals => {
          made.db.exec('DELETE FROM calls; DELETE FROM errors')
          const told: number[] = []
          let { cursor } = look(null)
          const lookAgain = (): void => {
            const tail = look(cursor)
            told.push(...idsOf(tail))
            cursor = tail.cursor
            expect(tail.skipped).toBe(0)
          }
          arrivals.forEach(({ lateMs, isError, looks }, i) => {
            // The clock goes on by a second with each call.
            const seed = { atMs: T0_MS + i * 1_000 - lateMs, call: i + 1 }
            if (isError) made.error(seed)
            else made.call(seed)
            if (looks) lookAgain()
          })
          lookAgain()
          expect(told.sort((a, b) => a - b)).toEqual(arrivals.map((_, i) => i + 1))
        },
      ),
      { numRuns: 40 },
    )
  })
})
