import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { scratch } from '../store-read/fixture.js'
import {
  CALL,
  FINGERPRINT,
  FUNCTION,
  HOSTILE_STORES,
  hostileStore,
  TRACE,
} from '../support/hostile-stores.js'
import { onTerminal } from './terminal.js'

const cleanups: (() => void)[] = []
afterAll(() => {
  for (const clean of cleanups.splice(0).reverse()) clean()
})
const out = scratch(clean => cleanups.push(clean))
const file = (name: string) => ['--out', join(out, name), '--force']
const bundle = ['--bundle', join(out, 'bundle'), '--force']

/** Every command that reads a recording and ends by itself; `doctor` looks at the installation, too, and has its own. */
const COMMANDS: readonly (readonly string[])[] = [
  ['errors'],
  ['errors', '--list'],
  ['errors', CALL],
  ['errors', FINGERPRINT],
  ['top'],
  ['slow'],
  ['calls'],
  ['calls', '--function', 'O*', '--min-duration', '5ms'],
  ['trace', TRACE],
  ['trace', CALL],
  ['why', FUNCTION],
  ['why', FUNCTION, '--of', 'errors'],
  ['diff', '--a', 'previous', '--b', 'last'],
  ['diff', '--a', '2026-11-20T10:00Z..2026-11-20T10:05Z', '--b', '2026-11-20T10:05Z..'],
  ['tail'],
  ['crash'],
  ['stalls'],
  ['losses'],
  ['stats'],
  ['sql', 'SELECT * FROM recent_calls'],
  ['sql', 'SELECT * FROM losses'],
  ['export', ...file('calls.ndjson')],
  ['export', 'errors', '--format', 'csv', ...file('errors.csv')],
  ['export', '--format', 'chrome', ...file('chrome.json')],
  ['export', '--format', 'speedscope', ...file('speedscope.json')],
  ['export', ...bundle],
  ['export', CALL, ...bundle],
  ['set', '--list'],
  ['doctor', '--secrets'],
]

/** Beside line ends nothing that a terminal would obey. */
const UNSAFE = /[^\P{Cc}\n]/u
/** What is said by whoever did not expect it. */
const RAW = /SQLITE_|SqliteError|(Range|Type|Syntax|Reference)Error:|\bat \S+:\d+:\d+|\[object /
/** Nobody's rights are the matter with these files. */
const WRONG_ADVICE = /Check that you may read/

describe('a recording that no recorder wrote', () => {
  it.each(HOSTILE_STORES)('is answered for, or refused with advice: $name', async ({ spoil, unread }) => {
    const path = hostileStore(spoil, clean => cleanups.push(clean))
    const refused = new Set<string>()
    for (const command of COMMANDS) {
      for (const form of command[0] === 'export' ? [[]] : [[], ['--json']]) {
        const args = [...command, ...form]
        const shown = args.join(' ')
        const answer = await onTerminal([...args, '--db', path], 100)
        expect([0, 1, 2, 3], shown).toContain(answer.code)
        expect(answer.out, shown).not.toMatch(UNSAFE)
        expect(answer.err, shown).not.toMatch(UNSAFE)
        expect(answer.err, shown).not.toMatch(RAW)
        expect(answer.err, shown).not.toMatch(WRONG_ADVICE)
        if (answer.code === 2) {
          refused.add(command[0] ?? '')
          expect(answer.out, shown).toBe('')
          // What happened and, unless the query is the user's own, what to do; on one line.
          expect(answer.err, shown).toMatch(
            command[0] === 'sql' ? /^callsight: [^\n]+\n$/ : /^callsight: [^\n]+\. [^\n]+\n$/,
          )
        } else if (form.length > 0 && answer.code !== 3)
          expect(() => JSON.parse(answer.out), shown).not.toThrow()
      }
    }
    if (unread === 'some') expect(refused.size).toBeGreaterThan(0)
    else expect([...refused].sort()).toEqual([...unread].sort())
    expect(existsSync(`${path}-wal`)).toBe(false)
  })

  it('is looked at by doctor, which says what is wrong with it', async () => {
    for (const name of ['integers at the lower end everywhere', 'malformed JSON', 'no table calls']) {
      const spoil = HOSTILE_STORES.find(known => known.name === name)?.spoil
      if (spoil === undefined) throw new Error(`no such store: ${name}`)
      const path = hostileStore(spoil, clean => cleanups.push(clean))
      const { code, out: said, err } = await onTerminal(['doctor', '--db', path], 100)
      expect([0, 1, 2], name).toContain(code)
      expect(said + err, name).not.toMatch(RAW)
      expect(said + err, name).not.toMatch(WRONG_ADVICE)
    }
  })
})
