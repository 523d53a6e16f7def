import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DiffAnswer, FunctionDiff } from '../../lib/store/queries/diff.js'
import type { Separation, WhyAnswer } from '../../lib/store/queries/why.js'
import { displayWidth } from '../../lib/wording/text.js'
import { scratch, T0_MS, TestStore } from '../store-read/fixture.js'
import { callsight } from './child.js'
import { onTerminal } from './terminal.js'

const EVIL = '\x1b[2J\x1b]0;owned\x07\u202e\r\n\u200b漢字'
const dist = new URL('../../dist/index.js', import.meta.url)
const cleanups: (() => void)[] = []
let home: string
afterAll(() => {
  for (const clean of cleanups.splice(0)) clean()
})
beforeAll(() => {
  home = scratch(clean => cleanups.push(clean))
})

type WhyJson = Omit<WhyAnswer, 'separations'> & { rows: Separation[]; coverage: object }
type DiffJson = Omit<DiffAnswer, 'functions'> & { rows: FunctionDiff[] }

describe('a program that was recorded', () => {
  const PROGRAM = `
    import { monitor, configure, shutdown } from ${JSON.stringify(dist.href)}
    configure({ store: { path: process.argv[2] } })
    const isBroken = process.argv[3] === 'broken'
    const place = monitor(function place(order, items) {
      if (items.length >= 1000) { const end = performance.now() + 40; while (performance.now() < end); }
      if (isBroken && order.symbol === 'XAUUSD') throw new RangeError('no quote')
      return order.quantity
    }, { sample: 0.5, slow: '30ms' })
    const steady = monitor(function steady(n) { if (n % 10 === 0) throw new Error('as always') })
    for (let i = 0; i < 1000; i++) {
      const symbol = ['EURUSD', 'GBPUSD', 'XAUUSD', 'USDJPY'][i % 4]
      try { place({ symbol, quantity: i % 7, password: 'x' + i }, Array.from({ length: i % 40 === 0 ? 1500 : i % 90 })) } catch {}
      try { steady(i) } catch {}
    }
    await shutdown()`
  let db: string

  beforeAll(() => {
    const program = join(home, 'shop.mjs')
    db = join(home, 'real.db')
    writeFileSync(program, PROGRAM)
    for (const state of ['whole', 'broken']) {
      const { status, stderr } = spawnSync(process.execPath, [program, db, state], { encoding: 'utf8' })
      expect([status, stderr]).toEqual([0, ''])
    }
  })

  const json = <T>(...args: string[]): { code: number | null; answer: T } => {
    const { code, out, err } = callsight([...args, '--db', db, '--json'])
    expect(err).toBe('')
    return { code, answer: JSON.parse(out) as T }
  }

  it('has its failures explained by the value that brings them', () => {
    const { code, answer } = json<WhyJson>('why', 'place', '--of', 'errors')
    expect(code).toBe(0)
    expect(answer.hits).toBe(250)
    const [first] = answer.rows
    expect(first?.condition).toBe('args[0].symbol = "XAUUSD"')
    expect(first?.with.hitRecords).toBe(250)
    expect(first?.without.hits).toBe(0)
    expect(JSON.stringify(answer)).not.toContain('redacted')
  })

  it('has its slowness explained by the size of an argument', () => {
    // 50 calls work for 40 ms; what the machine delays is dealt out among all.
    const { code, answer } = json<WhyJson>('why', 'place', '--min-duration', '35ms')
    expect(code).toBe(0)
    expect(answer.hits).toBeGreaterThanOrEqual(50)
    expect(answer.rows[0]?.condition).toMatch(/^args\[1\]: array of (100|200|500|1,000) items or more$/)
    expect(answer.rows[0]?.with.hitRecords).toBe(50)
  })

  it('is worse in its second run, where it began to fail, and only there', () => {
    const { code, answer } = json<DiffJson>('diff', '--a', 'previous', '--b', 'last')
    expect(code).toBe(1)
    expect(answer.a).toMatchObject({ calls: 2000, errors: 100 })
    expect(answer.b).toMatchObject({ calls: 2000, errors: 350 })
    const of = (name: string) => answer.rows.find(row => row.function === name)
    expect(of('place')?.errors).toMatchObject({ verdict: 'worse', ratio: null })
    expect(of('steady')?.errors).toMatchObject({ verdict: 'no difference', pValue: 1 })
    const back = json<DiffJson>('diff', '--a', 'last', '--b', 'previous', '--function', 'place')
    expect(back.answer.rows[0]?.errors.verdict).toBe('better')
  })

  it('is told about in tables', () => {
    const why = callsight(['why', 'place', '--of', 'errors', '--db', db]).out
    expect(why).toMatch(/^place: 250 of 1,\d\d\d recorded calls failed, 20\d\d-/)
    expect(why).toContain('CONDITION')
    expect(why).toMatch(/args\[0\]\.symbol = "XAUUSD" +\d+ % of ~/)
    expect(why).toMatch(/Found by chance in at most 1 of 100 such answers; \d+ conditions tried\./)
    const diff = callsight(['diff', '--a', 'previous', '--b', 'last', '--db', db]).out
    expect(diff).toMatch(/^A previous: .* · 2,000 calls, 100 errors\nB last: /)
    expect(diff).toMatch(/\nplace +worse.* 1,000 → 1,000 +0 % → 25 %/)
    expect(diff).toContain('the rate holds if calls are independent')
  })
})

