import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { constants, createContext, runInContext, runInNewContext, runInThisContext } from 'node:vm'
import Database from 'better-sqlite3'

/** How often code of the application was run by capture. */
export const traps = { fired: 0 }
export const trap = (): never => {
  traps.fired++
  throw new Error('Application code was run by capture')
}
export const everyTrap = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect).map(name => [name, trap]),
) as ProxyHandler<object>
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, everyTrap)
  revoke()
  return proxy
}
export const revokedArray = () => {
  const { proxy, revoke } = Proxy.revocable([] as unknown[], everyTrap)
  revoke()
  return proxy
}
export const bombs = {
  toJSON: trap,
  toString: trap,
  valueOf: trap,
  [Symbol.toPrimitive]: trap,
  [Symbol.iterator]: trap,
  [inspect.custom]: trap,
  get [Symbol.toStringTag]() {
    return trap()
  },
}
export const getter = (target: object, key: PropertyKey) =>
  Object.defineProperty(target, key, { get: trap, enumerable: true, configurable: true })
/** A Proxy that does what its target does, and counts: a sandbox has to work. */
const watched = (target: object): object =>
  new Proxy(
    target,
    Object.fromEntries(
      Object.getOwnPropertyNames(Reflect).map(name => [
        name,
        (...args: unknown[]): unknown => {
          traps.fired++
          return (Reflect as unknown as Record<string, (...args: unknown[]) => unknown>)[name]?.(...args)
        },
      ]),
    ),
  )
export const withOwn = (target: object, fields: object) =>
  Object.defineProperties(target, Object.getOwnPropertyDescriptors(fields))
export class BombMap extends Map<unknown, unknown> {
  override get size(): number {
    return trap()
  }
  override entries = trap as never
  override forEach = trap as never
  override [Symbol.iterator] = trap as never
}
export class BombSet extends Set<unknown> {
  override get size(): number {
    return trap()
  }
  override values = trap as never
  override [Symbol.iterator] = trap as never
}
export class BombDate extends Date {
  override getTime = trap as never
  override toISOString = trap as never
}
export class BombArray extends Array<unknown> {
  override [Symbol.iterator] = trap as never
  override get length() {
    return trap()
  }
}
export class BombRegExp extends RegExp {
  override get source(): string {
    return trap()
  }
  override get flags(): string {
    return trap()
  }
  override get global(): boolean {
    return trap()
  }
}
export class BombBytes extends Uint8Array {
  override get length(): number {
    return trap()
  }
  override get [Symbol.toStringTag](): never {
    return trap()
  }
}
class Named {
  static get name() {
    return trap()
  }
  a = 1
}
class Foreign {
  static toString() {
    return trap()
  }
}
const constructorBomb = Object.create(getter({}, 'constructor')) as object
const deep = (levels: number, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = wrap(value)
  return value
}
export const cyclic: Record<string, unknown> = { name: 'loop' }
cyclic['self'] = cyclic
cyclic['list'] = [cyclic]
cyclic['map'] = new Map([[cyclic, cyclic]])
const sparse: unknown[] = []
sparse.length = 2 ** 32 - 1
const detached = new ArrayBuffer(16)
const detachedViews = [new Uint8Array(detached), new DataView(detached)]
structuredClone(detached, { transfer: [detached] })

