import { type ChildProcess, spawn } from 'node:child_process'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { loadDriver } from '../../lib/store/driver.js'
import { scratch, TestStore } from '../store-read/fixture.js'
import { NODE_ARGS, ROOT } from './child.js'
import { onTerminal } from './terminal.js'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean()
})

function newStore(
  path = join(
    scratch(clean => cleanups.push(clean)),
    'calls.db',
  ),
): TestStore {
  const made = new TestStore(path)
  cleanups.push(() => made.close())
  return made
}

interface Tail {
  readonly child: ChildProcess
  readonly out: () => string
  readonly err: () => string
  /** Waits for a text on standard output or, of `err`, on the error output. */
  readonly until: (what: RegExp | ((out: string) => boolean), from?: 'out' | 'err') => Promise<void>
  readonly end: (signal: NodeJS.Signals) => Promise<[number | null, NodeJS.Signals | null]>
}

function tail(...args: string[]): Tail {
  const child = spawn(process.execPath, [...NODE_ARGS, 'tail', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  cleanups.push(() => child.kill('SIGKILL'))
  const texts = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', data => (texts.out += data))
  child.stderr.setEncoding('utf8').on('data', data => (texts.err += data))
  const ended = new Promise<[number | null, NodeJS.Signals | null]>(resolve => {
    child.once('close', (code, signal) => resolve([code, signal]))
  })
  return {
    child,
    out: () => texts.out,
    err: () => texts.err,
    until: async (what, from = 'out') => {
      const isThere = () => (typeof what === 'function' ? what(texts[from]) : what.test(texts[from]))
      for (let i = 0; !isThere(); i++) {
        if (i > 2_400 || child.exitCode !== null)
          throw new Error(`Never came: ${what}. There is ${JSON.stringify(texts).slice(-2_000)}`)
        await new Promise(resolve => setTimeout(resolve, 25))
      }
    },
    end: signal => {
      child.kill(signal)
      return ended
    },
  }
}

const names = (out: string) => [...out.matchAll(/ (Fn\.\w+)/g)].map(([, name]) => name)

describe('callsight tail', () => {
  it('prints the newest calls, the newest last, errors with what was thrown', async () => {
    const made = newStore()
    const nowMs = Date.now()
    for (let i = 0; i < 5; i++) made.call({ atMs: nowMs + i, fn: `Fn.c${i}`, args: '[1]', result: '2' })
    made.error({ atMs: nowMs + 5, fn: 'Fn.e', message: 'it\u001b[2Jbroke', args: '["x"]' })
    const { code, out } = await onTerminal(['tail', '--limit', '3', '--db', made.path], 120, true)
    expect(code).toBe(0)
    expect(names(out.replaceAll(/<\/?\w+>/g, ' '))).toEqual(['Fn.c3', 'Fn.c4', 'Fn.e'])
    expect(out).toContain('[1] → 2')
    expect(out).toContain('<red>TypeError: it\\x1b[2Jbroke  ["x"]</red>')
    expect(out).toContain('Not shown: rows beyond --limit 3')
  })

  it.each(['SIGINT', 'SIGTERM'] as const)(
    '-f goes on as calls come, each once, and %s ends it with 0',
    async signal => {
      const made = newStore()
      made.call({ atMs: Date.now(), fn: 'Fn.before' })
      const following = tail('-f', '--db', made.path)
      await following.until(/Fn\.before/)
      made.call({ atMs: Date.now(), fn: 'Fn.first' })
      await following.until(/Fn\.first/)
      // Records of several threads and processes come late: a call may have ended before one that was told already.
      made.call({ atMs: Date.now() - 1_000, fn: 'Fn.late' })
      made.error({ atMs: Date.now(), fn: 'Fn.failed', message: 'broke' })
      await following.until(out => out.includes('Fn.late') && out.includes('TypeError: broke'))
      expect(await following.end(signal)).toEqual([0, null])
      expect(names(following.out()).sort()).toEqual(['Fn.before', 'Fn.failed', 'Fn.first', 'Fn.late'])
      expect(following.err()).toBe('')
    },
  )

  it('-f follows a store that is gone for a while and begun anew', async () => {
    const made = newStore()
    made.call({ atMs: Date.now(), fn: 'Fn.before' })
    const following = tail('-f', '--db', made.path)
    await following.until(/Fn\.before/)
    made.close()
    for (const suffix of ['-wal', '-shm']) rmSync(made.path + suffix, { force: true })
    renameSync(made.path, `${made.path}.corrupt-1`)
    await following.until(/No recording at .* Waiting for it\./, 'err')
    const next = newStore(`${made.path}.next`)
    next.call({ atMs: Date.now(), fn: 'Fn.after' })
    next.close()
    renameSync(next.path, made.path)
    await following.until(/Fn\.after/)
    expect(await following.end('SIGINT')).toEqual([0, null])
    expect(names(following.out())).toEqual(['Fn.before', 'Fn.after'])
    expect(following.err().match(/Waiting/g)).toHaveLength(1)
  })

  it('-f --json prints one call a line, only those asked for', async () => {
    const made = newStore()
    made.call({ atMs: Date.now(), fn: 'Fn.a', durationMs: 5 })
    const following = tail('-f', '--json', '--function', 'Fn.*', '--min-duration', '2ms', '--db', made.path)
    await following.until(/Fn\.a/)
    made.call({ atMs: Date.now(), fn: 'Other', durationMs: 5 })
    made.call({ atMs: Date.now(), fn: 'Fn.quick', durationMs: 1 })
    made.call({ atMs: Date.now(), fn: 'Fn.b', durationMs: 5 })
    await following.until(/Fn\.b/)
    await following.end('SIGINT')
    const rows = following
      .out()
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(rows.map(row => row.function)).toEqual(['Fn.a', 'Fn.b'])
  })

  it('-f holds nothing between its looks: the log of the store can be cut back to nothing', async () => {
    const made = newStore()
    made.call({ atMs: Date.now(), fn: 'Fn.a' })
    const following = tail('-f', '--db', made.path)
    await following.until(/Fn\.a/)
    const driver = loadDriver()
    const db = new driver(made.path)
    cleanups.push(() => db.close())
    // A look takes milliseconds of every 250: one of many tries has to fall between two.
    let cut = false
    for (let i = 0; i < 200 && !cut; i++) {
      made.call({ atMs: Date.now(), fn: 'Fn.b' })
      const [row] = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all() as { busy: number }[]
      cut = row?.busy === 0
    }
    expect(cut).toBe(true)
    await following.until(/Fn\.b/)
    expect((await following.end('SIGINT'))[0]).toBe(0)
  })

  it('-f shows every call of several programs that write at once', async () => {
    const folder = scratch(clean => cleanups.push(clean))
    const path = join(folder, 'calls.db')
    const program = join(folder, 'program.mjs')
    writeFileSync(
      program,
      `import { monitor, shutdown } from ${JSON.stringify(pathToFileURL(join(ROOT, 'dist/index.js')).href)}
       const work = monitor(function work(n) { return n })
       for (let n = 0; n < 40; n++) { work(process.argv[2] + n); await new Promise(done => setTimeout(done, 10)) }
       await shutdown()`,
    )
    const run = (name: string) =>
      new Promise(resolve => {
        const child = spawn(process.execPath, [program, name], {
          env: { ...process.env, CALLSIGHT_DB: path },
        })
        cleanups.push(() => child.kill('SIGKILL'))
        child.once('exit', resolve)
      })
    expect(await run('first')).toBe(0)
    const following = tail('-f', '--json', '--limit', '40', '--db', path)
    await following.until(out => out.split('\n').length > 40)
    expect(await Promise.all(['a', 'b', 'c'].map(run))).toEqual([0, 0, 0])
    await following.until(out => out.split('\n').length > 160)
    expect((await following.end('SIGINT'))[0]).toBe(0)
    const args = following
      .out()
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(JSON.parse(line).args)[0])
    const expected = ['first', 'a', 'b', 'c'].flatMap(name =>
      Array.from({ length: 40 }, (_, n) => `${name}${n}`),
    )
    expect(args.sort()).toEqual(expected.sort())
  })

  it('ends with 2 where there is no recording to begin with', async () => {
    const { code, err } = await onTerminal(['tail', '-f', '--db', '/nowhere/calls.db'], 80)
    expect(code).toBe(2)
    expect(err).toContain('No recording at')
  })
})
