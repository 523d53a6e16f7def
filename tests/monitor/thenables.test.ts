import { runInNewContext } from 'node:vm'
import { flush, health, monitor, shutdown } from 'callsight'
import { afterAll, describe, expect, it } from 'vitest'
import { Place } from './fixtures.js'

const place = new Place()
process.env['CALLSIGHT_DB'] = place.store
afterAll(async () => {
  await shutdown()
  place.dispose()
})

interface Row {
  readonly outcome: string
  readonly duration_ms: number
  readonly result: string | null
}

async function recorded(name: string): Promise<Row[]> {
  await flush()
  return place.rows<Row>(
    'SELECT outcome, duration_ms, result FROM recent_calls WHERE function = ? ORDER BY at',
    name,
  )
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** A query that runs when, and as often as, its `then` is called. */
class LazyQuery<T> {
  runs = 0
  readonly #run: () => Promise<T>

  constructor(run: () => Promise<T>) {
    this.#run = run
  }

  where(): this {
    return this
  }

  // biome-ignore lint/suspicious/noThenProperty: what is tested
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.runs++
    return this.#run().then(onFulfilled, onRejected)
  }
}

/** Everything about an object that the app could find out without changing it. */
const looks = (value: object): unknown => ({
  keys: Object.keys(value),
  json: JSON.stringify(value),
  spread: { ...value },
  prototype: Object.getPrototypeOf(value) as unknown,
})

describe('lazy thenables', () => {
  it('the same object comes back, and is not started', async () => {
    const query = new LazyQuery(() => Promise.resolve(1))
    const before = looks(query)
    const find = monitor(() => query, { name: 'lazy.untouched' })
    expect(find()).toBe(query)
    expect(query.where()).toBe(query)
    await pause(5)
    expect(query.runs).toBe(0)
    expect(looks(query)).toEqual(before)
    expect(await recorded('lazy.untouched')).toEqual([])
  })

  it('the call is recorded when the app has started it and it has settled, without the time it waited', async () => {
    const find = monitor(() => new LazyQuery(() => pause(20).then(() => 'row')), { name: 'lazy.timed' })
    const calledMs = performance.now()
    const query = find()
    const returnedMs = performance.now()
    await pause(150)
    const startedMs = performance.now()
    expect(await query).toBe('row')
    const longestMs = performance.now() - startedMs + (returnedMs - calledMs)
    const [row, ...more] = await recorded('lazy.timed')
    expect(more).toEqual([])
    expect(row).toMatchObject({ outcome: 'ok', result: '"row"' })
    expect(row?.duration_ms).toBeGreaterThan(15)
    expect(row?.duration_ms).toBeLessThanOrEqual(longestMs)
  })

  it('a rejection reaches the app as it is, and is recorded as an error', async () => {
    const reason = new TypeError('no such table')
    const find = monitor(() => new LazyQuery(() => Promise.reject(reason)), { name: 'lazy.rejected' })
    await expect(find()).rejects.toBe(reason)
    expect(await recorded('lazy.rejected')).toMatchObject([{ outcome: 'error' }])
  })

  it.each([
    ['await', async (query: LazyQuery<number>) => (await query) + 1],
    ['return from an async function', (query: LazyQuery<number>) => (async () => query)().then(n => n + 1)],
    ['Promise.all', async (query: LazyQuery<number>) => ((await Promise.all([query]))[0] ?? 0) + 1],
    ['Promise.resolve', (query: LazyQuery<number>) => Promise.resolve(query).then(n => n + 1)],
    ['then with one handler', (query: LazyQuery<number>) => query.then(n => n + 1)],
    ['then without handlers', async (query: LazyQuery<number>) => (await query.then()) + 1],
  ])('started by %s, it runs once and is recorded once', async (how, use) => {
    const query = new LazyQuery(() => Promise.resolve(41))
    const find = monitor(() => query, { name: `lazy.by ${how}` })
    expect(await use(find())).toBe(42)
    expect(query.runs).toBe(1)
    expect(await recorded(`lazy.by ${how}`)).toMatchObject([{ outcome: 'ok', result: '41' }])
  })

  it('after the first start the object is as it was; a second start is not recorded', async () => {
    const query = new LazyQuery(() => Promise.resolve(1))
    const find = monitor(() => query, { name: 'lazy.twice' })
    await find()
    expect(Reflect.ownKeys(query)).toEqual(['runs'])
    await query
    expect(query.runs).toBe(2)
    expect(await recorded('lazy.twice')).toHaveLength(1)
  })

  it('one object that is returned again and again is watched once', async () => {
    const query = new LazyQuery(() => Promise.resolve(1))
    const find = monitor(() => query, { name: 'lazy.shared' })
    for (let n = 0; n < 20_000; n++) find()
    expect(await query).toBe(1)
    expect(query.runs).toBe(1)
    expect(await recorded('lazy.shared')).toHaveLength(20_000)
  })

  it('a handler that throws rejects the derived promise, as without us', async () => {
    const find = monitor(() => new LazyQuery(() => Promise.resolve(1)), { name: 'lazy.handler' })
    const wrong = new Error('in the handler')
    await expect(
      find().then(() => {
        throw wrong
      }),
    ).rejects.toBe(wrong)
    expect(await recorded('lazy.handler')).toMatchObject([{ outcome: 'ok' }])
  })

  it('a thenable with a then of its own gets it back as it was', async () => {
    const then = (resolve: (value: string) => void): void => resolve('own')
    const thenable = { then, kind: 'query' }
    const find = monitor((): PromiseLike<string> => thenable as never, { name: 'lazy.own' })
    expect(await find()).toBe('own')
    expect(Object.getOwnPropertyDescriptor(thenable, 'then')).toEqual({
      value: then,
      writable: true,
      enumerable: true,
      configurable: true,
    })
    expect(await recorded('lazy.own')).toMatchObject([{ outcome: 'ok', result: '"own"' }])
  })

  it('what cannot be watched is returned and recorded at once', async () => {
    const frozen = Object.freeze(new LazyQuery(() => Promise.resolve(1)))
    const proxied = new Proxy(new LazyQuery(() => Promise.resolve(1)), {
      get() {
        throw new Error('asked')
      },
      getOwnPropertyDescriptor() {
        throw new Error('asked')
      },
      getPrototypeOf() {
        throw new Error('asked')
      },
    })
    const getter = {
      // biome-ignore lint/suspicious/noThenProperty: what is tested
      get then(): never {
        throw new Error('asked')
      },
    }
    for (const value of [frozen, proxied, getter]) {
      expect(monitor((): unknown => value, { name: 'lazy.unwatched' })()).toBe(value)
    }
    expect(await recorded('lazy.unwatched')).toMatchObject([
      { outcome: 'ok' },
      { outcome: 'ok' },
      { outcome: 'ok' },
    ])
  })

  it('calls below the thenable belong to what the app does, not to a wrong parent', async () => {
    const inner = monitor(() => 'inner', { name: 'lazy.inner' })
    const find = monitor(() => new LazyQuery(async () => inner()), { name: 'lazy.parent' })
    await find()
    await flush()
    const [row] = place.rows<{ parent_id: string | null }>(
      "SELECT parent_id FROM recent_calls WHERE function = 'lazy.inner'",
    )
    expect(row?.parent_id).toBeNull()
  })
})

