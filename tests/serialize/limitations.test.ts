import { describe, expect, it } from 'vitest'
import { captureArguments, captureValue, newSite } from './harness.js'

/* What stands in memory-bank/edge-cases-and-limitations.md: not how it should be, but how it is. */
const shown = (value: unknown) => captureValue(value).value

describe('what redaction does not know', () => {
  it.each([
    ['a secret under a harmless name', { note: 'hunter2' }],
    ['a secret in a sentence', 'my password is hunter2'],
    ['a secret in another encoding', Buffer.from('password=hunter2').toString('base64')],
    ['a secret in two parts', { first: 'hun', second: 'ter2' }],
  ])('%s is shown', (_, value) => {
    expect(shown(value)).toEqual(value)
  })

  it('such a value is hidden by position, path or name', () => {
    const site = newSite({ site: [0, 'user.note'] })
    expect(
      captureArguments(['my password is hunter2', { user: { note: 'hunter2' } }], { site }).json,
    ).toEqual(['[redacted]', { user: { note: '[redacted]' } }])
  })
})

describe('what redaction takes for a secret', () => {
  it('any item after the name of one', () => {
    expect(shown(['password', 'email'])).toEqual(['password', '[redacted]'])
    expect(captureArguments(['token', { id: 1 }]).json).toEqual(['token', '[redacted]'])
    const site = newSite({ allow: ['password'] })
    expect(captureValue(['password', 'email'], { site }).value).toEqual(['password', 'email'])
  })

  it('any name with the part of one in it, unless it is allowed', () => {
    expect(shown({ tokenCount: 5 })).toEqual({ tokenCount: '[redacted]' })
    expect(captureValue({ tokenCount: 5 }, { site: newSite({ allow: ['tokenCount'] }) }).value).toEqual({
      tokenCount: 5,
    })
  })
})

describe('what is not taken for a secret', () => {
  it.each([
    'my password is hunter2',
    'invalid token hunter2',
    'h:5432:db:user:hunter2',
    'tool -p hunter2',
    'pk_live_hunter2hunter2',
    'https://x/?key=hunter2',
    'https://x/?code=hunter2',
    'DE89370400440532013000',
    '4111.1111.1111.1111 4111_1111_1111_1111 4111  1111  1111  1111',
    '"p\\u0061ssword":"hunter2"',
    's:8:"password";s:7:"hunter2";',
  ])('the text %s', text => expect(shown(text)).toBe(text))

  it.each([
    ['a field', { note: 'hunter2', code: 'hunter2' }],
    ['letters that look alike', { p\u0430ssword: 'hunter2' }],
    [
      'pairs under other names',
      [
        { k: 'password', v: 'hunter2' },
        { id: 'password', value: 'hunter2' },
      ],
    ],
    ['parameters of a statement', { query: 'INSERT INTO u (password) VALUES ($1)', parameters: ['hunter2'] }],
  ])('%s', (_, value) => expect(shown(value)).toEqual(value))

  it('what follows the user of a login', () =>
    expect(shown(['AUTH', 'user', 'hunter2'])).toEqual(['AUTH', '[redacted]', 'hunter2']))
})

describe('what is not seen', () => {
  it('symbol keys, keys that are not enumerable, private fields, values of getters', () => {
    class Account {
      readonly id = 1
      readonly #balance = 5
      get balance(): number {
        return this.#balance
      }
    }
    const odd = Object.defineProperty({ [Symbol('s')]: 1, a: 2 }, 'hidden', { value: 3 })
    expect(
      shown([new Account(), odd, Object.defineProperty({}, 'x', { get: () => 1, enumerable: true })]),
    ).toEqual([{ '@class': 'Account', id: 1 }, { a: 2 }, { x: '[getter]' }])
  })

  it('named properties of lists, maps, dates and errors but for code, cause and errors', () => {
    expect(shown(Object.assign([1], { extra: 2 }))).toEqual([1])
    expect(shown(Object.assign(new Error('x'), { status: 5 }))).toEqual({ '@class': 'Error', message: 'x' })
  })

  it('what fetch works with, but for its class', () => {
    expect(shown([new Request('http://x/a'), new Response('x', { status: 404 })])).toEqual([
      { '@class': 'Request' },
      { '@class': 'Response' },
    ])
  })
})

describe('what capture leaves behind', () => {
  it('the legacy statics of RegExp, after a text that looked like a token', () => {
    ;/(own)/.exec('my own match')
    expect(RegExp.$1).toBe('own')
    captureValue('an ordinary text')
    expect(RegExp.$1).toBe('own')
    captureValue('Bearer abcdef')
    expect(RegExp.$1).toBe('')
  })
})

describe('the shape of arguments', () => {
  it('of the first 16, without the size of what is hidden or expensive, with own keys for tables', () => {
    class Frame {
      readonly shape = [1_000_000, 5]
    }
    const site = { ...newSite({ site: [0] }), costly: new Set([1]) }
    expect(captureArguments([{ a: 1 }, { a: 1 }, new Frame()], { site })).toMatchObject({
      json: ['[redacted]', '[Object: cost]', '[Frame 1000000×5]'],
      shape: ['redacted', 'object', ['Frame', 1]],
    })
  })
})
