import { describe, expect, it } from 'vitest'
import { TRACE_BEGINS } from '../../lib/serialize/known-traces.js'
import { Redaction } from '../../lib/serialize/redaction.js'
import { PHRASE_PATTERNS } from '../../lib/serialize/secret-phrases.js'
import { screen } from '../../lib/serialize/secret-screen.js'
import { TOKEN_PATTERNS } from '../../lib/serialize/secret-tokens.js'
import fc from '../support/fast-check.js'
import { givenSeed } from '../support/seed.js'
import { hostileText, matchingText } from './secret-texts.js'

/** Rules of their own, which have seen nothing yet. */
let sets = 0
const ruleSets = () => [
  Redaction.compile({ keys: [`unique ${sets++}`] }),
  Redaction.compile({ keys: ['mjs', 'error', 'at', `unique ${sets++}`], allow: ['token'] }),
]

/** Lines as engines write them, some with what looks like a part of a token, a flag or a name. */
const line = fc.oneof(
  fc.constantFrom(
    ...['refuse (file:///srv/app/a.mjs:10:4)', 'Array.map (<anonymous>)', 'async Promise.all (index 0)'],
    ...['node:internal/process/task_queues:95:5', 'x (/srv/my-app/b.js:1:2)', 'y (C:\\app\\token.js:3:4)'],
    ...[
      'new Token (/srv/basic-auth/c.ts:5:6)',
      'z (/a --b/task-list.js:1:1)',
      'Object.<anonymous> (eval:1:1)',
    ],
    ...[
      'get password [as pin] (/d.js:1:1)',
      'data: 1',
      'value="x"',
      'type=password',
      'a (https://u@h/x.js:1:1)',
    ],
  ),
  hostileText.map(text => text.slice(0, 40)),
)
const trace = fc
  .array(line, { minLength: 1, maxLength: 5 })
  .map(lines => TRACE_BEGINS + lines.join(TRACE_BEGINS))
const secret = fc.constantFrom(...TOKEN_PATTERNS, ...PHRASE_PATTERNS).chain(matchingText)
const message = fc.oneof(
  hostileText,
  hostileText.map(text => `Error: ${text}`),
  fc.tuple(hostileText, secret, hostileText).map(parts => parts.join('')),
  fc.constantFrom(
    ...[
      'Error: no market',
      'Error',
      '',
      'Invalid token:',
      'Error: run "--jwt abc"',
      '["--password","x"',
      'password="',
    ],
    ...[
      'Error: name="password"',
      'value=1, ',
      '4111 1111 1111',
      '<password>',
      'Bearer',
      'token ',
      '-----BEGIN KEY',
    ],
  ),
)

describe('stacks with a trace that is known', () => {
  it('hold nothing that the search of the whole text would find', () => {
    let plain = 0
    let secrets = 0
    const whole = (rules: Redaction, text: string) =>
      rules.scrub(text, screen(text, text.length), text.length, false)
    fc.assert(
      fc.property(trace, fc.array(message, { minLength: 6, maxLength: 12 }), (lines, messages) => {
        for (const rules of ruleSets()) {
          for (let round = 0; round < 2; round++) {
            for (const before of ['Error: first', 'Error: second', ...messages]) {
              const stack = before + lines
              const found = whole(rules, stack)
              if (found !== null) secrets++
              if (!rules.isPlainStack(stack, stack.indexOf(TRACE_BEGINS))) continue
              plain++
              expect({ stack, found }).toEqual({ stack, found: null })
            }
          }
        }
      }),
      { numRuns: 1_500, ...givenSeed },
    )
    // Both ways were taken, often.
    expect(plain).toBeGreaterThan(1_000)
    expect(secrets).toBeGreaterThan(1_000)
  }, 180_000)

  it('are known from the second time on, whatever the message says', () => {
    const [rules] = ruleSets() as [Redaction, Redaction]
    const lines = `${TRACE_BEGINS}refuse (file:///srv/my-app/market.js:10:4)`.repeat(10)
    const isPlain = (text: string) => rules.isPlainStack(text + lines, text.length)
    expect(isPlain('Error: no market')).toBe(false)
    expect(isPlain('Error: no market for EURUSD')).toBe(true)
    expect(isPlain('TypeError: x is not a function')).toBe(true)
    expect(isPlain('Error: password=hunter2')).toBe(false)
    expect(isPlain('Error: no market for \u20ac')).toBe(false)
    expect(rules.isPlainStack(`Error: no market${lines}x`, 16)).toBe(false)
    // Plain by itself for want of a `:`, which the message has.
    const list = `${TRACE_BEGINS}f "--password","hunter2"`
    for (let round = 0; round < 3; round++) expect(rules.isPlainStack(`Error: x${list}`, 8)).toBe(false)
  })

  it('are told apart from others of the same length, whatever place it is they differ in', () => {
    const [rules] = ruleSets() as [Redaction, Redaction]
    const lines = `${TRACE_BEGINS}refuse (file:///srv/app/market.js:10:4)`.repeat(10)
    const isPlain = (trace: string) => rules.isPlainStack(`Error${trace}`, 5)
    for (let round = 0; round < 2; round++) isPlain(lines)
    expect(isPlain(lines)).toBe(true)
    const secret = ' pin=1 '
    for (let at = TRACE_BEGINS.length; at <= lines.length - secret.length; at++) {
      const other = lines.slice(0, at) + secret + lines.slice(at + secret.length)
      for (let round = 0; round < 3; round++) expect(isPlain(other), other).toBe(false)
      isPlain(lines)
    }
  })
})
