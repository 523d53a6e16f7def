import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import type { SiteSettings, TuneOptions } from '../../lib/config/options.js'
import { ConfigError } from '../../lib/config/validate.js'
import { Tuning } from '../../lib/sampling/tuning.js'
import fc from '../support/fast-check.js'

const BASE: SiteSettings = Object.freeze({ ...DEFAULTS.site, sample: 0.01 })

describe('tuning', () => {
  it('lays a rule over the sites it names, for its time', () => {
    const tuning = new Tuning()
    tuning.add('Orders.*', { sample: 1, slow: '5ms', capture: { args: 'types' } }, 600, 1_000)
    const tuned = { ...BASE, sample: 1, slowMs: 5, captureArgs: 'types' }
    expect(tuning.effective('Orders.place', BASE, 1_000)).toEqual(tuned)
    expect(tuning.effective('Orders.place', BASE, 1_599)).toEqual(tuned)
    expect(tuning.effective('Orders.place', BASE, 1_600)).toBe(BASE)
    expect(tuning.effective('Users.find', BASE, 1_000)).toBe(BASE)
  })

  it('lets later rules win option by option and falls back when they expire', () => {
    const tuning = new Tuning()
    tuning.add('*', { sample: 0.5, maxPerSecond: 9 }, null, 0)
    tuning.add('Orders.*', { sample: 1 }, 100, 0)
    tuning.add('Orders.place', { sample: 0 }, 50, 0)
    const sampleAt = (nowMs: number) => tuning.effective('Orders.place', BASE, nowMs).sample
    expect([0, 49, 50, 99, 100, 1e12].map(sampleAt)).toEqual([0, 0, 1, 1, 0.5, 0.5])
    expect(tuning.effective('Orders.place', BASE, 0).maxPerSecond).toBe(9)
  })

  it('tells the next expiry and forgets expired rules when told to', () => {
    const tuning = new Tuning()
    expect(tuning.nextExpiryMs()).toBeNull()
    tuning.add('a', { sample: 1 }, null, 0)
    expect(tuning.nextExpiryMs()).toBeNull()
    tuning.add('b', { sample: 1 }, 300, 0)
    tuning.add('c', { sample: 1 }, 200, 0)
    expect(tuning.nextExpiryMs()).toBe(200)
    expect([tuning.expire(199), tuning.expire(200), tuning.expire(200)]).toEqual([false, true, false])
    expect(tuning.nextExpiryMs()).toBe(300)
    expect(tuning.list()).toEqual([
      { pattern: 'a', options: { sample: 1 }, expiresAtMs: null },
      { pattern: 'b', options: { sample: 1 }, expiresAtMs: 300 },
    ])
  })

  it('takes nothing from a message that is not a rule, and throws nothing', () => {
    const tuning = new Tuning()
    const rule = { pattern: 'a', options: { sample: 1 }, endMs: 2_000 }
    const strange: unknown[] = [
      null,
      undefined,
      7,
      'a',
      [],
      { ...rule, pattern: ['a'] },
      { ...rule, options: null },
      { ...rule, options: { sample: 2 } },
      { pattern: 'a', options: { sample: 0 } },
      { ...rule, options: { sample: 0 }, endMs: Number.NaN },
      { ...rule, options: { sample: 0 }, endMs: null },
    ]
    tuning.impose([...strange, rule] as never)
    expect(tuning.list()).toEqual([{ pattern: 'a', options: { sample: 1 }, expiresAtMs: 2_000 }])
    expect(tuning.nextExpiryMs()).toBe(2_000)
    tuning.impose(new Array(200_000).fill(rule))
    expect(tuning.nextExpiryMs()).toBe(2_000)
  })

  it('lays what is imposed from outside over its own rules, until it is replaced or expires', () => {
    const tuning = new Tuning()
    const sampleAt = (nowMs: number) => tuning.effective('a', BASE, nowMs).sample
    tuning.impose([
      { pattern: 'a', options: { sample: 0.2 }, endMs: 300 },
      { pattern: '', options: { sample: 0.3 }, endMs: 300 },
      { pattern: 'a', options: { sample: 7 }, endMs: 300 },
      { pattern: 'a', options: { sample: 0.4 }, endMs: 200 },
    ])
    tuning.add('a', { sample: 1 }, 500, 0)
    expect([0, 199, 200, 299, 300, 500].map(sampleAt)).toEqual([0.4, 0.4, 0.2, 0.2, 1, 0.01])
    expect(tuning.nextExpiryMs()).toBe(200)
    expect([tuning.expire(199), tuning.expire(200)]).toEqual([false, true])
    expect(tuning.list().map(rule => rule.options.sample)).toEqual([1, 0.2])
    tuning.impose([])
    expect(sampleAt(0)).toBe(1)
  })

  it('hands out nothing that changes it', () => {
    const tuning = new Tuning()
    const options = { sample: 1 }
    tuning.add('a', options, null, 0)
    options.sample = 0
    const list = tuning.list() as unknown[]
    list.length = 0
    expect(tuning.list()).toHaveLength(1)
    expect(Object.isFrozen(tuning.list()[0])).toBe(true)
    expect(tuning.effective('a', BASE, 0).sample).toBe(1)
    expect(Object.isFrozen(tuning.effective('a', BASE, 0))).toBe(true)
  })

  it.each([
    ['', { sample: 1 }, null],
    ['a', { sample: 2 }, null],
    ['a', { name: 'x' }, null],
    ['a', { sample: 1 }, 0],
    ['a', { sample: 1 }, -5],
    ['a', { sample: 1 }, Number.NaN],
    ['a', { sample: 1 }, Number.POSITIVE_INFINITY],
    ['a', { sample: 1 }, '10m'],
    ['a', null, null],
  ])('refuses %o %o for %o and stays as it was', (pattern, options, forMs) => {
    const tuning = new Tuning()
    expect(() => tuning.add(pattern, options as TuneOptions, forMs as number, 0)).toThrow(ConfigError)
    expect(tuning.list()).toEqual([])
  })

  it('holds 1,000 rules, drops expired ones for new ones, then refuses', () => {
    const tuning = new Tuning()
    for (let n = 0; n < 1_000; n++) tuning.add(`site${n}`, { sample: 1 }, n < 10 ? 100 : null, 0)
    expect(() => tuning.add('more', { sample: 1 }, null, 99)).toThrow(/1000 tuning rules/)
    expect(tuning.effective('site0', BASE, 99).sample).toBe(1)
    tuning.add('more', { sample: 1 }, null, 100)
    expect(tuning.list()).toHaveLength(991)
    expect(tuning.effective('more', BASE, 100).sample).toBe(1)
  })

  it('does not grow when the same functions are tuned over and over', () => {
    const tuning = new Tuning()
    for (let n = 0; n < 5_000; n++) tuning.add('Orders.*', { sample: (n % 100) / 100 }, 60_000, n)
    expect(tuning.list()).toHaveLength(1)
  })

  it('agrees with a list that forgets nothing', () => {
    const rule = fc.record({
      pattern: fc.constantFrom('*', 'a*', 'a?', 'ab', 'b'),
      options: fc.record(
        {
          sample: fc.constantFrom(0, 0.5, 1),
          maxPerSecond: fc.nat(3),
          slow: fc.constantFrom(false as const, 5, 10),
          capture: fc.record({ args: fc.boolean(), result: fc.boolean() }, { requiredKeys: [] }),
        },
        { requiredKeys: [] },
      ),
      forMs: fc.option(fc.integer({ min: 1, max: 20 })),
      waitMs: fc.nat(8),
      expire: fc.boolean(),
    })
    const regexes = { '*': /^.*$/, 'a*': /^a.*$/, 'a?': /^a.$/, ab: /^ab$/, b: /^b$/ }
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 20 }), rules => {
        const tuning = new Tuning()
        let nowMs = 0
        const past: { pattern: keyof typeof regexes; options: TuneOptions; endMs: number }[] = []
        for (const { pattern, options, forMs, waitMs, expire } of rules) {
          tuning.add(pattern as string, options as TuneOptions, forMs, nowMs)
          const key = pattern as keyof typeof regexes
          past.push({ pattern: key, options: options as TuneOptions, endMs: nowMs + (forMs ?? 1e9) })
          nowMs += waitMs
          if (expire) tuning.expire(nowMs)
          for (const name of ['a', 'ab', 'b', 'abc']) {
            for (const laterMs of [0, 7, 50]) {
              const at = nowMs + laterMs
              const holding = past.filter(old => at < old.endMs && regexes[old.pattern].test(name))
              const newest = <T>(read: (options: TuneOptions) => T | undefined, fallback: T): T =>
                holding.reduceRight<T | undefined>((found, old) => found ?? read(old.options), undefined) ??
                fallback
              const slow = newest(old => old.slow as number | false | undefined, BASE.slowMs)
              expect(tuning.effective(name, BASE, at)).toEqual({
                ...BASE,
                sample: newest(old => old.sample, BASE.sample),
                maxPerSecond: newest(old => old.maxPerSecond, BASE.maxPerSecond),
                slowMs: slow === false ? Number.POSITIVE_INFINITY : slow,
                captureArgs: newest(old => old.capture?.args, BASE.captureArgs),
                captureResult: newest(old => old.capture?.result, BASE.captureResult),
              })
            }
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})
