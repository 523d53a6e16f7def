import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { Capture } from '../../lib/serialize/capture.js'
import { captureArguments, captureResult, captureValue, newSite } from './harness.js'

const shown = (value: unknown) => captureValue(value).value

describe('plain values', () => {
  it.each([
    null,
    true,
    false,
    '',
    'text',
    'héllo €😀',
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    -32,
    -33,
    -128,
    -32_768,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    -(2 ** 31) - 1,
    2 ** 32,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    1.5,
    1e300,
    5e-324,
    2 ** 70,
  ])('keeps %j', value => {
    expect(shown(value)).toBe(value)
  })

  it('keeps minus zero, and names what JSON has no number for', () => {
    expect(Object.is(shown(-0), -0)).toBe(true)
    expect([NaN, Infinity, -Infinity, undefined].map(shown)).toEqual([
      '[NaN]',
      '[Infinity]',
      '[-Infinity]',
      '[undefined]',
    ])
  })

  it('keeps a small bigint as a number, a larger one as text, and only bounds a huge one', () => {
    expect(shown(12n)).toBe(12)
    expect(shown(-(2n ** 60n))).toBe('-1152921504606846976n')
    const huge = captureValue(1n << 4_000_000n)
    expect(huge.value).toBe('[bigint over 1024 bits]')
    expect(huge.cuts).toEqual({ string: 1 })
  })

  it('writes an undefined result as null', () => {
    expect(captureResult(undefined).json).toBe(null)
    expect(captureResult({ a: 1 }).json).toEqual({ a: 1 })
  })
})

