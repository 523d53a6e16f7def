import { AsyncLocalStorage } from 'node:async_hooks'
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { createServer, IncomingMessage, OutgoingMessage, request, ServerResponse } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { TLSSocket } from 'node:tls'
import * as arrow from 'apache-arrow'
import { BehaviorSubject, map, Observable, of, Subject } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { captureArguments, captureError, captureValue, newSite } from './harness.js'

const SECRET = 'Zq7hunterZq7'
const shown = (value: unknown) => captureValue(value).value
let fired = 0
const trap = (): never => {
  fired++
  throw new Error('Application code was run by capture')
}

describe('errors among the values', () => {
  it('with what an aggregate gathers, as far as causes are followed', () => {
    const many = new AggregateError([new Error('first'), new TypeError('second'), 'third'], 'all failed')
    expect(shown(many)).toEqual({
      '@class': 'AggregateError',
      message: 'all failed',
      errors: [
        { '@class': 'Error', message: 'first' },
        { '@class': 'TypeError', message: 'second' },
        'third',
      ],
    })
    const crowd = captureValue(new AggregateError(new Array(10_000).fill(new Error('one'))))
    expect((crowd.value as { errors: unknown[] }).errors).toHaveLength(6)
    expect((crowd.value as { errors: unknown[] }).errors[5]).toBe('[9995 more: items]')
    expect(crowd.cuts).toEqual({ items: 1 })
  })

  it('with what the user hides of them', () => {
    const site = newSite({ site: ['cause', 'errors', 'code'] })
    const error = Object.assign(new AggregateError([SECRET], 'x', { cause: SECRET }), { code: SECRET })
    const { value, memory } = captureValue(error, { site })
    expect(value).toEqual({
      '@class': 'AggregateError',
      message: 'x',
      code: '[redacted]',
      cause: '[redacted]',
      errors: '[redacted]',
    })
    expect(memory.includes(SECRET)).toBe(false)
    const thrown = captureError(error, { site })
    expect(thrown.json).toMatchObject({
      details: { code: '[redacted]', cause: '[redacted]', errors: '[redacted]' },
    })
    expect(thrown.memory.includes(SECRET)).toBe(false)
  })
})

