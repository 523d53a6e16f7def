import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { Capture } from '../../lib/serialize/capture.js'
import { captureArguments, captureError, captureValue, newSite } from './harness.js'
import { cyclic, hostile, revokedArray, trap, traps } from './hostile-values.js'

describe.each(hostile)('%s', (_, make) => {
  afterEach(() => {
    traps.fired = 0
  })

  it('is captured as an argument without a throw and without running its code', () => {
    const value = make()
    traps.fired = 0
    const { bytes } = captureValue(value)
    expect(traps.fired).toBe(0)
    expect(bytes).toBeLessThanOrEqual(DEFAULTS.limits.bytes)
    captureValue(value, { room: 64 })
    captureArguments([value, value], { mode: 'types' })
    captureArguments([value, value], { mode: false })
    captureValue({ inside: [value] }, { site: newSite({ site: ['inside.a.b', 'x.y'] }) })
    expect(traps.fired).toBe(0)
  })

  it('is captured as something thrown', () => {
    const value = make()
    traps.fired = 0
    const record = captureError(value).json as Record<string, unknown>
    const header = captureError(value, { header: true }).json as Record<string, unknown>
    captureError(value, { room: 80 })
    expect(traps.fired).toBe(0)
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
    ['a proxy of a proxy', '[Proxy]', { proxy: 1 }],
    ['the global object', '[global]', null],
    ['the global object of another realm', '[global]', null],
    ['the global object of another realm over a proxy', '[global]', null],
    ['proxies of everything with a brand', new Array(9).fill('[Proxy]'), { proxy: 9 }],
    [
      'a resizable buffer and views that follow its length',
      [
        '[ArrayBuffer 4]',
        '[Uint8Array 4]',
        '[Uint8Array 0]',
        '[Uint32Array 0]',
        '[DataView 0]',
        '[DataView 4]',
      ],
      { items: 6 },
    ],
    ['shared memory that may grow', ['[SharedArrayBuffer 32]', '[Uint8Array 32]'], { items: 2 }],
    ['shared wasm memory', '[SharedArrayBuffer 65536]', { items: 1 }],
    ['sealed and not extensible', [{ a: 1 }, [1]], null],
    ['sloppy arguments', { 0: 1, 1: { x: '[getter]' } }, { getter: 1 }],
    ['a module whose bindings are not initialized', '[Module]', null],
    ['a rope of 2^28 characters', '[string 268435456]', { string: 1 }],
    ['a key of 2^24 characters', { [`${'k'.repeat(255)}…[16776961 more: string]`]: 1, after: 2 }, null],
    ['a symbol with a description of 2^24 characters', '[Symbol of 16777216]', null],
    ['a regular expression of 2^20 characters', `[RegExp /${'a'.repeat(71)}…]`, { string: 1 }],
    [
      'an error with a message of 2^24 characters',
      { '@class': 'Error', message: '[string 16777216]' },
      { string: 1 },
    ],
    ['a map of a million', '[Map 1000000]', { items: 1 }],
    ['a set of a million', '[Set 1000000]', { items: 1 }],
    [
      'maps and sets with own bombs',
      [
        { '@class': 'Map', size: 1, entries: [[1, 2]] },
        { '@class': 'Set', size: 1, values: [1] },
      ],
      null,
    ],
    ['symbols as keys', { b: 2 }, null],
    ['lists of big integers', ['[BigInt64Array 3]', '[BigUint64Array 2]'], { items: 2 }],
    ['an aggregate of a proxy', { '@class': 'AggregateError', message: '', errors: '[Proxy]' }, { proxy: 1 }],
    [
      'an aggregate of getters',
      { '@class': 'AggregateError', message: '', errors: ['[getter]', 2] },
      { getter: 1 },
    ],
    [
      'an aggregate of a sparse list of 2^32-1',
      {
        '@class': 'AggregateError',
        message: '',
        errors: [...new Array<string>(5).fill('[empty]'), '[4294967290 more: items]'],
      },
      { items: 1 },
    ],
    [
      'errors that hold themselves',
      {
        '@class': 'AggregateError',
        message: 'self',
        cause: '[Circular]',
        errors: ['[Circular]', { '@class': 'Error', message: 'x', cause: '[Circular]' }],
      },
      null,
    ],
    ['accessors without a getter', { x: '[getter]' }, { getter: 1 }],
    [
      'dates with bombs and dates at the end of time',
      ['1970-01-01T00:00:00.000Z', '+275760-09-13T00:00:00.000Z', '-271821-04-20T00:00:00.000Z'],
      null,
    ],
  ])('%s', (name, expected, cuts) => {
    const found = hostile.find(([title]) => title === name)
    if (found === undefined) throw new Error(`No value is called ${name}`)
    const { value, cuts: seen } = captureValue(found[1]())
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
    traps.fired = 0
    try {
      for (const name of names) {
        Object.defineProperty(Object.prototype, name, plain({ get: trap, set: trap, configurable: true }))
      }
      end = capture.writeArguments(bytes, 0, 4096, args, true, site)
    } finally {
      for (const name of names) Reflect.deleteProperty(Object.prototype, name)
    }
    expect(traps.fired).toBe(0)
    expect(Buffer.from(bytes.slice(0, end)).equals(expected)).toBe(true)
  })

  it.each([
    ['String', String.prototype],
    ['Number', Number.prototype],
    ['Array', Array.prototype],
    ['Map', Map.prototype],
    ['Error', Error.prototype],
    ['Function', Function.prototype],
  ])('survives a polluted %s.prototype', (_, prototype) => {
    const names = [
      '0',
      '1',
      'toJSON',
      'value',
      'get',
      'cause',
      'errors',
      'code',
      'shape',
      'schema',
      'url',
      'secret',
    ]
    const capture = new Capture(DEFAULTS.limits)
    const site = newSite()
    const bytes = new Uint8Array(8192)
    const args = [
      'text',
      1,
      [1, { a: 'x' }],
      new Map([['k', 'v']]),
      new AggregateError([1]),
      () => 1,
      Object.assign(new Array<number>(2), { 1: 1 }),
    ]
    const expected = Buffer.from(bytes.slice(0, capture.writeArguments(bytes, 0, 8192, args, true, site)))
    let end = 0
    traps.fired = 0
    try {
      for (const name of names) {
        if (Object.hasOwn(prototype, name)) continue
        Object.defineProperty(prototype, name, { get: trap, set: trap, configurable: true })
      }
      end = capture.writeArguments(bytes, 0, 8192, args, true, site)
    } finally {
      for (const name of names) {
        if (Object.getOwnPropertyDescriptor(prototype, name)?.get === trap)
          Reflect.deleteProperty(prototype, name)
      }
    }
    expect(traps.fired).toBe(0)
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
      [URLSearchParams.prototype, 'entries'],
      [Map.prototype, 'size'],
      [Set.prototype, 'values'],
      [Object.getPrototypeOf(Uint8Array.prototype) as object, 'set'],
      [Symbol.prototype, 'description'],
      [Object, 'getPrototypeOf'],
      [Object, 'hasOwn'],
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
      new URLSearchParams('a=1&token=x'),
      new Set([1]),
      Symbol('s'),
      new AggregateError([new Error('x')]),
    ]
    const plain = capture.writeArguments(bytes, 0, 4096, args, true, site)
    const expected = Buffer.from(bytes.slice(0, plain))
    const originals = patches.map(
      ([owner, key]) => [owner, key, Object.getOwnPropertyDescriptor(owner, key)] as const,
    )
    const restore = Object.defineProperty
    let end = 0
    traps.fired = 0
    try {
      for (const [owner, key] of patches)
        restore(owner, key, { value: trap, configurable: true, writable: true })
      end = capture.writeArguments(bytes, 0, 4096, args, true, site)
    } finally {
      for (const [owner, key, descriptor] of originals) restore(owner, key, descriptor as PropertyDescriptor)
    }
    expect(traps.fired).toBe(0)
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
