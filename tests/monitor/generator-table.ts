import { expect, it } from 'vitest'
import { catchThrown } from './function-table.js'
import type { Variant } from './variants.js'

/** What holds of bare generators, asserted of every way to monitor one. */
export function describeGenerators({ classes, wrap }: Variant): void {
  const { Base } = classes

  it('for-of, spread, destructuring and yield* see the same values', () => {
    const base = new Base()
    const seen: number[] = []
    for (const n of base.count(3)) seen.push(n)
    expect(seen).toEqual([1, 2, 3])
    expect([...base.count(3)]).toEqual([1, 2, 3])
    expect(Array.from(base)).toEqual([2, 3])
    expect(new Set(base)).toEqual(new Set([2, 3]))
    const [first, second] = base.endless()
    expect([first, second]).toEqual([0, 1])
    expect([...base.delegating(2)]).toEqual([1, 2])
    const outer = base.delegating(1)
    outer.next()
    expect(outer.next()).toEqual({ done: true, value: 'counted to 1 by 2' })
    function* unmonitored(): Generator<number, string> {
      return yield* base.count(2)
    }
    const steps = unmonitored()
    expect([steps.next(), steps.next(), steps.next()]).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
      { done: true, value: 'counted to 2 by 2' },
    ])
  })

  it('next passes values in, return and throw run the cleanup', () => {
    const log: string[] = []
    const base = new Base()
    const sent = base.guarded({ log })
    expect(sent.next('ignored')).toEqual({ done: false, value: 'first' })
    expect(sent.next('a')).toEqual({ done: false, value: 'a' })
    expect(sent.next()).toEqual({ done: false, value: undefined })
    expect(sent.return('given')).toEqual({ done: true, value: 'given' })
    expect(sent.next()).toEqual({ done: true, value: undefined })
    expect(log.splice(0)).toEqual(['cleaned'])

    const caught = base.guarded({ log })
    caught.next()
    expect(caught.throw('stop')).toEqual({ done: true, value: 'stopped' })
    expect(log.splice(0)).toEqual(['caught', 'cleaned'])

    const failing = base.guarded({ log })
    failing.next()
    const reason = Object.freeze({})
    expect(catchThrown(() => failing.throw(reason))).toEqual({ thrown: reason })
    expect(log.splice(0)).toEqual(['caught', 'cleaned'])
    expect(failing.next()).toEqual({ done: true, value: undefined })

    for (const n of base.endless()) if (n === 3) break
    for (const _ of base.guarded({ log })) break
    expect(log.splice(0)).toEqual(['cleaned'])
    expect(
      catchThrown(() => {
        for (const _ of base.guarded({ log })) throw 'out of the loop'
      }),
    ).toEqual({ thrown: 'out of the loop' })
    expect(log).toEqual(['cleaned'])
  })

  it('a generator that was never started runs nothing', () => {
    const log: string[] = []
    const base = new Base()
    base.guarded({ log })
    expect(base.guarded({ log }).return('early')).toEqual({ done: true, value: 'early' })
    expect(catchThrown(() => base.guarded({ log }).throw('early'))).toEqual({ thrown: 'early' })
    expect(log).toEqual([])
  })

  it('default values of parameters are evaluated when it is called', () => {
    const lazy = wrap(function* (value: number = refuse()) {
      yield value
    })
    function refuse(): never {
      throw new TypeError('needed')
    }
    expect(catchThrown(() => lazy())).toEqual({ thrown: new TypeError('needed') })
    expect([...lazy(1)]).toEqual([1])
  })

  it('a generator that is resumed while it runs refuses, and goes on afterwards', () => {
    const again: { self?: Generator<number, void, unknown> } = {}
    const steps = wrap(function* (): Generator<number, void, unknown> {
      const refused = catchThrown(() => again.self?.next())
      yield refused === 'returned' ? 0 : 1
      yield 2
    })()
    again.self = steps
    expect([...steps]).toEqual([1, 2])
  })

  it('it is its own iterator, with the prototype of its function', () => {
    const plain = function* (): Generator<number> {
      yield 1
    }
    Object.assign(plain.prototype as object, { extra: 'inherited' })
    const make = wrap(plain)
    const steps = make()
    expect(steps[Symbol.iterator]()).toBe(steps)
    expect(steps instanceof (make as unknown as Function)).toBe(true)
    expect(steps instanceof (plain as unknown as Function)).toBe(true)
    expect(Object.getPrototypeOf(steps)).toBe(plain.prototype)
    expect((steps as unknown as { extra: string }).extra).toBe('inherited')
    expect(Object.keys(steps)).toEqual([])
    expect([steps.next.name, steps.return.name, steps.throw.name]).toEqual(['next', 'return', 'throw'])
  })

  it('async generators: for-await, values in, return and throw', async () => {
    const log: string[] = []
    const base = new Base()
    const seen: unknown[] = []
    for await (const n of base.stream(3)) seen.push(n)
    for await (const n of base) seen.push(n)
    expect(seen).toEqual([1, 2, 3, 2])

    const sent = base.guardedStream({ log })
    expect(await sent.next()).toEqual({ done: false, value: 'first' })
    expect(await sent.next('a')).toEqual({ done: false, value: 'a' })
    expect(await sent.return('given')).toEqual({ done: true, value: 'given' })
    expect(await sent.next()).toEqual({ done: true, value: undefined })
    expect(log.splice(0)).toEqual(['cleaned'])

    const failing = base.guardedStream({ log })
    await failing.next()
    const reason = Object.freeze({})
    expect(await failing.throw(reason).catch((thrown: unknown) => thrown === reason)).toBe(true)
    expect(log.splice(0)).toEqual(['caught', 'cleaned'])

    for await (const _ of base.guardedStream({ log })) break
    expect(log.splice(0)).toEqual(['cleaned'])
    expect(await base.guardedStream({ log }).return('early')).toEqual({ done: true, value: 'early' })
    expect(log).toEqual([])
  })

  it('async generators: steps asked for at once are served in order', async () => {
    const steps = new Base().stream(2)
    const asked = [steps.next(), steps.next(), steps.next(), steps.next()]
    expect(await Promise.all(asked)).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
      { done: true, value: 'streamed' },
      { done: true, value: undefined },
    ])
    expect(steps[Symbol.asyncIterator]()).toBe(steps)
  })

  it('async generators: yield* goes through', async () => {
    const base = new Base()
    async function* unmonitored(): AsyncGenerator<number, string> {
      return yield* base.stream(2)
    }
    const steps = unmonitored()
    expect([await steps.next(), await steps.next(), await steps.next()]).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
      { done: true, value: 'streamed' },
    ])
  })

  it('return before the first step ends it for ever, and runs nothing', () => {
    const log: string[] = []
    const steps = new Base().guarded({ log })
    expect(steps.return('early')).toEqual({ done: true, value: 'early' })
    expect([steps.next(), steps.next()]).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ])
    expect(steps.return('again')).toEqual({ done: true, value: 'again' })
    expect(catchThrown(() => steps.throw('after the end'))).toEqual({ thrown: 'after the end' })
    expect(log).toEqual([])
  })

  it('yield* hands values, throw and return on to the generator inside', () => {
    const log: string[] = []
    const base = new Base()
    const outer = wrap(function* () {
      const inside: unknown = yield* base.guarded({ log })
      yield inside
    })
    const sent = outer()
    sent.next()
    expect(sent.next('down')).toEqual({ done: false, value: 'down' })
    expect(sent.throw('stop')).toEqual({ done: false, value: 'stopped' })
    expect(sent.next()).toEqual({ done: true, value: undefined })
    expect(log.splice(0)).toEqual(['caught', 'cleaned'])
    const left = outer()
    left.next()
    expect(left.return(undefined as never)).toEqual({ done: true, value: undefined })
    expect(log).toEqual(['cleaned'])
  })

  it('a cleanup that yields, and one that throws, do so', () => {
    const refuse = (): never => {
      throw new RangeError('in the cleanup')
    }
    const make = wrap(function* (how: 'yields' | 'throws'): Generator<string, string> {
      try {
        yield 'first'
      } finally {
        if (how === 'throws') refuse()
        yield 'from the cleanup'
      }
      return 'never'
    })
    const yielding = make('yields')
    yielding.next()
    expect(yielding.return('given')).toEqual({ done: false, value: 'from the cleanup' })
    expect(yielding.next()).toEqual({ done: true, value: 'given' })
    const throwing = make('throws')
    throwing.next()
    expect(catchThrown(() => throwing.return('given'))).toEqual({ thrown: new RangeError('in the cleanup') })
  })

  it('yielded promises and generators are handed out as they are', () => {
    const promise = Promise.resolve(1)
    const inner = new Base().count(1)
    const steps = wrap(function* () {
      yield promise
      yield inner
    })()
    expect([steps.next().value === promise, steps.next().value === inner]).toEqual([true, true])
  })

  it('async generators: a queue of next, return and throw is served in order, also before the first step', async () => {
    const log: string[] = []
    const base = new Base()
    const steps = base.guardedStream({ log })
    const asked = await Promise.allSettled([
      steps.next(),
      steps.next('a'),
      steps.return('given'),
      steps.next(),
      steps.throw('after the end'),
    ])
    expect(asked).toEqual([
      { status: 'fulfilled', value: { done: false, value: 'first' } },
      { status: 'fulfilled', value: { done: false, value: 'a' } },
      { status: 'fulfilled', value: { done: true, value: 'given' } },
      { status: 'fulfilled', value: { done: true, value: undefined } },
      { status: 'rejected', reason: 'after the end' },
    ])
    expect(log.splice(0)).toEqual(['cleaned'])
    const unstarted = base.guardedStream({ log })
    expect(await Promise.allSettled([unstarted.throw('early'), unstarted.next()])).toEqual([
      { status: 'rejected', reason: 'early' },
      { status: 'fulfilled', value: { done: true, value: undefined } },
    ])
    expect(log).toEqual([])
  })

  it('async generators: yield* hands an early return on, and a failing step arrives once', async () => {
    const log: string[] = []
    const base = new Base()
    const outer = wrap(async function* () {
      yield* base.guardedStream({ log })
    })
    for await (const _ of outer()) break
    expect(log.splice(0)).toEqual(['cleaned'])
    const failing = wrap(async function* () {
      yield 1
      throw new RangeError('second step')
    })()
    expect(await failing.next()).toEqual({ done: false, value: 1 })
    expect(await failing.next().catch((reason: Error) => reason.message)).toBe('second step')
    expect(await failing.next()).toEqual({ done: true, value: undefined })
  })
}
