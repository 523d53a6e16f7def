import { expect, it } from 'vitest'
import { catchThrown } from './function-table.js'
import type { Variant } from './variants.js'

interface Made {
  readonly target: unknown
  readonly args: readonly unknown[]
  readonly plain: boolean
}
type MadeClass = (new (...args: unknown[]) => Made) & { kind?: string; of?(): Made }

/** A constructor function as libraries for old engines write it: `new` optional, statics, inheritance by hand. */
function declareOld(wrap: Variant['wrap']): MadeClass {
  const plain = function Old(this: unknown, ...args: unknown[]): unknown {
    return new.target === undefined
      ? { plain: true, target: undefined, args }
      : Object.assign(this as object, { plain: false, target: new.target, args })
  }
  Object.assign(plain, { kind: 'old' })
  return wrap(plain) as unknown as MadeClass
}

/** What holds of bare constructor functions, asserted of every way to monitor one. */
export function describeConstructors({ classes, wrap }: Variant): void {
  it('is called with and without new', () => {
    const Old = declareOld(wrap)
    const made = new Old(1, 2)
    expect(made).toMatchObject({ plain: false, args: [1, 2] })
    expect(typeof made.target).toBe('function')
    expect((made.target as Function).prototype).toBe(Old.prototype)
    const called = Reflect.apply(Old, undefined, [3]) as Made
    expect(called).toEqual({ plain: true, target: undefined, args: [3] })
    expect(made instanceof Old).toBe(true)
    expect(made.constructor === Old || Old.prototype.constructor !== Old).toBe(true)
    expect(Old.kind).toBe('old')
  })

  it('is extended by classes and by hand, several levels deep', () => {
    const Old = declareOld(wrap)
    class Middle extends Old {
      readonly middle = 1
    }
    class Last extends Middle {
      readonly last = 2
      static override of(): Made {
        return new Last('from a static method')
      }
    }
    const last = new Last('a')
    expect(last).toMatchObject({ middle: 1, last: 2, args: ['a'], target: Last })
    expect(Last.of?.()).toMatchObject({ target: Last, args: ['from a static method'] })
    expect([last instanceof Old, last instanceof Middle, Last.kind]).toEqual([true, true, 'old'])
    expect(Object.getPrototypeOf(Object.getPrototypeOf(Last))).toBe(Old)

    function ByHand(this: object, n: number): void {
      Reflect.apply(Old, this, [n])
    }
    ByHand.prototype = Object.create(Old.prototype as object) as object
    const byHand = Reflect.construct(ByHand, [1]) as object
    expect(byHand instanceof Old).toBe(true)
  })

  it('Reflect.construct with another new.target gives that one and its prototype', () => {
    const Old = declareOld(wrap)
    class Other {}
    const made = Reflect.construct(Old, ['x'], Other) as Made
    expect([made.target, made.args]).toEqual([Other, ['x']])
    expect(Object.getPrototypeOf(made)).toBe(Other.prototype)
    const bound = Reflect.construct(Old.bind(null, 'bound'), ['x'])
    expect(bound.args).toEqual(['bound', 'x'])
    expect(Object.getPrototypeOf(bound)).toBe(Old.prototype)
    expect(catchThrown(() => Reflect.construct(Old, [], (() => {}) as never))).toMatchObject({
      thrown: expect.any(TypeError),
    })
  })

  it('what it throws and what it returns instead of this arrives as given', () => {
    const reason = Object.freeze({})
    const Failing = wrap(function Failing(): void {
      throw reason
    }) as unknown as new () => object
    expect(catchThrown(() => new Failing())).toEqual({ thrown: reason })
    class Below extends Failing {}
    expect(catchThrown(() => new Below())).toEqual({ thrown: reason })
    const Primitive = wrap(function Primitive(): number {
      return 7
    }) as unknown as new () => object
    expect(new Primitive()).toBeInstanceOf(Primitive)
  })

  it('methods, getters and arrows of monitored classes cannot be constructed', () => {
    const base = new classes.Base()
    const getter = Object.getOwnPropertyDescriptor(classes.Base.prototype, 'doubled')?.get
    for (const fn of [base.see, base.later, base.count, base.stream, classes.Base.seeStatic, getter]) {
      expect(catchThrown(() => Reflect.construct(fn as unknown as new () => object, []))).toMatchObject({
        thrown: expect.any(TypeError),
      })
    }
  })
}
