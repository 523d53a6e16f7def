import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { callsight, NODE_ARGS } from '../cli/child.js'
import { onTerminal } from '../cli/terminal.js'
import { scratch, T0_MS, TestStore } from '../store-read/fixture.js'
import { mountSmall, noSmallDisk, unmount, until } from '../support/disk.js'
import { expectReadableSpeedscope, expectReadableTrace, parseCsv } from './checkers.js'
import { generate } from './generated.js'
import { EVIL } from './opened.js'

const cleanups: (() => void)[] = []
let db: string
let empty: string
let large: string

beforeAll(() => {
  const home = scratch(clean => cleanups.push(clean))
  const made = new TestStore((db = join(home, 'calls.db')))
  for (let i = 0; i < 20; i++) made.call({ atMs: T0_MS + i, args: '["secret"]', result: '"secret"' })
  made.error({
    atMs: T0_MS + 30,
    fn: 'Http.post',
    message: 'secret',
    stack: 'TypeError: secret\n    at f (a.js:1:2)',
  })
  made.totals(T0_MS, 'Orders.place', { calls: 121, errors: 1, kept: 21 })
  made.close()
  new TestStore((empty = join(home, 'empty.db'))).close()
  generate((large = join(home, 'large.db')), { calls: 30_000, endUs: T0_MS * 1000, spanUs: 60_000_000 })
})
afterAll(() => {
  for (const clean of cleanups) clean()
})

const place = () => scratch(onTestFinished)

describe('callsight export', () => {
  it('sends calls to a pipe, and says elsewhere how many and what is missing', () => {
    const { code, out, err } = callsight(['export', '--db', db])
    expect(code).toBe(0)
    expect(out.trim().split('\n')).toHaveLength(21)
    expect(err).toBe('Exported 21 calls. Not shown: 100 calls sampled out\n')
    const csv = callsight(['export', 'errors', '--format', 'csv', '--db', db])
    expect(parseCsv(csv.out)).toHaveLength(2)
    expect(csv.err).toBe('Exported 1 error. Complete: every error is recorded\n')
  })

  it('writes files that only their owner may read, in every format', async () => {
    const folder = place()
    for (const format of ['ndjson', 'csv', 'chrome', 'speedscope']) {
      const out = join(folder, format)
      const { code, err } = await onTerminal(['export', '--format', format, '--out', out, '--db', db], 80)
      expect([code, err]).toEqual([0, `Exported 21 calls to ${out}. Not shown: 100 calls sampled out\n`])
      expect(statSync(out).mode & 0o777).toBe(0o600)
    }
    const text = (name: string) => readFileSync(join(folder, name), 'utf8')
    expect(text('ndjson').split('\n')).toHaveLength(22)
    expect(parseCsv(text('csv'))).toHaveLength(22)
    expect(expectReadableTrace(text('chrome')).otherData['not_shown']).toContain('100 calls sampled out')
    expectReadableSpeedscope(text('speedscope'))
    expect(readdirSync(folder).sort()).toEqual(['chrome', 'csv', 'ndjson', 'speedscope'])
  })

  it('replaces nothing without --force, and then only a file', async () => {
    const folder = place()
    const out = join(folder, 'out')
    writeFileSync(out, 'mine')
    const args = ['export', '--out', out, '--db', db]
    const refused = await onTerminal(args, 80)
    expect(refused.code).toBe(2)
    expect(refused.err).toMatch(/is there already.*--force/)
    expect(readFileSync(out, 'utf8')).toBe('mine')
    expect((await onTerminal([...args, '--force'], 80)).code).toBe(0)
    expect(readFileSync(out, 'utf8').split('\n')).toHaveLength(22)
    expect(statSync(out).mode & 0o777).toBe(0o600)
    for (const [name, make] of [
      ['folder', (path: string) => mkdirSync(path)],
      ['link', (path: string) => symlinkSync(out, path)],
    ] as const) {
      make(join(folder, name))
      const { code, err } = await onTerminal(
        ['export', '--out', join(folder, name), '--force', '--db', db],
        80,
      )
      expect([code, err.includes('not a regular file')]).toEqual([2, true])
    }
    expect(readdirSync(folder).sort()).toEqual(['folder', 'link', 'out'])
  })

  it('ends with 3 and no file when there is nothing', async () => {
    const folder = place()
    for (const args of [
      ['--db', empty],
      ['--db', db, '--function', 'Nobody'],
      ['errors', '--db', empty],
    ]) {
      const { code, err } = await onTerminal(['export', ...args, '--out', join(folder, 'out')], 80)
      expect([code, err]).toEqual([3, `No ${args[0] === 'errors' ? 'errors' : 'calls'} to export.\n`])
    }
    expect(readdirSync(folder)).toEqual([])
    expect(callsight(['export', '--db', empty])).toMatchObject({ code: 3, out: '' })
  })

  it('leaves out what the program worked on with --no-args', () => {
    for (const kind of ['calls', 'errors']) {
      for (const format of ['ndjson', 'csv', 'chrome', 'speedscope']) {
        const { code, out } = callsight(['export', kind, '--no-args', '--format', format, '--db', db])
        expect(code).toBe(0)
        expect(out).not.toContain('secret')
      }
    }
  })

  it.each([
    [['export', 'nonsense'], /is not calls or errors/],
    [['export', '--format', 'xml'], /Allowed choices/],
    [['export', '--limit', '0'], /whole number/],
    [['export', '--out', ''], /--out names no file/],
    [['export', '--max-size', '1MB'], /is for a --bundle/],
    [['export', '--since', 'soon'], /is not a time/],
    [['export', '--out', '/nowhere/at/all/out'], /cannot be written .*ENOENT/],
    [['export', '--bundle', ''], /names no folder/],
    [['export', '--bundle', 'x', '--format', 'csv'], /--format is not for a --bundle/],
    [['export', '--bundle', 'x', '--min-duration', '1s'], /--min-duration is not for a --bundle/],
    [['export', '--bundle', 'x', '--max-size', '1kB'], /Use a size of/],
    [['export', '--bundle', 'x', 'nonsense'], /is not an id/],
    [['export', '--bundle', 'x', 'abc'], /Nothing of trace, call or fingerprint abc/],
  ])('answers %j with 2 and one line that says the fix', async (args, fix) => {
    const { code, out, err } = await onTerminal([...args, '--db', db], 80)
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(fix)
    expect(err.trimEnd().split('\n')).toHaveLength(1)
  })
})

