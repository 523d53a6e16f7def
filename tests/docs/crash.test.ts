import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openStore } from '../../dist/index.js'
import { callsight } from '../cli/child.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
let folder: string
let store: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-desk-'))
  store = join(folder, '.callsight/calls.db')
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'callsight'))
  copyFileSync(join(root, 'tests/docs/desk.ts'), join(folder, 'desk.ts'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function stallsSeen(): number {
  if (!existsSync(store)) return 0
  try {
    using open = openStore(store)
    return open.stalls().filter(({ duration_ms }) => duration_ms > 1_500).length
  } catch {
    // It is being made.
    return 0
  }
}

async function killWhenStuck(): Promise<void> {
  const loader = join(root, 'node_modules/tsx/dist/loader.mjs')
  const child = spawn(process.execPath, ['--import', loader, 'desk.ts'], {
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  const ended = new Promise(resolve => child.once('exit', resolve))
  try {
    for (let tries = 0; stallsSeen() === 0; tries++) {
      if (tries === 300) throw new Error('no stall was recorded')
      await pause(100)
    }
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

/** Times, numbers and the machine differ from run to run, and with them the widths of columns. */
const stable = (text: string): string =>
  text
    .replace(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, '<at>')
    .replace(/\b[\d.]+ (µs|ms|s|min)\b( \d+ s\b)?/g, '<time>')
    .replace(/\[\d+\]/g, '[<pid>]')
    .replace(/\b\d+ %/g, '<share>')
    .replace(/ on \S+, Node \S+/, ' on <machine>')
    .replace(/ {2,}/g, '  ')
    .trim()

it('a program that hangs and is killed: the README shows what crash and stalls print', async () => {
  const shown = readme.split('$ npx callsight crash\n')[1]?.split('\n```')[0] ?? ''
  const [crash = '', stalls = ''] = shown.split('\n\n$ npx callsight stalls\n')
  expect(crash).toContain('Calls in flight')
  expect(stalls).toContain('INNERMOST CALL')
  await killWhenStuck()
  const printed = callsight(['crash', '--db', store])
  expect(printed).toMatchObject({ code: 0, err: '' })
  expect(stable(printed.out).slice(0, stable(crash).length)).toBe(stable(crash))
  expect(stable(callsight(['stalls', '--db', store]).out)).toBe(stable(stalls))
}, 120_000)
