import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'

const PROGRAM = fileURLToPath(new URL('../.build/standard/exit-timed.js', import.meta.url))
/** Longer than the program waits for its writer at the end. */
const STALL_US = 4_000_000
const STALL = ['-e', 'trace=fsync,fdatasync', '-e', `inject=fsync,fdatasync:delay_enter=${STALL_US}`]
const SMALL_DISK = ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs']

export type State = 'warm' | 'booting' | 'store locked' | 'disk full' | 'writer stalled'
export type Ending = 'natural' | 'exit' | 'SIGTERM' | 'throw'

/** One end of the program, timed. */
export interface Delay {
  /** In our handling of the end; `null` when the recorder has none, being off. */
  readonly insideMs: number | null
  /** From the last line of the program until its parent hears that it is gone. */
  readonly outsideMs: number
}

/** Runs the program to its end once, in this state of its recorder. */
export async function timeEnd(ending: Ending, state: State, on: boolean): Promise<Delay> {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-exit-'))
  const store = join(folder, 'store', 'calls.db')
  mkdirSync(dirname(store))
  const mounted = state === 'disk full' && succeeds('mount', [...SMALL_DISK, dirname(store)])
  try {
    const env = { ...process.env, NODE_OPTIONS: '', CALLSIGHT_DB: store, CALLSIGHT: on ? 'on' : 'off' }
    // Made beforehand, so that a stalled sync meets the end and not the making of a new store.
    if (state === 'writer stalled' && on) spawnSync(process.execPath, [PROGRAM, 'exit', 'booting'], { env })
    const wrap = state === 'writer stalled' ? ['strace', '-f', '-q', '-o', '/dev/null', ...STALL] : []
    const [program = '', ...args] = [
      ...wrap,
      process.execPath,
      PROGRAM,
      ending,
      state === 'booting' ? state : 'warm',
    ]
    const child = spawn(program, args, { env, cwd: folder })
    let output = ''
    let endMs = 0
    let undo = (): void => {}
    child.stdout.on('data', (text: Buffer) => {
      const nowMs = performance.now()
      output += text.toString()
      if (text.includes('warm')) {
        undo = on ? bring(state, store) : undo
        child.stdin.write('go\n')
      }
      if (text.includes('end')) endMs = nowMs
    })
    child.stderr.resume()
    const goneMs = await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', () => resolve(performance.now()))
    })
    undo()
    await new Promise(resolve =>
      child.stdout.readableEnded ? resolve(null) : child.stdout.on('end', resolve),
    )
    const inside = /handled ([\d.]+)/.exec(output)?.[1]
    if (endMs === 0 || (on && inside === undefined)) throw new Error(`no end was seen: ${output}`)
    return { insideMs: on ? Number(inside) : null, outsideMs: goneMs - endMs }
  } finally {
    if (mounted) succeeds('umount', ['-l', dirname(store)])
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Brings the fault about; returns what ends it. */
function bring(state: State, store: string): () => void {
  switch (state) {
    case 'store locked': {
      const holder = new Database(store, { timeout: 5_000 })
      holder.exec('BEGIN EXCLUSIVE')
      return () => void holder.close()
    }
    case 'disk full':
      fill(join(dirname(store), 'hog'))
      return () => {}
    case 'warm':
    case 'booting':
    case 'writer stalled':
      return () => {}
  }
}

function fill(path: string): void {
  const file = openSync(path, 'w')
  const block = Buffer.alloc(1 << 16)
  try {
    while (writeSync(file, block) === block.length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

function succeeds(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args).status === 0
}
