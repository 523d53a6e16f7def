import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { captureError, newSite } from './harness.js'

interface ErrorRecord {
  readonly type: string
  readonly message: string
  readonly stack: string | null
  readonly details?: Record<string, unknown>
}
const record = (thrown: unknown): ErrorRecord => captureError(thrown).json as ErrorRecord

describe('an error', () => {
  it('has its class, its message and its stack', () => {
    class PaymentError extends TypeError {}
    const error = new PaymentError('refused')
    expect(record(error)).toEqual({ type: 'PaymentError', message: 'refused', stack: error.stack })
  })

  it('has its own fields, without repeating what stands elsewhere', () => {
    const error = Object.assign(new Error('open failed'), {
      code: 'ENOENT',
      errno: -2,
      syscall: 'open',
      path: '/x',
      password: 'p',
    })
    expect(record(error).details).toEqual({
      code: 'ENOENT',
      errno: -2,
      syscall: 'open',
      path: '/x',
      password: '[redacted]',
    })
  })

  it('has the two errors that a failed disposal has suppressed, also where no listing shows them', () => {
    class SuppressedError extends Error {
      constructor(error: unknown, suppressed: unknown) {
        super('two have failed')
        for (const [key, value] of Object.entries({ error, suppressed })) {
          Object.defineProperty(this, key, { value, writable: true, configurable: true })
        }
      }
    }
    const thrown = new SuppressedError(new TypeError('in dispose'), new RangeError('in the block'))
    expect(record(thrown).details).toEqual({
      error: { '@class': 'TypeError', message: 'in dispose' },
      suppressed: { '@class': 'RangeError', message: 'in the block' },
    })
  })

  it('prefers its own name, as far as that is data', () => {
    expect(record(Object.assign(new Error('x'), { name: 'CustomName' })).type).toBe('CustomName')
  })

  it('is known from another realm, from a platform class and from an old-style class', () => {
    expect(record(runInNewContext('new RangeError("far")'))).toMatchObject({
      type: 'RangeError',
      message: 'far',
    })
    expect(record(new DOMException('stopped', 'AbortError'))).toMatchObject({
      type: 'AbortError',
      message: 'stopped',
    })
    function OldError(this: { message: string }) {
      this.message = 'old'
    }
    OldError.prototype = Object.create(Error.prototype, { constructor: { value: OldError } })
    const make = OldError as unknown as new () => Error
    expect(record(new make())).toMatchObject({ type: 'OldError', message: 'old', stack: null })
  })

  it('shows its causes, as many as the limit says', () => {
    const chain = (levels: number): Error =>
      new Error(`level ${levels}`, levels > 0 ? { cause: chain(levels - 1) } : {})
    const { json, cuts } = captureError(chain(1_000))
    let at = (json as ErrorRecord).details as Record<string, unknown> | string
    let levels = 0
    for (; typeof at !== 'string' && at['cause'] !== undefined; at = at['cause'] as typeof at) levels++
    expect(levels).toBe(6)
    expect(at).toBe('[Error: depth]')
    expect(cuts).toEqual({ depth: 1 })
  })

  it('marks causes that go in a circle', () => {
    const first = new Error('first')
    const second = new Error('second', { cause: first })
    first.cause = second
    expect(record(first).details).toEqual({
      cause: { '@class': 'Error', message: 'second', cause: '[Circular]' },
    })
    const self = new Error('self')
    self.cause = self
    expect(record(self).details).toEqual({ cause: '[Circular]' })
  })

  it('shows the first of many aggregated errors', () => {
    const { json, cuts } = captureError(
      new AggregateError(
        Array.from({ length: 10_000 }, (_, i) => new Error(`${i}`)),
        'all',
      ),
    )
    const { errors } = (json as ErrorRecord).details as { errors: unknown[] }
    expect(errors).toHaveLength(6)
    expect(errors[0]).toEqual({ '@class': 'Error', message: '0' })
    expect(errors[5]).toBe('[9995 more: items]')
    expect(cuts).toEqual({ items: 1 })
  })

  it('keeps a cause that is no error', () => {
    expect(record(new Error('x', { cause: { status: 500 } })).details).toEqual({ cause: { status: 500 } })
  })

  it('cuts a long message and a long stack, and keeps room for the details', () => {
    const error = Object.assign(new Error('m'.repeat(50_000)), { code: 'E_LONG' })
    error.stack = `Error: ${'s'.repeat(50_000)}`
    const { message, stack, details } = record(error)
    expect(message).toMatch(/^m{1020}…\[48980 more: string\]$/)
    expect(stack).toMatch(/^Error: s+…\[\d+ more: (string|bytes)\]$/)
    expect(stack?.length).toBeGreaterThan(2_000)
    expect(details).toEqual({ code: 'E_LONG' })
  })

  it('says so when its stack cannot be read without running code of the application', () => {
    class Lazy extends Error {
      override get message(): string {
        throw new Error('read')
      }
    }
    const { json, cuts } = captureError(new Lazy())
    expect(json).toEqual({ type: 'Lazy', message: '', stack: '[getter]' })
    expect(cuts).toEqual({ getter: 1 })
  })

  it('reads no stack that is a getter of the application', () => {
    const error = Object.defineProperty(new Error('x'), 'stack', { get: () => 'made up' })
    expect(captureError(error).json).toEqual({ type: 'Error', message: 'x', stack: '[getter]' })
  })

  it('hides secrets in message and stack alike', () => {
    const error = new Error('password=hunter2 for postgres://u:hunter2@h')
    const { text } = captureError(error)
    expect(text).not.toContain('hunter2')
    expect(record(error).stack).toContain('error-record.test.ts')
  })

  it('obeys the paths of the call site', () => {
    const site = newSite({ site: ['card.number'] })
    const error = Object.assign(new Error('x'), { card: { number: 1, kind: 'k' } })
    expect(captureError(error, { site }).json).toMatchObject({
      details: { card: { number: '[redacted]', kind: 'k' } },
    })
  })
})

