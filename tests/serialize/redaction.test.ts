import { decodeMulti } from '@msgpack/msgpack'
import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { Capture } from '../../lib/serialize/capture.js'
import { captureArguments, captureError, captureResult, captureValue, newSite, reference } from './harness.js'

const SECRET = 'Zq7hunterZq7'

const names = [
  'password',
  'passwd',
  'pwd',
  'passphrase',
  'secret',
  'client_secret',
  'token',
  'access_token',
  'refreshToken',
  'api_key',
  'apiKey',
  'X-Api-Key',
  'authorization',
  'Proxy-Authorization',
  'cookie',
  'Set-Cookie',
  'session',
  'sessionId',
  'jwt',
  'otp',
  'pin',
  'cvv',
  'ssn',
  'privateKey',
  'private_key',
  'connectionString',
  'credentials',
  'csrf_token',
  'secretAccessKey',
  'card_number',
  'creditCard',
  'dsn',
  'signature',
  'userPassword',
  'my_secret_value',
  'dbPasswordOld',
  'githubToken',
  'jwtPayload',
  'stripeApiKeyLive',
  'x-amz-security-token',
]
const capital = (word: string): string => `${word[0]?.toUpperCase()}${word.slice(1)}`
const spell = (name: string): string[] => {
  const words = name.split(/[-_]|(?=[A-Z])/).map(word => word.toLowerCase())
  return [
    name,
    name.toUpperCase(),
    words.join('-'),
    words.join('_'),
    words.map((word, i) => (i === 0 ? word : capital(word))).join(''),
    words.map(capital).join('-'),
    words.join('_').toUpperCase(),
    `$${words.map(capital).join('')}`,
  ]
}
const spellings = [...new Set(names.flatMap(spell))]

/** Everything that is written, as text: the stored JSON and the whole shared memory behind it. */
const leaks = (args: readonly unknown[]): boolean => {
  const { text, memory } = captureArguments(args)
  return text.includes(SECRET) || memory.includes(SECRET) || memory.includes(SECRET.slice(0, 6))
}

describe('secret names in every spelling', () => {
  it('are at least 200', () => {
    expect(spellings.length).toBeGreaterThanOrEqual(200)
  })

  const shapes: Record<string, (name: string) => unknown> = {
    'object key': name => ({ id: 1, [name]: SECRET }),
    'nested object key': name => ({ a: { b: { [name]: { deep: SECRET } } } }),
    'map key': name => new Map([[name, SECRET]]),
    'header pair': name => [
      ['accept', '*/*'],
      [name, SECRET],
    ],
    'raw header list': name => ['accept', '*/*', name, SECRET, 'host', 'x'],
    'pair object': name => [
      { name, value: SECRET },
      { value: SECRET, key: name },
    ],
    'class field': name => Object.assign(new (class Config {})(), { [name]: SECRET }),
    'query string': name => `https://example.com/a?x=1&${name}=${SECRET}&y=2`,
    'form body': name => `x=1&user[${name}]=${SECRET}`,
    'JSON text': name => `{"id":1,"${name}":"${SECRET}","list":[1]}`,
    'JSON text inside JSON text': name => JSON.stringify({ body: JSON.stringify({ [name]: `a"${SECRET}` }) }),
    message: name => `login failed for ${name}: ${SECRET}, retry`,
    'command line': name => `run --${name.replace('$', '')}=${SECRET} now`,
    'error message': name => new Error(`bad ${name} = '${SECRET}'`),
  }
  it.each(Object.keys(shapes))('as %s', shape => {
    const leaked = spellings.filter(name => leaks([(shapes[shape] as (name: string) => unknown)(name)]))
    expect(leaked).toEqual([])
  })

  it('as the name in an argument before the value', () => {
    expect(captureArguments(['authorization', SECRET]).json).toEqual(['authorization', '[redacted]'])
  })

  it('keeps the rest, counts each one, and still says that there was no value', () => {
    const { value, cuts } = captureValue({ user: 'ann', password: SECRET, token: null, secret: undefined })
    expect(value).toEqual({ user: 'ann', password: '[redacted]', token: null, secret: '[undefined]' })
    expect(cuts).toEqual({ redacted: 1 })
    expect(captureValue(`a=1&token=${SECRET}&b=2`).value).toBe('a=1&token=[redacted]&b=2')
  })
})

