import { describe, expect, it } from 'vitest'
import { durationMs } from '../../lib/config/duration.js'
import { ConfigError } from '../../lib/config/validate.js'
import fc from '../support/fast-check.js'

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

describe('durations', () => {
  it.each([
    [0, 0],
    [250, 250],
    [0.5, 0.5],
    ['250ms', 250],
    ['10s', 10_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['5 m', 300_000],
    ['6h', 21_600_000],
    ['7d', 604_800_000],
  ])('%s is %d ms', (given, expected) => {
    expect(durationMs(given)).toBe(expected)
  })

  it('agrees with multiplication for every unit', () => {
    const units = fc.constantFrom(...(Object.keys(UNIT_MS) as (keyof typeof UNIT_MS)[]))
    fc.assert(
      fc.property(fc.nat(36_000), units, (amount, unit) => {
        expect(durationMs(`${amount}${unit}`)).toBe(amount * UNIT_MS[unit])
      }),
    )
  })

  it.each<unknown>([
    '',
    ' ',
    'ms',
    '10',
    '10 parsecs',
    '10x',
    '-5s',
    '1e3ms',
    '10M',
    '10S',
    '5m ',
    ' 5m',
    '5  m',
    '5m5s',
    '1,5s',
    '0x10s',
    '١s',
    'Infinityms',
    '5m\n',
    `${'9'.repeat(99)}d`,
    '999999999d',
    Number.NaN,
    -1,
    -0.001,
    Number.POSITIVE_INFINITY,
    1e300,
    null,
    undefined,
    true,
    5n,
    [],
    [5],
    {},
    new Date(0),
    { valueOf: () => 5, toString: () => '5s' },
  ])('refuses %o', given => {
    expect(() => durationMs(given)).toThrow(ConfigError)
  })

  it('says the option, the value and what is allowed', () => {
    expect(() => durationMs('10 parsecs', 'option "slow"')).toThrow(
      /^Callsight: option "slow" must be a number of milliseconds from 0, or .*'6h'.*, but is "10 parsecs"$/,
    )
  })
})