describe('what works rather than holds', () => {
  it('a request and its response, on both sides', async () => {
    const seen: Record<string, unknown> = {}
    const server = createServer((received, response) => {
      seen['received'] = shown(received)
      response.statusCode = 404
      response.end('body')
      seen['response'] = shown(response)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const sent = request({
      host: '127.0.0.1',
      port,
      path: `/orders?token=${SECRET}&page=2`,
      headers: { authorization: `Bearer ${SECRET}`, accept: '*/*' },
    })
    seen['sent'] = shown(sent)
    sent.end()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    seen['answer'] = shown(answer)
    answer.resume()
    await once(answer, 'end')
    server.close()
    expect(seen).toEqual({
      received: {
        '@class': 'IncomingMessage',
        method: 'GET',
        url: '/orders?token=[redacted]&page=2',
        headers: expect.any(Number) as number,
      },
      response: { '@class': 'ServerResponse', statusCode: 404, finished: true },
      sent: {
        '@class': 'ClientRequest',
        method: 'GET',
        host: '127.0.0.1',
        path: '/orders?token=[redacted]&page=2',
      },
      answer: { '@class': 'IncomingMessage', statusCode: 404, headers: expect.any(Number) as number },
    })
  })

  it('a field that Node has made an accessor, from where its value stands since then', () => {
    const kPath: unique symbol = Symbol('kPath')
    const kOther: unique symbol = Symbol('kOther')
    class ClientRequest extends OutgoingMessage {
      readonly method = 'GET'
      readonly [kPath] = `/orders?token=${SECRET}`
      readonly [kOther] = SECRET
      get path(): string {
        throw new Error('a getter ran')
      }
    }
    const { value, memory } = captureValue(new ClientRequest())
    expect(value).toEqual({ '@class': 'ClientRequest', method: 'GET', path: '/orders?token=[redacted]' })
    expect(memory.includes(SECRET)).toBe(false)

    class Hollow extends ClientRequest {}
    const hollow = new Hollow()
    Object.defineProperty(hollow, kPath, {
      get() {
        throw new Error('a getter ran')
      },
    })
    expect(captureValue(hollow).value).toEqual({ '@class': 'Hollow', method: 'GET' })
  })

  it('an own class above one of them', () => {
    class Framed extends IncomingMessage {
      body = { password: SECRET }
    }
    const framed = new Framed(new Socket())
    framed.method = 'PUT'
    framed.url = `/a?pin=${SECRET}`
    const { value, memory } = captureValue(framed)
    expect(value).toEqual({ '@class': 'Framed', method: 'PUT', url: '/a?pin=[redacted]' })
    expect(memory.includes(SECRET)).toBe(false)
  })

  it('with the fields the user hides', () => {
    const message = new IncomingMessage(new Socket())
    message.method = 'PUT'
    message.url = `/users/${SECRET}`
    const { value } = captureValue(message, { site: newSite({ site: ['url'] }) })
    expect(value).toEqual({ '@class': 'IncomingMessage', method: 'PUT', url: '[redacted]' })
  })

  it('below the depth limit by class alone', () => {
    const message = new IncomingMessage(new Socket())
    message.method = 'PUT'
    expect(captureValue([message], { limits: { depth: 0 } }).value).toEqual(['[IncomingMessage]'])
  })

  it('without their getters and listeners, when they are not what they seem', () => {
    const odd = new IncomingMessage(new Socket())
    for (const name of ['method', 'url', 'statusCode', 'rawHeaders']) {
      Object.defineProperty(odd, name, { get: trap, enumerable: true })
    }
    const proxied = new IncomingMessage(new Socket())
    Object.defineProperty(proxied, 'method', { value: new Proxy({}, { get: trap }), enumerable: true })
    proxied.rawHeaders = new Proxy(['a', 'b'], { get: trap, getOwnPropertyDescriptor: trap })
    fired = 0
    expect(captureArguments([odd, proxied]).json).toEqual(['[IncomingMessage]', '[IncomingMessage]'])
    expect(fired).toBe(0)
  })

  it('files, sockets, streams, emitters', async () => {
    const file = createReadStream(new URL(import.meta.url))
    const target = createWriteStream('/dev/null')
    const child = spawn(process.execPath, ['-e', `0 // ${SECRET}`])
    const emitter = Object.assign(new EventEmitter(), { password: SECRET })
    const { json, memory } = captureArguments([
      file,
      target,
      new Socket(),
      new TLSSocket(new Socket()),
      new PassThrough(),
      Readable.from([SECRET]),
      emitter,
      child,
      AbortSignal.abort(SECRET),
      new AsyncLocalStorage(),
    ])
    file.destroy()
    target.destroy()
    await once(child, 'exit')
    const [, written, socket, tls, pass, readable, own, spawned, signal] = json as unknown[]
    expect(written).toEqual({ '@class': 'WriteStream', path: '/dev/null', bytesWritten: 0 })
    expect(socket).toEqual({ '@class': 'Socket', connecting: false })
    expect(tls).toMatchObject({ '@class': 'TLSSocket', authorized: false })
    expect([pass, readable, own, signal]).toEqual([
      '[PassThrough]',
      '[Readable]',
      '[EventEmitter]',
      '[AbortSignal]',
    ])
    expect(spawned).toMatchObject({ '@class': 'ChildProcess', pid: child.pid })
    expect(memory.includes(SECRET)).toBe(false)
  })

  it('a response that was never sent', () => {
    expect(shown(new ServerResponse(new IncomingMessage(new Socket())))).toEqual({
      '@class': 'ServerResponse',
      statusCode: 200,
      finished: false,
    })
  })

  it('observables and subjects by type, not what they hold', () => {
    const subject = new BehaviorSubject({ note: SECRET })
    subject.subscribe(() => {})
    const piped = of(SECRET).pipe(map(text => text))
    const { json, memory } = captureArguments([new Observable(trap), new Subject(), subject, piped])
    expect(json).toEqual(['[Observable]', '[Subject]', '[BehaviorSubject]', '[Observable]'])
    expect(memory.includes(SECRET)).toBe(false)
  })

  it('timers by type, not the arguments of the timers they are linked to', () => {
    const stranger = setTimeout((_: string) => {}, 60_000, SECRET)
    const own = setTimeout(() => {}, 60_000)
    const immediate = setImmediate((_: string) => {}, SECRET)
    const { json, memory } = captureArguments([own, immediate])
    clearTimeout(stranger)
    clearTimeout(own)
    expect(json).toEqual(['[Timeout]', '[Immediate]'])
    expect(memory.includes(SECRET)).toBe(false)
  })

  it('by type: promises, generators, weak references, what fetch works with', () => {
    expect(
      captureArguments([
        Promise.resolve(SECRET),
        (async () => {})(),
        (function* work() {})(),
        new WeakRef({ note: SECRET }),
        new Request(`http://x/?note=${SECRET}`),
        new Response(SECRET),
        new Headers({ note: SECRET }),
        new FormData(),
        new ReadableStream(),
        [][Symbol.iterator](),
        new Intl.NumberFormat('en'),
      ]).json,
    ).toEqual([
      '[Promise]',
      '[Promise]',
      '[Generator]',
      { '@class': 'WeakRef' },
      { '@class': 'Request' },
      { '@class': 'Response' },
      { '@class': 'Headers' },
      { '@class': 'FormData' },
      { '@class': 'ReadableStream' },
      { '@class': 'Array Iterator' },
      { '@class': 'NumberFormat' },
    ])
  })
})

describe('values of the platform', () => {
  it('URL parameters like a map, their names judged as keys', () => {
    const params = new URLSearchParams(`a=1&token=${SECRET}&a=2&note=pin=${SECRET}`)
    const { value, memory, cuts } = captureValue(params)
    expect(value).toEqual({
      '@class': 'URLSearchParams',
      size: 4,
      entries: [
        ['a', '1'],
        ['token', '[redacted]'],
        ['a', '2'],
        ['note', 'pin=[redacted]'],
      ],
    })
    expect(cuts).toEqual({ redacted: 2 })
    expect(memory.includes(SECRET)).toBe(false)
    expect(shown(new URLSearchParams('a=1&'.repeat(1_001)))).toBe('[URLSearchParams 1001]')
    const site = newSite({ when: key => key === 'a' })
    expect(captureValue(new URLSearchParams('a=1&b=2'), { site }).value).toMatchObject({
      entries: [
        ['a', '[redacted]'],
        ['b', '2'],
      ],
    })
  })

  it('blobs and files by their size', () => {
    expect(captureArguments([new Blob(['abc']), new Blob([])], {}).json).toEqual(['[Blob 3]', '[Blob 0]'])
    expect(captureArguments([new Blob(['abc'])], { mode: 'types' })).toMatchObject({
      json: ['[Blob 3]'],
      shape: [['Blob', 3]],
    })
    class Upload extends Blob {}
    expect(shown(new Upload(['abcd']))).toBe('[Upload 4]')
    expect(captureArguments([new URLSearchParams('a=1')], { mode: false }).shape).toEqual([
      ['URLSearchParams', 1],
    ])
  })

  it('impostors of both', () => {
    const { json, shape } = captureArguments([
      Object.create(Blob.prototype),
      Object.create(URLSearchParams.prototype),
    ])
    expect(json).toEqual(['[uncapturable]', '[uncapturable]'])
    expect(shape).toEqual(['object', 'object'])
  })
})

describe('tables and tensors by shape', () => {
  const table = arrow.tableFromArrays({
    price: Float64Array.from({ length: 1_000 }, (_, i) => i),
    size: Int32Array.from({ length: 1_000 }, (_, i) => i),
    side: Int32Array.from({ length: 1_000 }, () => 1),
  })

  it('Arrow: table, concatenated table, batch, column', () => {
    const { json, cuts } = captureArguments([
      table,
      table.concat(table),
      table.batches[0],
      table.getChild('price'),
      arrow.tableFromArrays({}),
    ])
    expect(json).toEqual([
      '[Table 1000×3]',
      '[Table 2000×3]',
      '[RecordBatch 1000×3]',
      '[Vector 1000]',
      '[Table 0×0]',
    ])
    expect(cuts).toEqual({ items: 5 })
  })

  it('own data only: a getter or a Proxy where the numbers should be is not read', () => {
    class Table {
      [field: string]: unknown
    }
    const odd = Object.assign(new Table(), {
      schema: { fields: [1, 2] },
      batches: [{ data: { length: 3 } }, null],
    })
    const proxied = Object.assign(new Table(), { schema: new Proxy({}, { getOwnPropertyDescriptor: trap }) })
    const getters = new Table()
    for (const name of ['schema', 'batches', 'shape', 'numRows', 'length', 'height']) {
      Object.defineProperty(getters, name, { get: trap, enumerable: true })
    }
    const endless = Object.assign(new Table(), { schema: { fields: [1] }, batches: new Array(1_001) })
    fired = 0
    const [first, second, third, last] = captureArguments([odd, proxied, getters, endless]).json as unknown[]
    expect(first).toMatchObject({ '@class': 'Table', schema: { fields: [1, 2] } })
    expect(second).toEqual({ '@class': 'Table', schema: '[Proxy]' })
    expect(third).toMatchObject({ '@class': 'Table', numRows: '[getter]' })
    expect(last).toBe('[Table ?×1]')
    expect(fired).toBe(0)
  })

  it('others by shape, or by numRows and numCols', () => {
    class DataFrame {
      readonly shape: unknown
      readonly values = [[SECRET]]
      constructor(shape: unknown) {
        this.shape = shape
      }
    }
    class Grid {
      readonly numRows = 1_000_000
      readonly numCols = 100
    }
    const { json, memory } = captureArguments([new DataFrame([2, 3]), new DataFrame([4, 5, 6]), new Grid()])
    expect(json).toEqual(['[DataFrame 2×3]', '[DataFrame 4×5×6]', '[Grid 1000000×100]'])
    expect(memory.includes(SECRET)).toBe(false)
    expect(shown(new DataFrame(['x']))).toMatchObject({ '@class': 'DataFrame', shape: ['x'] })
  })
})