describe('ordinary data stays', () => {
  it.each([
    'id',
    'name',
    'author',
    'authored',
    'passenger',
    'compass',
    'pinned',
    'opinion',
    'spinning',
    'sessions_count',
    'description',
    'shape',
    'email',
    'key',
    'value',
    'keyboard',
    'monkey',
    'cooking',
    'bypass',
  ])('the key %s', name => {
    expect(captureValue({ [name]: 'shown' }).value).toEqual({ [name]: 'shown' })
  })

  it.each([
    '2024-01-01T10:20:30.000Z',
    'http://localhost:3000/users/@me?page=2',
    'https://[::1]:8080/x',
    'mongodb://a:27017,b:27017/db',
    'at Token.parse (/app/token.ts:12:34)',
    'order 4111-1111 of 2024',
    '550e8400-e29b-41d4-a716-446655440000',
    'The bearer of bad news, a basic understanding',
    'ear, hear: a task-based asimov',
    'key: value; other: 5',
    '1700000000000',
    '20240101123045',
  ])('the text %s', text => {
    const { value, cuts } = captureValue(text)
    expect(value).toBe(text)
    expect(cuts).toBe(null)
  })

  it('numbers that are no card', () => {
    for (const number of [
      1_700_000_000_000, 1_700_000_000_000_000, 4_111_111_111_111_112, 9_007_199_254_740_991,
    ]) {
      expect(captureValue(number).value).toBe(number)
    }
  })
})

