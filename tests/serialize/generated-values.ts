import fc from '../support/fast-check.js'
import {
  BombArray,
  BombBytes,
  BombDate,
  BombMap,
  BombRegExp,
  BombSet,
  bombs,
  everyTrap,
  getter,
  revokedArray,
  trap,
  withOwn,
} from './hostile-values.js'

/** An instance; each reading of `y` is a trap. */
class Point {
  readonly x: unknown
  constructor(x: unknown) {
    this.x = x
  }
  get y(): never {
    return trap()
  }
  toJSON(): never {
    return trap()
  }
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 400 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 300 })
    .map(codes => String.fromCharCode(...codes)),
  fc.constantFrom(
    'password=abc',
    'Bearer abcdef',
    '4111 1111 1111 1111',
    'https://u:p@h/',
    '"token":"x"',
    '\ud83d',
  ),
)
const leaf = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.boolean(),
  text,
  fc.bigInt(),
  fc.constantFrom(null, undefined, NaN, -0),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array({ maxLength: 9 }),
  fc.constantFrom(Symbol('s'), () => 1, /x/g, Point),
)
/** Values that fire a trap when anything of theirs is run. */
const trapped = fc.constantFrom<Make>(
  () => new Proxy({}, everyTrap),
  () => new Proxy([], everyTrap),
  () => new Proxy(() => 1, everyTrap),
  () => new Proxy(new Error('x'), everyTrap),
  revokedArray,
  () => getter({ a: 1 }, 'b'),
  () => getter([1, 2], 1),
  () => getter(new Error('x'), 'message'),
  () => getter(new Error('x'), 'stack'),
  () => getter(new Error('x'), 'cause'),
  () => withOwn({ a: 1 }, bombs),
  () => withOwn([1], bombs),
  () => withOwn(() => 1, bombs),
  () => withOwn(new Error('x'), bombs),
  () => Object.create(bombs),
  () => Object.create(new Proxy({}, everyTrap)),
  () => Object.fromEntries([['then', trap]]),
  () => getter({}, 'then'),
  () => new BombMap([[1, { a: 1 }]]),
  () => new BombSet([1]),
  () => new BombDate(0),
  () => new BombRegExp('x', 'g'),
  () => new BombBytes(3),
  () => Object.assign(new BombArray(), [1, 2]),
)
const key = fc.oneof(
  text,
  fc.constantFrom('__proto__', 'constructor', 'token', 'value', '@class', '…', 'toString', 'a', 'b'),
)
type Make = () => unknown
const all = (makes: readonly Make[]): unknown[] => makes.map(make => make())

/**
 * How to make any value at all: every kind, nested, with secrets, odd names and traps in it. Not the value itself,
 * because fast-check looks at what it generates.
 */
export const { make: anyValue } = fc.letrec<Record<string, Make>>(tie => ({
  make: fc.oneof(
    { maxDepth: 6, depthSize: 'small' },
    leaf.map(value => () => value),
    leaf.map(value => () => value),
    trapped,
    tie('list'),
    tie('object'),
    tie('map'),
    tie('set'),
    tie('error'),
    tie('aggregate'),
    tie('params'),
    tie('point'),
  ),
  list: fc.array(tie('make'), { maxLength: 12, size: 'small' }).map(items => () => all(items)),
  object: fc.array(fc.tuple(key, tie('make')), { maxLength: 25, size: 'small' }).map(entries => () => {
    const object = {}
    for (const [name, make] of entries) {
      const value = make()
      Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true })
    }
    return object
  }),
  map: fc
    .array(fc.tuple(tie('make'), tie('make')), { maxLength: 6 })
    .map(entries => () => new Map(entries.map(([name, make]) => [name(), make()]))),
  set: fc.array(tie('make'), { maxLength: 6 }).map(values => () => new Set(all(values))),
  error: fc.tuple(text, tie('make')).map(
    ([message, cause]) =>
      () =>
        new Error(message, { cause: cause() }),
  ),
  aggregate: fc.tuple(text, fc.array(tie('make'), { maxLength: 8 })).map(
    ([message, errors]) =>
      () =>
        new AggregateError(all(errors), message),
  ),
  params: fc.array(fc.tuple(text, text), { maxLength: 5 }).map(entries => () => new URLSearchParams(entries)),
  point: tie('make').map(make => () => new Point(make())),
}))
