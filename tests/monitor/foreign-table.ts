import { EventEmitter } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { types } from 'node:util'
import { createContext, runInContext, runInNewContext } from 'node:vm'
import { Observable } from 'rxjs'
import { expect, it } from 'vitest'
import { catchThrown } from './function-table.js'
import type { Variant } from './variants.js'

/** Values and functions that are not the app's own: of another realm, streams, observables. */
export function describeForeign({ wrap }: Variant): void {
  it('functions of another realm: this, arguments, errors, kinds', async () => {
    const realm = createContext({})
    const run = <F>(code: string): F => runInContext(code, realm) as F
    const sloppy = wrap(run<(n: number) => unknown[]>('(function (n) { return [this === globalThis, n] })'))
    expect([...(sloppy as (n: number) => unknown[]).call(undefined, 1)]).toEqual([true, 1])
    const strict = wrap(run<() => unknown>('(function () { "use strict"; return this })'))
    expect(strict.call(undefined)).toBe(undefined)
    const failing = wrap(run<() => never>('(function () { null.x })'))
    const caught = catchThrown(failing)
    expect(caught).not.toBe('returned')
    const { thrown } = caught as { thrown: Error }
    expect([types.isNativeError(thrown), thrown instanceof TypeError, thrown.name]).toEqual([
      true,
      false,
      'TypeError',
    ])
    const steps = wrap(run<() => Generator<number>>('(function* () { yield 1; yield 2 })'))
    expect([...steps()]).toEqual([1, 2])
    const stream = wrap(run<() => AsyncGenerator<number>>('(async function* () { yield 1 })'))
    const seen: number[] = []
    for await (const n of stream()) seen.push(n)
    expect(seen).toEqual([1])
    const later = wrap(run<(n: number) => Promise<number>>('(async n => n)'))
    const promise = later(3)
    expect([await promise, promise instanceof Promise]).toEqual([3, false])
    const rejecting = wrap(run<() => Promise<never>>('(async () => { throw new RangeError("there") })'))
    expect(await rejecting().catch((reason: Error) => reason.message)).toBe('there')
    const Foreign = wrap(run<() => void>('(function Foreign() { this.made = new.target !== undefined })'))
    expect(new (Foreign as unknown as new () => object)()).toEqual({ made: true })
    expect(Object.getPrototypeOf(later)).toBe(run('Object.getPrototypeOf(async () => {})'))
  })

  it('a monitored function called from another realm', () => {
    const add = wrap((a: number, b: number) => a + b)
    const fail = wrap((reason: unknown): never => {
      throw reason
    })
    const context = { add, fail, reason: {} }
    expect(runInNewContext('[1, 2].reduce(add, 10)', context)).toBe(13)
    expect(runInNewContext('try { fail(reason) } catch (caught) { caught === reason }', context)).toBe(true)
  })

  it('streams and emitters come back untouched: nothing listens, nothing flows', () => {
    const give = wrap(<T>(value: T): T => value)
    const stream = Readable.from(['a', 'b'])
    const pass = new PassThrough()
    const emitter = new EventEmitter()
    for (const value of [stream, pass, emitter]) {
      const before = value.eventNames()
      expect(give(value)).toBe(value)
      expect(value.eventNames()).toEqual(before)
    }
    expect([stream.readableFlowing, pass.readableFlowing, stream.readableDidRead]).toEqual([
      null,
      null,
      false,
    ])
  })

  it('a stream is read to its end through a monitored function that returned it', async () => {
    const open = wrap(() => Readable.from(['a', 'b', 'c']))
    const seen: string[] = []
    for await (const chunk of open()) seen.push(chunk as string)
    expect(seen).toEqual(['a', 'b', 'c'])
  })

  it('an observable is subscribed by the app alone', () => {
    let subscriptions = 0
    const cold = new Observable<number>(subscriber => {
      subscriptions++
      subscriber.next(1)
      subscriber.complete()
    })
    const give = wrap((): Observable<number> => cold)
    expect([give() === cold, subscriptions]).toEqual([true, 0])
    const seen: number[] = []
    give().subscribe(n => void seen.push(n))
    expect([seen, subscriptions]).toEqual([[1], 1])
  })

  it('an iterator that is no generator is not advanced', () => {
    let taken = 0
    const iterator = {
      next: () => ({ done: taken > 1, value: taken++ }),
      [Symbol.iterator]() {
        return this
      },
    }
    const given = wrap(() => iterator)()
    expect([given === iterator, taken]).toEqual([true, 0])
    expect([...given]).toEqual([0, 1])
    const map = new Map([[1, 2]])
    const entries = map.entries()
    expect(wrap(() => entries)()).toBe(entries)
    expect([...entries]).toEqual([[1, 2]])
  })
}