const known: readonly (readonly [string, () => unknown])[] = [
  ['a throwing getter', () => getter({ a: 1 }, 'bad')],
  ['a getter on a list index', () => getter([1, 2, 3], 1)],
  ['a proxy', () => new Proxy({}, everyTrap)],
  ['a proxy of an array', () => new Proxy([], everyTrap)],
  ['a proxy of a function', () => new Proxy(() => 1, everyTrap)],
  ['a revoked proxy', revoked],
  ['a revoked proxy of an array', revokedArray],
  ['a proxy as a prototype', () => Object.create(new Proxy({}, everyTrap))],
  ['a proxy as a far prototype', () => Object.create(Object.create(new Proxy({}, everyTrap)) as object)],
  ['a list whose prototype is a proxy', () => Object.setPrototypeOf([1, 2], new Proxy([], everyTrap))],
  ['a proxy as a constructor', () => Object.create({ constructor: new Proxy(class {}, everyTrap) })],
  ['a proxy in a list of rows', () => new Array(2_000).fill(new Proxy({}, everyTrap))],
  ['a getter for the first row', () => getter(new Array(2_000).fill(1), 0)],
  [
    'bombs in every conversion',
    () => Object.defineProperties({ a: 1 }, Object.getOwnPropertyDescriptors(bombs)),
  ],
  ['bombs in every conversion on a prototype', () => Object.create(bombs)],
  ['a map that overrides everything', () => new BombMap([[1, 2]])],
  ['a set that overrides everything', () => new BombSet([1, 2])],
  ['a date that overrides everything', () => new BombDate(0)],
  ['a regular expression that overrides everything', () => new BombRegExp('x', 'g')],
  ['bytes that override everything', () => new BombBytes(3)],
  ['an iterator that bombs', () => Object.assign(new BombArray(), [1, 2])],
  ['a class with a getter for its name', () => Named],
  ['an instance of it', () => new Named()],
  ['a class with toString', () => Foreign],
  ['a getter for the constructor', () => constructorBomb],
  ['a cycle', () => cyclic],
  ['shared references, 2^20 paths', () => deep(20, inner => ({ left: inner, right: inner }))],
  ['100,000 nested objects', () => deep(100_000, inner => ({ inner }))],
  ['100,000 nested lists', () => deep(100_000, inner => [inner])],
  ['100,000 nested maps', () => deep(100_000, inner => new Map([[inner, inner]]))],
  ['100,000 causes', () => deep(100_000, cause => new Error('x', { cause }))],
  ['10 million items', () => new Array(10_000_000).fill(0)],
  ['a sparse list of 2^32-1', () => sparse],
  ['a small sparse list', () => Object.assign(new Array(3), { 0: 1, 2: 3 })],
  ['a rope of 64 M characters', () => `${'ab'.repeat(16_000_000)}${'cd'.repeat(16_000_000)}`],
  ['lone surrogates', () => ({ '\ud800key': 'a\ud800b\udc00', tail: `${'x'.repeat(254)}\ud83d` })],
  ['a huge bigint', () => 1n << 1_000_000n],
  [
    'the keys __proto__ and constructor',
    () => JSON.parse('{"__proto__":{"x":1},"constructor":{"prototype":1}}'),
  ],
  ['an array buffer that is detached', () => detached],
  ['views of it', () => detachedViews],
  [
    'wasm memory',
    () => (runInNewContext('new WebAssembly.Memory({ initial: 1 })') as { buffer: ArrayBuffer }).buffer,
  ],
  ['frozen', () => Object.freeze({ a: Object.freeze([1]) })],
  ['an emitter', () => Object.assign(new EventEmitter(), { huge: 1 })],
  ['a stream', () => new Readable()],
  ['a socket', () => new Socket()],
  ['a request', () => new IncomingMessage(new Socket())],
  ['an abort signal', () => new AbortController().signal],
  ['a promise', () => Promise.resolve()],
  ['a thenable', () => Object.fromEntries([['then', trap]])],
  [
    'a generator',
    () =>
      (function* () {
        traps.fired++
        yield 1
      })(),
  ],
  [
    'an async generator',
    () =>
      (async function* () {
        traps.fired++
        yield 1
      })(),
  ],
  ['iterators', () => [new Map().entries(), new Set().values(), [].values()]],
  [
    'the arguments object',
    () =>
      (function (..._: unknown[]) {
        return arguments
      })(1, 2),
  ],
  ['the global object', () => globalThis],
  ['a module', () => fileSystem],
  ['process.env', () => process.env],
  [
    'an object of another realm',
    () => runInNewContext('Object.create(null, { a: { get() { throw 1 }, enumerable: true } })'),
  ],
  ['an error with a getter for its message', () => getter(new Error('x'), 'message')],
  ['an error with a getter for its name', () => getter(new Error('x'), 'name')],
  ['an error with a getter for its stack', () => getter(new Error('x'), 'stack')],
  ['an error with a getter for its cause', () => getter(new Error('x'), 'cause')],
  ['an error with a getter for its code', () => getter(new Error('x'), 'code')],
  ['an aggregate of 10,000', () => new AggregateError(new Array(10_000).fill(new Error('one')))],
  ['an impostor of an error', () => Object.create(Error.prototype)],
  ['an impostor of a DOMException', () => Object.create(DOMException.prototype)],
  ['an impostor of an address', () => Object.create(URL.prototype)],
]

const fileSystem = await import('node:fs')
const unfinished = await unfinishedModule()

interface Memory {
  readonly buffer: ArrayBuffer
  grow(pages: number): void
}
/** The compiler's libraries for Node do not know the name. */
const newMemory = (options: object): Memory =>
  new (
    globalThis as unknown as { WebAssembly: { Memory: new (options: object) => Memory } }
  ).WebAssembly.Memory(options)

