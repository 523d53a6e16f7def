import { describe, expect, it } from 'vitest'
import { captureArguments, captureError, captureResult, captureValue, newSite } from './harness.js'

const SECRET = 'Zq7hunterZq7'
const BEARER = `Bearer ${SECRET}`
const cutsOf = (value: unknown) => captureValue(value).cuts

describe('how many values were hidden stands in the record', () => {
  it.each<readonly [kind: string, value: unknown, redacted: number]>([
    ['a key', { password: SECRET, user: 'ann' }, 1],
    ['keys at several depths', { password: SECRET, a: [{ token: SECRET }] }, 2],
    ['a key with an object below it, as one', { credentials: { user: 'u', key: SECRET, list: [1, 2] } }, 1],
    ['a key of a map', new Map([['password', SECRET]]), 1],
    [
      'a field of an instance',
      new (class Config {
        dbPassword = SECRET
      })(),
      1,
    ],
    [
      'a header pair',
      [
        ['authorization', SECRET],
        ['accept', '*/*'],
      ],
      1,
    ],
    ['a raw header list', ['authorization', SECRET, 'cookie', SECRET], 2],
    ['a pair object', { name: 'password', value: SECRET }, 1],
    ['a query string, each parameter', `/x?token=${SECRET}&a=1&pin=${SECRET}`, 2],
    ['an address', new URL(`https://u:${SECRET}@h/?token=${SECRET}`), 2],
    ['URL parameters', new URLSearchParams({ token: SECRET, a: '1' }), 1],
    ['a text', `password: ${SECRET}`, 1],
    ['a text that is cut as well', `password=${SECRET} ${'.'.repeat(400)}`, 1],
    ['a token by its form', `x ${BEARER}`, 1],
    ['a card in a text', '4111 1111 1111 1111', 1],
    ['a card as a number', 4_111_111_111_111_111, 1],
    ['a card as a bigint', 4_111_111_111_111_111n, 1],
    ['an error, its message', new Error(`password=${SECRET}`), 1],
    ['an error, its cause', new Error('x', { cause: { password: SECRET } }), 1],
    ['an aggregate, its errors', new AggregateError([new Error(`pin=${SECRET}`), { token: SECRET }]), 2],
    ['a key with a secret in it', { [BEARER]: 1 }, 1],
    ['a key with a secret in it, and its value', { [`token=${SECRET}`]: 1, [`a ${BEARER}`]: { pin: 1 } }, 4],
    ['a string key of a map with a secret in it', new Map([[BEARER, 1]]), 1],
    ['the name of a symbol', Symbol(BEARER), 1],
    ['the name of a function', Object.defineProperty(() => 1, 'name', { value: BEARER }), 1],
    [
      'a class name',
      new (Object.defineProperty(class {}, 'name', { value: BEARER }) as new () => object)(),
      1,
    ],
    ['a regular expression', new RegExp(`password=${SECRET}`), 1],
  ])('%s', (_, value, redacted) => {
    const { cuts, text, memory } = captureValue(value)
    expect(cuts?.['redacted']).toBe(redacted)
    expect(text.split('[redacted]').length - 1).toBeGreaterThanOrEqual(redacted > 1 ? 2 : 1)
    expect(memory.includes(SECRET)).toBe(false)
  })

  it('nothing where there was nothing to hide', () => {
    expect(cutsOf({ password: null, token: undefined, user: 'ann' })).toBe(null)
  })

  it('positions, paths, patterns, the predicate, the result', () => {
    const site = newSite({ site: [0, 'card.number', /^inner/, -1], when: key => key === 'chosen' })
    const args = [SECRET, { card: { number: 1, kind: 'x' }, innerA: 1, innerB: 2, chosen: 3 }]
    expect(captureArguments(args, { site }).cuts).toEqual({ redacted: 5 })
    expect(captureArguments(args, { site, mode: 'types' }).cuts).toEqual({ redacted: 1 })
    expect(captureArguments(['authorization', SECRET]).cuts).toEqual({ redacted: 1 })
    expect(captureResult(SECRET, { site }).cuts).toEqual({ redacted: 1 })
  })

  it('of what was thrown: message, stack, details', () => {
    const error = Object.assign(new Error(`login with pin=${SECRET}`), { password: SECRET })
    // Once in the message, once in the stack, once in the details.
    expect(captureError(error).cuts).toEqual({ redacted: 3 })
    expect(captureError(error, { header: true }).cuts).toEqual({ redacted: 1 })
    expect(captureError(`thrown: token=${SECRET}`).cuts).toEqual({ redacted: 1 })
    expect(captureError({ message: `pin=${SECRET}`, token: SECRET }).cuts).toEqual({ redacted: 3 })
    expect(captureError(Symbol(BEARER)).cuts).toEqual({ redacted: 1 })
  })
})
