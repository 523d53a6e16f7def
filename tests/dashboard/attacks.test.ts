import { type ChildProcess, spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { scratch, T0_MS, TestStore } from '../store-read/fixture.js'
import { exchange, request, until } from './http.js'
import { serve, TOKEN } from './running.js'

const APP = fileURLToPath(new URL('./monitored-app.mjs', import.meta.url))

interface Ended {
  readonly calls: number
  readonly state: string
  readonly account: Record<
    'calls' | 'errors',
    { produced: number; stored: number; dropped: Record<string, number> }
  > & {
    balanced: boolean
  }
}

/** The app under attack. All attacks of this file are against it, one after the other; at the end its account is looked at. */
let app: ChildProcess
let port = 0
let token = ''
let lines: AsyncIterator<string>
let stderr = ''
const removals: (() => void)[] = []

beforeAll(async () => {
  const folder = scratch(clean => removals.push(clean))
  app = spawn(process.execPath, [APP], {
    env: {
      ...process.env,
      CALLSIGHT_DB: join(folder, 'calls.db'),
      CALLSIGHT: '',
      NODE_ENV: '',
      NODE_OPTIONS: '',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  app.stderr?.on('data', data => (stderr += data))
  lines = createInterface({ input: app.stdout! })[Symbol.asyncIterator]()
  const url = new URL((await lines.next()).value)
  port = Number(url.port)
  token = url.searchParams.get('token') ?? ''
})
afterAll(() => {
  app.kill('SIGKILL')
  for (const remove of removals) remove()
})

const bearer = () => ({ Authorization: `Bearer ${token}` })
const statusOf = async (target: string, headers: Record<string, string> = {}) =>
  (await exchange(port, request(target, port, headers))).status

describe('refused is', () => {
  it('everything without the token, page and files as well; nothing says what is there', async () => {
    const bodies = new Set<string>()
    for (const target of [
      '/',
      '/index.html',
      '/assets/none.js',
      '/errors',
      '/nothing.txt',
      '/?token=',
      '/?token=wrong',
    ]) {
      const reply = await exchange(port, request(target, port))
      expect([target, reply.status]).toEqual([target, 401])
      expect(reply.headers['set-cookie']).toBeUndefined()
      bodies.add(reply.body)
    }
    expect(bodies.size).toBe(1)
    expect([...bodies][0]).toContain('Open the whole address that was printed')
    for (const target of ['/api/session', '/api/nothing'])
      expect(JSON.parse((await exchange(port, request(target, port))).body).error.code).toBe(
        'CALLSIGHT_DASHBOARD_TOKEN',
      )
  })

  it('a wrong token in any place, also one that is nearly right, empty or endless', async () => {
    const almost = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`
    for (const wrong of [
      almost,
      token.slice(0, -1),
      `${token}A`,
      token.toLowerCase(),
      '',
      'x'.repeat(3_000),
    ]) {
      expect(await statusOf('/api/session', { Authorization: `Bearer ${wrong}` })).toBe(401)
      expect(await statusOf('/api/session', { Cookie: `callsight_${port}=${wrong}` })).toBe(401)
      expect(await statusOf(`/api/session?token=${wrong}`)).toBe(401)
    }
    expect(await statusOf('/api/session', { Cookie: `callsight=${token}` })).toBe(401)
    expect(await statusOf('/api/session', { Authorization: `Basic ${token}` })).toBe(401)
    expect(await statusOf('/api/session', { Referer: `http://127.0.0.1:${port}/?token=${token}` })).toBe(401)
    expect(await statusOf('/api/session', bearer())).toBe(200)
  })

  it('a name that is not ours, with the right token: a page whose name was made to point here (DNS rebinding)', async () => {
    const names = [
      'attacker.example',
      `attacker.example:${port}`,
      `127.0.0.1.attacker.example:${port}`,
      `127.0.0.1:${port}.attacker.example`,
      '127.0.0.1',
      `127.0.0.1:${port + 1}`,
      `localhost.:${port}`,
      `0.0.0.0:${port}`,
      `[::1]:${port}`,
      `[::ffff:127.0.0.1]:${port}`,
      `user@127.0.0.1:${port}`,
      `127.1:${port}`,
    ]
    for (const host of names) {
      for (const target of ['/', '/api/session'])
        expect([host, await statusOf(target, { ...bearer(), Host: host })]).toEqual([host, 421])
    }
    expect(await statusOf('/api/session', { ...bearer(), Host: `LOCALHOST:${port}` })).toBe(200)
    expect((await exchange(port, 'GET / HTTP/1.0\r\n\r\n')).status).toBe(421)
  })

  it('another origin and another site, except for a visit of the page itself', async () => {
    for (const origin of [
      'http://attacker.example',
      'null',
      `https://127.0.0.1:${port}`,
      'http://127.0.0.1:1',
      '',
    ])
      expect([origin, await statusOf('/api/session', { ...bearer(), Origin: origin })]).toEqual([origin, 403])
    expect(await statusOf('/api/session', { ...bearer(), Origin: `http://127.0.0.1:${port}` })).toBe(200)
    const visit = { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' }
    const frame = { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' }
    const script = { 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'script' }
    for (const site of ['cross-site', 'same-site', 'nonsense']) {
      for (const [how, target, status] of [
        [visit, '/', 200],
        [visit, '/errors', 200],
        [visit, '/api/session', 403],
        [visit, '/assets/index.js', 403],
        [frame, '/', 403],
        [script, '/', 403],
        [script, '/api/session', 403],
        [{}, '/', 403],
      ] as const)
        expect([
          site,
          target,
          await statusOf(target, { ...bearer(), ...how, 'Sec-Fetch-Site': site }),
        ]).toEqual([site, target, status])
    }
    for (const site of ['same-origin', 'none'])
      expect(await statusOf('/api/session', { ...bearer(), ...script, 'Sec-Fetch-Site': site })).toBe(200)
  })

  it('every path that would leave the page’s folder, as raw bytes', async () => {
    const paths = [
      '/../package.json',
      '/../../../../etc/passwd',
      '/assets/../../server.js',
      '/assets/..%2f..%2fserver.js',
      '/%2e%2e/%2e%2e/server.js',
      '/..%5c..%5cserver.js',
      '/..\\..\\server.js',
      '/assets/\\..\\..\\reader.js',
      '//etc/passwd',
      '//attacker.example/',
      '/\\attacker.example/',
      '/assets/%00.js',
      '/index.html%00.js',
      '/./reader.js',
      '/page/../reader.js',
      `/@fs/etc/passwd`,
    ]
    for (const path of paths) {
      const reply = await exchange(port, request(path, port, bearer()))
      // The page itself is what any name without an extension shows.
      const isPage = reply.status === 200 && reply.body.includes('<title>Callsight</title>')
      expect([path, isPage || [400, 404].includes(reply.status)]).toEqual([path, true])
      expect(reply.body).not.toMatch(/root:|piscina|createServer|"name": "callsight"/)
    }
    const nul = await exchange(port, Buffer.from(request('/a\0b.js', port, bearer()), 'latin1'))
    expect(nul.status).toBe(400)
    for (const target of ['http://attacker.example/', 'http://127.0.0.1/api/session', '*', 'api/session'])
      expect([400, 421]).toContain(await statusOf(target, bearer()))
  })

  it('a redirect to anywhere else', async () => {
    for (const path of [
      '//attacker.example/',
      '/\\attacker.example',
      '///attacker.example',
      '/%5cattacker.example',
    ]) {
      const reply = await exchange(port, request(`${path}?token=${token}`, port))
      expect(reply.headers['location'] ?? '/').toMatch(/^\/(?![/\\])/)
    }
    const split = await exchange(port, request(`/a?token=${token}&x=%0d%0aSet-Cookie:%20a=b`, port))
    expect(split.headers['location']).toBe('/a?x=%0D%0ASet-Cookie%3A+a%3Db')
    expect(split.headers['set-cookie']).toMatch(/^callsight_/)
  })

  it('every other method, and every body', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      const bytes = request('/api/session', port, bearer()).replace('GET', method)
      const reply = await exchange(port, bytes)
      expect([method, reply.status, reply.headers['allow']]).toEqual([method, 405, 'GET, HEAD'])
    }
    for (const headers of [
      { 'Content-Length': '5' },
      { 'Transfer-Encoding': 'chunked' },
      { 'Content-Length': '5', Expect: '100-continue' },
    ])
      expect((await exchange(port, request('/api/session', port, { ...bearer(), ...headers }))).status).toBe(
        413,
      )
    const smuggled = `${request('/api/session', port, { ...bearer(), 'Content-Length': '4', 'Transfer-Encoding': 'chunked' })}0\r\n\r\n`
    expect([400, 413]).toContain((await exchange(port, smuggled)).status)
  })

  it('a giant head and a giant address', async () => {
    expect(await statusOf('/', { ...bearer(), 'X-Filler': 'x'.repeat(9 * 1024) })).toBe(431)
    expect(await statusOf(`/?${'x'.repeat(5_000)}`, bearer())).toBe(414)
    expect(
      await statusOf('/', {
        ...bearer(),
        ...Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`a${i}`, '1'])),
      }),
    ).toBe(431)
    expect((await exchange(port, `${'G'.repeat(20_000)}`)).status).toBe(400)
  })
})

describe('the token', () => {
  it('is told to nobody: no answer but the cookie holds it, and pages keep their address to themselves', async () => {
    for (const target of [
      '/',
      '/api/session',
      '/api/health',
      '/api/overview',
      '/nothing.js',
      `/api/session?token=${token}`,
    ]) {
      const reply = await exchange(port, request(target, port, bearer()))
      expect(JSON.stringify(reply)).not.toContain(token)
      expect(reply.headers['referrer-policy']).toBe('no-referrer')
    }
    const signIn = await exchange(port, request(`/errors?token=${token}`, port))
    expect(signIn.headers['location']).not.toContain(token)
    expect(stderr).not.toContain(token)
  })
})

describe('many connections', () => {
  it('beyond the limit are closed, and leave room as soon as they go', async () => {
    const sockets: Socket[] = []
    let closed = 0
    for (let i = 0; i < 200; i++) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.on('close', () => closed++)
      sockets.push(socket)
    }
    // 64 may stay.
    await until(() => closed >= 200 - 64)
    for (const socket of sockets) socket.destroy()
    await until(() =>
      statusOf('/api/session', bearer()).then(
        status => status === 200,
        () => false,
      ),
    )
  })
})

