import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { Capture } from '../../lib/serialize/capture.js'
import { ISO_DATE_BYTES, writeIsoDate } from '../../lib/serialize/iso-date.js'
import { KeyTrait, KnownKeys, MAX_KNOWN_NAMES, NO_KEY } from '../../lib/serialize/known-keys.js'
import { Redaction } from '../../lib/serialize/redaction.js'
import { screen } from '../../lib/serialize/secret-screen.js'
import fc from '../support/fast-check.js'
import { givenSeed } from '../support/seed.js'
import { captureArguments, captureValue, newSite } from './harness.js'

const shown = (value: unknown, site = newSite()): unknown => captureValue(value, { site }).value

describe('guessed keys', () => {
  it('are compared: same keys in another order, more, fewer and other ones', () => {
    const site = newSite()
    for (const value of [
      { a: 1, b: 2, c: 3 },
      { c: 3, b: 2, a: 1 },
      { a: 1, b: 2, c: 3 },
      { a: 1, c: 3 },
      { b: 2, c: 3, d: 4 },
      { a: 1, password: 'x', c: 3 },
      { a: 1, b: 2, c: 3, d: 4, e: 5 },
      {},
      { '': 1, a: 2 },
      { 10: 'ten', 2: 'two', a: 1 },
      { exactlyfifteen_: 1, sixteencharacter: 2, é: 3, [`${'x'.repeat(70)}`]: 4 },
    ]) {
      const expected = { ...value, ...('password' in value ? { password: '[redacted]' } : {}) }
      for (let i = 0; i < 3; i++) expect(shown(value, site)).toEqual(expected)
    }
  })

  it('are right for generated objects, whatever came before', () => {
    const names = fc.constantFrom(
      'a',
      'b',
      'id',
      'quantity',
      'limit',
      'x'.repeat(16),
      'x'.repeat(15),
      '7',
      'é',
      '',
    )
    const site = newSite()
    fc.assert(
      fc.property(fc.array(fc.dictionary(names, fc.integer()), { maxLength: 6 }), values => {
        expect(captureArguments(values, { site }).json).toEqual(values)
        expect(captureArguments([values], { site }).json).toEqual([values])
      }),
      { numRuns: 500, ...givenSeed },
    )
  })

  it('do not stand for what the value is: accessors and holes that come later under the same keys', () => {
    const site = newSite()
    const value: Record<string, unknown> = { a: 1, b: 2, list: [1, 2] }
    expect(shown(value, site)).toEqual({ a: 1, b: 2, list: [1, 2] })
    let ran = 0
    const trap = () => ++ran
    Object.defineProperty(value, 'b', { get: trap, enumerable: true, configurable: true })
    Object.defineProperty(value['list'], 1, { get: trap, enumerable: true, configurable: true })
    expect(shown(value, site)).toEqual({ a: 1, b: '[getter]', list: [1, '[getter]'] })
    const setter = { get: undefined, set: trap, enumerable: true } as unknown as PropertyDescriptor
    Object.defineProperty(value, 'b', setter)
    Object.defineProperty(value['list'], 1, setter)
    expect(shown(value, site)).toEqual({ a: 1, b: '[getter]', list: [1, '[getter]'] })
    // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested.
    expect(shown({ a: 1, b: 3, list: [, undefined] }, site)).toEqual({
      a: 1,
      b: 3,
      list: ['[empty]', '[undefined]'],
    })
    expect(ran).toBe(0)
  })

  it('tell data from accessors on a polluted Object.prototype and Array.prototype', () => {
    const site = newSite()
    const value = { a: 1, list: [1, undefined, 3] }
    const withGetter = Object.defineProperty({ a: 1 }, 'b', { get: () => 1, enumerable: true })
    let ran = 0
    let end = 0
    const capture = new Capture(DEFAULTS.limits)
    const bytes = new Uint8Array(512)
    const trap = {
      get: () => ++ran,
      set: () => ++ran,
      configurable: true,
      enumerable: false,
      __proto__: null,
    }
    const names = ['get', 'set', 'value', '1', 'key', 'next']
    try {
      for (const name of names)
        for (const target of [Object.prototype, Array.prototype]) Object.defineProperty(target, name, trap)
      end = capture.writeArguments(bytes, 0, 512, [value, withGetter], true, site)
    } finally {
      for (const name of names)
        for (const target of [Object.prototype, Array.prototype]) Reflect.deleteProperty(target, name)
    }
    expect(ran).toBe(0)
    expect(end).toBeGreaterThan(2)
    expect(captureArguments([value, withGetter], { site }).json).toEqual([
      { a: 1, list: [1, '[undefined]', 3] },
      { a: 1, b: '[getter]' },
    ])
  })

  it('a list whose prototype is a Proxy runs no trap for a hole', () => {
    let ran = 0
    const spy = new Proxy([], {
      get: () => ++ran,
      has: () => ++ran > 0,
      getOwnPropertyDescriptor: () => void ++ran,
    })
    // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested.
    const list = [1, , 3]
    Object.setPrototypeOf(list, spy)
    captureValue(list)
    expect(ran).toBe(0)
  })

  it('belong to the rules they were learned under: a site that is tuned anew, and back', () => {
    const site = { costly: new Set<number>(), redaction: Redaction.compile({}) }
    const value = { symbol: 'X', pin2: 'y', limit: 5 }
    const plain = site.redaction
    for (let i = 0; i < 3; i++) expect(shown(value, site)).toEqual(value)
    site.redaction = Redaction.compile({ site: ['symbol', /^pin/] })
    for (let i = 0; i < 3; i++)
      expect(shown(value, site)).toEqual({ symbol: '[redacted]', pin2: '[redacted]', limit: 5 })
    site.redaction = Redaction.compile({ site: ['limit'] })
    expect(shown(value, site)).toEqual({ symbol: 'X', pin2: 'y', limit: '[redacted]' })
    site.redaction = plain
    expect(shown(value, site)).toEqual(value)
  })

  it('hide the value of a pair in every order of its keys', () => {
    const site = newSite()
    for (const value of [
      { name: 'size', value: 5 },
      { name: 'password', value: 'x' },
      { value: 'x', name: 'password' },
      { name: 'size', value: 5 },
    ]) {
      const secret = value.name === 'password'
      expect(shown(value, site)).toEqual({ ...value, value: secret ? '[redacted]' : 5 })
    }
  })

  it('are forgotten together, with everything that could be reached from them', () => {
    const keys = new KnownKeys()
    const start = keys.start(0, 0, 2)
    let last = start
    for (let i = 0; i < 10 * MAX_KNOWN_NAMES; i++) {
      const known = keys.get(`key${i}`) ?? keys.remember(`key${i}`, KeyTrait.clean)
      // As a walk does, also from a key that was forgotten meanwhile.
      last.next = known
      last = known
    }
    expect(keys.start(0, 0, 2)).not.toBe(start)
    const reached = new Set<unknown>()
    for (let place = 0; place < 64; place++)
      for (let at = keys.start(place, 0, 0); !reached.has(at); at = at.next) reached.add(at)
    expect(reached.size).toBeLessThan(100)
    expect(keys.get('key5')).toBe(undefined)
  })

  it('that are too long or hold a secret are not remembered, and judged again each time', () => {
    const site = newSite()
    const { keys } = site.redaction
    const long = 'k'.repeat(1_000_000)
    const secret = 'ghp_0123456789abcdefghijABCDEFGHIJ'
    for (let i = 0; i < 3; i++) {
      const { text, memory } = captureValue({ a: 1, [long]: 2, [secret]: 3, b: 4 }, { site })
      expect(text).not.toContain('0123456789abcdef')
      expect(memory.includes('0123456789abcdef')).toBe(false)
      expect(text).toContain('"b":4')
    }
    expect(keys.get(long)).toBe(undefined)
    expect(keys.get(secret)).toBe(undefined)
    expect(keys.get('a')?.next.key.length).toBeLessThan(20)
  })

  it('link nothing from one set of rules to another where nothing is known', () => {
    const value = { [NO_KEY]: 1, symbol: 'X' }
    // Rules of which nothing is known.
    expect(shown(value, newSite({ site: ['bond'] }))).toEqual({ [NO_KEY]: '[redacted]', symbol: 'X' })
    const site = newSite({ site: ['symbol', 'bond'] })
    expect(shown(value, site)).toEqual({ [NO_KEY]: '[redacted]', symbol: '[redacted]' })
  })

  it('have no text that a key of the application could have by chance', () => {
    const [known = '', chance = ''] = NO_KEY.split(/(?<=key )/)
    expect(known).toBe('callsight: no key ')
    expect(Number(chance)).toBeGreaterThan(0)
    // As the first key of all, where nothing is known to follow, and behind another one.
    for (const key of [known, known.trim()])
      for (const value of [{ [key]: 1 }, { symbol: 'X', [key]: 1 }])
        expect(shown(value, newSite())).toEqual(value)
  })
})

