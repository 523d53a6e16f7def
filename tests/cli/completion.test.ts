import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scratch } from '../store-read/fixture.js'
import { onTerminal } from './terminal.js'

const cleanups: (() => void)[] = []
const hasZsh = spawnSync('zsh', ['--version']).status === 0
const WITHOUT_ZSH = hasZsh ? '' : ' (skipped: zsh is not installed, see .ci/system-tools)'
const ZSH_OFFERS = fileURLToPath(new URL('zsh-offers.zsh', import.meta.url))
let folder: string
let script: string

beforeAll(async () => {
  folder = scratch(clean => cleanups.push(clean))
  writeFileSync(join(folder, 'calls.db'), '')
  mkdirSync(join(folder, 'copies'))
  script = (await onTerminal(['completion', 'bash'], 80)).out
  writeFileSync(join(folder, 'complete.bash'), script)
})
afterAll(() => {
  for (const clean of cleanups) clean()
})

/** What bash offers for the last of these words. */
function complete(...words: string[]): string[] {
  const line = words.map(word => `'${word}'`).join(' ')
  const asked = `source ./complete.bash; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}
    _callsight; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', asked], {
    cwd: folder,
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, ''])
  return stdout.split('\n').filter(Boolean)
}

describe('completion in bash', () => {
  it('offers every command there is', async () => {
    const help = (await onTerminal(['--help'], 200)).out
    const [, list = ''] = help.split('\nCommands:\n')
    const commands = [...(list.split('\n\n')[0] ?? '').matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name)
    expect(commands.length).toBeGreaterThan(10)
    expect(complete('callsight', '')).toEqual([
      ...commands.filter(name => name !== 'help'),
      '--help',
      '--version',
    ])
    expect(complete('callsight', 'st')).toEqual(['stalls', 'stats'])
  })

  it('offers the options of the command, and the values an option may have', () => {
    expect(complete('callsight', 'errors', '--s')).toEqual(['--since', '--sort'])
    expect(complete('callsight', 'stats', '--s')).toEqual([])
    expect(complete('callsight', 'errors', '--sort', '')).toEqual(['newest', 'count'])
    expect(complete('callsight', 'top', '--sort', 'm')).toEqual(['mean', 'max'])
    expect(complete('callsight', 'calls', '--outcome', 'e')).toEqual(['error'])
    expect(complete('callsight', 'calls', '--since', '')).toEqual([])
    expect(complete('callsight', 'completion', 'z')).toEqual(['zsh'])
  })

  it('offers files for --db', () => {
    expect(complete('callsight', 'calls', '--db', 'c').sort()).toEqual([
      'calls.db',
      'complete.bash',
      'copies',
    ])
  })

  it('refuses a shell it does not know', async () => {
    const { code, err } = await onTerminal(['completion', 'fish'], 80)
    expect(code).toBe(2)
    expect(err).toContain('bash, zsh')
  })
})

describe('completion in zsh', () => {
  beforeAll(async () => {
    writeFileSync(join(folder, '_callsight'), (await onTerminal(['completion', 'zsh'], 80)).out)
  })

  /** What an interactive zsh offers behind this line. */
  function offers(line: string): string[] {
    const { stdout, stderr, status } = spawnSync('zsh', ['-f', ZSH_OFFERS, line], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect([status, stderr]).toEqual([0, ''])
    return stdout.split('\n').filter(Boolean)
  }

  const inZsh = it.skipIf(!hasZsh)
  inZsh(`is a script that zsh reads and that knows its command${WITHOUT_ZSH}`, () => {
    const asked = `autoload -U compinit && compinit -u -D; source ./_callsight; print -l \${(k)_comps} | grep -x callsight`
    const { stdout, stderr, status } = spawnSync('zsh', ['-f', '-c', asked], {
      cwd: folder,
      encoding: 'utf8',
    })
    expect([status, stderr, stdout]).toEqual([0, '', 'callsight\n'])
  })

  inZsh(`offers what bash offers${WITHOUT_ZSH}`, () => {
    const lines = [
      ['callsight', 'st'],
      ['callsight', 'errors', '--s'],
      ['callsight', 'errors', 'abc', '--s'],
      ['callsight', 'errors', '--sort', ''],
      ['callsight', 'top', '--sort', 'm'],
      ['callsight', 'calls', '--outcome', 'e'],
      ['callsight', 'calls', '--db', 'calls.db', '--o'],
      ['callsight', 'set', 'Orders.*', '--s'],
      ['callsight', 'set', 'Orders.*', '--args', ''],
      ['callsight', 'export', '--format', 'c'],
      ['callsight', 'trace', 'ffff', '--since', ''],
      ['callsight', 'completion', 'z'],
      ['callsight', '--'],
    ]
    for (const words of lines) {
      const line = words.map(word => (word.includes('*') ? `'${word}'` : word)).join(' ')
      expect(offers(line).sort(), line).toEqual(complete(...words).sort())
    }
    expect(offers('callsight ')).toEqual(complete('callsight', '').filter(word => !word.startsWith('-')))
    expect(offers('callsight calls --db c').sort()).toEqual(['calls.db', 'complete.bash', 'copies'])
  })

  it('names each command with what it does', async () => {
    const { out } = await onTerminal(['completion', 'zsh'], 80)
    expect(out).toMatch(/^#compdef callsight\n/)
    expect(out).toContain("'errors:calls that failed, alike ones as one")
    expect(out).toMatch(
      / {6}top\) _arguments .*'--sort\[largest first by\]:value:\(total calls errors mean max\)'/,
    )
  })
})
