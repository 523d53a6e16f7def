import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { Capture } from '../../lib/serialize/capture.js'
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
