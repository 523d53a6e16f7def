/** What `monitor` does to types, checked by the compiler alone: nothing here runs. */
import { type MonitorDecorator, type MonitorOptions, monitor } from 'callsight'
import { type Equal, holds, type IsAny } from './assertions.js'

// `monitor(fn)` gives back the very type of the function.

function overloaded(value: string): string
function overloaded(value: number, digits?: number): number
function overloaded(value: string | number): string | number {
  return value
}
const monitoredOverloads = monitor(overloaded)
holds<Equal<typeof monitoredOverloads, typeof overloaded>>()
holds<Equal<ReturnType<typeof monitoredOverloads>, number>>()
const text: string = monitoredOverloads('a')
const number: number = monitoredOverloads(1, 2)
// @ts-expect-error no overload takes a boolean
monitoredOverloads(true)

const generic = monitor(<T extends { readonly id: string }>(items: readonly T[]): T | undefined => items[0])
const found = generic([{ id: 'a', extra: 1 }])
holds<Equal<typeof found, { id: string; extra: number } | undefined>>()
// @ts-expect-error the constraint of the type parameter stays
generic([{ name: 'no id' }])

interface Counter {
  count: number
}
const bound = monitor(function (this: Counter, by: number): number {
  return this.count + by
})
holds<Equal<ThisParameterType<typeof bound>, Counter>>()
const counted: number = bound.call({ count: 1 }, 2)
// @ts-expect-error `this` has no count
bound.call({}, 2)
// @ts-expect-error called without its `this`
bound(1)

async function bareLater(id: number, _options?: { readonly deep: boolean }): Promise<{ id: number }> {
  return { id }
}
const later = monitor(bareLater, { sample: 0.1 })
holds<Equal<typeof later, typeof bareLater>>()
// @ts-expect-error an argument is missing
void later()

const steps = monitor(function* (to: number): Generator<number, string, boolean> {
  const more = yield to
  return more ? 'more' : 'done'
})
holds<Equal<ReturnType<typeof steps>, Generator<number, string, boolean>>>()
const stream = monitor(async function* () {
  yield 'a' as const
})
holds<Equal<ReturnType<typeof stream>, AsyncGenerator<'a', void, unknown>>>()

const guard = monitor((value: unknown): value is string => typeof value === 'string')
const maybe: unknown = text
if (guard(maybe)) holds<Equal<typeof maybe, string>>()
const assertsString: (value: unknown) => asserts value is string = monitor(
  (value: unknown): asserts value is string => {
    if (typeof value !== 'string') throw new TypeError('no text')
  },
)
const unclear: unknown = number
assertsString(unclear)
holds<Equal<typeof unclear, string>>()

const withProperties = monitor(Object.assign((n: number) => n, { route: '/' as const }))
holds<Equal<typeof withProperties.route, '/'>>()

const contextual: (n: number) => number = monitor(n => n + counted)
holds<Equal<IsAny<ReturnType<typeof contextual>>, false>>()

// What is no function is no argument.

// @ts-expect-error text
monitor('text')
// @ts-expect-error a class is decorated, not wrapped
monitor(class {})
// @ts-expect-error options come once
monitor({}, {})
// @ts-expect-error options of the whole recorder
monitor(() => {}, { store: { path: 'x' } })

// Options.

const all: MonitorOptions = {
  name: 'orders/place',
  sample: 0.1,
  maxPerSecond: 100,
  slow: '250ms',
  capture: { args: 'types', result: false },
  redact: [0, 'card.number'],
  timing: 'sampled',
}
monitor(all)
monitor({ slow: false })
monitor({ slow: 250 })
monitor({ redact: [0, 'pin'] as const })
// @ts-expect-error misspelt
monitor({ smaple: 1 })
// @ts-expect-error a number
monitor({ sample: '0.1' })
// @ts-expect-error a length of time needs a unit
monitor({ slow: '250' })
// @ts-expect-error no such unit
monitor({ slow: '250 minutes' })
// @ts-expect-error 'types' or yes or no
monitor({ capture: { args: 'shape' } })
// @ts-expect-error not a mode of its own
monitor({ capture: 'types' })
monitor({ redact: [0, 'card.number', /^pin/i] })
// @ts-expect-error positions, names, patterns and paths
monitor({ redact: [true] })
// @ts-expect-error two ways only
monitor({ timing: 'off' })
// @ts-expect-error exactOptionalPropertyTypes: leave it out instead
monitor({ sample: undefined })
// @ts-expect-error options do not change after they were given
all.sample = 1

