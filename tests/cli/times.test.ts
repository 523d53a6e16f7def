import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Tail } from '../../lib/store/queries/tail.js'
import { openStore } from '../../lib/store/read.js'
import { scratch, TestStore, traceIdOf } from '../store-read/fixture.js'
import { onTerminal } from './terminal.js'

const cleanups: (() => void)[] = []
let path: string
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Within the last day, so that a time of day names it; the tests may run at any moment of it. */
const T_MS = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 2 * HOUR_MS
const clock = (ms: number) => new Date(ms).toISOString().slice(11, 16)
const iso = (ms: number) => new Date(ms).toISOString()

beforeAll(() => {
  path = join(
    scratch(clean => cleanups.push(clean)),
    'calls.db',
  )
  const made = new TestStore(path)
  made.run('UPDATE processes SET started_us = ?, last_seen_us = ?', T_MS * 1000, (T_MS + HOUR_MS) * 1000)
  for (const minute of [0, 10, 20]) {
    const atMs = T_MS + minute * MINUTE_MS + 1_000
    made.call({ atMs, fn: `At.minute${minute}`, trace: 1, durationMs: 5, args: '[1]' })
    made.error({ atMs, fn: `At.minute${minute}`, trace: 1 })
    made.totals(atMs, `At.minute${minute}`, { calls: 2, errors: 1 })
    made.drop(atMs, `At.minute${minute}`, 'queue_full', 1)
    made.stall({ atMs, seenMs: atMs + 900, endedMs: atMs + 950, calls: [[`At.minute${minute}`, 0, 1, 1]] })
  }
  made.close()
})
afterAll(() => {
  for (const clean of cleanups) clean()
})

const VIEWS = [
  ['errors'],
  ['errors', '--list'],
  ['top'],
  ['slow'],
  ['calls'],
  ['trace', traceIdOf(1)],
  ['tail'],
  ['losses'],
  ['stalls'],
] as const

describe('a span of time', () => {
  it.each(VIEWS.map(words => ({ words, name: words[0] })))(
    'is named alike by a time of day and by a date: $words',
    async ({ words: view }) => {
      const ask = async (...span: string[]) => {
        const { code, out, err } = await onTerminal([...view, ...span, '--db', path], 400)
        expect([code, err]).toEqual([0, ''])
        return [0, 10, 20].filter(minute => out.includes(`At.minute${minute}`))
      }
      expect(await ask()).toEqual([0, 10, 20])
      const since = T_MS + 10 * MINUTE_MS
      expect(await ask('--since', clock(since))).toEqual([10, 20])
      expect(await ask('--since', `${clock(since)}+00:00`)).toEqual([10, 20])
      expect(await ask('--since', iso(since))).toEqual([10, 20])
      if (view[0] === 'tail') return
      const until = T_MS + 15 * MINUTE_MS
      expect(await ask('--since', clock(since), '--until', clock(until))).toEqual([10])
      expect(await ask('--until', iso(until))).toEqual([0, 10])
    },
  )

  it('of a tail that goes on stays where it was: what comes late and ended before is not told', () => {
    const made = new TestStore(
      join(
        scratch(clean => cleanups.push(clean)),
        'calls.db',
      ),
    )
    made.call({ atMs: T_MS, fn: 'before' })
    made.call({ atMs: T_MS + 2_000, fn: 'first' })
    const store = openStore(made.path)
    const since = new Date(T_MS + 1_000)
    const names = (tail: Tail) => tail.calls.map(call => call.function)
    const first = store.tail({ since })
    expect(names(first)).toEqual(['first'])
    made.call({ atMs: T_MS + 500, fn: 'before, late' })
    made.call({ atMs: T_MS + 1_500, fn: 'second, late' })
    expect(names(store.tail({ since, after: first.cursor }))).toEqual(['second, late'])
    expect(names(store.tail({ after: first.cursor }))).toEqual(['second, late', 'before, late', 'before'])
    store.close()
    made.close()
  })

  it('is taken by the commands that answer about one function or two sides', async () => {
    const why = ['why', 'At.minute0', '--since', clock(T_MS), '--until', clock(T_MS + HOUR_MS)]
    const diff = ['diff', '--a', `${clock(T_MS)}..${clock(T_MS + 5 * MINUTE_MS)}`, '--b', '-1h..now']
    for (const args of [why, diff, ['doctor', '--secrets', '--since', clock(T_MS)]])
      expect((await onTerminal([...args, '--db', path], 100)).err).toBe('')
  })

  it('that ends before it begins is refused with the moments that were understood', async () => {
    const late = clock(T_MS + 10 * MINUTE_MS)
    const { code, err } = await onTerminal(
      ['calls', '--since', late, '--until', clock(T_MS), '--db', path],
      80,
    )
    expect(code).toBe(2)
    expect(err).toBe(
      `callsight: --since ${late} (${iso(T_MS + 10 * MINUTE_MS)}) is later than --until ${clock(T_MS)} (${iso(T_MS)}): nothing lies between. Exchange them, or name the day.\n`,
    )
  })

  it('of a trace in which it has no call is told apart from a trace that is gone', async () => {
    const { code, err } = await onTerminal(
      ['trace', traceIdOf(1), '--until', iso(T_MS - HOUR_MS), '--db', path],
      80,
    )
    expect([code, err]).toEqual([3, expect.stringContaining('in this span of time')])
  })

  it('has its time zone in the help of every command that takes one', async () => {
    const { out } = await onTerminal(['--help'], 200)
    const [, list = ''] = out.split('\nCommands:\n')
    const commands = [...(list.split('\n\n')[0] ?? '').matchAll(/^ {2}([a-z]+)/gm)].map(
      ([, name = '']) => name,
    )
    const taking: string[] = []
    for (const name of commands.filter(command => command !== 'help')) {
      const help = (await onTerminal([name, '--help'], 200)).out
      if (!/--since|span of time:/.test(help)) continue
      taking.push(name)
      expect(help, name).toMatch(/Times:\n[\s\S]*02:50[\s\S]*All are UTC/)
      expect(help.match(/Times:/g), name).toHaveLength(1)
    }
    expect(taking).toEqual([
      ...['errors', 'top', 'slow', 'calls', 'trace', 'why', 'diff', 'tail', 'stalls', 'losses', 'export'],
      'doctor',
    ])
  })
})
