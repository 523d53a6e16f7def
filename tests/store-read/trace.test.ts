import { describe, expect, it } from 'vitest'
import { loadDriver } from '../../lib/store/driver.js'
import { TRACE_SQL, tracesOfCallSql } from '../../lib/store/queries/statements.js'
import { hex16, OTHER_BOOT, T0_MS, traceIdOf } from './fixture.js'
import { newTestStore, opened } from './new-store.js'

const REMOTE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = '00f067aa0ba902b7'

function newStore() {
  const made = newTestStore()
  made.process(2, OTHER_BOOT, { ended: true })
  return { made, store: opened(made, Date.now) }
}

describe('a trace', () => {
  it('is every call and error of it in start order, with parent links, and nothing of another process', () => {
    const { made, store } = newStore()
    made.call({ atMs: T0_MS, call: 42, durationMs: 9 })
    made.error({ atMs: T0_MS + 3, call: 44, trace: 42, parent: 43, error: 'E', message: 'm' })
    made.call({ atMs: T0_MS + 2, durationMs: 1, call: 43, trace: 42, parent: 42 })
    made.call({ atMs: T0_MS + 1, call: 42, process: 2 })
    const rows = store.trace(traceIdOf(42))
    expect(rows.map(row => [row.call_id, row.parent_id, row.outcome, row.error])).toEqual([
      [hex16(42), null, 'ok', null],
      [hex16(43), hex16(42), 'ok', null],
      [hex16(44), hex16(43), 'error', 'E'],
    ])
    // A record is kept under the moment its call ended.
    expect(rows[1]?.start_us).toBe((T0_MS + 1) * 1000)
    expect(store.trace(traceIdOf(42).toUpperCase())).toEqual(rows)
    expect(store.trace(traceIdOf(42), { limit: 2 })).toEqual(rows.slice(0, 2))
    expect(store.trace(traceIdOf(42, 'ffffffffffffffff'))).toEqual([])
    expect(store.trace(traceIdOf(43))).toEqual([])
  })

  it.each([
    ['of the root', 42],
    ['of a nested call', 43],
    ['of a nested error', 44],
    ['far from its root', 900_000],
  ])('is found by the id of one of its calls: %s', (_, call) => {
    const { made, store } = newStore()
    made.call({ atMs: T0_MS, call: 42 })
    made.call({ atMs: T0_MS, call: 43, trace: 42, parent: 42 })
    made.error({ atMs: T0_MS, call: 44, trace: 42, parent: 43 })
    made.call({ atMs: T0_MS, call: 900_000, trace: 42, parent: 42 })
    made.call({ atMs: T0_MS, call: 45 })
    expect(store.trace(hex16(call)).map(row => row.trace_id)).toEqual(Array(4).fill(traceIdOf(42)))
    expect(store.trace(call.toString(16)).length).toBe(4)
  })

  it('is given once per process when several processes have the call id, newest first', () => {
    const { made, store } = newStore()
    made.call({ atMs: T0_MS, call: 7 })
    made.call({ atMs: T0_MS + 1, call: 8, trace: 7, parent: 7 })
    made.call({ atMs: T0_MS + 2, call: 7, process: 2 })
    expect(store.trace('7').map(row => row.trace_id)).toEqual([
      traceIdOf(7, OTHER_BOOT),
      traceIdOf(7),
      traceIdOf(7),
    ])
  })

  it('that came from outside is one tree, whatever the program and the number it has there', () => {
    const { made, store } = newStore()
    made.remote(-1, REMOTE, SPAN)
    made.remote(-5, REMOTE, SPAN)
    made.remote(-1, REMOTE, hex16(10), 2)
    made.remote(-2, 'ab'.repeat(16), SPAN, 2)
    made.call({ atMs: T0_MS + 9, durationMs: 9, call: 10, trace: -1 })
    made.call({ atMs: T0_MS + 5, durationMs: 4, call: 20, trace: -1, process: 2 })
    made.error({ atMs: T0_MS + 4, durationMs: 1, call: 21, trace: -1, parent: 20, process: 2 })
    made.call({ atMs: T0_MS + 20, call: 30, trace: -5 })
    made.call({ atMs: T0_MS, call: 40, trace: -2, process: 2 })
    made.call({ atMs: T0_MS, call: 50, trace: 1 })
    const rows = store.trace(REMOTE)
    expect(rows.map(row => [row.call_id, row.parent_id, row.trace_id, row.process])).toEqual([
      [hex16(10), SPAN, REMOTE, 'app.ts[101]'],
      [hex16(20), hex16(10), REMOTE, 'app.ts[102]'],
      [hex16(21), hex16(20), REMOTE, 'app.ts[102]'],
      [hex16(30), SPAN, REMOTE, 'app.ts[101]'],
    ])
    expect(store.trace(REMOTE.toUpperCase())).toEqual(rows)
    for (const call of [10, 20, 21, 30]) expect(store.trace(hex16(call)), `${call}`).toEqual(rows)
    expect(store.trace(hex16(50)).map(row => row.call_id)).toEqual([hex16(50)])
    // A limit keeps the calls that ended first, whose ever they are.
    expect(store.trace(REMOTE, { limit: 2 }).map(row => row.call_id)).toEqual([hex16(20), hex16(21)])
    expect(store.error(hex16(21)).map(row => [row.trace_id, row.parent_id])).toEqual([[REMOTE, hex16(20)]])
  })

  it('that began here and went on in another program is found by its id and by the calls of both', () => {
    const { made, store } = newStore()
    const began = traceIdOf(42)
    made.call({ atMs: T0_MS + 9, durationMs: 9, call: 42 })
    made.call({ atMs: T0_MS + 8, durationMs: 7, call: 43, trace: 42, parent: 42 })
    made.remote(-70, began, hex16(43), 2)
    made.call({ atMs: T0_MS + 7, durationMs: 5, call: 70, trace: -70, process: 2 })
    const rows = store.trace(began)
    expect(rows.map(row => [row.call_id, row.parent_id, row.trace_id])).toEqual([
      [hex16(42), null, began],
      [hex16(43), hex16(42), began],
      [hex16(70), hex16(43), began],
    ])
    for (const call of [42, 43, 70]) expect(store.trace(hex16(call)), `${call}`).toEqual(rows)
  })

  it('that came from outside is found by a call id without a walk over all records', () => {
    const { made } = newStore()
    const plan = made.db
      .prepare(`EXPLAIN QUERY PLAN ${tracesOfCallSql('remote')}`)
      .all({ call: 1n, limit: 1 })
      .map(row => (row as { detail: string }).detail)
      .join('\n')
    expect(plan).not.toMatch(/SCAN (calls|errors)\b/)
    made.call({ atMs: T0_MS, call: 7_000, trace: -6_990 })
    const found = (place: 'recent' | 'remote') =>
      made.db.prepare(tracesOfCallSql(place)).all({ call: 7_000n, limit: 9 }).length
    expect([found('recent'), found('remote')]).toEqual([0, 1])
  })

  it('keeps ids of 53 bits apart', () => {
    const { made, store } = newStore()
    const id = Number.MAX_SAFE_INTEGER
    made.run('DELETE FROM calls')
    made.call({ atMs: T0_MS, call: id })
    made.call({ atMs: T0_MS, call: id - 1 })
    expect(store.trace(traceIdOf(id)).map(row => row.call_id)).toEqual([hex16(id)])
  })

  it('is read through the trace indexes, whatever statistics the file carries', () => {
    const { made } = newStore()
    for (let i = 0; i < 500; i++) {
      made.process(10 + i, hex16(i), { ended: true })
      made.error({ atMs: T0_MS + i, process: 10 + i, trace: 1 })
      made.remote(-1, hex16(i).repeat(2), hex16(1), 10 + i)
    }
    const db = new (loadDriver())(made.path, { readonly: true })
    const check = () => {
      const plan = (
        db
          .prepare(`EXPLAIN QUERY PLAN ${TRACE_SQL}`)
          .all({ process: 1, trace: 1, traceId: REMOTE, limit: 10, sinceId: 0, untilId: 1 }) as {
          detail: string
        }[]
      )
        .map(row => row.detail)
        .join('\n')
      expect(plan).toContain('SEARCH calls USING INDEX calls_trace (trace=? AND rowid>? AND rowid<?)')
      expect(plan).toContain('SEARCH errors USING INDEX errors_trace (trace=? AND rowid>? AND rowid<?)')
      expect(plan.match(/SEARCH t USING COVERING INDEX remote_traces_id \(trace_id=\?\)/g)?.length).toBe(2)
      expect(plan).toContain('SEARCH o USING INDEX calls_trace (trace=? AND rowid>? AND rowid<?)')
      expect(plan).toContain('SEARCH o USING INDEX errors_trace (trace=? AND rowid>? AND rowid<?)')
      expect(plan).not.toMatch(/SCAN (calls|errors|o|t)\b/)
    }
    check()
    made.db.exec('ANALYZE')
    check()
    db.close()
  })

  it.each(['', 'xyz', '1 OR 1=1', '0x1f', '1'.repeat(17), '1'.repeat(31), `${'1'.repeat(32)}\n`, 5, null])(
    'refuses %j as an id',
    id => {
      const { store } = newStore()
      expect(() => store.trace(id as string)).toThrow(/is not an id/)
    },
  )
})

describe('an error by its call id', () => {
  it('comes with details, cuts and parent', () => {
    const { made, store } = newStore()
    made.call({ atMs: T0_MS, call: 1 })
    made.error({ atMs: T0_MS, call: 2, trace: 1, parent: 1, details: '{"cause":1}', cuts: '{"items":3}' })
    expect(store.error('2')).toMatchObject([
      { call_id: hex16(2), parent_id: hex16(1), details: '{"cause":1}', cuts: '{"items":3}' },
    ])
    expect(store.error('1')).toEqual([])
    expect(() => store.error(traceIdOf(1))).toThrow(/is not an id/)
  })
})
