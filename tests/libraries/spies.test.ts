import { flush, type MonitorOptions, monitor, shutdown } from 'callsight'
import { afterAll, describe, expect, it, type Mock, vi } from 'vitest'
import { type Dialect, load, Place } from '../monitor/fixtures.js'

type Functions = typeof import('../fixtures/src/library-spied.js')

const place = new Place()
process.env['CALLSIGHT_DB'] = place.store
afterAll(async () => {
  await shutdown()
  place.dispose()
})

const WAYS: readonly (readonly [string, MonitorOptions])[] = [
  ['recorded', {}],
  ['not sampled', { sample: 0, slow: false }],
  ['not timed', { sample: 0, slow: false, timing: 'sampled' }],
]

describe.each<Dialect>(['standard', 'legacy'])('spying on monitored members, %s dialect', dialect => {
  describe.each([['bare', null] as const, ...WAYS])('%s', (_, options) => {
    const declare = async (): Promise<ReturnType<Functions['declareTill']>> => {
      const { declareTill } = await load<Functions>(dialect, 'library-spied')
      return declareTill(() => (options === null ? () => undefined : monitor(options)))
    }

    it('counts calls and sees this, arguments and results', async () => {
      const Till = await declare()
      const till = new Till()
      const own = Object.getOwnPropertyDescriptor(Till.prototype, 'add')
      const add = vi.spyOn(till, 'add')
      expect(till.add(1, 2)).toBe(3)
      expect(add).toHaveBeenCalledExactlyOnceWith(1, 2)
      expect(add.mock.results).toEqual([{ type: 'return', value: 3 }])
      expect(add.mock.contexts).toEqual([till])
      expect(add.getMockName()).toBe('add')
      add.mockRestore()
      expect(Object.hasOwn(till, 'add')).toBe(false)
      expect(Object.getOwnPropertyDescriptor(Till.prototype, 'add')).toEqual(own)
      expect(till.add(2, 2)).toBe(4)
    })

    it('replaces and restores on the prototype, for methods that call each other', async () => {
      const Till = await declare()
      const till = new Till()
      const add = vi.spyOn(Till.prototype, 'add').mockReturnValueOnce(100)
      expect([till.total(1, 2, 3), till.total(1, 2, 3)]).toEqual([103, 6])
      expect(add).toHaveBeenCalledTimes(4)
      add.mockRestore()
      expect(till.total(1, 2)).toBe(3)
    })

    it('sees errors and rejections', async () => {
      const Till = await declare()
      const till = new Till()
      const open = vi.spyOn(till, 'open')
      const openLater = vi.spyOn(till, 'openLater')
      const problem = new RangeError('locked')
      expect(() => till.open(problem)).toThrow(expect.toSatisfy(thrown => thrown === problem))
      await expect(till.openLater(problem)).rejects.toBe(problem)
      expect(open.mock.results).toEqual([{ type: 'throw', value: problem }])
      expect(openLater.mock.settledResults).toEqual([{ type: 'rejected', value: problem }])
      openLater.mockResolvedValueOnce('open')
      await expect(till.openLater(problem)).resolves.toBe('open')
    })

    it('replaces getters, setters and static methods', async () => {
      const Till = await declare()
      const till = new Till()
      const get = vi.spyOn(till, 'cash', 'get').mockReturnValue(5)
      const set = vi.spyOn(till, 'cash', 'set')
      till.cash = 8
      expect([till.cash, get.mock.calls.length]).toEqual([5, 1])
      expect(set).toHaveBeenCalledWith(8)
      get.mockRestore()
      set.mockRestore()
      till.cash = 9
      expect(till.cash).toBe(9)
      const made = vi.spyOn(Till, 'make')
      expect(Till.make()).toBeInstanceOf(Till)
      expect(made).toHaveBeenCalledOnce()
      made.mockRestore()
    })

    it('calls spies given to it, and is the implementation of one', async () => {
      const Till = await declare()
      const till = new Till()
      const listener = vi.fn<(sum: number) => void>()
      till.onAdd = listener
      till.add(3, 4)
      expect(listener).toHaveBeenCalledWith(7)
      const add: Mock<typeof till.add> = vi.fn(till.add)
      expect(add.call(till, 1, 1)).toBe(2)
      till.add = add
      expect(till.total(1, 1)).toBe(2)
      expect(add).toHaveBeenCalledTimes(2)
    })

    it('a mock that is wrapped still is a mock', () => {
      const inner = vi.fn((n: number) => n + 1)
      const outer = options === null ? inner : monitor(inner, { name: 'mock', ...options })
      expect(outer(1)).toBe(2)
      expect(inner).toHaveBeenCalledWith(1)
      expect(vi.isMockFunction(outer)).toBe(true)
      expect(outer).toHaveBeenCalledTimes(1)
      outer.mockReturnValueOnce(10)
      expect([outer(1), outer(1)]).toEqual([10, 2])
    })
  })
})

describe('afterwards', () => {
  it('has what reached the methods, and nothing a spy answered', async () => {
    await flush()
    const rows = place.rows<{ function: string; ok: number; errors: number }>(
      `SELECT function, sum(outcome = 'ok') AS ok, sum(outcome = 'error') AS errors
       FROM recent_calls GROUP BY function ORDER BY function`,
    )
    // One recorded run in each dialect; the errors of the unsampled ones too.
    expect(rows.map(({ function: name, ok, errors }) => [name, ok, errors])).toEqual([
      ['Till.add', 18, 0],
      ['Till.get cash', 2, 0],
      ['Till.make', 2, 0],
      ['Till.open', 0, 6],
      ['Till.openLater', 0, 6],
      // A legacy decorator takes both halves of an accessor, a standard one only the half it stands on.
      ['Till.set cash', 2, 0],
      ['Till.total', 8, 0],
      ['mock', 6, 0],
    ])
  })
})
