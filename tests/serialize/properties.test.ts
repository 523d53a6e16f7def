import { types } from 'node:util'
import { describe, expect, it } from 'vitest'
import fc from '../support/fast-check.js'
import { injected } from '../support/figures.js'
import { givenSeed } from '../support/seed.js'
import { anyValue } from './generated-values.js'
import { captureArguments, captureError, captureValue } from './harness.js'
import { traps } from './hostile-values.js'

const RUNS = Number(process.env['CALLSIGHT_FUZZ_RUNS'] ?? 10_000)

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
  if (types.isProxy(value)) return 'proxy'
  if (typeof value !== 'object' || value === null)
    return typeof value === 'symbol' || typeof value === 'function'
      ? typeof value
      : `${typeof value} ${value}`
  const known = seen.get(value)
  if (known !== undefined) return `#${known}`
  seen.set(value, seen.size)
  const own = Reflect.ownKeys(value).map(name => {
    // The engine formats a stack when it is first looked at, and asks the error for its message.
    if (name === 'stack' && types.isNativeError(value)) return name
    const {
      value: item,
      get,
      enumerable,
      writable,
    } = Object.getOwnPropertyDescriptor(value, name) as PropertyDescriptor
    return `${String(name)}:${enumerable}${writable}${get === undefined ? fingerprint(item, seen) : 'get'}`
  })
  const members: string[] = []
  // Never by the methods of the value itself, which may be traps.
  if (types.isMap(value))
    Map.prototype.forEach.call(value, (item, key) => members.push(fingerprint([key, item], seen)))
  if (types.isSet(value)) Set.prototype.forEach.call(value, item => members.push(fingerprint(item, seen)))
  return `{${Object.isExtensible(value)} ${own.join()} ${members.join()}}`
}

describe('row 21: any value', () => {
  it('is captured within its room, readable by everyone, and left as it was', () => {
    injected(Math.ceil(RUNS * 0.75))
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 4 }), setup, (makes, options) => {
        const args = makes.map(make => make())
        const before = fingerprint(args)
        traps.fired = 0
        // The harness checks bounds, decoding, UTF-8, JSON and the reference renderer.
        captureArguments(args, options)
        expect(traps.fired).toBe(0)
        expect(fingerprint(args)).toBe(before)
      }),
      { numRuns: Math.ceil(RUNS * 0.75), ...givenSeed },
    )
  }, 600_000)

  it('can be thrown', () => {
    injected(Math.ceil(RUNS * 0.25))
    fc.assert(
      fc.property(anyValue, setup, fc.boolean(), (make, { room, limits }, header) => {
        const thrown = make()
        traps.fired = 0
        captureError(thrown, { room, limits, header })
        expect(traps.fired).toBe(0)
      }),
      { numRuns: Math.ceil(RUNS * 0.25), ...givenSeed },
    )
  }, 600_000)

  it('says every cut in the text and in the summary', () => {
    injected(Math.ceil(RUNS / 10))
    fc.assert(
      fc.property(anyValue, make => {
        const { text: json, cuts } = captureValue(make())
        for (const reason of Object.keys(cuts ?? {})) {
          const inline: Record<string, RegExp> = {
            items: /more: items]|\[(BombBytes|Uint8Array|Array|Map|Set|Table) [\d×]+]/,
            redacted: /\[redacted]/,
            getter: /\[getter]/,
            proxy: /\[Proxy]/,
            string: /more: string]|\[(string|bigint) /,
          }
          expect(json).toMatch(inline[reason] ?? new RegExp(`: ${reason}]`))
        }
      }),
      { numRuns: Math.ceil(RUNS / 10), ...givenSeed },
    )
  }, 600_000)
})
