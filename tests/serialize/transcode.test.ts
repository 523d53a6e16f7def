import { decode, ExtensionCodec, encode } from '@msgpack/msgpack'
import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { Capture } from '../../lib/serialize/capture.js'
import { MalformedPayloadError, Transcoder } from '../../lib/serialize/transcode.js'
import fc from '../support/fast-check.js'
import { captureValue, newSite, reference } from './harness.js'

const RUNS = Number(process.env['CALLSIGHT_FUZZ_RUNS'] ?? 20_000)

function transcode(bytes: Uint8Array, transcoder = new Transcoder()): string {
  const end = transcoder.value(bytes, 0, bytes.length)
  expect(end).toBeLessThanOrEqual(bytes.length)
  const { buffer, start, length } = transcoder
  return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(start, start + length))
}

describe('msgpack of another writer', () => {
  it.each(
    [
      null,
      true,
      0,
      -1,
      127,
      -32,
      128,
      -33,
      255,
      -129,
      65_535,
      65_536,
      -32_769,
      2 ** 31,
      2 ** 32,
      2 ** 53 - 1,
      -(2 ** 53 - 1),
      9_999_999_999,
      10_000_000_000,
      1_073_741_823,
      1_073_741_824,
      1.5,
      -2.25,
      1e21,
      1e-7,
      5e-324,
      '',
      'text',
      '"quoted\\"',
      'tab\tnew\nline\u0000\u001f\u007f',
      '\u2028\u2029',
      'héllo €😀',
      'x'.repeat(300),
      'x'.repeat(70_000),
      [],
      {},
      [1, [2, [3]]],
      { a: { b: [null] } },
      Array.from({ length: 70_000 }, (_, i) => i),
      Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, i])),
    ].map(value => [JSON.stringify(value).slice(0, 40), value] as const),
  )('%s', (_, value) => {
    expect(JSON.parse(transcode(encode(value)))).toEqual(value)
  })

  it('says what JSON has no word for', () => {
    expect(transcode(encode([NaN, Infinity, -Infinity, new Uint8Array(5)]))).toBe(
      '["[NaN]","[Infinity]","[-Infinity]","[Buffer 5]"]',
    )
    expect(transcode(Uint8Array.of(0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0))).toBe('-0')
    expect(transcode(encode([2n ** 64n - 1n, -(2n ** 63n)], { useBigInt64: true }))).toBe(
      '[18446744073709551615,-9223372036854775808]',
    )
    const codec = new ExtensionCodec()
    codec.register({
      type: 77,
      encode: value => (value instanceof Map ? new Uint8Array(3) : null),
      decode: () => null,
    })
    expect(transcode(encode(new Map(), { extensionCodec: codec }))).toBe('"[ext 77 3]"')
    expect(transcode(encode(new Date(0)))).toBe('"[ext 255 4]"')
    expect(transcode(encode(1.5, { forceFloat32: true }))).toBe('1.5')
  })

  it('writes keys that are no text as text', () => {
    const map = Uint8Array.of(
      0x85,
      1,
      10,
      0xc0,
      11,
      0x92,
      1,
      0xa1,
      0x22,
      12,
      0x80,
      13,
      0xca,
      0x7f,
      0xc0,
      0,
      0,
      14,
    )
    expect(JSON.parse(transcode(map))).toEqual({ '1': 10, null: 11, '[1,"\\""]': 12, '{}': 13, '[NaN]': 14 })
  })

  it('lets the last of equal keys win, as JSON does', () => {
    expect(transcode(Uint8Array.of(0x82, 0xa1, 0x61, 1, 0xa1, 0x61, 2))).toBe('{"a":1,"a":2}')
  })

  it('replaces what is not UTF-8', () => {
    const raw = [
      0x80, 0xc0, 0xaf, 0xe0, 0x80, 0xaf, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0xff, 0xe2, 0x82,
    ]
    const text = JSON.parse(transcode(Uint8Array.of(0xa0 | raw.length, ...raw))) as string
    expect(text).toBe('\ufffd'.repeat(raw.length))
  })
})