describe('a reader that has seen enough', () => {
  it.each(['ndjson', 'csv', 'chrome'])('is the end of %s, and no failure', async format => {
    const child = spawn(process.execPath, [...NODE_ARGS, 'export', '--format', format, '--db', large], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let err = ''
    child.stderr.on('data', chunk => {
      err += chunk
    })
    await new Promise(resolve => child.stdout.once('data', resolve))
    child.stdout.destroy()
    const code = await new Promise(resolve => child.once('exit', resolve))
    expect([code, err.replace(/^Exported .*\n/, '')]).toEqual([0, ''])
  })

  it('makes it wait when it is slow: no more is read than is taken', async () => {
    // A pipe holds 64 KiB; the whole is about 10 MB.
    const slow = spawnSync('bash', [
      '-c',
      `"$0" "$@" | { head -c 100000 >/dev/null; sleep 1; cat; } | wc -l`,
      process.execPath,
      ...NODE_ARGS,
      'export',
      '--db',
      large,
    ])
    const firstPart = callsight(['export', '--db', large]).out.slice(0, 100_000)
    expect(Number(slow.stdout.toString())).toBe(30_000 - (firstPart.split('\n').length - 1))
  })
})

describe('a disk that is full', () => {
  it.skipIf(noSmallDisk !== '')(`leaves no part of a file or bundle behind${noSmallDisk}`, async () => {
    const folder = place()
    mountSmall(folder, 2)
    onTestFinished(() => unmount(folder))
    const made = [
      ['--out', join(folder, 'out')],
      ['--format', 'chrome', '--out', join(folder, 'out')],
      ['--bundle', join(folder, 'incident')],
    ]
    for (const args of made) {
      const { code, err } = await onTerminal(['export', ...args, '--db', large], 80)
      expect(code, err).toBe(2)
      expect(err).toMatch(/cannot be written .*Free some space/)
      expect(readdirSync(folder)).toEqual([])
    }
    writeFileSync(join(folder, 'out'), 'mine')
    await onTerminal(['export', '--force', '--out', join(folder, 'out'), '--db', large], 80)
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('mine')
  })
})

describe('a signal', () => {
  it('ends it with nothing left behind', async () => {
    const folder = place()
    const args = ['export', '--format', 'chrome', '--out', join(folder, 'out'), '--db', large]
    const child = spawn(process.execPath, [...NODE_ARGS, ...args], { stdio: 'ignore' })
    const ended = new Promise(resolve => child.once('exit', (code, signal) => resolve(signal ?? code)))
    await until(() => readdirSync(folder).length > 0, 'the file')
    child.kill('SIGTERM')
    expect(['SIGTERM', 0]).toContain(await ended)
    expect(readdirSync(folder).filter(name => name !== 'out')).toEqual([])
  })
})

describe('hostile text', () => {
  it('does not reach a terminal in any format', async () => {
    const path = join(place(), 'calls.db')
    const made = new TestStore(path)
    made.error({ atMs: T0_MS, fn: EVIL, error: EVIL, message: EVIL, stack: EVIL, args: EVIL, details: EVIL })
    made.close()
    for (const kind of ['calls', 'errors']) {
      for (const format of ['ndjson', 'chrome', 'speedscope']) {
        const { out } = callsight(['export', kind, '--format', format, '--db', path])
        expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      }
    }
    // What asks a terminal gets one from script(1).
    const shown = spawnSync(
      'script',
      [
        '-qec',
        [process.execPath, ...NODE_ARGS, 'export', 'errors', '--format', 'csv', '--db', path].join(' '),
        '/dev/null',
      ],
      { encoding: 'utf8' },
    )
    expect(shown.stdout).toContain('owned')
    expect(shown.stdout.replace(/\r?\n/g, '').replaceAll('\r\u001b[K', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })
})
