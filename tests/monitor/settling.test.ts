import { flush, health, monitor, shutdown } from 'callsight'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
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

it('a module that still loads, as a result, is no failure of the recorder', async () => {
  await import('./loading-module.js')
  expect(health().state).toBe('recording')
  expect((await flush()).balanced).toBe(true)
  expect(rows('loading')).toHaveLength(1)
})
