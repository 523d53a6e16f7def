import { types } from 'node:util'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { produced, type Variant } from './variants.js'

/** A value that says so when anything but its identity is used. */
function untouchable(log: string[]): object {
  const trap = (name: string) => () => {
    log.push(name)
    throw new Error(`trap ${name}`)
  }
  const names = ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'set'] as const
  return new Proxy({}, Object.fromEntries(names.map(name => [name, trap(name)])))
}

export function catchThrown(body: () => unknown): { readonly thrown: unknown } | 'returned' {
  try {
    body()
  } catch (thrown) {
    return { thrown }
  }
  return 'returned'
}

/** What holds of a bare function, asserted of every way to monitor one. */
export function describeFunctions({ wrap, monitored }: Variant): void {
  it('is what its name says: calls of it are recorded, or are not', () => {
    const before = produced()
    const fail = wrap(() => {
      throw new Error('expected')
    })
    expect(catchThrown(() => fail())).not.toBe('returned')
    expect(produced() - before).toBe(monitored ? 1 : 0)
  })

  it('this, arguments, their number, defaults and rest arrive as given', () => {
    const see = wrap(function (this: unknown, first: unknown = 'default', ...rest: unknown[]) {
      return { self: this, count: arguments.length, first, rest }
    })
    const self = Object.freeze({})
    expect(see.call(self, 1, 2, 3)).toEqual({ self, count: 3, first: 1, rest: [2, 3] })
    expect(see.call(self).self).toBe(self)
    expect(see.call(undefined)).toEqual({ self: undefined, count: 0, first: 'default', rest: [] })
    expect(see.call(undefined, undefined)).toMatchObject({ count: 1, first: 'default' })
    expect(see.call(7 as never).self).toBe(7)
    expect(see.apply(null, [null]).first).toBe(null)
    expect(see.bind(self, 'bound')('more')).toEqual({ self, count: 2, first: 'bound', rest: ['more'] })
    const holder = { see }
    expect(holder.see().self).toBe(holder)
    const many = Array.from({ length: 5_000 }, (_, n) => n)
    expect(see(...many).rest).toEqual(many.slice(1))
  })

  it('a default value that throws throws, and one that is not needed is not evaluated', () => {
    let evaluated = 0
    const refuse = (): never => {
      evaluated++
      throw new TypeError('needed')
    }
    const ask = wrap((value: unknown = refuse()) => value)
    expect(catchThrown(() => ask())).toEqual({ thrown: new TypeError('needed') })
    expect(ask(1)).toBe(1)
    expect(evaluated).toBe(1)
  })

  it('returned values keep their identity and are not touched', () => {
    const log: string[] = []
    const echo = wrap(<T>(value: T): T => value)
    const lazy = {
      count: 0,
      get value() {
        return ++this.count
      },
    }
    const values = [undefined, null, 0, -0, NaN, '', 1n, Symbol('s'), {}, [], () => {}, new Date(NaN), lazy]
    for (const value of [...values, untouchable(log), Object.freeze([1])]) {
      expect(Object.is(echo(value), value)).toBe(true)
    }
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(echo(proxy) === proxy).toBe(true)
    expect(lazy.count).toBe(0)
    expect(log).toEqual([])
  })

  it('thrown values keep their identity and are not touched', () => {
    const log: string[] = []
    const fail = wrap((thrown: unknown): never => {
      throw thrown
    })
    class Odd extends Error {
      override toString(): string {
        log.push('toString')
        return 'odd'
      }
    }
    const frozen = Object.freeze(new Error('frozen'))
    const values = [undefined, null, 'a string', 0, Symbol('s'), frozen, new Odd(), untouchable(log), () => 1]
    for (const value of [...values, runInNewContext('new TypeError("elsewhere")')]) {
      const caught = catchThrown(() => fail(value))
      expect(caught !== 'returned' && Object.is(caught.thrown, value)).toBe(true)
    }
    expect(log).toEqual([])
    const stack = new Error('its own stack')
    const before = stack.stack
    catchThrown(() => fail(stack))
    expect(stack.stack).toBe(before)
  })

  it('name, length, own properties and prototype chain are those of the function', () => {
    const tag = Symbol('tag')
    const original = Object.assign(function original(_a: unknown, _b: unknown, _c = 1) {}, {
      route: '/',
      [tag]: 1,
    })
    Object.defineProperty(original, 'hidden', { value: 'x', enumerable: false })
    Object.defineProperty(original, 'lazy', { get: () => 'lazily', configurable: true })
    Object.setPrototypeOf(
      original,
      Object.create(Function.prototype, { extra: { value: 'inherited' } }) as object,
    )
    const wrapped = wrap(original)
    expect(wrapped.name).toBe('original')
    expect(wrapped.length).toBe(2)
    for (const key of Reflect.ownKeys(original)) {
      expect(Object.getOwnPropertyDescriptor(wrapped, key)).toEqual(
        Object.getOwnPropertyDescriptor(original, key),
      )
    }
    expect(Object.keys(wrapped)).toEqual(['route'])
    expect(Object.getPrototypeOf(wrapped)).toBe(Object.getPrototypeOf(original))
    expect(typeof wrapped).toBe('function')
  })

  it('functions with odd names and shapes can be wrapped and called', () => {
    const renamed = (): number => 1
    Object.defineProperty(renamed, 'name', { value: 42 })
    expect(wrap(renamed)()).toBe(1)
    const trapped = (): number => 2
    Object.defineProperty(trapped, 'name', {
      get: () => {
        throw new Error('must not be asked')
      },
    })
    expect(wrap(trapped)()).toBe(2)
    const orphan = (): number => 3
    Object.setPrototypeOf(orphan, null)
    expect(Reflect.apply(wrap(orphan), null, [])).toBe(3)
    expect(wrap(Object.freeze((): number => 4))()).toBe(4)
    expect(wrap(Object.seal((): number => 5))()).toBe(5)
    expect(wrap(((): number => 6).bind(null))()).toBe(6)
    expect(wrap(Math.max as (...values: number[]) => number)(1, 7)).toBe(7)
    expect(wrap(new Proxy((): number => 8, {}))()).toBe(8)
    expect(wrap(wrap((): number => 9))()).toBe(9)
  })

  it('Object.prototype.toString tells the same kinds of functions apart', () => {
    const kind = (value: unknown): string => Object.prototype.toString.call(value)
    expect(kind(wrap(() => {}))).toBe('[object Function]')
    expect(kind(wrap(async () => {}))).toBe('[object AsyncFunction]')
    expect(kind(wrap(function* () {}))).toBe('[object GeneratorFunction]')
    expect(kind(wrap(async function* () {}))).toBe('[object AsyncGeneratorFunction]')
    expect(kind(wrap(function* () {})())).toBe('[object Generator]')
    expect(kind(wrap(async function* () {})())).toBe('[object AsyncGenerator]')
  })

  it('a constructor function constructs, is extended, and sees new.target', () => {
    interface Point {
      x: number
    }
    const targets: unknown[] = []
    const plain = function Point(this: Point, x: number): void {
      targets.push(new.target)
      this.x = x
    }
    plain.prototype.far = function far(this: Point) {
      return this.x > 10
    }
    type PointClass = new (x: number) => Point & { far(): boolean }
    const Point = wrap(plain) as unknown as PointClass
    const point = new Point(11)
    expect(point.x).toBe(11)
    expect(point.far()).toBe(true)
    expect(point instanceof Point).toBe(true)
    expect(point instanceof plain).toBe(true)
    expect(Point.prototype).toBe(plain.prototype)
    expect(targets).toEqual([plain])
    class Point3 extends Point {
      z = 3
    }
    const deep = new Point3(1)
    expect([deep.x, deep.z, deep.far()]).toEqual([1, 3, false])
    expect(deep instanceof Point).toBe(true)
    expect(targets[1]).toBe(Point3)
    const other = Reflect.construct(Point, [2], Array) as unknown
    expect(Array.isArray(other)).toBe(false)
    expect(Object.getPrototypeOf(other)).toBe(Array.prototype)
    const replaced = {}
    const Replacing = wrap(function () {
      return replaced
    }) as unknown as new () => object
    expect(new Replacing()).toBe(replaced)
    Reflect.apply(plain, point, [5])
    expect(targets[3]).toBe(undefined)
  })

  it('what cannot be constructed cannot be constructed', () => {
    for (const fn of [
      () => {},
      async () => {},
      { method() {} }.method,
      function* () {},
      async function* () {},
    ]) {
      expect(
        catchThrown(() => new (wrap(fn as () => unknown) as unknown as new () => unknown)()),
      ).toMatchObject({
        thrown: expect.any(TypeError),
      })
    }
  })

  it('what has no prototype has none, and what has one has it with the same attributes', () => {
    const bare: readonly (() => unknown)[] = [
      () => {},
      async () => {},
      { method() {} }.method,
      { async method() {} }.method,
      (() => {}).bind(null),
      Object.getOwnPropertyDescriptor(Map.prototype, 'size')?.get as () => unknown,
      function* () {},
      async function* () {},
      function () {},
    ]
    for (const fn of bare) {
      const wrapped = wrap(fn)
      const { value, ...attributes } = Object.getOwnPropertyDescriptor(wrapped, 'prototype') ?? {}
      const { value: original, ...wanted } = Object.getOwnPropertyDescriptor(fn, 'prototype') ?? {}
      expect([value === original, attributes]).toEqual([true, wanted])
      expect('prototype' in wrapped).toBe('prototype' in fn)
      expect(Reflect.ownKeys(wrapped).toSorted()).toEqual(Reflect.ownKeys(fn).toSorted())
    }
  })

  it('recursion through the wrapper gives the same result', () => {
    const fibonacci: (n: number) => number = wrap((n: number) =>
      n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2),
    )
    expect(fibonacci(15)).toBe(610)
    const down: (n: number) => number = wrap((n: number) => (n === 0 ? 0 : down(n - 1) + 1))
    expect(down(1_000)).toBe(1_000)
  })

  it('arguments are captured, not kept: changes made by the call and after it arrive where they should', async () => {
    const grow = wrap(async (list: number[]) => {
      list.push(1)
      await null
      list.push(2)
      return list
    })
    const list: number[] = []
    const pending = grow(list)
    expect(list).toEqual([1])
    expect(await pending).toBe(list)
    expect(list).toEqual([1, 2])
    expect(types.isPromise(pending)).toBe(true)
  })
}