/** What a search beyond the list found. */
const more: readonly (readonly [string, () => unknown])[] = [
  [
    'a class that decides what its instances are',
    () => Object.defineProperty(class {}, Symbol.hasInstance, { get: trap }),
  ],
  [
    'an instance of it',
    () => new (Object.defineProperty(class Odd {}, Symbol.hasInstance, { get: trap }) as new () => object)(),
  ],
  ['a getter for the tag of a class', () => Object.create(getter({}, Symbol.toStringTag))],
  [
    'a getter for the species of a list',
    () =>
      Object.assign(
        new (class extends Array<unknown> {
          static override get [Symbol.species]() {
            return trap()
          }
        })(),
        [1, 2],
      ),
  ],
  [
    'instances of another realm',
    () =>
      runInNewContext(
        'class A { constructor() { this.a = 1 } get b() { throw 1 } }; [new A(), new (class extends Map { get size() { throw 1 } })(), new (class extends Error { get name() { throw 1 } })("x"), Promise.resolve(), new WeakMap(), Symbol("s"), function f() {}, /x/g]',
      ),
  ],
  ['the global object of another realm', () => runInContext('globalThis', createContext({ a: 1 }))],
  ['the global object of another realm over a proxy', () => runInContext('this', createContext(watched({})))],
  [
    'the global object of another realm with a getter',
    () => runInContext('globalThis', createContext(getter({ a: 1 }, 'x'))),
  ],
  [
    'a wasm memory that may grow',
    () => {
      const memory = newMemory({ initial: 1, maximum: 4 })
      const { buffer } = memory
      memory.grow(1)
      return [memory, buffer, memory.buffer]
    },
  ],
  ['shared wasm memory', () => newMemory({ initial: 1, maximum: 4, shared: true }).buffer],
  [
    'a resizable buffer and views that follow its length',
    () => {
      const buffer = new (
        ArrayBuffer as unknown as new (
          bytes: number,
          options: object,
        ) => ArrayBuffer & { resize(bytes: number): void }
      )(16, { maxByteLength: 64 })
      const views = [
        new Uint8Array(buffer),
        new Uint8Array(buffer, 8),
        new Uint32Array(buffer, 8, 2),
        new DataView(buffer, 8, 8),
        new DataView(buffer),
      ]
      buffer.resize(4)
      return [buffer, ...views]
    },
  ],
  [
    'shared memory that may grow',
    () => {
      const shared = new (
        SharedArrayBuffer as unknown as new (
          bytes: number,
          options: object,
        ) => SharedArrayBuffer & { grow(bytes: number): void }
      )(8, { maxByteLength: 64 })
      const view = new Uint8Array(shared)
      shared.grow(32)
      return [shared, view]
    },
  ],
  [
    'revoked proxies inside',
    () => [
      { revoked: revoked() },
      [revokedArray()],
      new Map([[revoked(), revoked()]]),
      new Set([revoked()]),
      new Error('x', { cause: revoked() }),
      new AggregateError([revoked()]),
    ],
  ],
  ['a proxy of a proxy', () => new Proxy(new Proxy({}, everyTrap), everyTrap)],
  [
    'proxies of everything with a brand',
    () => [
      new Proxy(new Map(), everyTrap),
      new Proxy(new Date(), everyTrap),
      new Proxy(/x/, everyTrap),
      new Proxy(new Error('x'), everyTrap),
      new Proxy(new Uint8Array(2), everyTrap),
      new Proxy(Promise.resolve(), everyTrap),
      new Proxy(class {}, everyTrap),
      new Proxy(new EventEmitter(), everyTrap),
      new Proxy(new URL('http://x'), everyTrap),
    ],
  ],
  [
    'a class whose prototype is a proxy',
    () => Object.create(Object.create(new Proxy(EventEmitter.prototype, everyTrap)) as object),
  ],
  ['sealed and not extensible', () => [Object.seal({ a: 1 }), Object.preventExtensions([1])]],
  [
    'sloppy arguments',
    () => (new Function('a', 'b', 'return arguments') as (...args: unknown[]) => unknown)(1, getter({}, 'x')),
  ],
  ['a module whose bindings are not initialized', () => unfinished],
  ['a rope of 2^28 characters', () => 'x'.repeat(2 ** 28)],
  ['a key of 2^24 characters', () => ({ ['k'.repeat(2 ** 24)]: 1, after: 2 })],
  ['a symbol with a description of 2^24 characters', () => Symbol('s'.repeat(2 ** 24))],
  [
    'a function and a class with a name of 2^24 characters',
    () => {
      const value = 'n'.repeat(2 ** 24)
      const odd = Object.defineProperty(class {}, 'name', { value }) as new () => object
      return [odd, new odd()]
    },
  ],
  ['a regular expression of 2^20 characters', () => new RegExp('a'.repeat(2 ** 20))],
  ['an error with a message of 2^24 characters', () => new Error('m'.repeat(2 ** 24))],
  ['an address of 2^20 characters', () => new URL(`http://x/?${'a=1&'.repeat(2 ** 18)}`)],
  [
    'surrogates at every border of a cut',
    () => ({
      [`${'k'.repeat(254)}\ud83d\ude00`]: `${'v'.repeat(254)}\ud83d\ude00`,
      ['\udc00'.repeat(300)]: '\ud800'.repeat(300),
    }),
  ],
  ['a map of a million', () => new Map(Array.from({ length: 1_000_000 }, (_, i) => [i, i]))],
  ['a set of a million', () => new Set(Array.from({ length: 1_000_000 }, (_, i) => i))],
  [
    'odd keys of a map',
    () =>
      new Map<unknown, unknown>([
        [NaN, 1],
        [-0, 2],
        [undefined, 3],
        [Symbol('s'), 4],
        [trap, 5],
        [getter({}, 'x'), 6],
      ]),
  ],
  [
    'brands with a foreign prototype',
    () => [
      Object.setPrototypeOf(new Map([[1, 2]]), null),
      Object.setPrototypeOf(new Map([[1, 2]]), Array.prototype),
      Object.setPrototypeOf(new Set([1]), new Proxy({}, everyTrap)),
      Object.setPrototypeOf(new Date(0), Map.prototype),
      Object.setPrototypeOf([1, 2], Date.prototype),
      Object.setPrototypeOf({}, Array.prototype),
      Object.setPrototypeOf(/x/, Promise.prototype),
      Object.setPrototypeOf(new Uint8Array(2), Array.prototype),
      Object.setPrototypeOf(() => 1, Array.prototype),
    ],
  ],
  [
    'maps and sets with own bombs',
    () => [
      withOwn(new Map([[1, 2]]), { size: trap, entries: trap, forEach: trap }),
      getter(new Set([1]), 'size'),
    ],
  ],
  [
    'the prototypes themselves',
    () =>
      [
        Object,
        Array,
        Map,
        Set,
        Date,
        RegExp,
        Promise,
        Error,
        Function,
        Uint8Array,
        ArrayBuffer,
        SharedArrayBuffer,
        DataView,
        WeakMap,
        WeakRef,
        Number,
        String,
        Symbol,
        BigInt,
        URL,
        URLSearchParams,
        Blob,
        EventEmitter,
        EventTarget,
        AbortSignal,
        DOMException,
        Readable,
        IncomingMessage,
        Socket,
      ].map(maker => maker.prototype as unknown),
  ],
  [
    'objects made from them',
    () =>
      [
        Array,
        Map,
        Set,
        Date,
        RegExp,
        Promise,
        Error,
        Uint8Array,
        DataView,
        ArrayBuffer,
        Number,
        String,
        Symbol,
        URL,
        URLSearchParams,
        Blob,
        AbortSignal,
        EventEmitter,
        IncomingMessage,
      ].map(maker => Object.create(maker.prototype as object) as unknown),
  ],
  [
    'classes above them, made without their constructors',
    () =>
      [
        class A extends Map {},
        class B extends Set {},
        class C extends Date {},
        class D extends URL {},
        class E extends Blob {},
        class F extends URLSearchParams {},
      ].map(maker => Object.create(maker.prototype) as unknown),
  ],
  [
    'a chain of 100,000 prototypes',
    () => {
      let value: object = getter({}, 'x')
      for (let i = 0; i < 100_000; i++) value = Object.create(value) as object
      return value
    },
  ],
  [
    'a class that extends null',
    () => Object.create(class extends (null as unknown as new () => object) {}.prototype as object),
  ],
  [
    'constructors that are none',
    () => [
      { constructor: null },
      Object.create({ constructor: 'text' }),
      Object.create({ constructor: { name: 'Fake' } }),
      { constructor: trap },
    ],
  ],
  [
    'symbols as keys',
    () => ({
      [Symbol('a')]: 1,
      [Symbol.iterator]: trap,
      [inspect.custom]: trap,
      [Symbol.toPrimitive]: trap,
      b: 2,
    }),
  ],
  ['lists of big integers', () => [new BigInt64Array(3), new BigUint64Array([1n, 2n ** 63n])]],
  [
    'what counts and waits',
    () => [
      Atomics,
      new WeakRef({}),
      new FinalizationRegistry(() => {}),
      new Int32Array(new SharedArrayBuffer(8)),
    ],
  ],
  [
    'iterators of every kind',
    () => [
      'a'[Symbol.iterator](),
      'a'.matchAll(/a/g),
      new URLSearchParams('a=1').entries(),
      new Intl.Segmenter().segment('a')[Symbol.iterator](),
      helperIterator(),
    ],
  ],
  [
    'boxed values with bombs',
    () => [
      Object.defineProperties(Object('text') as object, Object.getOwnPropertyDescriptors(bombs)),
      new (class extends String {
        override valueOf = trap as never
        override toString = trap as never
      })('x'),
      Object.assign(Object(Symbol('s')) as object, { valueOf: trap }),
      Object.assign(Object(1n) as object, { toJSON: trap }),
    ],
  ],
  [
    'dates with bombs and dates at the end of time',
    () => [
      Object.assign(new Date(0), { getTime: trap, toISOString: trap, toJSON: trap }),
      new Date(8.64e15),
      new Date(-8.64e15),
    ],
  ],
  [
    'errors with odd parts',
    () => [
      Object.assign(new Error('x'), { message: bombs, name: Symbol('n'), stack: bombs }),
      Object.defineProperty(new Error('x'), 'stack', { value: 5 }),
      Object.create(new Error('above')),
      Object.setPrototypeOf(new Error('x'), null),
      Object.defineProperty(
        new (class extends Error {
          override get message(): string {
            return trap()
          }
        })(),
        'cause',
        { get: trap },
      ),
      Object.assign(new Error('x'), { code: { toString: trap }, errno: bombs }),
    ],
  ],
  [
    'errors that hold themselves',
    () => {
      const error = new AggregateError([], 'self')
      error.errors.push(error, new Error('x', { cause: error }))
      error.cause = error
      return error
    },
  ],
  [
    'an aggregate of a proxy',
    () => Object.assign(new AggregateError([]), { errors: new Proxy([], everyTrap) }),
  ],
  ['an aggregate of getters', () => Object.assign(new AggregateError([]), { errors: getter([1, 2], 0) })],
  [
    'an aggregate of a sparse list of 2^32-1',
    () => Object.assign(new AggregateError([]), { errors: sparse }),
  ],
  [
    'functions with bombs',
    () => [
      getter(() => 1, 'name'),
      getter(function f() {}, 'length'),
      Object.defineProperty(() => 1, 'name', { value: bombs }),
      (() => 1).bind(null),
      async () => 1,
      function* () {},
      withOwn(() => 1, bombs),
    ],
  ],
  ['accessors without a getter', () => Object.defineProperty({}, 'x', { set: trap, enumerable: true })],
  ['what cannot be seen', () => Object.defineProperty({}, 'hidden', { get: trap, enumerable: false })],
  ['a database', () => new Database(':memory:')],
  ['a statement of a database', () => new Database(':memory:').prepare('select 1')],
  [
    'a dictionary with 20,000 keys in a list in a map',
    () => new Map([[1, [Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, i]))]]]),
  ],
  [
    'a list with 50,000 named properties',
    () => Object.assign([1, 2], Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`k${i}`, i]))),
  ],
  [
    'a thousand levels of every container',
    () => deep(1_000, inner => [{ inner }, new Map([[inner, new Set([inner])]])]),
  ],
]

/** A module that threw before its export had a value: reading its keys throws for ever. */
async function unfinishedModule(): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-module-'))
  const file = join(folder, 'unfinished.mjs')
  const name = '__callsightUnfinished'
  writeFileSync(
    file,
    `import * as self from './unfinished.mjs'\nglobalThis.${name} = self\nthrow 1\nexport let late = 1\n`,
  )
  const load = runInThisContext('url => import(url)', {
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }) as (url: string) => Promise<unknown>
  try {
    await load(pathToFileURL(file).href)
  } catch {
    // That is its point.
  }
  rmSync(folder, { recursive: true })
  const module = (globalThis as Record<string, unknown>)[name]
  Reflect.deleteProperty(globalThis, name)
  return module
}

function helperIterator(): unknown {
  const iterator = [1].values() as unknown as { map?: (mapper: () => never) => unknown }
  return typeof iterator.map === 'function' ? iterator.map(trap) : iterator
}

/** Every value of the list, made anew each time. */
export const hostile: readonly (readonly [string, () => unknown])[] = [...known, ...more]
