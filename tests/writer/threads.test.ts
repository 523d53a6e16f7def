import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Account } from '../../lib/queue/account.js'
import { imbalances, readStore } from '../support/store-account.js'

const program = fileURLToPath(new URL('../.build/standard/threads.js', import.meta.url))

let folder: string
let printed: { native: string[]; loaded: number; code: number; account: Account }
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-threads-'))
  const output = execFileSync(process.execPath, [program], {
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: '', CALLSIGHT_DB: join(folder, 'calls.db') },
  })
  printed = JSON.parse(output.toString()) as typeof printed
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('threads', () => {
  it('the app thread never loads SQLite', () => {
    expect(printed.loaded).toBeGreaterThan(0)
    expect(printed.native).toEqual([])
    expect(printed.account).toMatchObject({ balanced: true, calls: { stored: 6 }, errors: { stored: 3 } })
  })

  it('a worker thread of the app records into the same file, with an account of its own', () => {
    expect(printed.code).toBe(0)
    const account = readStore(join(folder, 'calls.db'))
    expect(account.calls).toHaveLength(12)
    expect(account.errors).toHaveLength(6)
    expect(new Set(account.lanes.map(({ ring }) => ring)).size).toBe(2)
    expect(imbalances(account)).toEqual([0, 0, 0, 0])
    expect(account.integrity).toBe('ok')
  })
})
