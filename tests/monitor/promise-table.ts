import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import type { Variant } from './variants.js'

/** A query that runs when, and each time, its `then` is called. */
class LazyQuery implements PromiseLike<string> {
  runs = 0
  failing = false

  // biome-ignore lint/suspicious/noThenProperty: this is what lazy query builders are
  then<A = string, B = never>(
    onValue?: ((value: string) => A | PromiseLike<A>) | null,
    onError?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.runs++
    const run = this.failing ? Promise.reject(new Error('query failed')) : Promise.resolve('rows')
    return run.then(onValue, onError)
  }
}

class Cancellable<T> extends Promise<T> {
  cancelled = false
  cancel(): void {
    this.cancelled = true
  }
}

const settled = async (promise: PromiseLike<unknown>): Promise<unknown> => {
  try {
    return { value: await promise }
  } catch (reason) {
    return { reason }
  }
}

/** What holds of the promises a bare function returns, asserted of every way to monitor one. */
export function describePromises({ wrap }: Variant): void {
  it('values and reasons arrive with their identity', async () => {
    const value = {}
    const reason = Object.freeze(new Error('later'))
    const resolve = wrap(async (v: unknown) => v)
    const reject = wrap(async (r: unknown) => {
      throw r
    })
    const given = wrap((promise: Promise<unknown>) => promise)
    expect(await settled(resolve(value))).toEqual({ value })
    expect(await resolve(value)).toBe(value)
    for (const r of [reason, undefined, null, 'text', 0]) {
      expect(await settled(reject(r))).toEqual({ reason: r })
      expect(await settled(given(Promise.reject(r)))).toEqual({ reason: r })
    }
    const caught = await reject(reason).catch((r: unknown) => r)
    expect(caught).toBe(reason)
    expect(await given(Promise.resolve(value))).toBe(value)
    expect(Object.getPrototypeOf(given(Promise.resolve(1)))).toBe(Promise.prototype)
    expect(given(Promise.resolve(1)).constructor).toBe(Promise)
  })

  it('a promise that never settles stays pending', async () => {
    const never = wrap(() => new Promise(() => {}))
    expect(await Promise.race([never(), new Promise(resolve => setTimeout(resolve, 5, 'pending'))])).toBe(
      'pending',
    )
  })

  it('finally, all, race, any and allSettled work on the result', async () => {
    const later = wrap(async (n: number) => {
      if (n < 0) throw n
      return n
    })
    const log: string[] = []
    expect(await later(1).finally(() => void log.push('finally'))).toBe(1)
    expect(await Promise.all([later(1), later(2)])).toEqual([1, 2])
    expect(await settled(Promise.all([later(1), later(-2)]))).toEqual({ reason: -2 })
    expect(await Promise.any([later(-1), later(3)])).toBe(3)
    expect(await Promise.allSettled([later(1), later(-1)])).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'rejected', reason: -1 },
    ])
    expect(log).toEqual(['finally'])
  })

  it('a promise of a subclass, with properties of its own, or of another realm is returned itself', async () => {
    const give = wrap(<T>(value: T): T => value)
    const cancellable = new Cancellable<number>(resolve => resolve(1))
    expect(give(cancellable)).toBe(cancellable)
    give(cancellable).cancel()
    expect(cancellable.cancelled).toBe(true)
    expect(await give(cancellable)).toBe(1)

    const annotated = Object.assign(Promise.resolve(2), { pid: 7 })
    expect(give(annotated)).toBe(annotated)
    const hidden = Promise.resolve(3)
    Object.defineProperty(hidden, 'abort', { value: () => 'aborted' })
    expect(give(hidden)).toBe(hidden)
    const patched = Object.defineProperty(Promise.resolve(4), 'then', { value: Promise.prototype.then })
    expect(give(patched)).toBe(patched)

    const foreign = runInNewContext('Promise.resolve(5)') as Promise<number>
    expect(give(foreign)).toBe(foreign)
    expect(await give(foreign)).toBe(5)
    const faked = Object.create(Promise.prototype) as Promise<number>
    expect(give(faked)).toBe(faked)
  })

  it('the `then` of a thenable that is no promise is never called by anyone but the app', async () => {
    const build = wrap(() => new LazyQuery())
    const query = build()
    expect(query).toBeInstanceOf(LazyQuery)
    await new Promise(resolve => setTimeout(resolve, 2))
    expect(query.runs).toBe(0)
    expect(await query).toBe('rows')
    expect(query.runs).toBe(1)

    const failing = build()
    failing.failing = true
    expect(await settled(failing)).toEqual({ reason: new Error('query failed') })
    expect(failing.runs).toBe(1)

    const bomb = wrap(() => ({
      // biome-ignore lint/suspicious/noThenProperty: must not even be read
      get then(): never {
        throw new Error('read')
      },
    }))
    expect(typeof bomb()).toBe('object')
    const hiding = new Proxy(new LazyQuery(), {
      get() {
        throw new Error('read')
      },
    })
    expect(wrap(() => hiding)()).toBe(hiding)
  })

  it('an async function that returns a thenable runs it once', async () => {
    const query = new LazyQuery()
    expect(await wrap(async () => query)()).toBe('rows')
    expect(query.runs).toBe(1)
  })

  it('a subclass keeps its species, its members and how often `then` is called', async () => {
    const calls: string[] = []
    class Counted<T> extends Promise<T> {
      static override get [Symbol.species](): PromiseConstructor {
        calls.push('species')
        return Promise
      }
      // biome-ignore lint/suspicious/noThenProperty: to count who calls it
      override then<A = T, B = never>(
        onValue?: ((value: T) => A | PromiseLike<A>) | null,
        onError?: ((reason: unknown) => B | PromiseLike<B>) | null,
      ): Promise<A | B> {
        calls.push('then')
        return super.then(onValue, onError)
      }
    }
    const promise = new Counted<number>(resolve => resolve(1))
    const give = wrap(() => promise)
    expect(give()).toBe(promise)
    await null
    expect(calls).toEqual([])
    expect(await give()).toBe(1)
    expect(calls).toEqual(['then', 'species'])
  })

  it('a promise whose constructor the app has changed is returned itself', async () => {
    const promise = Promise.resolve(1)
    Object.defineProperty(promise, 'constructor', { value: Cancellable })
    const frozen = Object.freeze(Promise.resolve(2))
    expect(wrap(() => promise)()).toBe(promise)
    expect(await wrap(() => frozen)()).toBe(2)
  })

  it('one promise given out twice can be awaited through each', async () => {
    const promise = Promise.resolve({})
    const give = wrap(() => promise)
    const [first, second] = [give(), give()]
    expect(await first).toBe(await second)
    const reason = {}
    const failing = Promise.reject(reason)
    const fail = wrap(() => failing)
    expect(await Promise.allSettled([fail(), fail(), failing])).toEqual(
      Array.from({ length: 3 }, () => ({ status: 'rejected', reason })),
    )
  })

  it('a promise of a promise, and a promise that resolves to a thenable, settle as they would', async () => {
    const query = new LazyQuery()
    const resolve = wrap(() => Promise.resolve(query))
    expect(await resolve()).toBe('rows')
    expect(query.runs).toBe(1)
    const nested = wrap(async () => wrap(async () => 'inner')())
    expect(await nested()).toBe('inner')
  })
}
