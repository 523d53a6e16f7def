import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scratch } from '../store-read/fixture.js'
import { onTerminal } from './terminal.js'

const cleanups: (() => void)[] = []
const hasZsh = spawnSync('zsh', ['--version']).status === 0
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
    expect(complete('callsight', 'trace', '--s')).toEqual([])
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
  it.skipIf(!hasZsh)('is a script that zsh reads and that knows every command', async () => {
    const { out } = await onTerminal(['completion', 'zsh'], 80)
    writeFileSync(join(folder, '_callsight'), out)
    const asked = `autoload -U compinit && compinit -u -D; source ./_callsight; print -l \${(k)_comps} | grep -x callsight`
    const { stdout, stderr, status } = spawnSync('zsh', ['-f', '-c', asked], {
      cwd: folder,
      encoding: 'utf8',
    })
    expect([status, stderr, stdout]).toEqual([0, '', 'callsight\n'])
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
