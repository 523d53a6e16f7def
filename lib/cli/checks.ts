import { spawnSync } from 'node:child_process'
import { realpathSync, statSync } from 'node:fs'
import { basename, dirname, extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { JOURNAL_SUFFIX } from '../queue/journal-format.js'
import { journalsOf } from '../store/journals.js'
import type { Store } from '../store/read.js'
import { counted, formatBytes, formatCount } from '../wording/format.js'

export interface Check {
  readonly status: 'ok' | 'warn' | 'fail'
  readonly check: string
  readonly message: string
}

/** Where `engines` of the package stands: ^20.19 or from 22.14 on. */
const SUPPORTED = [
  { major: 20, minor: 19 },
  { major: 22, minor: 14 },
] as const
const BINDING_TIMEOUT_MS = 10_000
const INTEGRITY_TIMEOUT_MS = 15_000
/** The writer cuts the log back to a few MiB; a larger one means that something holds it back. */
const WAL_WARN_BYTES = 64 * 1024 ** 2
const OTHERS_MODE = 0o077

export function checkNode(version = process.versions.node): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isSupported = major > 22 || SUPPORTED.some(line => line.major === major && minor >= line.minor)
  return isSupported
    ? { status: 'ok', check: 'node', message: `Node ${version}` }
    : {
        status: 'fail',
        check: 'node',
        message: `Node ${version} is not supported: use 20.19 or later of 20, or 22.14 or later`,
      }
}

export function checkBinding(): Check {
  const found = probe([], BINDING_TIMEOUT_MS)
  if (found.kind === 'done') {
    return {
      status: 'ok',
      check: 'binding',
      message: `better-sqlite3 loads, SQLite ${found.lines.join(' ')}`,
    }
  }
  const why = found.kind === 'timeout' ? 'no answer within 10 s' : found.why
  return { status: 'fail', check: 'binding', message: `better-sqlite3 does not load: ${why}` }
}

export function checkIntegrity(path: string): Check {
  const found = probe([path], INTEGRITY_TIMEOUT_MS)
  switch (found.kind) {
    case 'timeout':
      return { status: 'ok', check: 'integrity', message: 'not finished after 15 s, nothing found so far' }
    case 'failed':
      return { status: 'fail', check: 'integrity', message: found.why }
    case 'done':
      return found.lines.length === 1 && found.lines[0] === 'ok'
        ? { status: 'ok', check: 'integrity', message: 'quick_check finds no damage' }
        : { status: 'fail', check: 'integrity', message: `damaged: ${found.lines.join('; ')}` }
  }
}

type ProbeResult =
  | { readonly kind: 'done'; readonly lines: readonly string[] }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'failed'; readonly why: string }

function probe(args: readonly string[], timeoutMs: number): ProbeResult {
  // The extension is .ts where the sources run as they are.
  const script = fileURLToPath(new URL(`./probe${extname(import.meta.url)}`, import.meta.url))
  const result = spawnSync(process.execPath, [...process.execArgv, script, ...args], {
    encoding: 'utf8',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  if (result.error !== undefined && 'code' in result.error && result.error.code === 'ETIMEDOUT')
    return { kind: 'timeout' }
  if (result.error !== undefined) return { kind: 'failed', why: result.error.message }
  if (result.signal !== null)
    return { kind: 'failed', why: `it crashed with ${result.signal}. Run "npm rebuild better-sqlite3"` }
  if (result.status === 0) return { kind: 'done', lines: result.stdout.trim().split('\n') }
  const message = /^\w*Error: (.*)$/m.exec(result.stderr)?.[1] ?? result.stderr.trim().split('\n', 1)[0] ?? ''
  return { kind: 'failed', why: message }
}

export function checkWal(path: string): Check {
  const wal = `${realpathSync(path)}-wal`
  const bytes = statSync(wal, { throwIfNoEntry: false })?.size ?? 0
  const message = `write-ahead log ${formatBytes(bytes)}`
  return bytes <= WAL_WARN_BYTES
    ? { status: 'ok', check: 'wal', message }
    : {
        status: 'warn',
        check: 'wal',
        message: `${message}: a reader that stays open holds it back, or no recorder has opened the file since a crash`,
      }
}

export function checkModes(path: string): Check {
  const check = 'modes'
  if (process.platform === 'win32')
    return { status: 'ok', check, message: 'file modes are not checked on Windows' }
  const real = realpathSync(path)
  const files = ['', '-wal', '-shm'].map(suffix => real + suffix)
  // Only the folder Callsight makes is its own; another one may hold more.
  const own = basename(dirname(real)) === '.callsight' ? [dirname(real)] : []
  const open = [...own, ...files, ...journalsOf(real)].filter(file => {
    const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0
    return (mode & OTHERS_MODE) !== 0
  })
  if (open.length === 0) return { status: 'ok', check, message: 'nobody else can read the recording' }
  return { status: 'warn', check, message: `other users may open ${open.join(', ')}. Run chmod go= on it` }
}

export function checkProcesses(store: Store): Check[] {
  const processes = store.processes()
  const writing = processes.filter(process => process.state === 'writing')
  const unclean = processes.filter(process => process.state === 'ended uncleanly')
  const names = (of: typeof processes) =>
    of
      .slice(-3)
      .map(process => `${process.script}[${process.pid}]`)
      .join(', ')
  const missing = unclean.reduce((sum, process) => sum + process.unaccounted, 0)
  return [
    {
      status: 'ok',
      check: 'writing',
      message:
        writing.length === 0
          ? 'no program is writing now'
          : `${counted(writing.length, 'program')} writing: ${names(writing)}`,
    },
    unclean.length === 0
      ? { status: 'ok', check: 'ends', message: 'every program that ended did so cleanly' }
      : {
          status: 'warn',
          check: 'ends',
          message: `${counted(unclean.length, 'program')} ended uncleanly (${names(unclean)}), ${counted(missing, 'record')} not accounted for: see callsight crash`,
        },
  ]
}

/** Journals of programs that are not writing any more hold errors that are not in the store yet. */
export function checkJournals(path: string, store: Store): Check {
  const real = realpathSync(path)
  const boots = store.sql('SELECT boot, pid FROM processes')
  const alive = new Set(
    store
      .processes()
      .filter(process => process.state === 'writing')
      .map(process => process.pid),
  )
  const live = new Set(boots.filter(row => alive.has(Number(row['pid']))).map(row => row['boot']))
  const leftover = journalsOf(real).filter(file => {
    const boot = JOURNAL_SUFFIX.exec(file.slice(real.length))?.[1]
    return boot === undefined || !live.has(boot)
  })
  if (leftover.length === 0)
    return { status: 'ok', check: 'journals', message: 'no journal of errors is left over' }
  const bytes = leftover.reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  )
  return {
    status: 'warn',
    check: 'journals',
    message: `${formatCount(leftover.length)} left over (${formatBytes(bytes)}): their errors enter the store when a program records into it again`,
  }
}