describe('a slow client', () => {
  const cleanups: (() => void | Promise<void>)[] = []
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })

  it('that never comes to the end of its head, byte by byte, is closed by the server', async () => {
    const folder = scratch(clean => cleanups.push(clean))
    const made = new TestStore(join(folder, 'calls.db'))
    made.call({ atMs: T0_MS })
    cleanups.push(() => made.close())
    const { port, server, get } = await serve(made.path, { headersTimeoutMs: 500, connections: 4 })
    cleanups.push(() => server.close())
    const answers = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const text = request('/api/session', port, {
          Authorization: `Bearer ${TOKEN}`,
          'X-Slow': 'x'.repeat(4_000),
        })
        let sent = 0
        let answer = ''
        const socket = connect(port, '127.0.0.1')
        const drip = setInterval(() => socket.write(text[sent++ % 4_000] ?? ''), 50)
        socket.on('data', data => (answer += data))
        socket.on('error', () => {})
        await new Promise(resolve => socket.on('close', resolve))
        clearInterval(drip)
        return answer
      }),
    )
    // Closed with or without a word; never with an answer.
    for (const answer of answers) expect(answer === '' || answer.startsWith('HTTP/1.1 408')).toBe(true)
    expect((await get('/api/session')).status).toBe(200)
  })
})

describe('the app', () => {
  it('has gone on meanwhile, its account balances, and it ends by itself', async () => {
    app.stdin?.end()
    const ended = JSON.parse((await lines.next()).value) as Ended
    const code = await new Promise(resolve =>
      app.exitCode === null ? app.on('exit', resolve) : resolve(app.exitCode),
    )
    expect([code, stderr]).toEqual([0, ''])
    const { calls, account } = ended
    expect(calls).toBeGreaterThan(1_000)
    expect(account.balanced).toBe(true)
    expect(account.calls.produced + account.errors.produced).toBeGreaterThan(0)
    expect(account.errors.stored).toBe(account.errors.produced)
  })
})
