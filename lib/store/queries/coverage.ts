import { hostname } from 'node:os'
import { isAlive, startedUnixUs } from '../../queue/process-identity.js'
import type { RowReader } from '../read-file.js'
import { GONE, type GoneKind } from '../schema.js'
import type { Bounds } from './filter.js'
import { LOST_FILES_SQL, unendedSql } from './incident-statements.js'
import {
  coverageDropsSql,
  coverageTotalsSql,
  EXPIRED_SQL,
  firstMinuteSql,
  PROCESSES_SQL,
  UNREADABLE_SQL,
} from './statements.js'
import { spansAsParams, totalSpans } from './total-spans.js'

/** Records retention has deleted. */
export interface Expired {
  readonly rows: number
  /** Start of the youngest one, ISO-8601 UTC. */
  readonly upTo: string
}

/** Records of a recording that a bundle cut out of it does not have. */
export interface LeftOut extends Expired {
  /** Of the rows, those that were asked for and found no room. */
  readonly noRoom: number
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
  /** Of a bundle: what it left out of the recording it was cut out of. */
  readonly leftOut: { readonly calls: LeftOut | null; readonly errors: LeftOut | null }
  readonly processes: {
    readonly writing: number
    readonly ended: number
    /** Ended without the last hand-over (killed, crashed), not running here, or silent for over a minute. */
    readonly endedUncleanly: number
  }
  /** Calls that had begun when their process ended, cleanly or not, and so never ended; of some functions those known. */
  readonly neverEnded: number
  /** Stores and journals that were set aside or are gone; nobody knows what was in them. */
  readonly lostFiles: number
  /** Records of uncleanly ended processes that are neither stored nor counted; errors among them may still be in a journal file. */
  readonly unaccounted: number
  /** Accounts of lanes that hold something else: what they dropped is not known. */
  readonly unreadable: number
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

/** A process as the file knows it, and what can be told of it from here. */
export interface KnownProcess {
  readonly processId: number
  readonly boot: string
  readonly nodeVersion: string
  readonly state: ProcessState
  readonly pid: number
  readonly script: string
  readonly host: string
  readonly startedUs: number
  readonly lastSeenUs: number
  readonly endedUs: number | null
  readonly ending: string | null
  readonly unaccounted: number
}

/** A live recorder is seen far more often. */
const SILENT_AFTER_US = 60_000_000
/** Start times of processes are known to about a second. */
const CLOCK_SLACK_US = 1_500_000

export function findProcesses(read: RowReader, nowMs: number): KnownProcess[] {
  return read
    .all<Omit<KnownProcess, 'state'>>(PROCESSES_SQL, {})
    .map(row => ({ ...row, state: stateOf(row, nowMs) }))
}

export function seenLastFirst(a: KnownProcess, b: KnownProcess): number {
  return b.lastSeenUs - a.lastSeenUs || b.processId - a.processId
}

export function readProcesses(read: RowReader, nowMs: number): ProcessInfo[] {
  return findProcesses(read, nowMs).map(row => ({
    pid: row.pid,
    script: row.script,
    host: row.host,
    state: row.state,
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
  const { pattern } = bounds
  const [totals] = read.all<{ calls: number; errors: number; kept: number }>(coverageTotalsSql(filtered), {
    ...spansAsParams(totalSpans(read, bounds)),
    ...(pattern === null ? {} : { pattern }),
  })
  const [first] = read.all<{ minute: number }>(firstMinuteSql(filtered), scope)
  const drops = read.all<{ lane: number; reason: string; count: number }>(coverageDropsSql(filtered), scope)
  const gone = read.all<GoneRow>(EXPIRED_SQL, {})
  const processes = findProcesses(read, nowMs)
  const inState = (state: ProcessState) => processes.filter(process => process.state === state)
  const calls = totals?.calls ?? 0
  return {
    calls,
    errors: totals?.errors ?? 0,
    sampledOut: Math.max(0, calls - (totals?.kept ?? 0)),
    totalsSince: first === undefined ? null : isoOf(first.minute * 60_000),
    dropped: { calls: byReason(drops, 0), errors: byReason(drops, 1) },
    expired: { calls: goneOf(gone, GONE.calls, bounds), errors: goneOf(gone, GONE.errors, bounds) },
    leftOut: {
      calls: leftOutOf(gone, GONE.callsLeftOut, GONE.callsNoRoom, bounds),
      errors: leftOutOf(gone, GONE.errorsLeftOut, GONE.errorsNoRoom, bounds),
    },
    processes: {
      writing: inState('writing').length,
      ended: inState('ended').length,
      endedUncleanly: inState('ended uncleanly').length,
    },
    neverEnded: neverEnded(read, processes, bounds),
    lostFiles: lostFiles(read, bounds),
    unaccounted: inState('ended uncleanly').reduce((sum, process) => sum + process.unaccounted, 0),
    unreadable: read.all<{ count: number }>(UNREADABLE_SQL, {})[0]?.count ?? 0,
  }
}

function byReason(drops: readonly { lane: number; reason: string; count: number }[], lane: number) {
  return Object.fromEntries(drops.filter(drop => drop.lane === lane).map(drop => [drop.reason, drop.count]))
}

interface GoneRow {
  readonly kind: string
  readonly rows: number
  readonly upToUs: number
}

/** Rows that ended before the span begins are not missing from it. */
function goneOf(rows: readonly GoneRow[], kind: GoneKind, bounds: Bounds): Expired | null {
  const row = rows.find(candidate => candidate.kind === kind)
  if (row === undefined || (BigInt(Math.trunc(row.upToUs)) + 1n) * 2048n <= bounds.sinceId) return null
  return { rows: row.rows, upTo: isoOf(row.upToUs / 1000) }
}

function leftOutOf(
  rows: readonly GoneRow[],
  kind: GoneKind,
  noRoom: GoneKind,
  bounds: Bounds,
): LeftOut | null {
  const gone = goneOf(rows, kind, bounds)
  return gone === null ? null : { ...gone, noRoom: goneOf(rows, noRoom, bounds)?.rows ?? 0 }
}

function neverEnded(read: RowReader, processes: readonly KnownProcess[], bounds: Bounds): number {
  const { pattern, sinceUs, untilUs } = bounds
  const params = pattern === null ? {} : { pattern, untilUs }
  const unended = read.all<{ processId: number; calls: number }>(unendedSql(pattern !== null), params)
  const calls = new Map(unended.map(row => [row.processId, row.calls]))
  return processes
    .filter(row => row.state !== 'writing' && row.lastSeenUs >= sinceUs && row.startedUs < untilUs)
    .reduce((sum, row) => sum + (calls.get(row.processId) ?? 0), 0)
}

function lostFiles(read: RowReader, { sinceUs, untilUs }: Bounds): number {
  return read.all<{ files: number }>(LOST_FILES_SQL, { sinceUs, untilUs })[0]?.files ?? 0
}

/** On this machine a process is asked for; of another one it is known only how long it has been silent. */
function stateOf(row: Omit<KnownProcess, 'state'>, nowMs: number): ProcessState {
  if (row.ending === 'lost') return 'ended uncleanly'
  if (row.endedUs !== null) return 'ended'
  if (row.host === hostname()) return isRunning(row) ? 'writing' : 'ended uncleanly'
  return nowMs * 1000 - row.lastSeenUs < SILENT_AFTER_US ? 'writing' : 'ended uncleanly'
}

function isRunning({ pid, lastSeenUs }: Omit<KnownProcess, 'state'>): boolean {
  // 0 and negative numbers would address process groups.
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid, 0)) return false
  // Somebody else has the pid by now: in a container it is always the same one.
  const startedUs = startedUnixUs(pid)
  return startedUs === null || startedUs <= lastSeenUs + CLOCK_SLACK_US
}

export function isoOf(unixMs: number): string {
  const date = new Date(unixMs)
  return Number.isNaN(date.getTime()) ? 'unknown' : date.toISOString()
}
