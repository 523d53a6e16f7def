import { expect, it } from 'vitest'
import { catchThrown } from './function-table.js'
import type { Variant } from './variants.js'

/** What holds of the bare classes, asserted of every way to monitor them. */
export function describeClasses({ classes, whole, vault, heir }: Variant, symbolKey: symbol): void {
  const { Base, Child } = classes

  it('methods see this, their arguments, defaults and rest', () => {
    const base = new Base()
    expect(base.see()).toEqual({ self: base, args: [], first: 'default', rest: [] })
    expect(base.see(undefined, 2, 3)).toEqual({
      self: base,
      args: [undefined, 2, 3],
      first: 'default',
      rest: [2, 3],
    })
    const { see } = base
    expect(Reflect.apply(see, undefined, [1]).self).toBe(undefined)
    const value = {}
    expect(base.echo(value)).toBe(value)
    expect(catchThrown(() => base.fail(value))).toEqual({ thrown: value })
    expect(catchThrown(() => base.fail(undefined))).toEqual({ thrown: undefined })
  })

  it('static methods and getters see the class they are called on', () => {
    expect(Base.seeStatic(1, 2)).toEqual({ self: Base, args: [1, 2], first: 1, rest: [2] })
    expect(Child.seeStatic(1, 2)).toEqual({ self: Child, args: [1, 2], first: 1, rest: [2] })
    expect([Base.total, Child.total]).toEqual(['total of base', 'total of child'])
  })

  it('getters, setters, accessors and symbol keys work on the instance', () => {
    const base = new Base()
    base.doubled = 10
    expect([base.factor, base.doubled]).toEqual([5, 10])
    expect(catchThrown(() => (base.doubled = NaN))).toEqual({ thrown: new RangeError('not finite') })
    base.level = 9
    expect(base.level).toBe(9)
    expect(base.title).toBe('untitled')
    base.title = 'named'
    expect([base.title, new Base().title]).toEqual(['named', 'untitled'])
    expect((base as unknown as Record<symbol, (n: number) => number>)[symbolKey]?.(3)).toBe(15)
    expect(`${base}`).toBe('Base of 5')
    expect(String(new Child())).toBe('Base of 2')
  })

  it('inheritance: overridden, inherited, called by super', async () => {
    const child = new Child()
    expect(child.greet('you')).toBe('hello you from the child')
    expect(Base.prototype.greet.call(child, 'you')).toBe('hello you')
    expect(child.inherited()).toBe(child)
    expect(child.doubled).toBe(5)
    child.doubled = 6
    expect(child.factor).toBe(3)
    expect(await child.later('value')).toBe('value')
    expect(child instanceof Base).toBe(true)
    expect(Object.getPrototypeOf(Child)).toBe(Base)
    class Grandchild extends Child {
      override greet(name: string): string {
        return `${super.greet(name)} and the grandchild`
      }
    }
    expect(new Grandchild().greet('you')).toBe('hello you from the child and the grandchild')
  })

  it('super in methods, static methods, accessors, generators and symbol keys', async () => {
    const child = new Child()
    const steps = child.count(1)
    expect([steps.next(), steps.next()]).toEqual([
      { done: false, value: 1 },
      { done: true, value: 'counted to 1 by 2, a child' },
    ])
    const stream = child.stream(1)
    expect([await stream.next(), await stream.next()]).toEqual([
      { done: false, value: 1 },
      { done: true, value: 'streamed by a child' },
    ])
    expect((child as unknown as Record<symbol, (n: number) => number>)[symbolKey]?.(3)).toBe(7)
    expect((Child as unknown as Record<symbol, () => unknown>)[symbolKey]?.()).toBe(Child)
    expect(Object.getOwnPropertyDescriptor(Child.prototype, 'doubled')?.get?.call(child)).toBe(5)
  })

  it('overloads, static accessors', () => {
    const base = new Base()
    expect([base.overloaded('a'), base.overloaded(1)]).toEqual(['A', 3])
    const before = Base.shared
    Base.shared = 'changed'
    expect([before, Base.shared]).toEqual(['of all', 'changed'])
    Base.shared = before
    const { get, set } = Object.getOwnPropertyDescriptor(Base, 'shared') ?? {}
    expect([typeof get, typeof set]).toEqual(['function', 'function'])
  })

  it('using and await using release through a monitored method', async () => {
    const base = new Base()
    {
      using held = base
      expect(held.released).toEqual([])
    }
    // The language passes no argument.
    expect(base.released.splice(0)).toEqual(['sync', 0])
    {
      await using held = base
      expect(held.released).toEqual([])
    }
    expect(base.released.splice(0)).toEqual(['async'])
    const order: string[] = []
    const leave = (): void => {
      using _ = base
      order.push('body')
      throw new RangeError('out of the block')
    }
    expect(catchThrown(leave)).toEqual({ thrown: new RangeError('out of the block') })
    expect([order, base.released]).toEqual([['body'], ['sync', 0]])
  })

  it('descriptors keep their attributes, names and lengths', () => {
    const attributes = (holder: object, key: PropertyKey) => {
      const { writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(holder, key) ?? {}
      return { writable, enumerable, configurable }
    }
    const method = { writable: true, enumerable: false, configurable: true }
    expect(attributes(Base.prototype, 'see')).toEqual(method)
    expect(attributes(Base, 'seeStatic')).toEqual(method)
    expect(attributes(Base.prototype, 'doubled')).toEqual({ ...method, writable: undefined })
    expect([Base.prototype.see.name, Base.prototype.see.length]).toEqual(['see', 0])
    expect([Base.prototype.count.name, Base.prototype.count.length]).toEqual(['count', 1])
    expect([Base.seeStatic.name, Base.prototype.later.name]).toEqual(['seeStatic', 'later'])
    const doubled = Object.getOwnPropertyDescriptor(Base.prototype, 'doubled')
    expect([doubled?.get?.name, doubled?.set?.name, doubled?.set?.length]).toEqual([
      'get doubled',
      'set doubled',
      1,
    ])
    const names = Object.getOwnPropertyNames(Base.prototype)
    expect(names.slice(0, 3)).toEqual(['constructor', 'see', 'echo'])
    expect(Object.keys(new Base())).toEqual(['factor', 'released'])
    expect([Base.name, Base.length, Child.name]).toEqual(['Base', 0, 'Child'])
  })

  it('frozen and sealed instances and null-prototype receivers are fine', () => {
    for (const base of [
      Object.freeze(new Base()),
      Object.seal(new Base()),
      Object.preventExtensions(new Base()),
    ]) {
      expect(base.see(1).self).toBe(base)
      expect(base.doubled).toBe(4)
      expect([...base.count(2)]).toEqual([1, 2])
    }
    const bare = Object.create(null) as object
    expect(Reflect.apply(Base.prototype.see, bare, []).self).toBe(bare)
    const log: string[] = []
    const spy = new Proxy(new Base(), {
      getPrototypeOf: target => {
        log.push('getPrototypeOf')
        return Reflect.getPrototypeOf(target)
      },
      getOwnPropertyDescriptor: (target, key) => {
        log.push('getOwnPropertyDescriptor')
        return Reflect.getOwnPropertyDescriptor(target, key)
      },
    })
    expect(spy.see().self === spy).toBe(true)
    expect(log).toEqual([])
  })

  it('a replaced or deleted method behaves as on any class', () => {
    class Patched extends Base {}
    const original = Patched.prototype.echo
    Patched.prototype.echo = function <T>(value: T): T {
      return original.call(this, value) as T
    }
    expect(new Patched().echo(1)).toBe(1)
    Reflect.deleteProperty(Patched.prototype, 'echo')
    expect(new Patched().echo).toBe(Base.prototype.echo)
  })

  it('async methods: values, reasons and recursion', async () => {
    const base = new Base()
    const value = {}
    expect(await base.later(value)).toBe(value)
    const reason = new Error('later')
    expect(await base.failLater(reason).catch((thrown: unknown) => thrown === reason)).toBe(true)
    expect(await base.chain(50)).toBe(50)
  })

  it('a whole class stays the same class, with every member working', async () => {
    const made = whole.made
    const square = whole.make(3)
    expect(square instanceof whole).toBe(true)
    expect(square.constructor).toBe(whole)
    expect(whole.made).toBe(made + 1)
    expect(square.grow(2).size).toBe(5)
    expect(square.area).toBe(9)
    expect(await square.settled()).toBe(square)
    expect([...square.sides()]).toEqual([3, 3, 3, 3])
    expect(new whole.Inner()).toBeInstanceOf(whole.Inner)
    expect(String(whole.Inner)).toMatch(/^class/)
    expect([whole.name, whole.length, whole.prototype.grow.name]).toEqual(['Whole', 1, 'grow'])
    expect(catchThrown(() => (whole as unknown as () => void)())).toMatchObject({
      thrown: expect.any(TypeError),
    })
  })

  it.runIf(vault !== null)('#private members and arrow-function properties', async () => {
    if (vault === null) return
    const box = new vault('me')
    expect(box.store('gold')).toBe('gold')
    expect(box.slot(7)).toBe(7)
    expect(vault.open()).toBe(1)
    expect(vault.open()).toBe(2)
    const reason = new Error('no')
    expect(await box.check(reason).catch((thrown: unknown) => thrown === reason)).toBe(true)
    const { arrow } = box
    // The owner is set after the fields are: an arrow sees it when it is called.
    expect(arrow(1, 2)).toEqual([box, 2, 'me'])
    expect(await box.arrowLater('text')).toBe('me: text')
    expect(box.notAFunction).toEqual({ plain: true })
    expect([box.arrow.length, Object.hasOwn(box, 'arrow')]).toEqual([0, true])
    expect(new vault('you').arrow).not.toBe(box.arrow)
    expect(catchThrown(() => Reflect.apply(box.store, {}, ['x']))).toMatchObject({
      thrown: expect.any(TypeError),
    })
  })

  it.runIf(vault !== null)(
    '#private generators, setters, static fields and accessors; fields of a subclass',
    () => {
      if (vault === null || heir === null) return
      expect(new vault('me').items()).toEqual(['from outside'])
      expect([vault.sealed(2), vault.sealed(2)]).toEqual([6, 7])
      const box = new heir('you')
      expect([box.arrow(1, 2), box.nested()]).toEqual([
        ['heir', 'you', 2],
        ['heir', 'you', 1],
      ])
      expect(Object.keys(box)).toEqual(['owner', 'arrow', 'arrowLater', 'notAFunction', 'nested'])
      expect(box.store('gold')).toBe('gold')
    },
  )
}