describe('secrets that are known by their form', () => {
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U'
  const pem = (body: string) => `-----BEGIN RSA PRIVATE KEY-----\n${body}\n-----END RSA PRIVATE KEY-----`
  const forms: Record<string, readonly [text: string, secret: string]> = {
    bearer: [`curl -H "Authorization: Bearer ${SECRET}"`, SECRET],
    'bearer alone': [`got Bearer ${SECRET} from it`, SECRET],
    basic: ['sent Basic dXNlcjpwYXNz to it', 'dXNlcjpwYXNz'],
    jwt: [`see ${jwt} there`, jwt.slice(0, 20)],
    pem: [pem(SECRET.repeat(9)), SECRET],
    'aws key id': ['id AKIAIOSFODNN7EXAMPLE', 'IOSFODNN7'],
    'google key': [`key AIza${'Sy0123456789_abcdefghijklmnopqrstuv'}`, 'Sy0123456789'],
    'github token': [`ghp_${'a1B2'.repeat(9)}`, 'a1B2a1B2'],
    'github fine grained': [`github_pat_${'a1B2'.repeat(9)}`, 'a1B2a1B2'],
    'slack token': ['xoxb-123456789012-abcdefghijkl', '123456789012'],
    'stripe key': [`sk_live_${'a1B2'.repeat(6)}`, 'a1B2a1B2'],
    'stripe restricted key': [`rk_test_${'a1B2'.repeat(6)}`, 'a1B2a1B2'],
    'model key': [`sk-proj-${'a1B2'.repeat(6)}`, 'a1B2a1B2'],
    'gitlab token': [`glpat-${'a1B2'.repeat(6)}`, 'a1B2a1B2'],
    'npm token': [`npm_${'a1B2'.repeat(9)}`, 'a1B2a1B2'],
    'sendgrid key': [`SG.${'a1B2'.repeat(5)}.${'c3D4'.repeat(9)}`, 'c3D4c3D4'],
    'user info': [`failed: postgres://admin:${SECRET}@db:5432/x`, SECRET],
    'user info with odd characters': [`redis://:${SECRET}/#?@x@db:6379/0`, SECRET],
    'token as user': [`git clone https://${SECRET}@github.com/x/y`, SECRET],
    'connection string': [`Server=x;User=sa;Password=two ${SECRET};Encrypt=no`, SECRET],
    'account key': [`AccountName=x;AccountKey=${SECRET}==;Suffix=y`, SECRET],
    card: ['pay with 4111111111111111 now', '4111111'],
    'card in groups': ['pay with 4111 1111 1111 1111 now', '1111 1111'],
    'card with dashes after a number': ['item 12 5500-0000-0000-0004', '5500-0000'],
    'american express': ['378282246310005', '378282'],
    'cookie header': [`cookie: a=1; sid=${SECRET}; b=${SECRET}`, SECRET],
    'list in JSON': [`{"tokens":["a","x]${SECRET}"],"b":1}`, SECRET],
    'object in JSON': [`{"credentials":{"user":"u","key":"${SECRET}"},"b":1}`, SECRET],
    'hash rocket': [`{:password => "${SECRET}"}`, SECRET],
    'url encoded name': [`user%5Bpassword%5D=${SECRET}`, SECRET],
    'quoted with escapes': [`password="a\\"${SECRET}"`, SECRET],
    yaml: [`user: x\npassword: ${SECRET}\nhost: y`, SECRET],
  }
  it.each(Object.entries(forms))('%s', (_, [text, secret]) => {
    const places: unknown[] = [
      text,
      { note: text },
      [text],
      new Map([[text, 1]]),
      new Set([text]),
      { [text]: 1 },
      new Error(text),
      Symbol(text),
      Object.defineProperty(() => 1, 'name', { value: text }),
    ]
    for (const place of places) {
      const { text: json, memory } = captureArguments([place])
      expect(json).not.toContain(secret)
      expect(memory.includes(secret)).toBe(false)
    }
    for (const thrown of [
      new Error(text),
      text,
      { message: text },
      new Error('outer', { cause: new Error(text) }),
    ]) {
      const full = captureError(thrown)
      expect(full.text).not.toContain(secret)
      expect(captureError(thrown, { header: true }).text).not.toContain(secret)
      expect(full.memory.includes(secret)).toBe(false)
    }
  })

  it('a card as a number', () => {
    expect(captureValue(4_111_111_111_111_111).value).toBe('[redacted]')
    expect(captureValue(4_111_111_111_111_111n).value).toBe('[redacted]')
  })

  it('an address with user info', () => {
    expect(captureValue(new URL('https://u:p@example.com/?token=x')).value).toBe(
      'https://[redacted]@example.com/?token=[redacted]',
    )
  })

  it('never leaves the first half of a secret before a cut', () => {
    const kinds = [
      jwt,
      `Bearer ${SECRET.repeat(4)}`,
      pem(SECRET.repeat(90)),
      `sk_live_${'a1B2'.repeat(40)}`,
      '4111 1111 1111 1111',
      `postgres://u:${SECRET.repeat(60)}@h/d`,
      `password=${SECRET}`,
      `"token":"${'s3cr3t'.repeat(200)}"`,
    ]
    const parts = ['dozjg', 'eyJhbGciOiJ', SECRET, SECRET.slice(0, 5), 'a1B2a1B2', '4111', 's3cr3ts3']
    for (const secret of kinds) {
      for (let lead = 255 - 60; lead <= 256; lead++) {
        const { text, memory } = captureArguments([`${'.'.repeat(lead)} ${secret} tail ${'.'.repeat(600)}`])
        for (const part of parts) {
          if (text.includes(part) || memory.includes(part)) {
            expect.fail(
              `${part} of ${secret.slice(0, 12)} shows after ${lead} characters: ${text.slice(-90)}`,
            )
          }
        }
      }
    }
  })

  it('shows nothing from behind the cut, where it only looked ahead', () => {
    const text = `pin=12 ${'.'.repeat(248)}|behind ${SECRET} token=${SECRET} ${'.'.repeat(100)}`
    expect(captureValue(text).value).toBe(
      `pin=[redacted] ${'.'.repeat(248)}…[${text.length - 255} more: string]`,
    )
  })

  it('hides the rest of a text with more secrets than it can count', () => {
    const many = Array.from({ length: 400 }, (_, i) => `pin=${SECRET}${i}`).join(' ')
    const { text } = captureValue(many, { limits: { stringLength: 10_000, bytes: 60_000 } })
    expect(text).not.toContain(SECRET)
  })

  it('is linear: the worst texts take no longer than their length allows', () => {
    const worst = [
      '://'.repeat(6_000),
      ':a@'.repeat(6_000),
      '4 '.repeat(8_000),
      '-----BEGIN '.repeat(1_500),
      'Bearer '.repeat(2_500),
      'Basic '.repeat(2_500),
      'a='.repeat(8_000),
      '"password":'.repeat(1_500),
      'password=['.repeat(1_600),
      'eyJ'.repeat(5_000),
      `password="${'\\'.repeat(15_000)}`,
      `password=${'{'.repeat(15_000)}`,
      `Basic ${'a'.repeat(15_000)}`,
      '-----BEGIN A-----'.repeat(900),
      'hooks.slack.com/services/'.repeat(600),
    ]
    for (const text of worst) captureValue(text, { limits: { stringLength: 16_000, bytes: 60_000 } })
    // Nothing here takes more than some milliseconds; an exponential or cubic pattern would run into the test's time limit.
    expect(worst).toHaveLength(15)
  })
})

