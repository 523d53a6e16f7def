import vm from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import { DURATION_ALLOWED } from '../../lib/config/duration.js'
import {
  ConfigError,
  validateCallsightOptions,
  validateMonitorOptions,
  validateTuneOptions,
} from '../../lib/config/validate.js'
import fc from '../support/fast-check.js'

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    expect(error).toMatchObject({ name: 'CallsightConfigError', code: 'CALLSIGHT_CONFIG' })
    return (error as Error).message
  }
  throw new Error('nothing was thrown')
}
const configMessage = (options: unknown) => messageOf(() => validateCallsightOptions(options))
const monitorMessage = (options: unknown) => messageOf(() => validateMonitorOptions(options))

const EVERYTHING = {
  sample: 0.5,
  maxPerSecond: 10,
  slow: '250ms',
  capture: { args: 'types', result: false },
  enabled: true,
  store: { path: 'a.db', retention: '6h', maxBytes: 2 ** 30, sweepInterval: 500 },
  writer: { drainIntervalMs: 50, ringBytes: 65_536, exitTimeoutMs: 0 },
  breaker: { failureThreshold: 1, resetTimeoutMs: 5, successThreshold: 2 },
  stalls: { threshold: '100ms' },
  errors: { fullPerSecond: Number.POSITIVE_INFINITY },
  redact: { keys: ['pin'], allow: [] },
  limits: {
    depth: 1,
    fields: 2,
    items: 3,
    listItems: 4,
    stringLength: 5,
    nodes: 6,
    bytes: 700,
    stackLength: 8,
    causes: 9,
  },
  signals: false,
}

describe('what is allowed', () => {
  it('comes back as an equal, frozen copy', () => {
    const copy = validateCallsightOptions(EVERYTHING)
    expect(plain(copy)).toEqual(EVERYTHING)
    for (const part of [copy, copy.store, copy.redact?.keys, copy.capture])
      expect(Object.isFrozen(part)).toBe(true)
    expect(Object.isFrozen(EVERYTHING.store)).toBe(false)
  })

  it('takes every option of a monitored function', () => {
    const options = {
      sample: 0,
      slow: false,
      name: 'Orders.place',
      redact: [0, 'card.number'],
      timing: 'sampled',
    }
    expect(plain(validateMonitorOptions(options))).toEqual(options)
  })

  it('takes nothing at all, and undefined for an option that is not given', () => {
    expect(plain(validateMonitorOptions(undefined))).toEqual({})
    expect(plain(validateCallsightOptions({ store: { path: undefined }, sample: undefined }))).toEqual({
      store: {},
    })
  })

  it('takes frozen options, options without a prototype and options of another realm', () => {
    const bare = Object.assign(Object.create(null), { sample: 0.1 })
    const foreign: unknown = vm.runInNewContext('({ sample: 0.1, redact: [1] })')
    expect(validateTuneOptions(Object.freeze(bare)).sample).toBe(0.1)
    expect(validateMonitorOptions(foreign).redact).toEqual([1])
  })
})

describe('unknown options', () => {
  it.each([
    [{ sampel: 1 }, 'unknown option "sampel", did you mean "sample"?'],
    [{ sampleRate: 1 }, 'unknown option "sampleRate", did you mean "sample"?'],
    [{ Slow: 1 }, 'unknown option "Slow", did you mean "slow"?'],
    [{ max_per_second: 1 }, 'unknown option "max_per_second", did you mean "maxPerSecond"?'],
    [{ retention: '1h' }, 'unknown option "retention", did you mean "store.retention"?'],
    [{ store: { pth: 'x' } }, 'unknown option "store.pth", did you mean "store.path"?'],
    [{ limits: { dpeth: 1 } }, 'unknown option "limits.dpeth", did you mean "limits.depth"?'],
    [{ store: { sample: 1 } }, 'unknown option "store.sample", did you mean "sample"?'],
    [{ capture: { zebra: 1 } }, 'unknown option "capture.zebra", allowed here: capture.args, capture.result'],
  ])('%o', (options, expected) => {
    expect(configMessage(options)).toBe(`Callsight: ${expected}`)
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', ''])('%s is one', key => {
    const options = JSON.parse(`{ ${JSON.stringify(key)}: 1 }`) as object
    expect(configMessage(options)).toContain('unknown option')
  })

  it('includes options of the whole recorder on one function, and undefined ones', () => {
    expect(monitorMessage({ store: {} })).toContain('unknown option "store"')
    expect(monitorMessage({ nmae: undefined })).toContain('did you mean "name"?')
    expect(monitorMessage({ [Symbol('sample')]: 1 })).toContain('symbol')
  })

  it('are not inherited', () => {
    const parents = [{ sample: 0.5 }, Object.assign(Object.create(null), { sample: 0.5 })]
    for (const parent of parents) {
      expect(configMessage(Object.create(parent))).toContain('must be a plain object')
    }
  })
})

