import { renameSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ServerLimits } from '../../lib/dashboard/server.js'
import { scratch, T0_MS, TestStore } from '../store-read/fixture.js'
import { request, until } from './http.js'
import { serve, slowTotals, TOKEN } from './running.js'

const cleanups: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function served(limits: Partial<ServerLimits> = {}) {
  const folder = scratch(clean => cleanups.push(clean))
  const made = new TestStore(join(folder, 'calls.db'))
  cleanups.push(() => made.close())
  const running = await serve(made.path, limits)
  cleanups.push(() => running.server.close())
  return { made, ...running }
}

describe('the page', () => {
  it('signs in by the printed address: a cookie, and the address without the token', async () => {
    const { server, port, bare } = await served()
    expect(server.url).toBe(`http://127.0.0.1:${port}/?token=${TOKEN}`)
    const first = await bare(`/errors?token=${TOKEN}&range=1h`)
    expect([first.status, first.headers['location'], first.body]).toEqual([303, '/errors?range=1h', ''])
    const cookie = first.headers['set-cookie'] ?? ''
    expect(cookie).toBe(`callsight_${port}=${TOKEN}; HttpOnly; SameSite=Lax; Path=/`)
    const own = cookie.split(';')[0]
    // A page of another server on this machine can set cookies for ours.
    const tossed = await bare('/api/session', { Cookie: `callsight_${port}=theirs; ${own}` })
    expect(tossed.status).toBe(200)
    const page = await bare('/errors?range=1h', { Cookie: `other=1; ${own}` })
    expect(page.status).toBe(200)
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.headers['cache-control']).toBe('no-store')
    expect(page.body).toContain('<title>Callsight</title>')
  })

  it('loads files of this server only, by a policy that allows no other; those with a hash may be kept', async () => {
    const { get } = await served()
    const page = await get('/')
    expect(page.headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    const files = [...page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(match => match[1] ?? '')
    expect(files.length).toBeGreaterThan(1)
    for (const path of files) {
      const file = await get(path)
      expect([path, file.status]).toEqual([path, 200])
      expect(file.headers['cache-control']).toContain('immutable')
      expect(file.body.length).toBeGreaterThan(100)
    }
    expect(page.body).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\son\w+=/)
  })

  it('is at every path that is no file', async () => {
    const { get } = await served()
    const whole = (await get('/')).body
    for (const path of ['/trace', '/function?name=Orders.place', '/a/b/c', '/index.html'])
      expect((await get(path)).body).toBe(whole)
    for (const path of ['/assets/none.js', '/favicon.ico', '/calls.db', '/server.js'])
      expect((await get(path)).status).toBe(404)
  })

  it('answers HEAD with the same head and no body', async () => {
    const { port, get } = await served()
    const got = await get('/api/session')
    const head = await new Promise<string>((resolve, reject) => {
      const bytes = request('/api/session', port, { Authorization: `Bearer ${TOKEN}`, Connection: 'close' })
      let text = ''
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes.replace('GET', 'HEAD')))
      socket.on('data', data => (text += data))
      socket.on('end', () => resolve(text))
      socket.on('error', reject)
    })
    expect(head).toMatch(/^HTTP\/1.1 200 OK/)
    expect(head).toContain(`Content-Length: ${got.headers['content-length']}`)
    expect(head.split('\r\n\r\n')[1]).toBe('')
  })
})

