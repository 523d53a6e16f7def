import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { Transcoder } from '../../lib/serialize/transcode.js'
import { captureArguments, newSite } from './harness.js'

class Order {
  id = 1
  total = 2
}
class Späte {}
class Cache extends Map<string, number> {}

const modes = [true, 'types', false] as const

describe.each(modes)('the shape of arguments, capture.args %j', mode => {
  const shapeOf = (...args: unknown[]) => captureArguments(args, { mode }).shape

  it.each([
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a boolean', true, 'boolean'],
    ['a number', 1.5, 'number'],
    ['NaN', Number.NaN, 'number'],
    ['a bigint', 5n, 'bigint'],
    ['a string', 'twelve units', ['string', 12]],
    ['a long string', 'x'.repeat(300_000), ['string', 300_000]],
    ['a symbol', Symbol('s'), 'symbol'],
    ['a function', () => 1, 'function'],
    ['a class', Order, 'function'],
    ['a list', [1, 2, 3], ['array', 3]],
    ['a long list', new Array(10_000_000), ['array', 10_000_000]],
    ['an object', { a: 1, b: 2 }, ['object', 2]],
    ['a null prototype', Object.assign(Object.create(null) as object, { a: 1 }), ['object', 1]],
    ['an instance', new Order(), ['Order', 2]],
    ['an instance of a class beyond ASCII', new Späte(), ['Späte', 0]],
    ['an instance without a class name', new (class {})(), ['object', 0]],
    ['a typed array', new Float64Array(1_000), ['Float64Array', 1_000]],
    ['a buffer', Buffer.alloc(7), ['Buffer', 7]],
    ['an array buffer', new ArrayBuffer(9), ['ArrayBuffer', 9]],
    ['a data view', new DataView(new ArrayBuffer(4)), ['DataView', 4]],
    ['a map', new Map([[1, 2]]), ['map', 1]],
    ['a map of a class', new Cache([['a', 1]]), ['map', 1]],
    ['a set', new Set([1, 2]), ['set', 2]],
    ['a date', new Date(0), 'date'],
    ['a regular expression', /x/, 'regexp'],
    ['an error', new RangeError('x'), 'RangeError'],
    ['a promise', Promise.resolve(), 'Promise'],
    ['an address', new URL('http://x/'), 'URL'],
    ['a proxy', new Proxy({}, {}), 'proxy'],
    ['a proxy of a function', new Proxy(() => 1, {}), 'proxy'],
    ['a boxed number', Object(1), 'Number'],
    ['a list of another realm', runInNewContext('[1, 2]'), ['array', 2]],
    ['an object of another realm', runInNewContext('({ a: 1 })'), ['object', 1]],
    ['an impostor of a map', Object.create(Map.prototype), 'object'],
    ['an impostor of a date', Object.create(Date.prototype), 'object'],
  ])('%s', (_, value, expected) => {
    expect(shapeOf(value)).toEqual([expected])
    // Not first, where the walk may have run out of room: judged by the same rules.
    expect(shapeOf('x', value)).toEqual([['string', 1], expected])
  })

  it('says nothing of a hidden position, and of what follows a secret name', () => {
    const site = newSite({ site: [1] })
    expect(captureArguments(['a', 'hidden', [1]], { mode, site }).shape).toEqual([
      ['string', 1],
      'redacted',
      ['array', 1],
    ])
    expect(shapeOf('authorization', 'Bearer something', 'third')).toEqual([
      ['string', 13],
      'redacted',
      ['string', 5],
    ])
  })

  it('shapes the first 16, and says that there were more', () => {
    expect(shapeOf()).toEqual([])
    expect(shapeOf(...new Array(16).fill(1))).toEqual(new Array(16).fill('number'))
    expect(shapeOf(...new Array(17).fill(1))).toEqual([...new Array(16).fill('number'), '…'])
    expect(shapeOf(...new Array(400).fill(1))).toEqual([...new Array(16).fill('number'), '…'])
  })

  it('does not count the keys of a costly position again', () => {
    const site = newSite()
    const crowd = Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`k${i}`, i]))
    expect(captureArguments([crowd], { mode, site }).shape).toEqual([['object', 1_001]])
    expect([...site.costly]).toEqual([0])
    expect(captureArguments([crowd], { mode, site }).shape).toEqual(['object'])
    expect(captureArguments([new Order()], { mode, site }).shape).toEqual(['Order'])
    expect(captureArguments([[1]], { mode, site }).shape).toEqual([['array', 1]])
  })

  it('keeps class names short and without their secrets', () => {
    const named = (name: string) =>
      new (Object.defineProperty(class {}, 'name', { value: name }) as new () => object)()
    expect(shapeOf(named('é'.repeat(60)))).toEqual([['é'.repeat(32), 0]])
    expect(shapeOf(named(`x${'é'.repeat(60)}`))).toEqual([[`x${'é'.repeat(31)}`, 0]])
    expect(shapeOf(named('AKIAIOSFODNN7EXAMPLE'))).toEqual([['object', 0]])
    expect(shapeOf(named('password=hunter2'))).toEqual([['object', 0]])
    expect(shapeOf(named('a"b\\c'))).toEqual([['a"b\\c', 0]])
  })

  it('has room for 16 arguments with the longest names', () => {
    const odd = new (Object.defineProperty(class {}, 'name', { value: 'N'.repeat(64) }) as new () => object)()
    expect(shapeOf(...new Array(16).fill(odd))).toEqual(new Array(16).fill(['N'.repeat(64), 0]))
  })

  it('is there when the values have used all their room', () => {
    const args = [...new Array(7).fill('x'.repeat(250)), { a: { b: 1 } }, new Order()]
    const { shape } = captureArguments(args, { mode, limits: { bytes: 300 } })
    expect(shape).toEqual([...new Array(7).fill(['string', 250]), ['object', 1], ['Order', 2]])
  })

  it.each([2, 3, 8, 20, 40, 64, 100])('is whole or null within %i bytes', room => {
    const args = ['text', 7, { a: 1 }, new Order()]
    const { shape } = captureArguments(args, { mode, room })
    expect([null, [['string', 4], 'number', ['object', 1], ['Order', 2]]]).toContainEqual(shape)
    if (room >= 100) expect(shape).not.toBe(null)
  })
})

describe('reading a shape', () => {
  const read = (...bytes: number[]): unknown => {
    const transcoder = new Transcoder()
    const payload = Uint8Array.from([0xc7, bytes.length, 4, ...bytes])
    transcoder.value(payload, 0, payload.length)
    return JSON.parse(
      transcoder.buffer.toString('utf8', transcoder.start, transcoder.start + transcoder.length),
    )
  }

  it('also where it is not on top', () => {
    expect(read(2, 3, 8, 0xf4, 0x03)).toEqual(['number', ['array', 500]])
  })

  it.each([
    ['an unknown tag', [1, 99]],
    ['fewer entries than it says', [3, 1, 1]],
    ['more bytes than entries', [1, 1, 1]],
    ['a size that does not end', [1, 8, 0x80]],
    ['a name that does not end', [1, 20, 5, 65]],
    ['a name that is too long', [1, 20, 65, ...new Array<number>(65).fill(65)]],
    ['no name at all', [1, 20]],
  ])('refuses %s', (_, bytes) => {
    expect(() => read(...bytes)).toThrow(/payload|shape|amount/i)
  })
})
