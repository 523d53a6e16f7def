import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, it } from 'vitest'
import { exchange, request } from '../dashboard/http.js'
import { scratch, T0_MS, TestStore } from '../store-read/fixture.js'
import { callsight, ROOT } from './child.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

function recorded(): string {
  const made = new TestStore(
    join(
      scratch(clean => cleanups.push(clean)),
      'calls.db',
    ),
  )
  made.call({ atMs: T0_MS })
  made.close()
  return made.path
}

/** The command as it is published: its server is a file of the build. */
async function ui(
  ...args: string[]
): Promise<{ child: ChildProcess; line: string; lines: string[]; err(): string }> {
  const child = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), 'ui', ...args], {
    env: { ...process.env, NODE_ENV: 'production', NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  cleanups.push(() => child.kill('SIGKILL'))
  let err = ''
  child.stderr?.on('data', data => (err += data))
  const lines: string[] = []
  const line = await new Promise<string>(resolve => {
    createInterface({ input: child.stdout! }).on('line', text => {
      lines.push(text)
      resolve(text)
    })
    child.on('exit', () => resolve(''))
  })
  return { child, line, lines, err: () => err }
}

const ended = (child: ChildProcess): Promise<[number | null, string | null]> =>
  new Promise(resolve => child.on('exit', (code, signal) => resolve([code, signal])))

describe('callsight ui', () => {
  it('prints its address with the token on one line, answers, and ends with 0 by Ctrl-C or SIGTERM', async () => {
    const path = recorded()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const { child, line, lines, err } = await ui('--db', path, '--port', '0', '--no-open')
      expect(line).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/)
      const { port, searchParams } = new URL(line)
      const bearer = { Authorization: `Bearer ${searchParams.get('token')}` }
      const reply = await exchange(Number(port), request('/api/session', Number(port), bearer))
      expect(JSON.parse(reply.body)).toMatchObject({ path, isLive: false })
      const end = ended(child)
      child.kill(signal)
      expect(await end).toEqual([0, null])
      expect([lines, err()]).toEqual([[line], ''])
    }
  })

  it('leaves no files beside a finished recording', async () => {
    const path = recorded()
    const { child, line } = await ui('--db', path, '--port', '0', '--no-open')
    const { port, searchParams } = new URL(line)
    const bearer = { Authorization: `Bearer ${searchParams.get('token')}` }
    await exchange(Number(port), request('/api/overview', Number(port), bearer))
    const end = ended(child)
    child.kill('SIGTERM')
    await end
    expect(['-wal', '-shm'].filter(suffix => existsSync(path + suffix))).toEqual([])
  })

  it('takes another port when the usual one is taken, but not when one was named', async () => {
    const path = recorded()
    const other = createServer()
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => other.close())
    const { port } = other.address() as { port: number }
    const { child, err, line } = await ui('--db', path, '--port', String(port), '--no-open')
    if (child.exitCode === null) await ended(child)
    expect([child.exitCode, line]).toEqual([2, ''])
    expect(err()).toMatch(/^callsight: [^\n]*another program[^\n]*\n$/)
  })

  it('says what is wrong and ends with 2: no recording, no such port, an interface that others reach', () => {
    const path = recorded()
    const cases: [string[], RegExp][] = [
      [['--db', '/nowhere/calls.db'], /No recording at \/nowhere\/calls.db/],
      [['--db', path, '--port', '70000'], /whole number from 0 to 65535/],
      [['--db', path, '--host', '0.0.0.0'], /^callsight: other machines .*--allow-remote/],
      [['--db', path, '--json'], /unknown option/],
    ]
    for (const [args, message] of cases) {
      const { code, out, err } = callsight(['ui', '--no-open', ...args])
      expect([args, code, out]).toEqual([args, 2, ''])
      expect(err).toMatch(message)
      expect(err.trimEnd()).not.toContain('\n')
    }
  })
})
