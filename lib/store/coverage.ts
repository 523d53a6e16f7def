import { hostname } from 'node:os'
import type { Bounds } from './filter.js'
import { coverageDropsSql, coverageTotalsSql, EXPIRED_SQL, PROCESSES_SQL } from './queries.js'
import type { RowReader } from './read-file.js'

/** Records retention has deleted. */
export interface Expired {
  readonly rows: number
  /** Start of the youngest one, ISO-8601 UTC. */
  readonly upTo: string
}

/** What the store does not contain. Counts by minute cover whole minutes of the span asked for. */
export interface Coverage {
  /** Calls that ended, recorded or not. */
  readonly calls: number
  /** Of these, calls that failed. */
  readonly errors: number
  /** Of the calls, those that were given no record by sampling. */
  readonly sampledOut: number
  /** Start of the oldest minute with totals, ISO-8601 UTC; `null` when there are none. */
  readonly totalsSince: string | null
  /** Records that were lost, by reason, per lane. */
  readonly dropped: {
    readonly calls: Readonly<Record<string, number>>
    readonly errors: Readonly<Record<string, number>>
  }
  readonly expired: { readonly calls: Expired | null; readonly errors: Expired | null }
  readonly processes: {
    readonly writing: number
    readonly ended: number
    /** Ended without the last hand-over (killed, crashed), or silent for over a minute and not running here. */
    readonly endedUncleanly: number
  }
  /** Records of uncleanly ended processes that are neither stored nor counted; errors among them may still be in a journal file. */
  readonly unaccounted: number
}

export type ProcessState = 'writing' | 'ended' | 'ended uncleanly'

export interface ProcessInfo {
  readonly pid: number
  readonly script: string
  readonly host: string
  readonly state: ProcessState
  /** ISO-8601 UTC. */
  readonly startedAt: string
  readonly lastSeenAt: string
  readonly unaccounted: number
}

interface ProcessRow {
  readonly pid: number
  readonly script: string
  readonly host: string
  readonly startedUs: number
  readonly lastSeenUs: number
  readonly endedUs: number | null
  readonly ending: string | null
  readonly unaccounted: number
}

// A live recorder is seen far more often; beyond this only a running process of this machine counts as writing.
const SILENT_AFTER_US = 60_000_000

export function readProcesses(read: RowReader, nowMs: number): ProcessInfo[] {
  return read.all<ProcessRow>(PROCESSES_SQL, {}).map(row => ({
    pid: row.pid,
    script: row.script,
    host: row.host,
    state: stateOf(row, nowMs),
    startedAt: isoOf(row.startedUs / 1000),
    lastSeenAt: isoOf(row.lastSeenUs / 1000),
    unaccounted: row.unaccounted,
  }))
}

export function readCoverage(read: RowReader, bounds: Bounds, nowMs: number): Coverage {
  const scope = {
    sinceMinute: bounds.sinceMinute,
    untilMinute: bounds.untilMinute,
    ...(bounds.pattern === null ? {} : { pattern: bounds.pattern }),
  }
  const filtered = bounds.pattern !== null
  const [totals] = read.all<{ calls: number; errors: number; kept: number; firstMinute: number | null }>(
    coverageTotalsSql(filtered),
    scope,
  )
  const drops = read.all<{ lane: number; reason: string; count: number }>(coverageDropsSql(filtered), scope)
  const expired = read.all<{ kind: string; rows: number; upToUs: number }>(EXPIRED_SQL, {})
  const processes = readProcesses(read, nowMs)
  const inState = (state: ProcessState) => processes.filter(process => process.state === state)
  const calls = totals?.calls ?? 0
  return {
    calls,
    errors: totals?.errors ?? 0,
    sampledOut: Math.max(0, calls - (totals?.kept ?? 0)),
    totalsSince: totals?.firstMinute == null ? null : isoOf(totals.firstMinute * 60_000),
    dropped: { calls: byReason(drops, 0), errors: byReason(drops, 1) },
    expired: { calls: expiredOf(expired, 'calls', bounds), errors: expiredOf(expired, 'errors', bounds) },
    processes: {
      writing: inState('writing').length,
      ended: inState('ended').length,
      endedUncleanly: inState('ended uncleanly').length,
    },
    unaccounted: inState('ended uncleanly').reduce((sum, process) => sum + process.unaccounted, 0),
  }
}

function byReason(drops: readonly { lane: number; reason: string; count: number }[], lane: number) {
  return Object.fromEntries(drops.filter(drop => drop.lane === lane).map(drop => [drop.reason, drop.count]))
}

/** Rows that expired before the span begins are not missing from it. */
function expiredOf(
  rows: readonly { kind: string; rows: number; upToUs: number }[],
  kind: string,
  bounds: Bounds,
): Expired | null {
  const row = rows.find(candidate => candidate.kind === kind)
  if (row === undefined || (BigInt(Math.trunc(row.upToUs)) + 1n) * 2048n <= bounds.sinceId) return null
  return { rows: row.rows, upTo: isoOf(row.upToUs / 1000) }
}

function stateOf(row: ProcessRow, nowMs: number): ProcessState {
  if (row.ending === 'lost') return 'ended uncleanly'
  if (row.endedUs !== null) return 'ended'
  if (nowMs * 1000 - row.lastSeenUs < SILENT_AFTER_US) return 'writing'
  return row.host === hostname() && isRunning(row.pid) ? 'writing' : 'ended uncleanly'
}

function isRunning(pid: number): boolean {
  // 0 and negative numbers would address process groups.
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function isoOf(unixMs: number): string {
  const date = new Date(unixMs)
  return Number.isNaN(date.getTime()) ? 'unknown' : date.toISOString()
}