describe('thenables with ways of their own', () => {
  it('handlers get the very this and all the values that the thenable gives them', async () => {
    const self = { context: true }
    const thenable = {
      // biome-ignore lint/suspicious/noThenProperty: what is tested
      then(resolve: (...values: unknown[]) => unknown, reject: (...values: unknown[]) => unknown) {
        return [resolve.call(self, 1, 2, 3), reject.call(self, 4, 5)]
      },
    }
    const got: unknown[] = []
    const find = monitor(() => thenable, { name: 'ways.values' })
    const given = find().then(
      function (this: unknown, ...values: unknown[]) {
        got.push(this, values)
        return 'ok'
      },
      function (this: unknown, ...values: unknown[]) {
        got.push(this, values)
        return 'no'
      },
    )
    expect(given).toEqual(['ok', 'no'])
    expect(got).toEqual([self, [1, 2, 3], self, [4, 5]])
    expect(await recorded('ways.values')).toMatchObject([{ outcome: 'ok', result: '1' }])
  })

  it('a then called on another object is none of that call', async () => {
    const query = new LazyQuery(() => Promise.resolve(1))
    const find = monitor(() => query, { name: 'ways.borrowed' })
    const { then } = find()
    expect(await Reflect.apply(then, new LazyQuery(() => Promise.resolve(2)), [])).toBe(2)
    expect(await recorded('ways.borrowed')).toEqual([])
    expect(await query).toBe(1)
    expect(await recorded('ways.borrowed')).toMatchObject([{ result: '1' }])
  })

  it('a then that throws at once is an error of the call', async () => {
    const broken = new Error('no connection')
    const thenable: PromiseLike<number> = {
      // biome-ignore lint/suspicious/noThenProperty: what is tested
      then() {
        throw broken
      },
    }
    const find = monitor(async () => await monitor(() => thenable, { name: 'ways.throws' })())
    await expect(find()).rejects.toBe(broken)
    expect(await recorded('ways.throws')).toMatchObject([{ outcome: 'error' }])
  })

  it.each([
    ['rejected', () => Promise.reject(new Error('refused'))],
    ['fulfilled', () => Promise.resolve('row')],
  ])('callers that hand the thenable on end as it does: %s', async (how, run) => {
    const query = new LazyQuery<unknown>(run)
    const step = monitor(() => query, { name: `handed.${how}.step` })
    const inner = monitor(() => [step(), step()][1], { name: `handed.${how}.inner` })
    const outer = monitor(() => inner(), { name: `handed.${how}.outer` })
    expect(outer()).toBe(query)
    expect(query.runs).toBe(0)
    const outcome = how === 'rejected' ? 'error' : 'ok'
    await Promise.resolve(query).catch(() => {})
    expect(query.runs).toBe(1)
    expect(Reflect.ownKeys(query)).toEqual(['runs'])
    const ends = (await recorded(`handed.${how}.outer`)).concat(await recorded(`handed.${how}.inner`))
    expect(ends.map(row => row.outcome)).toEqual([outcome, outcome])
    const steps = await recorded(`handed.${how}.step`)
    expect(steps.map(row => row.outcome).sort()).toEqual(how === 'rejected' ? ['error', 'ok'] : ['ok', 'ok'])
  })

  it('callers of one that is never started end when they have returned', async () => {
    const before = health().account.calls.produced
    const inner = monitor(() => new LazyQuery(() => Promise.resolve(1)), { name: 'handed.never.inner' })
    const outer = monitor(() => inner(), { name: 'handed.never.outer' })
    outer()
    expect((await flush()).calls.produced).toBe(before)
  })
})