describe('what is not a payload', () => {
  it.each([
    ['nothing', []],
    ['the unused byte', [0xc1]],
    ['a string that runs past the end', [0xa5, 0x61]],
    ['a list that claims 4 billion items', [0xdd, 0xff, 0xff, 0xff, 0xff, 1]],
    ['a map that claims 4 billion entries', [0xdf, 0xff, 0xff, 0xff, 0xff, 1, 1]],
    ['half a number', [0xcb, 1, 2]],
    ['a marker with an amount that never ends', [0xc7, 4, 1, 3, 0xff, 0xff, 0xff]],
    ['65 levels', [...new Array<number>(65).fill(0x91), 1]],
  ])('%s', (_, bytes) => {
    const transcoder = new Transcoder()
    transcoder.value(Uint8Array.of(0xa1, 0x61), 0, 2)
    expect(() => transcoder.value(Uint8Array.from(bytes), 0, bytes.length)).toThrow(MalformedPayloadError)
    // What was there before is untouched, and the next value is fine.
    expect(transcoder.buffer.toString('utf8', 0, 3)).toBe('"a"')
    transcoder.value(Uint8Array.of(5), 0, 1)
    expect(transcoder.buffer.toString('utf8', transcoder.start, transcoder.start + transcoder.length)).toBe(
      '5',
    )
  })

  it('64 levels are fine', () => {
    expect(transcode(Uint8Array.from([...new Array<number>(64).fill(0x91), 1]))).toBe(
      `${'['.repeat(64)}1${']'.repeat(64)}`,
    )
  })

  it('never reads past the end it was given', () => {
    const transcoder = new Transcoder()
    expect(() => transcoder.value(encode('some text'), 0, 4)).toThrow(MalformedPayloadError)
    expect(() => transcoder.value(new Uint8Array(4), 0, 5)).toThrow(MalformedPayloadError)
    expect(() => transcoder.value(new Uint8Array(4), -1, 4)).toThrow(MalformedPayloadError)
  })

  it('refuses a text that would fill the memory', () => {
    const transcoder = new Transcoder()
    const large = encode('\u0001'.repeat(400_000))
    expect(() => {
      for (let i = 0; i < 100; i++) transcoder.value(large, 0, large.length)
    }).toThrow(MalformedPayloadError)
    transcoder.reset()
    expect(transcode(encode('next'), transcoder)).toBe('"next"')
    expect(transcoder.buffer.length).toBeLessThanOrEqual(8 * 1024 ** 2)
  })
})

describe('several values', () => {
  it('stay in the buffer until reset, also when it grows', () => {
    const transcoder = new Transcoder()
    const first = transcode(encode('first'), transcoder)
    const { start, length } = transcoder
    transcoder.value(encode('x'.repeat(200_000)), 0, 200_005)
    expect(transcoder.buffer.toString('utf8', start, start + length)).toBe(first)
    expect(transcoder.start).toBe(start + length)
  })

  it('count their cuts together until reset', () => {
    const capture = new Capture({ ...DEFAULTS.limits, items: 2 })
    const bytes = new Uint8Array(1024)
    const end = capture.writeArguments(
      bytes,
      0,
      1024,
      [[1, 2, 3], { password: 'x', pin: 1 }],
      true,
      newSite(),
    )
    const transcoder = new Transcoder()
    expect(transcoder.cuts()).toBe(null)
    transcoder.value(bytes, 0, end)
    expect(transcoder.cuts()).toBe('{"items":1,"redacted":2}')
    transcoder.value(bytes, 0, end)
    expect(transcoder.cuts()).toBe('{"items":2,"redacted":4}')
    transcoder.reset()
    expect(transcoder.cuts()).toBe(null)
  })
})

/** No character was cut through. */
const isWhole = (bytes: Uint8Array): boolean => !new TextDecoder().decode(bytes).includes('\ufffd')