describe('what the user adds and exempts', () => {
  it('names and exemptions of the whole program', () => {
    const site = newSite({ keys: ['Internal-Code'], allow: ['token', 'maxTokens'] })
    const value = { internalCode: 1, token: 'shown', maxTokens: 5, accessToken: 'x', 'max-tokens': 6 }
    expect(captureValue(value, { site }).value).toEqual({
      internalCode: '[redacted]',
      token: 'shown',
      maxTokens: 5,
      accessToken: '[redacted]',
      'max-tokens': 6,
    })
  })

  it('positions, also of the result', () => {
    const site = newSite({ site: [0, 2, -1] })
    expect(captureArguments([SECRET, 'b', { c: 1 }, 'd'], { site }).json).toEqual([
      '[redacted]',
      'b',
      '[redacted]',
      'd',
    ])
    expect(captureArguments([SECRET], { site, mode: 'types' }).json).toEqual(['[redacted]'])
    expect(captureResult(SECRET, { site }).json).toBe('[redacted]')
  })

  it('a key name at any depth', () => {
    const site = newSite({ site: ['nick'] })
    expect(captureValue([{ a: { nick: 1 } }, new Map([['Nick', 2]])], { site }).value).toEqual([
      { a: { nick: '[redacted]' } },
      { '@class': 'Map', size: 1, entries: [['Nick', '[redacted]']] },
    ])
    expect(captureValue([{ nick: 1 }]).value).toEqual([{ nick: 1 }])
  })

  it('a path from any argument, from one argument, through lists and maps', () => {
    const site = newSite({ site: ['card.number', '1.owner.mail'] })
    const value = {
      card: { number: 1, kind: 'x' },
      number: 2,
      deep: { card: { number: 3 } },
      owner: { mail: 4 },
    }
    const [first, second, list, map] = captureArguments(
      [value, value, [{ card: [{ number: 5 }] }], new Map([['card', { number: 6 }]])],
      { site },
    ).json as unknown[]
    expect(first).toEqual({ ...value, card: { number: '[redacted]', kind: 'x' } })
    expect(second).toEqual({
      ...value,
      card: { number: '[redacted]', kind: 'x' },
      owner: { mail: '[redacted]' },
    })
    expect(list).toEqual([{ card: [{ number: '[redacted]' }] }])
    expect(map).toEqual({ '@class': 'Map', size: 1, entries: [['card', { number: '[redacted]' }]] })
    expect(captureResult({ card: { number: 1 } }, { site }).json).toEqual({ card: { number: '[redacted]' } })
  })

  it('keeps apart what two call sites hide', () => {
    const one = newSite({ site: ['alpha'] })
    const two = newSite({ site: ['beta'] })
    const value = { alpha: 1, beta: 2 }
    expect(captureValue(value, { site: one }).value).toEqual({ alpha: '[redacted]', beta: 2 })
    expect(captureValue(value, { site: two }).value).toEqual({ alpha: 1, beta: '[redacted]' })
  })

  it('stays right when more names pass by than are remembered', () => {
    const site = newSite()
    for (let i = 0; i < 10_000; i += 20) {
      captureValue(Object.fromEntries(Array.from({ length: 20 }, (_, j) => [`name${i + j}`, 1])), {
        site,
        room: 512,
      })
    }
    expect(captureValue({ password: SECRET, name5: 1 }, { site }).value).toEqual({
      password: '[redacted]',
      name5: 1,
    })
  }, 60_000)

  it('key names by regular expressions, as they are written', () => {
    const pattern = /^card/gi
    const site = newSite({ site: [pattern, /-private$/y], keys: [/^int_/] })
    const value = { cardHolder: 1, CARD: 2, discard: 3, int_a: 4, nested: [new Map([['Card no', 5]])] }
    for (let again = 0; again < 3; again++) {
      expect(captureValue(value, { site }).value).toEqual({
        cardHolder: '[redacted]',
        CARD: '[redacted]',
        discard: 3,
        int_a: '[redacted]',
        nested: [{ '@class': 'Map', size: 1, entries: [['Card no', '[redacted]']] }],
      })
      // Names nobody remembers, in pairs and in texts.
      expect(captureValue([`card-${again}`, SECRET], { site }).value).toEqual([`card-${again}`, '[redacted]'])
      expect(captureValue(`a=1&card${again}=${SECRET}`, { site }).value).toBe(`a=1&card${again}=[redacted]`)
      expect(captureArguments([`Card${again}`, SECRET], { site }).json).toEqual([
        `Card${again}`,
        '[redacted]',
      ])
    }
    pattern.compile('never')
    expect(captureValue({ cardLate: 1 }, { site }).value).toEqual({ cardLate: '[redacted]' })
    expect(captureValue({ cardHolder: 1 }, { site: newSite() }).value).toEqual({ cardHolder: 1 })
  })

  it('a long name by its first 256 characters, so that no pattern takes long', () => {
    const site = newSite({ site: [/(?:a+)+b$/] })
    const text = captureValue({ [`${'a'.repeat(20)}b`]: 1, [`${'b'.repeat(100_000)}ab`]: 2 }, { site }).text
    expect(text).toContain('"aaaaaaaaaaaaaaaaaaaab":"[redacted]"')
    expect(text).toMatch(/string\]":2/)
  })
})

