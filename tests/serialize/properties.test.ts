import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { captureArguments, captureError, captureValue } from './harness.js'

const RUNS = Number(process.env['CALLSIGHT_FUZZ_RUNS'] ?? 20_000)

class Point {
  readonly x: unknown
  constructor(x: unknown) {
    this.x = x
  }
  get y(): never {
    throw new Error('a getter was read')
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
const key = fc.oneof(
  text,
  fc.constantFrom('__proto__', 'constructor', 'token', 'value', '@class', '…', 'toString', 'a', 'b'),
)
const { tree } = fc.letrec(tie => ({
  tree: fc.oneof(
    { maxDepth: 6 },
    leaf,
    leaf,
    tie('list'),
    tie('object'),
    tie('map'),
    tie('set'),
    tie('error'),
    tie('point'),
  ),
  list: fc.array(tie('tree'), { maxLength: 12 }),
  object: fc.array(fc.tuple(key, tie('tree')), { maxLength: 25 }).map(entries => {
    const object = {}
    for (const [name, value] of entries) {
      Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true })
    }
    return object
  }),
  map: fc.array(fc.tuple(tie('tree'), tie('tree')), { maxLength: 6 }).map(entries => new Map(entries)),
  set: fc.array(tie('tree'), { maxLength: 6 }).map(values => new Set(values)),
  error: fc.tuple(text, tie('tree')).map(([message, cause]) => new Error(message, { cause })),
  point: tie('tree').map(x => new Point(x)),
}))

const setup = fc.record({
  room: fc.oneof(fc.integer({ min: 2, max: 200 }), fc.integer({ min: 200, max: 8_000 })),
  mode: fc.constantFrom(true as const, true as const, 'types' as const),
  limits: fc.record(
    {
      depth: fc.integer({ min: 0, max: 40 }),
      fields: fc.nat(30),
      items: fc.nat(30),
      listItems: fc.nat(40),
      stringLength: fc.nat(300),
      nodes: fc.nat(200),
      bytes: fc.nat(6_000),
    },
    { requiredKeys: [] },
  ),
})

/** A plain copy of structure and identities, to see that capture changed nothing. */
function fingerprint(value: unknown, seen = new Map<unknown, number>()): string {
  if (typeof value !== 'object' || value === null)
    return typeof value === 'symbol' ? 'symbol' : `${typeof value} ${String(value)}`
  const known = seen.get(value)
  if (known !== undefined) return `#${known}`
  seen.set(value, seen.size)
  const own = Reflect.ownKeys(value).map(name => {
    const {
      value: item,
      get,
      enumerable,
      writable,
    } = Object.getOwnPropertyDescriptor(value, name) as PropertyDescriptor
    return `${String(name)}:${enumerable}${writable}${get === undefined ? fingerprint(item, seen) : 'get'}`
  })
  const members =
    value instanceof Map || value instanceof Set ? [...value].map(item => fingerprint(item, seen)) : []
  return `{${Object.isExtensible(value)} ${own.join()} ${members.join()}}`
}

describe('any value', () => {
  it('is captured within its room, readable by everyone, and left as it was', () => {
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 4 }), setup, (args, options) => {
        const before = fingerprint(args)
        // The harness checks bounds, decoding, UTF-8, JSON and the reference renderer.
        captureArguments(args, options)
        expect(fingerprint(args)).toBe(before)
      }),
      { numRuns: Math.ceil(RUNS * 0.75) },
    )
  }, 600_000)

  it('can be thrown', () => {
    fc.assert(
      fc.property(tree, setup, fc.boolean(), (thrown, { room, limits }, header) => {
        captureError(thrown, { room, limits, header })
      }),
      { numRuns: Math.ceil(RUNS * 0.25) },
    )
  }, 600_000)

  it('says every cut in the text and in the summary', () => {
    fc.assert(
      fc.property(tree, value => {
        const { text: json, cuts } = captureValue(value)
        for (const reason of Object.keys(cuts ?? {})) {
          const inline: Record<string, RegExp> = {
            items: /more: items]|\[(Uint8Array|Array|Map|Set|Table) [\d×]+]/,
            redacted: /\[redacted]/,
            getter: /\[getter]/,
            string: /more: string]|\[(string|bigint) /,
          }
          expect(json).toMatch(inline[reason] ?? new RegExp(`: ${reason}]`))
        }
      }),
      { numRuns: Math.ceil(RUNS / 10) },
    )
  }, 600_000)
})