describe('a header', () => {
  it('has type and message only, and never touches the stack', () => {
    const error = new Error('m'.repeat(1_000))
    let reads = 0
    Object.defineProperty(error, 'stack', { get: () => reads++ })
    expect(captureError(error, { header: true }).json).toEqual({
      type: 'Error',
      message: `${'m'.repeat(255)}…[745 more: string]`,
    })
    expect(reads).toBe(0)
  })

  it('does not run Error.prepareStackTrace, which the full record does', () => {
    let formatted = 0
    const before = Error.prepareStackTrace
    try {
      Error.prepareStackTrace = () => `formatted ${++formatted}`
      captureError(new Error('x'), { header: true })
      expect(formatted).toBe(0)
      expect(record(new Error('x')).stack).toBe('formatted 1')
      Error.prepareStackTrace = () => {
        throw new Error('broken formatter')
      }
      expect(record(new Error('still recorded'))).toMatchObject({ type: 'Error', message: 'still recorded' })
    } finally {
      Error.prepareStackTrace = before
    }
  })
})

describe('something thrown that is no error', () => {
  it.each([
    ['text', { type: 'string', message: 'text', stack: null }],
    [42, { type: 'number', message: '42', stack: null }],
    [-0, { type: 'number', message: '0', stack: null }],
    [undefined, { type: 'undefined', message: 'undefined', stack: null }],
    [null, { type: 'null', message: '[null]', stack: null }],
    [Symbol('s'), { type: 'symbol', message: '[Symbol(s)]', stack: null }],
    [new Proxy({}, {}), { type: 'Proxy', message: '[Proxy]', stack: null, details: '[Proxy]' }],
    [
      { message: 'm', code: 1 },
      { type: 'object', message: 'm', stack: null, details: { message: 'm', code: 1 } },
    ],
    [[1], { type: 'Array', message: '[Array 1]', stack: null, details: [1] }],
    [12n, { type: 'bigint', message: '12n', stack: null }],
  ])('%s', (thrown, expected) => {
    expect(record(thrown)).toEqual(expected)
  })
})