describe('odd things to hide', () => {
  it('mean what they say or nothing, and never harm', () => {
    const odd = [
      NaN,
      -7,
      1e9,
      0.5,
      '',
      '.',
      '..',
      'a..b',
      'a.',
      '__proto__',
      'constructor',
      '__proto__.x',
      '0.__proto__',
      'ключ.имя',
      '-1',
      '00',
      '1.',
    ]
    const site = newSite({ site: odd })
    const nested = JSON.parse('{"__proto__":{"x":1},"constructor":2,"a":{"b":3,"":{"b":4}},"ключ":{"имя":5}}')
    const { json, text } = captureArguments([nested, 'one', 'two'], { site })
    expect(json).toEqual(['[redacted]', 'one', 'two'])
    expect(text).not.toContain('"x":1')
    const some = newSite({ site: odd.filter(entry => entry !== '00') })
    expect(captureArguments([nested, 'one'], { site: some }).json).toEqual([
      {
        '[__proto__]': '[redacted]',
        constructor: '[redacted]',
        a: { b: 3, '': '[redacted]' },
        ключ: { имя: '[redacted]' },
      },
      'one',
    ])
    expect(({} as Record<string, unknown>)['secret']).toBeUndefined()
    expect(captureResult('r', { site }).json).toBe('[redacted]')
  })
})

