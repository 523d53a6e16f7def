import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ConfigError, DashboardError, startDashboard } from 'callsight'
import { afterEach, describe, expect, it } from 'vitest'
import { scratch, T0_MS, TestStore } from '../store-read/fixture.js'
import { exchange, request } from './http.js'
import { slowTotals } from './running.js'

const ENDING_APP = fileURLToPath(new URL('./ending-app.mjs', import.meta.url))
const run = promisify(execFile)

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

function recorded(): TestStore {
  const folder = scratch(clean => cleanups.push(clean))
  const made = new TestStore(join(folder, 'calls.db'))
  made.call({ atMs: T0_MS })
  cleanups.push(() => made.close())
  return made
}

describe('startDashboard()', () => {
  it('listens at a free port of this machine with a new token of 256 bits each time', async () => {
    const { path } = recorded()
    const started = [await startDashboard({ path }), await startDashboard({ path })]
    cleanups.push(...started.map(dashboard => () => dashboard.close()))
    const tokens = started.map(({ url }) => new URL(url).searchParams.get('token') ?? '')
    expect(new Set(tokens).size).toBe(2)
    for (const [i, { url, port }] of started.entries()) {
      expect(Buffer.from(tokens[i] ?? '', 'base64url').length).toBe(32)
      expect(new URL(url).host).toBe(`127.0.0.1:${port}`)
      const reply = await exchange(
        port,
        request('/api/session', port, { Authorization: `Bearer ${tokens[i]}` }),
      )
      expect(JSON.parse(reply.body).path).toBe(path)
    }
  })

  it('ends all connections when it is closed, twice as well', async () => {
    const { path } = recorded()
    const { port, url, close } = await startDashboard({ path })
    const token = new URL(url).searchParams.get('token')
    await exchange(port, request('/api/session', port, { Authorization: `Bearer ${token}` }))
    await close()
    await close()
    await expect(exchange(port, request('/', port))).rejects.toThrow()
  })

  it('is off in production unless that is allowed', async () => {
    const { path } = recorded()
    const before = process.env['NODE_ENV']
    cleanups.push(() => {
      process.env['NODE_ENV'] = before
    })
    process.env['NODE_ENV'] = 'production'
    await expect(startDashboard({ path })).rejects.toThrow(/^Callsight: [^\n]*allowProduction: true[^\n]*$/)
    const dashboard = await startDashboard({ path, allowProduction: true })
    await dashboard.close()
  })

  it('refuses options that make no sense, and an interface others reach unless that is allowed', async () => {
    const refusals: [object, RegExp][] = [
      [{ port: 70_000 }, /port must be a whole number/],
      [{ port: '80' }, /port must be/],
      [{ host: 'not a host' }, /host must be/],
      [{ host: '0.0.0.0' }, /allowRemote/],
      [{ host: '::' }, /allowRemote/],
      [{ host: '192.168.0.1', allowRemote: false }, /allowRemote/],
      [{ token: 'short' }, /token must be/],
      [{ path: '' }, /path must be/],
      [{ keepalive: true }, /no option keepalive/],
    ]
    for (const [options, message] of refusals) {
      const refusal = startDashboard(options)
      await expect(refusal).rejects.toThrow(ConfigError)
      await expect(refusal).rejects.toThrow(message)
    }
    await expect(startDashboard(null as never)).rejects.toThrow(ConfigError)
  })

  it('beyond this machine asks for the token all the same, by any address of the machine but no foreign name', async () => {
    const { path } = recorded()
    const { port, url, close } = await startDashboard({ path, host: '0.0.0.0', allowRemote: true })
    cleanups.push(close)
    const bearer = { Authorization: `Bearer ${new URL(url).searchParams.get('token')}` }
    const statusOf = async (headers: Record<string, string>) =>
      (await exchange(port, request('/api/session', port, headers))).status
    expect(await statusOf({ Host: `10.1.2.3:${port}` })).toBe(401)
    for (const host of ['10.1.2.3', '127.0.0.1', 'localhost', '[fe80::1]'])
      expect([host, await statusOf({ ...bearer, Host: `${host}:${port}` })]).toEqual([host, 200])
    for (const host of ['attacker.example', '10.1.2.3.attacker.example', '1.2.3', ''])
      expect([host, await statusOf({ ...bearer, Host: `${host}:${port}` })]).toEqual([host, 421])
  })

  it('says in one line that the port is taken', async () => {
    const { path } = recorded()
    const other = createServer()
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => other.close())
    const { port } = other.address() as { port: number }
    const refusal = startDashboard({ path, port })
    await expect(refusal).rejects.toThrow(DashboardError)
    await expect(refusal).rejects.toThrow(
      new RegExp(`^[^\\n]*127.0.0.1:${port}[^\\n]*another program[^\\n]*$`),
    )
  })

  it('answers that there is no recording yet, and shows it once there is one', async () => {
    const folder = scratch(clean => cleanups.push(clean))
    const path = join(folder, 'calls.db')
    const { port, url, close } = await startDashboard({ path })
    cleanups.push(close)
    const bearer = { Authorization: `Bearer ${new URL(url).searchParams.get('token')}` }
    const session = () => exchange(port, request('/api/session', port, bearer))
    expect((await session()).status).toBe(404)
    const made = new TestStore(path)
    cleanups.push(() => made.close())
    expect((await session()).status).toBe(200)
  })
})

describe('a dashboard never keeps a program from ending', () => {
  it('neither after an answer, with its readers waiting for the next question', async () => {
    const { path } = recorded()
    const { stdout, stderr } = await run(process.execPath, [ENDING_APP, path, '/api/session', 'asked'])
    expect([stdout, stderr]).toEqual(['done\n', ''])
  })

  it('nor in the middle of a question: what is waited for is the end of one statement at most', async () => {
    const { path } = recorded()
    const target = `/api/overview?since=0&until=${T0_MS}`
    const { stdout, stderr } = await run(process.execPath, [
      ENDING_APP,
      path,
      target,
      'asking',
      slowTotals(2_000_000),
    ])
    expect([stdout, stderr]).toEqual(['done\n', ''])
  })
})
