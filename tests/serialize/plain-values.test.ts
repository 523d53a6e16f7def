import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { Capture } from '../../lib/serialize/capture.js'
import fc from '../support/fast-check.js'
import { givenSeed } from '../support/seed.js'
import { newSite } from './harness.js'

const ROOM = 8_192
const UNUSED_POSITION = 99
const capture = new Capture(DEFAULTS.limits)

/** A hidden position, if only one that no call has, sends everything by the walk. */
const walked = newSite({ site: [UNUSED_POSITION] })
const plain = newSite()

function argumentBytes(args: readonly unknown[], site = plain): Buffer {
  const bytes = new Uint8Array(ROOM)
  return Buffer.from(bytes.subarray(0, capture.writeArguments(bytes, 0, ROOM, args, true, site)))
}

function resultBytes(value: unknown, site = plain): Buffer {
  const bytes = new Uint8Array(ROOM)
  return Buffer.from(bytes.subarray(0, capture.writeResult(bytes, 0, ROOM, value, true, site)))
}

const words = fc.constantFrom(
  'EURUSD',
  'buy',
  'X-Trace',
  'password',
  'Authorization',
  'access_token',
  'a.b.c',
  'exactly fifteen',
  'sixteen letters!',
  'pin',
  'o17',
)
const scalar = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.constantFrom(
    -0,
    0,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    -32,
    -33,
    2 ** 31,
    2 ** 32,
    3e12,
    4111111111111111,
  ),
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
  words,
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
)
const value = fc.oneof(
  { weight: 8, arbitrary: scalar },
  fc.bigInt(),
  fc.dictionary(words, scalar, { maxKeys: 4 }),
  fc.array(scalar, { maxLength: 4 }),
)

/** Too narrow for any short way: everything goes through the walk, field by field. */
const careful = new Capture({ ...DEFAULTS.limits, stringLength: 30 })
let ran = 0
/** The generator looks at what it has made, too. */
let isArmed = false
const trap = (): undefined => {
  if (isArmed) ran++
}
const keysTrap = (): string[] => {
  trap()
  return []
}
class Instance {}
const prototypes: Record<string, () => object> = {
  plain: () => ({}),
  bare: () => Object.create(null) as object,
  instance: () => new Instance(),
  inheriting: () => Object.create({ inherited: 1 }) as object,
  list: () => [],
}
const shortText = fc.string({ unit: fc.constantFrom(...'abcXYZ019 _.-:=/é'), maxLength: 30 })
const key: fc.Arbitrary<string | symbol> = fc.oneof(
  fc.constantFrom(
    'id',
    'side',
    'venue',
    'password',
    'value',
    'name',
    '__proto__',
    'length',
    'a-b',
    'x y',
    'é',
  ),
  fc.nat({ max: 3 }).map(String),
  shortText,
  fc.constantFrom<symbol>(Symbol.iterator, Symbol.toPrimitive),
)
const propertyOf = (value: unknown): fc.Arbitrary<PropertyDescriptor> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constant({ value, enumerable: true, writable: true, configurable: true }) },
    fc.constant({ value, enumerable: false, writable: true, configurable: true }),
    fc.constant({ value, enumerable: true, writable: false, configurable: false }),
    fc.constant({ get: trap, enumerable: true, configurable: true }),
    fc.constant({ set: trap, enumerable: true, configurable: true }),
    fc.constant({ get: trap, set: trap, enumerable: true, configurable: false }),
  )
const { odd } = fc.letrec<{ odd: object; inner: unknown }>(tie => ({
  inner: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    { weight: 4, arbitrary: fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.constant(null), shortText) },
    fc.constantFrom<unknown>(
      undefined,
      4111111111111111,
      10n,
      new Date(0),
      new Proxy({}, { get: trap, ownKeys: keysTrap }),
    ),
    tie('odd'),
  ),
  odd: fc
    .record({
      of: fc.constantFrom(...Object.keys(prototypes)),
      fields: fc.array(fc.tuple(key, tie('inner').chain(propertyOf)), { maxLength: 24 }),
      end: fc.constantFrom('left', 'frozen', 'sealed', 'dictionary'),
    })
    .map(({ of, fields, end }) => {
      const made = (prototypes[of] as () => object)()
      for (const [name, descriptor] of fields) {
        if (name !== 'length' || of !== 'list') Reflect.defineProperty(made, name, descriptor)
      }
      if (end === 'frozen') return Object.freeze(made)
      if (end === 'sealed') return Object.seal(made)
      if (end === 'dictionary') {
        Reflect.set(made, 'gone', 1)
        Reflect.deleteProperty(made, 'gone')
      }
      return made
    }),
}))

function bytesOf(by: Capture, args: readonly unknown[], room: number, isResult: boolean): Buffer {
  const bytes = new Uint8Array(room)
  isArmed = true
  const end = isResult
    ? by.writeResult(bytes, 0, room, args[0], true, plain)
    : by.writeArguments(bytes, 0, room, args, true, plain)
  isArmed = false
  return Buffer.from(bytes.subarray(0, end))
}

