import { beforeEach, expect, it } from 'vitest'
import { StallRows } from '../../lib/store/insert-stalls.js'
import type { OpenCall } from '../../lib/writer/open-calls.js'
import { MAX_CALLS, Stall } from '../../lib/writer/stall.js'
import { all, registerProcess, T0_US, tempStore } from '../store/temp-store.js'

let stall: Stall
let calls: () => unknown[]
beforeEach(() => {
  const { db, writer } = tempStore()
  const rows = new StallRows(db, registerProcess(writer))
  stall = new Stall({ ring: 0, originUnixUs: T0_US, siteName: site => `f${site}` }, 0, 600, T0_US)
  calls = () => {
    writer.begin()
    stall.write(writer, rows)
    writer.commit()
    stall.written()
    return all(db, 'SELECT call, looks, inner_looks FROM stall_calls ORDER BY call').map(row =>
      Object.values(row as object),
    )
  }
})

const at = (depth: number, call: number): OpenCall => {
  return { call, site: 0, startMs: call, trace: 1, parent: 0, depth, args: null, shape: null }
}
const look = (...numbers: number[]): void =>
  stall.look(
    numbers.map((call, depth) => at(depth, call)),
    true,
    T0_US,
  )

it('a call that stays is in every look that found it, however many others come and go', () => {
  for (let n = 1; n <= 500; n++) {
    look(1, 1_000 + n)
    // As the writer does meanwhile.
    if (n % 50 === 0) calls()
  }
  const kept = calls()
  expect(kept).toHaveLength(MAX_CALLS)
  expect(kept[0]).toEqual([1, 500, 0])
  expect(kept.at(-1)).toEqual([1_500, 1, 1])
})

it('a look that finds no monitored call counts for none', () => {
  look(1, 2)
  look()
  look(1)
  expect(calls()).toEqual([
    [1, 2, 1],
    [2, 1, 1],
  ])
})

it('of the calls on the stack none is forgotten for another one', () => {
  for (let n = 1; n <= MAX_CALLS; n++) for (let looks = 0; looks < 3; looks++) look(1_000 + n)
  look(1, 2, 3)
  const kept = calls()
  expect(kept).toHaveLength(MAX_CALLS)
  expect(kept.slice(0, 3)).toEqual([
    [1, 1, 0],
    [2, 1, 0],
    [3, 1, 1],
  ])
})