describe('objects of every kind', () => {
  class Order {
    id = 7
    #hidden = 'private'
    get total(): number {
      return this.#hidden.length
    }
  }

  it.each([
    ['an object', { a: 1, b: { c: [1, 'x'] } }, { a: 1, b: { c: [1, 'x'] } }],
    ['a null prototype', Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
    ['an instance', new Order(), { '@class': 'Order', id: 7 }],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['an invalid date', new Date(NaN), '[Date invalid]'],
    ['a regular expression', /a\/b/giu, '[RegExp /a\\/b/giu]'],
    ['a map', new Map([['k', { v: 1 }]]), { '@class': 'Map', size: 1, entries: [['k', { v: 1 }]] }],
    ['a set', new Set([1, 'b']), { '@class': 'Set', size: 2, values: [1, 'b'] }],
    ['a buffer', Buffer.alloc(1024), '[Buffer 1024]'],
    ['a typed array', new Float64Array(12), '[Float64Array 12]'],
    ['an array buffer', new ArrayBuffer(9), '[ArrayBuffer 9]'],
    ['shared memory', new SharedArrayBuffer(9), '[SharedArrayBuffer 9]'],
    ['a data view', new DataView(new ArrayBuffer(8)), '[DataView 8]'],
    ['a function', function work() {}, '[Function work]'],
    ['a class', Order, '[Class Order]'],
    ['a symbol', Symbol('why'), '[Symbol(why)]'],
    ['a promise', Promise.resolve(1), '[Promise]'],
    ['a weak map', new WeakMap(), '[WeakMap]'],
    ['a weak set', new WeakSet(), '[WeakSet]'],
    ['an address', new URL('https://example.com/a?b=1'), 'https://example.com/a?b=1'],
    ['an error', new RangeError('far'), { '@class': 'RangeError', message: 'far' }],
    ['a boxed number', Object(5), 5],
    ['a boxed string', Object('abc'), 'abc'],
  ])('renders %s', (_, value, expected) => {
    expect(shown(value)).toEqual(expected)
  })

  it('renders values of another realm like its own', () => {
    const foreign = runInNewContext(
      '({ list: [1, 2], date: new Date(0), map: new Map([[1, 2]]), error: new TypeError("x"), typed: new Uint8Array(3), re: /x/g })',
    ) as unknown
    expect(shown(foreign)).toEqual({
      list: [1, 2],
      date: '1970-01-01T00:00:00.000Z',
      map: { '@class': 'Map', size: 1, entries: [[1, 2]] },
      error: { '@class': 'TypeError', message: 'x' },
      typed: '[Uint8Array 3]',
      re: '[RegExp /x/g]',
    })
  })

  it('does not learn a wrong kind from an impostor that comes first', async () => {
    vi.resetModules()
    const fresh = await import('../../lib/serialize/capture.js')
    const capture = new fresh.Capture(DEFAULTS.limits)
    const bytes = new Uint8Array(512)
    for (const [impostor, real] of [
      [Object.create(Map.prototype), new Map([['inside', 1]])],
      [Object.create(Set.prototype), new Set(['inside'])],
      [Object.create(RegExp.prototype), /inside/],
    ]) {
      capture.writeArguments(bytes, 0, 512, [impostor], true, newSite())
      const end = capture.writeArguments(bytes, 0, 512, [real], true, newSite())
      expect(Buffer.from(bytes.slice(0, end)).includes('inside')).toBe(true)
    }
  })

  it('takes an impostor for what it is', () => {
    expect(shown(Object.create(Map.prototype))).toEqual({ '@class': 'Map' })
    expect(shown(new Map([[1, 2]]))).toEqual({ '@class': 'Map', size: 1, entries: [[1, 2]] })
    expect(shown(Object.create(Date.prototype))).toEqual({ '@class': 'Date' })
    class Late extends Set<number> {}
    expect(shown(Object.create(Late.prototype))).toEqual({ '@class': 'Late' })
  })

  it('names an error of an old-style class, and keeps its code and cause', () => {
    const cause = new TypeError('inner')
    const error = Object.assign(new Error('outer', { cause }), { code: 'E_OUT' })
    expect(shown(error)).toEqual({
      '@class': 'Error',
      message: 'outer',
      code: 'E_OUT',
      cause: { '@class': 'TypeError', message: 'inner' },
    })
    expect(shown(new DOMException('late', 'TimeoutError'))).toEqual({
      '@class': 'TimeoutError',
      message: 'late',
    })
  })
})

describe('limits, each with its reason and how much was cut', () => {
  it('depth', () => {
    const { value, cuts } = captureValue({ 1: { 2: { 3: { 4: {} }, list: [[]] } } })
    expect(value).toEqual({ 1: { 2: { 3: { 4: '[Object: depth]' }, list: ['[Array 0: depth]'] } } })
    expect(cuts).toEqual({ depth: 2 })
  })

  it('fields', () => {
    const { value, cuts } = captureValue(
      Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, i])),
    )
    expect(Object.keys(value as object)).toHaveLength(21)
    expect(value).toMatchObject({ k0: 0, k19: 19, '…': '[980 more: fields]' })
    expect(cuts).toEqual({ fields: 1 })
  })

  it('items of a list, a map and a set', () => {
    const list = captureValue(Array.from({ length: 1_000 }, (_, i) => i))
    expect(list.value).toHaveLength(101)
    expect((list.value as unknown[])[100]).toBe('[900 more: items]')
    expect(list.cuts).toEqual({ items: 1 })
    const set = captureValue(new Set(Array.from({ length: 150 }, (_, i) => i))).value as { values: unknown[] }
    expect(set.values.slice(-2)).toEqual([99, '[50 more: items]'])
    const map = captureValue(new Map(Array.from({ length: 150 }, (_, i) => [i, i]))).value as {
      entries: unknown[]
    }
    expect(map.entries.slice(-2)).toEqual([[99, 99], '[50 more: items]'])
  })

  it('long lists, maps, sets and tables by shape', () => {
    const row = Array.from({ length: 100 }, () => 1)
    const record = Object.fromEntries(row.map((_, i) => [`c${i}`, i]))
    const pairs = Array.from({ length: 1_001 }, (_, i) => [i, i] as const)
    class Frame {
      readonly shape = [1_000_000, 100]
      get rows(): never {
        throw new Error('read')
      }
    }
    class Picture {
      readonly height = 4
      readonly width = 3
      readonly data = new Uint8Array(12)
    }
    const { json, cuts } = captureArguments([
      new Array(1_000_000).fill(row),
      new Array(1_000_000).fill(record),
      new Array(10_000_000).fill(1),
      new Map(pairs),
      new Set(pairs),
      new Frame(),
      new Picture(),
    ])
    expect(json).toEqual([
      '[Table 1000000×100]',
      '[Table 1000000×100]',
      '[Array 10000000]',
      '[Map 1001]',
      '[Set 1001]',
      '[Frame 1000000×100]',
      '[Picture 4×3]',
    ])
    expect(cuts).toEqual({ items: 7 })
  })

  it('string length, without splitting a surrogate pair', () => {
    expect(captureValue('a'.repeat(255)).value).toBe('a'.repeat(255))
    const { value, cuts } = captureValue('a'.repeat(1_000))
    expect(value).toBe(`${'a'.repeat(255)}…[745 more: string]`)
    expect(cuts).toEqual({ string: 1 })
    expect(captureValue(`${'a'.repeat(254)}😀b`).value).toBe(`${'a'.repeat(254)}…[3 more: string]`)
  })

  it('strings over 256 Ki by their length only', () => {
    expect(captureValue('x'.repeat(256 * 1024)).value).toMatch(/^x{255}…/)
    expect(captureValue('x'.repeat(64_000_000)).value).toBe('[string 64000000]')
  })

  it('nodes', () => {
    const wide = Array.from({ length: 50 }, () => Array.from({ length: 50 }, () => 1))
    const { value, cuts } = captureValue(wide, { limits: { nodes: 120 } })
    expect((value as unknown[]).length).toBeLessThan(5)
    expect(JSON.stringify(value)).toContain('more: nodes]')
    expect(cuts?.['nodes']).toBeGreaterThan(0)
  })

  it('bytes of the whole group', () => {
    const args = Array.from({ length: 100 }, (_, i) => ({ index: i, text: 'x'.repeat(200) }))
    const { json, bytes, cuts } = captureArguments(args)
    expect(bytes).toBeLessThanOrEqual(DEFAULTS.limits.bytes)
    expect(bytes).toBeGreaterThan(DEFAULTS.limits.bytes - 400)
    expect((json as unknown[]).at(-1)).toMatch(/^\[\d+ more: bytes\]$/)
    expect(cuts?.['bytes']).toBeGreaterThan(0)
  })

  it('cost: an object with very many keys is listed once, then by type only', () => {
    const site = newSite()
    const crowd = Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`k${i}`, i]))
    expect(captureArguments([1, crowd], { site }).cuts).toEqual({ fields: 1 })
    expect([...site.costly]).toEqual([1])
    const second = captureArguments([crowd, crowd], { site })
    expect((second.json as unknown[])[1]).toBe('[Object: cost]')
    expect(second.cuts).toEqual({ fields: 1, cost: 1 })
    // A small value there costs nothing to know.
    expect(captureArguments([1, 'text'], { site: { ...newSite(), costly: new Set([1]) } }).json).toEqual([
      1,
      'text',
    ])
  })

  it.each(Array.from({ length: 200 }, (_, room) => room))('closes every container within %i bytes', room => {
    const value = {
      a: [{ b: new Map([['k', [1, 2, 3]]]) }, 'text '.repeat(10)],
      e: new Error('m'),
      __proto__2: 1,
    }
    if (room > 1) captureArguments([value, value], { room })
    if (room > 0) captureResult(value, { room })
    const bytes = new Uint8Array(8)
    expect(new Capture(DEFAULTS.limits).writeArguments(bytes, 4, 4, [value], true, newSite())).toBe(4)
  })
})

