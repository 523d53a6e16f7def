import { EventEmitter } from 'node:events'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { Capture } from '../../lib/serialize/capture.js'
import { captureArguments, captureError, captureValue, newSite } from './harness.js'

let fired = 0
const trap = (): never => {
  fired++
  throw new Error('Application code was run by capture')
}
const everyTrap = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect).map(name => [name, trap]),
) as ProxyHandler<object>
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, everyTrap)
  revoke()
  return proxy
}
const revokedArray = () => {
  const { proxy, revoke } = Proxy.revocable([] as unknown[], everyTrap)
  revoke()
  return proxy
}
const bombs = {
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
const getter = (target: object, key: PropertyKey) =>
  Object.defineProperty(target, key, { get: trap, enumerable: true, configurable: true })
class BombMap extends Map<unknown, unknown> {
  override get size(): number {
    return trap()
  }
  override entries = trap as never
  override forEach = trap as never
  override [Symbol.iterator] = trap as never
}
class BombSet extends Set<unknown> {
  override get size(): number {
    return trap()
  }
  override values = trap as never
  override [Symbol.iterator] = trap as never
}
class BombDate extends Date {
  override getTime = trap as never
  override toISOString = trap as never
}
class BombArray extends Array<unknown> {
  override [Symbol.iterator] = trap as never
  override get length() {
    return trap()
  }
}
class BombRegExp extends RegExp {
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
class BombBytes extends Uint8Array {
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
const cyclic: Record<string, unknown> = { name: 'loop' }
cyclic['self'] = cyclic
cyclic['list'] = [cyclic]
cyclic['map'] = new Map([[cyclic, cyclic]])
const sparse: unknown[] = []
sparse.length = 2 ** 32 - 1
const detached = new ArrayBuffer(16)
const detachedViews = [new Uint8Array(detached), new DataView(detached)]
structuredClone(detached, { transfer: [detached] })

const hostile: readonly (readonly [string, () => unknown])[] = [
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
        fired++
        yield 1
      })(),
  ],
  [
    'an async generator',
    () =>
      (async function* () {
        fired++
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
  ['a module', async () => import('node:fs')],
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

describe.each(hostile)('%s', (_, make) => {
  afterEach(() => {
    fired = 0
  })

  it('is captured as an argument without a throw and without running its code', () => {
    const value = make()
    fired = 0
    const { bytes } = captureValue(value)
    expect(fired).toBe(0)
    expect(bytes).toBeLessThanOrEqual(DEFAULTS.limits.bytes)
    captureValue(value, { room: 64 })
    captureArguments([value, value], { mode: 'types' })
    captureValue({ inside: [value] }, { site: newSite({ site: ['inside.a.b', 'x.y'] }) })
    expect(fired).toBe(0)
  })

  it('is captured as something thrown', () => {
    const value = make()
    fired = 0
    const record = captureError(value).json as Record<string, unknown>
    const header = captureError(value, { header: true }).json as Record<string, unknown>
    captureError(value, { room: 80 })
    expect(fired).toBe(0)
    expect(record).toMatchObject({
      type: expect.any(String) as string,
      message: expect.any(String) as string,
    })
    expect(Object.keys(header)).toEqual(['type', 'message'])
  })
})

describe('what stands in the record', () => {
  it.each([
    ['a throwing getter', { a: 1, bad: '[getter]' }, { getter: 1 }],
    ['a getter on a list index', [1, '[getter]', 3], { getter: 1 }],
    ['a proxy', '[Proxy]', { proxy: 1 }],
    ['a revoked proxy', '[Proxy]', { proxy: 1 }],
    ['a map that overrides everything', undefined, undefined],
    ['a date that overrides everything', '1970-01-01T00:00:00.000Z', null],
    ['bytes that override everything', '[BombBytes 3]', { items: 1 }],
    ['a class with a getter for its name', '[Class]', null],
    ['an instance of it', { a: 1 }, null],
    ['a sparse list of 2^32-1', '[Array 4294967295]', { items: 1 }],
    ['a small sparse list', [1, '[empty]', 3], null],
    ['a rope of 64 M characters', '[string 64000000]', { string: 1 }],
    ['an emitter', '[EventEmitter]', null],
    ['a socket', { '@class': 'Socket', connecting: false }, null],
    ['a request', '[IncomingMessage]', null],
    ['an abort signal', '[AbortSignal]', null],
    ['a generator', '[Generator]', null],
  ])('%s', (name, expected, cuts) => {
    const { value, cuts: seen } = captureValue(hostile.find(([title]) => title === name)?.[1]())
    if (expected !== undefined) expect(value).toEqual(expected)
    if (cuts !== undefined) expect(seen).toEqual(cuts)
  })

  it('marks cycles', () => {
    const { value } = captureValue(cyclic)
    expect(value).toMatchObject({ name: 'loop', self: '[Circular]', list: ['[Circular]'] })
  })

  it('keeps the key __proto__ under a name every reader accepts', () => {
    expect(captureValue(JSON.parse('{"__proto__":1,"a":2}')).value).toEqual({ '[__proto__]': 1, a: 2 })
  })

  it('replaces lone surrogates only', () => {
    expect(captureValue('a\ud800b\udc00😀').value).toBe('a\ufffdb\ufffd😀')
  })
})

describe('a hostile environment', () => {
  it('survives a polluted Object.prototype and Array.prototype', () => {
    const names = [
      'get',
      'set',
      'value',
      'writable',
      'enumerable',
      'done',
      '0',
      '1',
      'length2',
      'secret',
      'then',
      'toJSON',
    ]
    const capture = new Capture(DEFAULTS.limits)
    const bytes = new Uint8Array(4096)
    const site = newSite()
    const plain = (fields: object): PropertyDescriptor =>
      Object.assign(Object.create(null), fields) as PropertyDescriptor
    const target = Object.create(null, {
      read: plain({ get: trap, enumerable: true }),
      a: plain({ value: [1, Object.create(null)], enumerable: true }),
    }) as object
    const args = [target, new Map([[1, 2]]), new Error('x'), { token: 'x', list: [{ a: 1 }] }]
    const expected = Buffer.from(bytes.slice(0, capture.writeArguments(bytes, 0, 4096, args, true, site)))
    let end = 0
    fired = 0
    try {
      for (const name of names) {
        Object.defineProperty(Object.prototype, name, plain({ get: trap, set: trap, configurable: true }))
      }
      end = capture.writeArguments(bytes, 0, 4096, args, true, site)
    } finally {
      for (const name of names) Reflect.deleteProperty(Object.prototype, name)
    }
    expect(fired).toBe(0)
    expect(Buffer.from(bytes.slice(0, end)).equals(expected)).toBe(true)
  })

  it('does not call patched built-ins', () => {
    const patches: [object, string][] = [
      [Array.prototype, 'push'],
      [Array.prototype, 'map'],
      [Map.prototype, 'get'],
      [Map.prototype, 'entries'],
      [String.prototype, 'slice'],
      [String.prototype, 'charCodeAt'],
      [String.prototype, 'indexOf'],
      [RegExp.prototype, 'exec'],
      [Date.prototype, 'getTime'],
      [Object, 'keys'],
      [Object, 'getOwnPropertyDescriptor'],
      [Array, 'isArray'],
      [Set.prototype, 'has'],
      [WeakMap.prototype, 'get'],
      [Math, 'min'],
    ]
    const capture = new Capture(DEFAULTS.limits)
    const site = newSite({ site: [4, 'a.b'] })
    const bytes = new Uint8Array(4096)
    const args = [
      { a: 1, token: 'x' },
      'password=hunter2 AKIAIOSFODNN7EXAMPLE',
      new Map([['k', 1]]),
      new Date(0),
      /x/,
      [1, 2],
    ]
    const plain = capture.writeArguments(bytes, 0, 4096, args, true, site)
    const expected = Buffer.from(bytes.slice(0, plain))
    const originals = patches.map(
      ([owner, key]) => [owner, key, Object.getOwnPropertyDescriptor(owner, key)] as const,
    )
    const restore = Object.defineProperty
    let end = 0
    fired = 0
    try {
      for (const [owner, key] of patches)
        restore(owner, key, { value: trap, configurable: true, writable: true })
      end = capture.writeArguments(bytes, 0, 4096, args, true, site)
    } finally {
      for (const [owner, key, descriptor] of originals) restore(owner, key, descriptor as PropertyDescriptor)
    }
    expect(fired).toBe(0)
    expect(Buffer.from(bytes.slice(0, end)).equals(expected)).toBe(true)
  })

  it('writes something valid near the end of the stack', () => {
    const capture = new Capture(DEFAULTS.limits)
    const bytes = new Uint8Array(4096)
    const site = newSite()
    const value = { a: [{ b: new Map([['k', new Error('x')]]) }] }
    let contained = 0
    let thrown = 0
    const fall = (): void => {
      try {
        fall()
      } catch {
        // Climbing back up, frame by frame: somewhere here the walk runs out of stack in the middle.
      }
      if (contained + thrown > 300) return
      try {
        const end = capture.writeArguments(bytes, 0, 4096, [value], true, site)
        if (end < 1 || end > 4096) throw new Error('bad offset')
        contained++
      } catch (error) {
        // Not even the first frame of capture fits: nothing of ours has run.
        if (!(error instanceof RangeError)) throw error
        thrown++
      }
    }
    fall()
    expect(contained).toBeGreaterThan(200)
    expect(captureValue(value).value).toMatchObject({ a: [{ b: { '@class': 'Map' } }] })
  })

  it('captures inside a capture: Error.prepareStackTrace may call a monitored method', () => {
    const capture = new Capture(DEFAULTS.limits)
    const outer = new Uint8Array(16_384)
    const inner = new Uint8Array(4096)
    let innerEnd = 0
    const before = Error.prepareStackTrace
    let error: Error
    try {
      Error.prepareStackTrace = () => {
        innerEnd = capture.writeArguments(inner, 0, 4096, ['inside', { a: 1 }], true, newSite())
        return 'custom stack'
      }
      error = new Error('outside')
      const end = capture.writeError(outer, 0, 16_384, error, false, newSite())
      expect(Buffer.from(outer.slice(0, end)).includes('outside')).toBe(true)
      const again = capture.writeArguments(inner, 0, 4096, ['after'], true, newSite())
      expect(Buffer.from(inner.slice(0, again)).includes('after')).toBe(true)
      innerEnd = Math.max(innerEnd, again)
    } finally {
      Error.prepareStackTrace = before
    }
    expect(innerEnd).toBeGreaterThan(0)
  })

  it('keeps nothing alive after the capture', () => {
    const capture = new Capture(DEFAULTS.limits)
    const site = newSite()
    capture.writeArguments(new Uint8Array(512), 0, 512, [cyclic, revokedArray()], true, site)
    expect(inspect(capture, { depth: 10, showHidden: true })).not.toContain('loop')
  })
})