describe('wrong values', () => {
  it.each([
    [{ sample: 1.5 }, 'option "sample" must be a number from 0 to 1, but is 1.5'],
    [{ sample: Number.NaN }, 'option "sample" must be a number from 0 to 1, but is NaN'],
    [{ sample: '0.5' }, 'option "sample" must be a number from 0 to 1, but is "0.5"'],
    [{ sample: null }, 'option "sample" must be a number from 0 to 1, but is null'],
    [
      { maxPerSecond: 0.5 },
      'option "maxPerSecond" must be a whole number from 0, or Infinity for no limit, but is 0.5',
    ],
    [{ capture: { args: 'all' } }, `option "capture.args" must be true, false or 'types', but is "all"`],
    [{ capture: true }, 'option "capture" must be a plain object, but is true'],
    [{ signals: 1 }, 'option "signals" must be true or false, but is 1'],
    [
      { writer: { ringBytes: 100_000 } },
      'option "writer.ringBytes" must be a power of two of bytes from 65,536 to 1,073,741,824, but is 100000',
    ],
    [
      { breaker: { failureThreshold: 0 } },
      'option "breaker.failureThreshold" must be a whole number from 1 to 1,000,000, but is 0',
    ],
    [
      { stalls: { threshold: 99 } },
      `option "stalls.threshold" must be ${DURATION_ALLOWED}, at least 100 ms, or false, but is 99`,
    ],
    [{ redact: ['pin'] }, 'option "redact" must be a plain object, but is a list of 1'],
    [{ redact: { keys: 'pin' } }, 'option "redact.keys" must be a list of at most 1,000 items, but is "pin"'],
    [
      { redact: { keys: ['pin', 5] } },
      'option "redact.keys[1]" must be a key name of 1 to 4,096 characters, or a regular expression, but is 5',
    ],
    [{ redact: { when: 'always' } }, 'option "redact.when" must be a function, but is "always"'],
  ])('%o', (options, expected) => {
    expect(configMessage(options)).toBe(`Callsight: ${expected}`)
  })

  it.each([
    { slow: true },
    { slow: '5 parsecs' },
    { slow: -1 },
    { store: null },
    { store: { path: '' } },
    { store: { path: 'a\0b' } },
    { store: { path: ':memory:' } },
    { store: { path: 'file:x?mode=ro' } },
    { store: { retention: 0 } },
    { store: { retention: false } },
    { store: { maxBytes: 1024 } },
    { store: { sweepInterval: '0s' } },
    { writer: { ringBytes: 32_768 } },
    { writer: { ringBytes: 2 ** 31 } },
    { writer: { drainIntervalMs: 0 } },
    { writer: { exitTimeoutMs: Number.POSITIVE_INFINITY } },
    { errors: { fullPerSecond: -1 } },
    { limits: { depth: 33 } },
    { limits: { depth: 1.5 } },
    { limits: { bytes: 2 ** 20 } },
    { enabled: 'yes' },
    { redact: { allow: [''] } },
    { redact: { allow: [/token/] } },
    { redact: { when: {} } },
  ])('refuses %o', options => {
    expect(configMessage(options)).toMatch(/^Callsight: option "[a-zA-Z.[\]0-9]+" must be .+, but is .+$/)
  })

  it.each([
    { name: '' },
    { name: 'x'.repeat(143) },
    { name: 'é'.repeat(72) },
    { redact: [-1] },
    { redact: [0.5] },
    { redact: [Number.NaN] },
    { redact: new Array(1) },
    { redact: Array.from({ length: 1_001 }, () => 'k') },
    { redact: 'pin' },
    { redact: [new Proxy(/pin/, {})] },
    { timing: true },
  ])('refuses %o on a function', options => {
    expect(monitorMessage(options)).toMatch(/^Callsight: option "[a-z[\]0-9]+" must be .+, but is .+$/)
  })

  it.each([null, 5, 'x', true, [], () => {}, new Date(0), new (class Options {})()])(
    'refuses %o for options',
    options => {
      expect(configMessage(options)).toContain('the options must be a plain object')
    },
  )
})

