import { type ChildProcess, spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openForWriting } from '../../lib/store/open.js'
import { SCHEMA_VERSION } from '../../lib/store/schema.js'
import { all, column, integrity, kept, tempFolder } from './temp-store.js'

const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const SCRIPT = join(import.meta.dirname, 'writing-process.ts')

function start(path: string, boot: number, atMs: number, batches: number): Promise<string> {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', TSX, SCRIPT, path, String(boot), String(atMs), String(batches)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  child.stdout?.on('data', chunk => (output += chunk))
  child.stderr?.on('data', chunk => (output += chunk))
  return new Promise(resolve => child.on('close', () => resolve(output.trim())))
}

describe('several processes on one file', () => {
  it('that create it at the same moment all end with one good store', async () => {
    const folder = join(tempFolder(), '.callsight')
    const path = join(folder, 'calls.db')
    const atMs = Date.now() + 1_500
    const outputs = await Promise.all([1, 2, 3].map(boot => start(path, boot, atMs, 20)))
    expect(outputs).toEqual(['done', 'done', 'done'])
    const db = kept(openForWriting(path))
    expect(integrity(db)).toBe('ok')
    expect(column(db, 'PRAGMA user_version')).toEqual([SCHEMA_VERSION])
    expect(column(db, 'PRAGMA auto_vacuum')).toEqual([2])
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const perProcess = all(
      db,
      `SELECT boot, (SELECT count(*) FROM calls c WHERE c.process_id = p.process_id) AS calls,
         (SELECT count(*) FROM errors e WHERE e.process_id = p.process_id) AS errors,
         (SELECT stored FROM lanes l WHERE l.process_id = p.process_id) AS stored
       FROM processes p ORDER BY boot`,
    )
    expect(perProcess).toEqual(
      [1, 2, 3].map(n => ({ boot: `boot${n}`, calls: 600, errors: 20, stored: 600 })),
    )
    expect(column(db, 'SELECT count(*) FROM functions')).toEqual([1])
  }, 30_000)
})