describe('answers', () => {
  it('are JSON of this moment, whatever way the token comes', async () => {
    const { port, get, bare } = await served()
    const ways = [
      await get('/api/session'),
      await bare(`/api/session?token=${TOKEN}`),
      await bare('/api/session', { Cookie: `callsight_${port}=${TOKEN}` }),
    ]
    for (const { status, headers, body } of ways) {
      expect([status, headers['content-type']]).toEqual([200, 'application/json; charset=utf-8'])
      expect([headers['cache-control'], headers['x-content-type-options']]).toEqual(['no-store', 'nosniff'])
      expect(JSON.parse(body)).toMatchObject({ version: '1.2.3', isLive: false })
    }
  })

  it('to what cannot be answered say why, in one line and without a stack', async () => {
    const { get } = await served()
    const cases: [string, number, string][] = [
      ['/api/nothing', 404, 'CALLSIGHT_NOT_FOUND'],
      ['/api/', 404, 'CALLSIGHT_NOT_FOUND'],
      ['/api/function?name=none', 404, 'CALLSIGHT_NOT_FOUND'],
      ['/api/function', 400, 'CALLSIGHT_QUERY'],
      ['/api/overview?since=soon', 400, 'CALLSIGHT_QUERY'],
      ['/api/overview?__proto__=1&constructor=2&limit=x', 400, 'CALLSIGHT_QUERY'],
    ]
    for (const [target, status, code] of cases) {
      const reply = await get(target)
      expect([target, reply.status, JSON.parse(reply.body).error.code]).toEqual([target, status, code])
      expect(JSON.parse(reply.body).error.message).not.toMatch(/\n|node_modules|\.js:/)
    }
  })

  it('follow a recording that is being written', async () => {
    const { made, json } = await served()
    const tail = await json('/api/tail')
    expect(tail.calls).toEqual([])
    made.call({ atMs: Date.now(), call: 1, args: '["<img src=x onerror=alert(1)>"]' })
    const next = await json(`/api/tail?after=${tail.cursor}`)
    expect(next.calls).toMatchObject([{ args: '["<img src=x onerror=alert(1)>"]' }])
  })

  it('are those of the new file when the recording was replaced, and say so while there is none', async () => {
    const { made, json } = await served()
    made.call({ atMs: T0_MS, fn: 'Old' })
    expect((await json('/api/tail')).calls).toMatchObject([{ function: 'Old' }])
    made.close()
    for (const file of ['', '-wal', '-shm']) rmSync(made.path + file, { force: true })
    expect((await json('/api/tail')).error.code).toBe('CALLSIGHT_STORE_NOT_FOUND')
    const next = new TestStore(`${made.path}.next`)
    next.call({ atMs: T0_MS, fn: 'New' })
    next.close()
    renameSync(next.path, made.path)
    expect((await json('/api/tail')).calls).toMatchObject([{ function: 'New' }])
  })

  it('never hold the log of the recording back: after them it can be cut to nothing', async () => {
    const { made, get } = await served()
    for (let i = 0; i < 200; i++) made.call({ atMs: T0_MS + i, args: JSON.stringify('x'.repeat(500)) })
    for (const address of ['overview', 'calls', 'tail', 'health', 'errors', 'session'])
      expect((await get(`/api/${address}`)).status).toBe(200)
    made.db.exec('PRAGMA busy_timeout = 0')
    const cut = made.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all() as { busy: number; log: number }[]
    expect(cut).toMatchObject([{ busy: 0, log: 0 }])
  })
})

describe('a recording that makes every question slow', () => {
  /** Each look at the totals counts to a number that takes a while; an overview of all times looks two hundred times. */
  async function slow(limits: Partial<ServerLimits>) {
    const running = await served({ threads: 1, ...limits })
    expect((await running.get('/api/tail')).status).toBe(200)
    running.made.db.exec(slowTotals(8_000_000))
    return running
  }
  const SLOW = `/api/overview?since=0&until=${Date.now()}`

  it('is asked no more when the browser has left: the only thread goes on to the next question', async () => {
    const { port, get } = await slow({ deadlineMs: 600_000 })
    const browser = connect(port, '127.0.0.1', () =>
      browser.write(request(SLOW, port, { Authorization: `Bearer ${TOKEN}` })),
    )
    let answer = ''
    browser.on('data', data => (answer += data))
    // It has the thread: what is asked meanwhile gets no answer.
    const next = get('/api/tail')
    const isWaiting = await Promise.race([next.then(() => false), new Promise(r => setTimeout(r, 500, true))])
    expect([isWaiting, answer]).toEqual([true, ''])
    browser.destroy()
    expect((await next).status).toBe(200)
  })

  it('gets an honest answer at the deadline', async () => {
    const { get } = await slow({ deadlineMs: 400 })
    const reply = await get(SLOW)
    expect([reply.status, reply.headers['retry-after']]).toEqual([503, '1'])
    expect(JSON.parse(reply.body).error.code).toBe('CALLSIGHT_DASHBOARD_SLOW')
    await until(async () => (await get('/api/tail')).status === 200)
  })
})