describe('hostile values', () => {
  afterEach(() => {
    Reflect.deleteProperty(Object.prototype, 'sample')
    Reflect.deleteProperty(String.prototype, 'toJSON')
  })

  it('run no code', () => {
    const touched: string[] = []
    const trap = (name: string) => () => {
      touched.push(name)
      throw new Error('boom')
    }
    const bomb = {
      toString: trap('toString'),
      valueOf: trap('valueOf'),
      toJSON: trap('toJSON'),
      [Symbol.toPrimitive]: trap('toPrimitive'),
      [Symbol.for('nodejs.util.inspect.custom')]: trap('inspect'),
    }
    const handler = new Proxy({}, { get: (_, name) => trap(String(name)) })
    const proxy = new Proxy({}, handler as ProxyHandler<object>)
    const proxyList = new Proxy([], handler as ProxyHandler<never[]>)
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const values = [
      bomb,
      proxy,
      proxyList,
      revoked.proxy,
      Object.create(proxy),
      [bomb],
      Symbol('x'),
      10n ** 100_000n,
    ]
    touched.length = 0
    for (const value of values) {
      for (const options of [
        value,
        { sample: value },
        { store: value },
        { redact: { keys: value } },
        { slow: value },
      ]) {
        expect(configMessage(options).length).toBeLessThan(400)
      }
      expect(monitorMessage({ redact: [value] }).length).toBeLessThan(400)
    }
    expect(touched).toEqual([])
  })

  it('that are getters are refused unread', () => {
    let reads = 0
    const lazy = {
      get sample() {
        return ++reads
      },
    }
    expect(configMessage(lazy)).toBe('Callsight: option "sample" must be a plain value, but is a getter')
    const list: unknown[] = []
    Object.defineProperty(list, 0, { get: () => ++reads })
    expect(monitorMessage({ redact: list })).toContain('redact[0]')
    expect(reads).toBe(0)
  })

  it('cannot come in through a polluted prototype', () => {
    Object.defineProperty(Object.prototype, 'sample', { value: 0.25, configurable: true })
    expect(validateTuneOptions({}).sample).toBeUndefined()
  })

  it('cannot change after the check', () => {
    const options = { redact: ['pin'], capture: { args: true } }
    const copy = validateMonitorOptions(options)
    options.redact[0] = 'other'
    options.capture.args = false
    expect(copy.redact).toEqual(['pin'])
    expect(copy.capture?.args).toBe(true)
  })

  it('keep a regular expression as an own copy without a place, whatever its class overrides', () => {
    let reads = 0
    class Odd extends RegExp {
      override get source(): string {
        reads++
        return '.*'
      }
      override get flags(): string {
        reads++
        return 'g'
      }
    }
    const pattern = new Odd('^card', 'giy')
    const [copy] = validateMonitorOptions({ redact: [pattern] }).redact ?? []
    expect(reads).toBe(0)
    expect(copy).toEqual(/^card/i)
    expect(Object.getPrototypeOf(copy)).toBe(RegExp.prototype)
    expect(validateCallsightOptions({ redact: { keys: [/a/g, 'b'] } }).redact?.keys).toEqual([/a/, 'b'])
  })

  it('make a message of one printable line', () => {
    for (const text of [
      'a\nb',
      'a\u2028b',
      '\u001b[31mred',
      '\u202egnp',
      '\ud800',
      '\u0085',
      '"',
      'x'.repeat(1e6),
    ]) {
      expect(configMessage({ sample: text })).toMatch(/^[\x20-\x7e…]{1,300}$/)
      expect(configMessage({ [text]: 1 })).toMatch(/^[\x20-\x7e…]{1,400}$/)
    }
  })

  it('of any kind end in a copy or in a ConfigError of one line', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withNullPrototype: true,
      withSparseArray: true,
    })
    const keys = fc.constantFrom(...Object.keys(EVERYTHING), 'name', 'path', 'x')
    fc.assert(
      fc.property(fc.oneof(anything, fc.dictionary(keys, anything)), options => {
        for (const validate of [validateCallsightOptions, validateMonitorOptions, validateTuneOptions]) {
          try {
            expect(Object.isFrozen(validate(options))).toBe(true)
          } catch (error) {
            expect(error).toBeInstanceOf(ConfigError)
            expect((error as Error).message).toMatch(/^Callsight: [^\n\r\u2028\u2029]+$/)
          }
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}