// Decorators, standard dialect (the fixtures hold the same for the legacy one).

const decorator = monitor()
holds<Equal<typeof decorator, MonitorDecorator>>()
holds<Equal<IsAny<ReturnType<typeof decorator>>, false>>()

@monitor({ sample: 0.5 })
class Everything {
  @monitor()
  property = (n: number): number => n

  @monitor()
  static shared = async (): Promise<void> => {}

  @monitor()
  accessor title: string = ''

  @monitor()
  get size(): number {
    return this.#hidden(1)
  }

  @monitor()
  set size(_: number) {}

  @monitor()
  #hidden(n: number): number {
    return n
  }

  @monitor()
  generic<T>(value: T): T {
    return value
  }

  overloaded(value: string): string
  overloaded(value: number): number
  @monitor()
  overloaded(value: string | number): string | number {
    return value
  }

  @monitor()
  fluent(): this {
    return this
  }

  @monitor()
  withThis(this: Everything, n: number): number {
    return this.size + n
  }

  @monitor()
  protected async *stream(): AsyncGenerator<number> {
    yield 1
  }

  @monitor()
  static make(): Everything {
    return new Everything()
  }

  // @ts-expect-error parentheses are missing
  @monitor
  forgotten(): void {}

  // @ts-expect-error misspelt option
  @monitor({ sampel: 1 })
  misspelt(): void {}
}
const everything = Everything.make()
holds<Equal<ReturnType<typeof everything.fluent>, Everything>>()
const kept = everything.generic('literal' as const)
holds<Equal<typeof kept, 'literal'>>()
holds<Equal<typeof everything.property, (n: number) => number>>()
holds<Equal<typeof everything.title, string>>()
const overloadedText: string = everything.overloaded('a')
const overloadedNumber: number = everything.overloaded(1)
void [overloadedText, overloadedNumber]

class Inherited<T> {
  constructor(protected readonly value: T) {}

  @monitor()
  static from<V>(value: V): Inherited<V> {
    return new Inherited(value)
  }

  @monitor()
  static accessor made: number = 0

  @monitor()
  get current(): T {
    return this.value
  }

  set current(_: T) {}

  @monitor()
  async map<R>(this: Inherited<T>, change: (value: T) => R | Promise<R>): Promise<Awaited<R>> {
    return await change(this.value)
  }

  @monitor()
  *[Symbol.iterator](): Generator<T, number, undefined> {
    yield this.value
    return 1
  }

  @monitor()
  [Symbol.dispose](): void {}

  @monitor()
  asserts(value: unknown): asserts value is T {
    void value
  }
}
class Narrowed extends Inherited<'a' | 'b'> {
  @monitor()
  override async map<R>(change: (value: 'a' | 'b') => R | Promise<R>): Promise<Awaited<R>> {
    return await super.map(change)
  }
}
const narrowed = new Narrowed('a')
holds<Equal<typeof narrowed.current, 'a' | 'b'>>()
const mappedLater = narrowed.map(value => value.length)
holds<Equal<typeof mappedLater, Promise<number>>>()
holds<Equal<ReturnType<(typeof narrowed)[typeof Symbol.iterator]>, Generator<'a' | 'b', number, undefined>>>()
holds<Equal<typeof Inherited.made, number>>()
const fromNumber = Inherited.from(1)
holds<Equal<typeof fromNumber, Inherited<number>>>()
// @ts-expect-error it stays protected
void narrowed.value

@monitor()
abstract class Abstract {
  protected constructor(readonly id: string) {}
  abstract run(): void
}
void Abstract

// Decorators, legacy dialect: what the compiler passes for each place.

declare const descriptor: TypedPropertyDescriptor<(n: number) => void>
declare const computed: unique symbol
monitor()(Everything.prototype, 'size', { get: () => 1 })
monitor()(Everything.prototype, 'fluent', descriptor)
monitor()(Everything, computed, descriptor)
monitor()(Everything)
monitor()(Abstract)
// @ts-expect-error a property has no descriptor there: its value cannot be seen
monitor()(Everything.prototype, 'property')
// @ts-expect-error the position of a parameter
monitor()(Everything.prototype, 'generic', 0)