describe('modes', () => {
  const args = [
    'secret text',
    7,
    null,
    undefined,
    { a: 1, b: 2 },
    [1, 2, 3],
    new Map([[1, 2]]),
    new Date(0),
    () => 1,
  ]

  it('types: what it is and how much, no value', () => {
    const { json, cuts, memory } = captureArguments(args, { mode: 'types' })
    expect(json).toEqual([
      '[string 11]',
      '[number]',
      '[null]',
      '[undefined]',
      '[Object 2 keys]',
      '[Array 3]',
      '[Map 1]',
      '[Date]',
      '[Function]',
    ])
    expect(cuts).toBe(null)
    expect(memory.includes('secret text')).toBe(false)
    expect(captureResult({ a: 1 }, { mode: 'types' }).json).toBe('[Object 1 keys]')
  })

  it('types: does not list the keys of a costly position', () => {
    const site = { ...newSite(), costly: new Set([0]) }
    expect(captureArguments([{ a: 1 }], { mode: 'types', site }).json).toEqual(['[Object]'])
  })

  it('false: nil, and the value is not touched', () => {
    const trap = {
      get value(): never {
        throw new Error('read')
      },
    }
    expect(captureArguments([trap], { mode: false }).json).toBe(null)
    expect(captureResult(trap, { mode: false }).json).toBe(null)
  })
})