describe('a predicate of the application', () => {
  it('may throw, answer oddly, be async or call in: a true answer and none at all hide', () => {
    const answers: [(key: string) => unknown, boolean][] = [
      [
        () => {
          throw new Error('mine')
        },
        true,
      ],
      [() => 1, true],
      [() => 'no', true],
      [() => 0, false],
      [() => undefined, false],
      [async () => false, true],
      // Nobody waits for it: its rejection must not end the app.
      [async () => Promise.reject(new Error('late')), true],
      [key => captureValue({ inner: key, password: SECRET }).text.includes(SECRET), false],
      [
        () =>
          new Proxy(
            {},
            {
              get: () => {
                throw new Error('trap')
              },
            },
          ),
        true,
      ],
    ]
    for (const [when, hides] of answers) {
      const site = newSite({ when: when as () => boolean, callSite: 'odd' })
      const { value, memory } = captureValue({ word: 'shown', password: SECRET }, { site })
      expect(value).toEqual({ word: hides ? '[redacted]' : 'shown', password: '[redacted]' })
      expect(memory.includes(SECRET)).toBe(false)
    }
  })

  const asking = (answer: (key: string) => unknown) => {
    const asked: unknown[][] = []
    const when = (...given: unknown[]) => {
      asked.push(given)
      return answer(given[0] as string) as boolean
    }
    return { asked, when }
  }

  it('hides what it says, in objects and maps, and is asked once for a name', () => {
    const { asked, when } = asking(key => key.startsWith('my'))
    const site = newSite({ when, callSite: 'Orders.place' })
    const value = { myName: SECRET, other: 1, deep: [new Map([['myMap', SECRET]])] }
    for (let i = 0; i < 3; i++) {
      const { value: shown, cuts, memory } = captureValue(value, { site })
      expect(shown).toEqual({
        myName: '[redacted]',
        other: 1,
        deep: [{ '@class': 'Map', size: 1, entries: [['myMap', '[redacted]']] }],
      })
      expect(cuts).toEqual({ redacted: 2 })
      expect(memory.includes(SECRET)).toBe(false)
    }
    expect(asked.map(([key]) => key)).toEqual(['myName', 'other', 'deep', 'myMap'])
    expect(asked.map(([, where]) => where)).toEqual(new Array(4).fill({ function: 'Orders.place' }))
    expect(Object.isFrozen(asked[0]?.[1])).toBe(true)
  })

  it('comes on top of the lists: they need no answer, and it wins over what is allowed', () => {
    const { asked, when } = asking(key => key === 'token')
    const site = newSite({ when, allow: ['token', 'maxTokens'] })
    expect(captureValue({ password: 1, token: 2, maxTokens: 3 }, { site }).value).toEqual({
      password: '[redacted]',
      token: '[redacted]',
      maxTokens: 3,
    })
    expect(asked.map(([key]) => key)).toEqual(['token', 'maxTokens'])
  })

  it('never sees a value: no items of lists, no text, no key with a secret in it', () => {
    const { asked, when } = asking(() => false)
    const site = newSite({ when })
    const args = [
      ['alice', 'bob'],
      `name=${SECRET}&x=1`,
      'first',
      { name: 'field', value: 'content' },
      { [`Bearer ${SECRET}`]: SECRET },
      new Map<unknown, unknown>([[{ a: 1 }, 2]]),
      new Set(['member']),
    ]
    const { json, memory } = captureArguments(args, { site })
    captureError(new Error(`user=alice: ${SECRET}`), { site })
    expect(asked.map(([key]) => key)).toEqual(['name', 'value', 'a'])
    expect((json as unknown[])[4]).toEqual({ '[redacted]': '[redacted]' })
    expect(memory.includes(SECRET)).toBe(true)
    expect(memory.toString('latin1').split(SECRET)).toHaveLength(2)
  })

  it('hides the value when it throws, and the call goes on', () => {
    const { asked, when } = asking(() => {
      throw new Error('mistake in the predicate')
    })
    const site = newSite({ when })
    for (let i = 0; i < 2; i++) {
      expect(captureValue({ a: SECRET, list: [1] }, { site }).value).toEqual({
        a: '[redacted]',
        list: '[redacted]',
      })
    }
    expect(asked).toHaveLength(2)
  })

  it('hides for anything that is true to JavaScript', () => {
    const answers: Record<string, unknown> = {
      one: 1,
      promise: Promise.resolve(false),
      zero: 0,
      nothing: undefined,
    }
    const site = newSite({ when: key => answers[key] as boolean })
    expect(captureValue({ one: 1, promise: 1, zero: 1, nothing: 1 }, { site }).value).toEqual({
      one: '[redacted]',
      promise: '[redacted]',
      zero: 1,
      nothing: 1,
    })
  })

  it('is asked for each call site by itself', () => {
    const when = (_key: string, where: { readonly function: string }) => where.function === 'b'
    const value = { nick: 1 }
    expect(captureValue(value, { site: newSite({ when, callSite: 'a' }) }).value).toEqual({ nick: 1 })
    expect(captureValue(value, { site: newSite({ when, callSite: 'b' }) }).value).toEqual({
      nick: '[redacted]',
    })
  })

  it('may capture something itself', () => {
    const capture = new Capture(DEFAULTS.limits)
    const inner = new Uint8Array(4096)
    let inside = ''
    const site = newSite({
      when: key => {
        if (key !== 'outer') return false
        const end = capture.writeArguments(inner, 0, 4096, [{ inner: 'within' }], true, newSite())
        inside = Buffer.from(inner.slice(0, end)).toString('latin1')
        return false
      },
    })
    const bytes = new Uint8Array(8192)
    const end = capture.writeArguments(
      bytes,
      0,
      8192,
      ['text', { outer: [1, 2], other: 'after' }],
      true,
      site,
    )
    expect(inside).toContain('within')
    const [args, shape] = [...decodeMulti(bytes.slice(0, end))]
    expect(args).toEqual(['text', { outer: [1, 2], other: 'after' }])
    expect(reference(shape)).toEqual([
      ['string', 4],
      ['object', 2],
    ])
  })

  it('is remembered within bounds', () => {
    const { asked, when } = asking(() => false)
    const site = newSite({ when })
    for (let i = 0; i < 10_000; i += 20) {
      captureValue(Object.fromEntries(Array.from({ length: 20 }, (_, j) => [`name${i + j}`, 1])), {
        site,
        room: 512,
      })
    }
    captureValue({ name1: 1, name9999: 1 }, { site })
    expect(asked.length).toBe(10_001)
    captureValue({ ['x'.repeat(300)]: 1 }, { site })
    captureValue({ ['x'.repeat(300)]: 1 }, { site })
    expect(asked.slice(-2).map(([key]) => (key as string).length)).toEqual([256, 256])
  }, 60_000)
})
