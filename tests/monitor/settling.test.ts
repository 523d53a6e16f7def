import { flush, monitor, shutdown } from 'callsight'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { Hindsight } from '../../lib/monitor/hindsight.js'
import { CELLS_PER_CALL, Cell } from '../../lib/monitor/running.js'
import { Place } from './fixtures.js'

const place = new Place()
process.env['CALLSIGHT_DB'] = place.store
afterAll(async () => {
  await shutdown()
  place.dispose()
})

const prepareStackTrace = Error.prepareStackTrace
afterEach(() => {
  Error.prepareStackTrace = prepareStackTrace
})

interface Row {
  readonly call_id: string
  readonly parent_id: string | null
  readonly duration_ms: number
}
const rows = (name: string): Row[] =>
  place.rows('SELECT call_id, parent_id, duration_ms FROM recent_calls WHERE function = ?', name)

describe('a call that ends while the record of another one is written', () => {
  it.each([
    ['a generator', 0],
    ['a thenable', 0],
    ['a thenable that fails', 1],
  ])('leaves that record alone: %s', async (kind, handler) => {
    const isGenerator = kind === 'a generator'
    const make = () => ({
      // biome-ignore lint/suspicious/noThenProperty: what is tested
      then: (...handlers: ((value: number) => unknown)[]): unknown => handlers[handler]?.(1),
    })
    const other = isGenerator
      ? monitor(
          function* () {
            yield 1
          },
          { name: `${kind}.other` },
        )()
      : monitor(make, { name: `${kind}.other` })()
    const end = (): unknown => {
      if (isGenerator) return [...(other as Iterable<number>)]
      return (other as unknown as PromiseLike<number>).then(
        () => {},
        () => {},
      )
    }
    const fail = monitor(
      () => {
        throw new Error('told')
      },
      { name: `${kind}.fail` },
    )
    const outer = monitor(
      () => {
        const sinceMs = performance.now()
        while (performance.now() - sinceMs < 30);
        try {
          fail()
        } catch {
          // Its record is what is looked at.
        }
      },
      { name: `${kind}.outer` },
    )
    let ends = 0
    Error.prepareStackTrace = () => {
      if (ends++ === 0) end()
      return 'formatted by the app'
    }
    outer()
    Error.prepareStackTrace = prepareStackTrace
    expect(ends).toBeGreaterThan(0)
    await flush()
    const [failed] = rows(`${kind}.fail`)
    const [caller] = rows(`${kind}.outer`)
    expect(failed?.parent_id).toBe(caller?.call_id)
    expect(failed?.duration_ms).toBeLessThan(caller?.duration_ms ?? 0)
    expect(rows(`${kind}.other`)).toEqual([])
  })
})

describe('results that are looked at', () => {
  const other = new Place()
  afterAll(() => other.dispose())

  it('a module that still loads is none that the recorder fails at; a started thenable ends once', async () => {
    expect(await other.json('standard', 'semantics-results', [], { node: ['--expose-gc'] })).toEqual({
      state: 'recording',
      balanced: true,
      polluted: [1, 'object', 2, ''],
    })
    const totals = other.rows<{ function: string; calls: number }>(
      'SELECT function, calls FROM function_totals ORDER BY function',
    )
    expect(totals).toEqual([
      { function: 'accessor', calls: 2 },
      { function: 'inherits', calls: 2 },
      { function: 'loading', calls: 1 },
      { function: 'proxied', calls: 2 },
      { function: 'query', calls: 50 },
    ])
  })
})

it('hindsight promotes a call once, however often its trace fails', () => {
  const hindsight = new Hindsight()
  const cells = new Float64Array(CELLS_PER_CALL)
  const remember = (call: number): void => {
    cells[Cell.TRACE] = 1
    cells[Cell.CALL] = call
    hindsight.remember(cells, 0, 0, 1, 0)
  }
  const promoted: number[] = []
  const promote = (last: number): void => hindsight.promote(1, last, 0, (_, { call }) => promoted.push(call))
  remember(2)
  promote(2)
  remember(3)
  promote(3)
  expect(promoted).toEqual([2, 3])
})