describe('exit codes', () => {
  let db: string
  beforeAll(() => {
    const made = new TestStore((db = join(home, 'made.db')))
    for (let minute = 0; minute < 20; minute++) {
      const atMs = T0_MS + minute * 60_000
      made.totals(atMs, 'same', { calls: 500, errors: 5 + (minute % 2) })
      made.totals(atMs, 'broken', { calls: 500, errors: (minute < 10 ? 5 : 60) + (minute % 2) })
    }
    made.close()
  })
  const FIRST = '2026-11-20T10:00Z..2026-11-20T10:10Z'
  const SECOND = '2026-11-20T10:10Z..2026-11-20T10:20Z'
  const code = async (...args: string[]) => (await onTerminal([...args, '--db', db], 100)).code

  it('tell a program whether something is worse, or could not be compared', async () => {
    expect(await code('diff', '--a', FIRST, '--b', SECOND)).toBe(1)
    expect(await code('diff', '--a', SECOND, '--b', FIRST)).toBe(0)
    expect(await code('diff', '--a', FIRST, '--b', SECOND, '--function', 'same')).toBe(0)
    expect(await code('diff', '--a', FIRST, '--b', SECOND, '--min-calls', '9999')).toBe(3)
    expect(await code('diff', '--a', '-2h..-1h', '--b', '-1h..')).toBe(3)
    expect(await code('diff', '--a', FIRST)).toBe(2)
    expect(await code('diff', '--a', FIRST, '--b', SECOND, '--min-change', '5')).toBe(2)
    expect(await code('diff', '--a', FIRST, '--b', SECOND, '--min-change', 'much')).toBe(2)
    expect(await code('diff', '--a', FIRST, '--b-db', join(home, 'nothing.db'))).toBe(2)
    expect(await code('diff', '--a', FIRST, '--b', FIRST, '--b-db', db)).toBe(0)
    expect(await code('why', 'same')).toBe(3)
    expect(await code('why')).toBe(2)
    expect(await code('why', 'same', '--of', 'luck')).toBe(2)
  })

  it('go with a table that keeps each figure it shows whole on 80 columns', async () => {
    const { out } = await onTerminal(['diff', '--a', FIRST, '--b', SECOND, '--db', db], 80)
    const broken = out.split('\n').find(line => line.startsWith('broken'))
    expect(broken).toMatch(/^broken +worse .*1\.1 % → 12 % .*→ [\d.]+ (ns|µs|ms|s)$/)
  })

  it('go with a table that marks what has changed', async () => {
    const { out } = await onTerminal(['diff', '--a', FIRST, '--b', SECOND, '--db', db], 120, true)
    expect(out).toMatch(/<bold>broken *<\/bold> +<red>worse *<\/red>/)
    expect(out).toMatch(/<red> *1\.1 % → 12 %<\/red>/)
    expect(out.indexOf('broken')).toBeLessThan(out.indexOf('same'))
    expect(out).toContain(
      '2 functions compared: 1 worse, 0 better; a wrong verdict in at most 1 of 100 such comparisons.',
    )
  })
})

describe('what was captured', () => {
  it('never moves the cursor, and no line is longer than the screen', async () => {
    const db = join(home, 'evil.db')
    const made = new TestStore(db)
    made.run('UPDATE processes SET script = ?', EVIL)
    for (let i = 0; i < 60; i++) {
      const args = JSON.stringify([{ [EVIL]: i < 30 ? EVIL : 'b' }])
      const seed = { atMs: T0_MS + i, fn: EVIL, args, shape: JSON.stringify([[EVIL + i / 30, i]]) }
      if (i < 30) made.error(seed)
      else made.call(seed)
    }
    made.totals(T0_MS, EVIL, { calls: -5, errors: 9e15, sumMs: 1 })
    made.totals(T0_MS + 60_000, EVIL, {
      calls: 9e15,
      errors: 4e15,
      sumMs: 1,
      buckets: { 5: -1, 1e9: 3, x: 'y' },
    })
    made.totals(T0_MS + 120_000, EVIL, { calls: 9e15, errors: 3e15, sumMs: 1, maxMs: -1 })
    made.close()
    const sides = ['--a', '2026-11-20T10:00Z..2026-11-20T10:02Z', '--b', '2026-11-20T10:02Z..']
    for (const args of [
      ['why', EVIL, '--of', 'errors'],
      ['diff', ...sides],
    ]) {
      for (const width of [40, 80, 200]) {
        const { out } = await onTerminal([...args, '--db', db], width)
        expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
        for (const line of out.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(width)
      }
      const { out } = await onTerminal([...args, '--db', db, '--json'], 80)
      expect(out.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    }
    expect((await onTerminal(['why', EVIL, '--of', 'errors', '--db', db], 200)).out).toContain('CONDITION')
  })
})