describe('objects', () => {
  it('are written byte for byte as by the careful walk, wherever it takes over, and nothing of theirs is run', () => {
    const group = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.array(fc.oneof(odd, shortText, fc.integer()), { minLength: 1, maxLength: 3 }),
      },
      fc.array(odd, { minLength: 4, maxLength: 12 }),
    )
    fc.assert(
      fc.property(group, fc.boolean(), (args, isResult) => {
        const expected = bytesOf(careful, args, ROOM, isResult)
        for (let i = 0; i < 2; i++) expect(bytesOf(capture, args, ROOM, isResult).equals(expected)).toBe(true)
        const room = 100 + (expected.length % 500)
        expect(bytesOf(capture, args, room, isResult).equals(bytesOf(careful, args, room, isResult))).toBe(
          true,
        )
        expect(ran).toBe(0)
      }),
      { numRuns: 3_000, ...givenSeed },
    )
  })

  it('of many fields are cut alike', () => {
    const wide = Array.from({ length: 30 }, (_, i) => ({ [`key${i}`]: 'x'.repeat(29), list: [1, 'two', i] }))
    const args = [wide, { wide }, wide, 'last', { a: 1 }]
    const expected = bytesOf(careful, args, ROOM, false)
    expect(expected.length).toBeGreaterThan(DEFAULTS.limits.bytes - 200)
    expect(bytesOf(capture, args, ROOM, false).equals(expected)).toBe(true)
    for (const nodes of [1, 2, 3, 5, 8, 13]) {
      const limits = { ...DEFAULTS.limits, nodes }
      const narrow = new Capture({ ...limits, stringLength: 30 })
      for (const some of [
        args,
        [1, { a: 1, b: { c: 2 } }, 'x', { d: [3, 4] }, null],
        [{ a: 1 }, { b: 2 }, 3],
      ]) {
        const quick = bytesOf(new Capture(limits), some, ROOM, false)
        expect(quick.equals(bytesOf(narrow, some, ROOM, false))).toBe(true)
      }
    }
  })

  it('are counted once, also where the walk takes over behind them', () => {
    const wide = Object.fromEntries(Array.from({ length: 1_500 }, (_, i) => [`key${i}`, i]))
    const shapes = [capture, careful].map(by => {
      const bytes = new Uint8Array(ROOM)
      // Of an object with so many keys, a second count is not made.
      return Buffer.from(bytes.subarray(0, by.writeArguments(bytes, 0, ROOM, [wide, 10n], true, newSite())))
    })
    expect(shapes[0]?.equals(shapes[1] as Buffer)).toBe(true)
  })

  it('are read by descriptors that a polluted prototype cannot pretend', () => {
    const args = [{ a: 1, b: { c: 'x' } }, 2]
    const expected = bytesOf(careful, args, ROOM, false)
    const getter = Object.defineProperty({}, 'a', { get: trap, enumerable: true })
    const withGetter = bytesOf(careful, [getter], ROOM, false)
    const prototype = Object.prototype as { get?: unknown; value?: unknown }
    try {
      prototype.get = trap
      prototype.value = 'polluted'
      const shown = bytesOf(capture, args, ROOM, false)
      const shownGetter = bytesOf(capture, [getter], ROOM, false)
      delete prototype.get
      delete prototype.value
      expect(shown.equals(expected)).toBe(true)
      expect(shownGetter.equals(withGetter)).toBe(true)
    } finally {
      delete prototype.get
      delete prototype.value
    }
    expect(ran).toBe(0)
  })
})

describe('plain values', () => {
  it('are written byte for byte as the walk writes them, wherever it takes over', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 10 }), args => {
        const expected = argumentBytes(args, walked)
        // Once more: by then the words are known.
        for (let i = 0; i < 3; i++) expect(argumentBytes(args).equals(expected)).toBe(true)
      }),
      { numRuns: 3_000, ...givenSeed },
    )
  })

  it('are the same as results', () => {
    fc.assert(
      fc.property(value, result => {
        expect(resultBytes(result).equals(resultBytes(result, walked))).toBe(true)
      }),
      { numRuns: 3_000, ...givenSeed },
    )
  })

  it('are hidden behind the name of a secret, also when that was seen before, and under rules of its own', () => {
    const strict = newSite({ keys: ['symbol'] })
    for (let i = 0; i < 3; i++) {
      expect(argumentBytes(['password', 'hunter2']).includes('hunter2')).toBe(false)
      expect(argumentBytes(['symbol', 'hunter2']).includes('hunter2')).toBe(true)
      expect(argumentBytes(['symbol', 'hunter2'], strict).includes('hunter2')).toBe(false)
    }
  })

  it('keep to the room there is', () => {
    const args = ['EURUSD', 5, 'a text of thirty-one units, yes', 1.5, null]
    for (let room = 0; room < 2_000; room++) {
      const bytes = new Uint8Array(room + 64).fill(0x5a)
      const end = capture.writeArguments(bytes, 0, room, args, true, plain)
      const other = new Uint8Array(room + 64).fill(0x5a)
      expect(end).toBe(capture.writeArguments(other, 0, room, args, true, walked))
      expect(Buffer.from(bytes.subarray(0, end)).equals(other.subarray(0, end))).toBe(true)
      expect(bytes.subarray(room).every(byte => byte === 0x5a)).toBe(true)
    }
  })
})