describe('short texts that are not searched', () => {
  const plain = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.'
  /** Where a flag of a command line begins. */
  const flag = /(?:^|[ -])-/
  const piece = fc.oneof(
    fc.constantFrom(
      'eyJ',
      'AKIA',
      'hf_',
      'sk_live_',
      'Bearer ',
      'Basic ',
      'SG.',
      'SK',
      'ghp_',
      'passwd ',
      'npm_',
      'ya29.',
    ),
    fc.string({ unit: fc.constantFrom(...plain), maxLength: 10 }),
    fc.constantFrom('-', 'sk-', 'a-', '2019-04-01', 'key-', 'xox', ' '),
  )

  it('hold none: the full search finds nothing in them either', () => {
    const { redaction } = newSite()
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 4 }), pieces => {
        const text = pieces.join('').slice(0, 10)
        fc.pre(!flag.test(text))
        expect(screen(text, text.length)).toBe(0)
        expect(redaction.scrub(text, 14, text.length, false)).toBe(null)
        expect(captureValue(text).value).toBe(text)
      }),
      { numRuns: 2_000, ...givenSeed },
    )
  })

  it('are searched where one character is odd, or wide with the low byte of a plain one', () => {
    expect(captureValue('--pin 1234').value).toBe('--pin [redacted]')
    expect(captureValue('pin=1234').value).toBe('pin=[redacted]')
    expect(captureValue('\u4161b').value).toBe('\u4161b')
    expect(captureValue('a\ud800b').value).toBe('a\ufffdb')
  })
})

describe('dates', () => {
  const bytes = new Uint8Array(ISO_DATE_BYTES)
  const written = (time: number): string => {
    writeIsoDate(bytes, 0, time)
    return Buffer.from(bytes).toString()
  }

  it('are what toISOString says, of every year', () => {
    const edges = [0, -1, 1, 951_782_400_000, 951_868_799_999, -62_167_219_200_000, -62_167_219_200_001]
    const last = [253_402_300_799_999, 253_402_300_800_000, 8.64e15, -8.64e15]
    for (const time of [...edges, ...last]) expect(shown(new Date(time))).toBe(new Date(time).toISOString())
    const days = ['02-28T23:59:59.999Z', '03-01T00:00:00.000Z', '12-31T12:34:56.789Z', '01-01T00:00:00.001Z']
    const wrong: string[] = []
    for (let year = 0; year < 10_000; year++)
      for (const day of days) {
        const text = `${`${year}`.padStart(4, '0')}-${day}`
        if (written(Date.parse(text)) !== text) wrong.push(text)
      }
    expect(wrong).toEqual([])
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }), time => {
        expect(written(time)).toBe(new Date(time).toISOString())
      }),
      { numRuns: 5_000, ...givenSeed },
    )
  })
})