describe('promises that are not plain', () => {
  class Cancelable<T> extends Promise<T> {
    cancelled = false
    cancel(): void {
      this.cancelled = true
    }
  }

  it('a subclass comes back as the same object, and is recorded when it settles', async () => {
    const promise = new Cancelable<number>(resolve => setTimeout(resolve, 20, 7))
    const run = monitor(() => promise, { name: 'subclass.ok' })
    const returned = run()
    expect(returned).toBe(promise)
    returned.cancel()
    expect(returned.cancelled).toBe(true)
    const derived = returned.then(n => n + 1)
    expect(derived).toBeInstanceOf(Cancelable)
    expect(await derived).toBe(8)
    const [row] = await recorded('subclass.ok')
    expect(row).toMatchObject({ outcome: 'ok', result: '7' })
    expect(row?.duration_ms).toBeGreaterThan(15)
  })

  it('its rejection is an error record and reaches the app', async () => {
    const reason = new Error('refused')
    const run = monitor(() => Cancelable.reject<number>(reason), { name: 'subclass.rejected' })
    await expect(run()).rejects.toBe(reason)
    await run().catch(caught => expect(caught).toBe(reason))
    expect(await recorded('subclass.rejected')).toMatchObject([{ outcome: 'error' }, { outcome: 'error' }])
  })

  it('a promise of another realm is recorded when it settles', async () => {
    const foreign = runInNewContext('Promise.resolve(5)') as Promise<number>
    const run = monitor(() => foreign, { name: 'foreign' })
    expect(run()).toBe(foreign)
    expect(await foreign).toBe(5)
    expect(await recorded('foreign')).toMatchObject([{ outcome: 'ok', result: '5' }])
  })

  it('a native promise with members of its own comes back as it is and is recorded when it is returned', async () => {
    const promise = Object.assign(Promise.resolve(3), { cancel: () => 'cancelled' })
    const run = monitor(() => promise, { name: 'decorated' })
    expect(run()).toBe(promise)
    expect(Object.getOwnPropertyNames(promise)).toEqual(['cancel'])
    expect(await promise).toBe(3)
    expect(await recorded('decorated')).toMatchObject([{ outcome: 'ok', result: '"[Promise]"' }])
  })
})

it('afterwards the recorder is well', async () => {
  expect((await flush()).balanced).toBe(true)
  expect(health().state).toBe('recording')
})