describe('properties', () => {
  it('any value of @msgpack/msgpack becomes the JSON the reference says', () => {
    const transcoder = new Transcoder()
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5, depthSize: 'small' }), value => {
        // The oracle refuses to read this key; the next test has it, and capture never writes it.
        fc.pre(!JSON.stringify(value).includes('"__proto__"'))
        transcoder.reset()
        const bytes = encode(value)
        expect(JSON.parse(transcode(bytes, transcoder))).toEqual(
          JSON.parse(JSON.stringify(reference(decode(bytes)))),
        )
      }),
      { numRuns: Math.ceil(RUNS / 20) },
    )
  })

  it('the key __proto__ that the oracle refuses is a key like any other', () => {
    const text = transcode(encode(JSON.parse('[{"__proto__":0}]')), new Transcoder())
    expect(text).toBe('[{"__proto__":0}]')
  })

  it('a byte order mark at the beginning of a text stays, in short, long and cut ones', () => {
    for (const text of ['\ufeff', '\ufeffa', `\ufeff${'x'.repeat(240)}`]) {
      const json = transcode(encode({ [text]: text }), new Transcoder())
      expect(JSON.parse(json)).toEqual({ [text]: text })
      expect(decode(encode(text)), 'as the oracle reads it').toBe(text)
      expect(captureValue(text).json).toEqual([text])
    }
    expect(captureValue(`\ufeff${'x'.repeat(300)}`).json).toEqual([
      `\ufeff${'x'.repeat(254)}…[46 more: string]`,
    ])
  })

  it('numbers look as JavaScript writes them', () => {
    const transcoder = new Transcoder()
    const digits = fc.tuple(fc.maxSafeInteger(), fc.nat(6)).map(([whole, places]) => whole / 10 ** places)
    const nearBillions = fc
      .tuple(fc.integer({ min: 0, max: 9_007_199 }), fc.integer({ min: -2, max: 2 }))
      .map(([billions, more]) => Math.min(billions * 1e9 + more, Number.MAX_SAFE_INTEGER))
    const powers = fc
      .tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -2, max: 2 }))
      .map(([power, more]) => 10 ** power + more)
    const value = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), digits, nearBillions, powers)
    fc.assert(
      fc.property(value, number => {
        transcoder.reset()
        const bytes = Uint8Array.of(0xcb, ...new Uint8Array(8))
        new DataView(bytes.buffer).setFloat64(1, number)
        // Here a whole number never has an exponent, and the sign of zero is kept.
        const whole = Number.isSafeInteger(number) ? BigInt(number).toString() : String(number)
        expect(transcode(bytes, transcoder)).toBe(Object.is(number, -0) ? '-0' : whole)
      }),
      { numRuns: RUNS },
    )
  })

  it('a text is the same wherever it begins, ends and has what needs an escape', () => {
    const transcoder = new Transcoder()
    const unit = fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xff }) },
      { weight: 1, arbitrary: fc.constantFrom(0x1f, 0x20, 0x22, 0x23, 0x5b, 0x5c, 0x5d, 0x7f, 0x80, 0x20ac) },
    )
    const text = fc
      .array(unit, { maxLength: 31 })
      .map(units => Buffer.from(String.fromCharCode(...units)).subarray(0, 31))
    const oneByOne = (bytes: Uint8Array): string => JSON.stringify(new TextDecoder().decode(bytes))
    fc.assert(
      fc.property(text, text, fc.nat(5), fc.nat(5), (key, value, before, behind) => {
        transcoder.reset()
        const map = [0x81, 0xa0 | key.length, ...key, 0xd9, value.length, ...value]
        // What stands around it in memory is read at most, never shown.
        const memory = Uint8Array.of(...Array(before).fill(0x22), ...map, ...Array(behind).fill(0x80))
        expect(transcoder.value(memory, before, before + map.length)).toBe(before + map.length)
        const { buffer, start, length } = transcoder
        const json = buffer.toString('utf8', start, start + length)
        expect(transcoder.text()).toBe(json)
        if (isWhole(key) && isWhole(value)) {
          expect(json).toBe(`{${oneByOne(key)}:${oneByOne(value)}}`)
        }
        expect(transcoder.isAscii).toBe(!/[^\0-\x7f]/.test(json))
      }),
      { numRuns: RUNS },
    )
  })

  const accepted = (bytes: Uint8Array, transcoder: Transcoder): boolean => {
    transcoder.reset()
    try {
      JSON.parse(transcode(bytes, transcoder))
      transcoder.cuts()
      return true
    } catch (error) {
      if (error instanceof MalformedPayloadError) return false
      throw error
    }
  }

  it('garbage is refused or becomes valid JSON', () => {
    const transcoder = new Transcoder()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), bytes => void accepted(bytes, transcoder)),
      { numRuns: RUNS },
    )
  })

  it('mutated payloads are refused or become valid JSON', () => {
    const capture = new Capture(DEFAULTS.limits)
    const original = new Uint8Array(4096)
    const value = [
      { a: [1, 2.5, 'text €'], password: 'x', m: new Map([['k', { v: -7 }]]) },
      'x'.repeat(300),
      NaN,
      new Array(200).fill('ab'),
    ]
    const length = capture.writeArguments(original, 0, 4096, value, true, newSite())
    const transcoder = new Transcoder()
    let refused = 0
    const change = fc.tuple(fc.nat(length - 1), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(length), (changes, cut) => {
        const bytes = original.slice(0, cut % 3 === 0 ? cut : length)
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte
        if (!accepted(bytes, transcoder)) refused++
      }),
      { numRuns: RUNS },
    )
    expect(refused).toBeGreaterThan(RUNS / 10)
  })
})
