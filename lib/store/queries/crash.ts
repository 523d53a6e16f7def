import { hostname, uptime } from 'node:os'
import { journalsOf } from '../journals.js'
import { StoreQueryError } from '../read-errors.js'
import type { RowReader } from '../read-file.js'
import { findProcesses, isoOf, type KnownProcess, type ProcessState } from './coverage.js'
import { text } from './filter.js'
import {
  HAS_ERRORS_SQL,
  IN_FLIGHT_SQL,
  INCIDENTS_OF_PROCESS_SQL,
  LAST_SECOND_SQL,
  LAST_STALL_SQL,
  LOOKS_SQL,
  LOSSES_OF_PROCESS_SQL,
  SECOND_FUNCTIONS_SQL,
  SECONDS_SQL,
} from './incident-statements.js'
import type { ErrorRow, IncidentRow, LossRow, OpenCallRow, StallRow } from './rows.js'
import { errorsOfProcessSql } from './statements.js'

/** The last look at the calls of one thread. */
export interface ThreadLook {
  /** 0: the main thread. */
  readonly thread: number
  /** Calls that had begun and not ended. */
  readonly open: number
  /** Of these, calls that are listed. */
  readonly listed: number
  /** ISO-8601 UTC. */
  readonly lookedAt: string
  /** Milliseconds from that look to the last sign of life of the process: what began in between is not known. */
  readonly blindMs: number
}

export interface InFlight {
  readonly open: number
  readonly listed: number
  readonly threads: readonly ThreadLook[]
  /** Of each thread its stack from the outside in, then calls that had returned a promise, oldest first. At most 1,000. */
  readonly calls: readonly (OpenCallRow & { readonly thread: number })[]
}

/** Exact totals of one second. */
export interface SecondTotals {
  /** ISO-8601 UTC. */
  readonly at: string
  readonly calls: number
  readonly errors: number
  readonly mean_ms: number | null
  /** The function with most calls, and how many; `null` when no function is known by itself. */
  readonly function: string | null
  readonly function_calls: number
}

/** How one process ended, and what it was doing. */
export interface CrashReport {
  /** `script[pid]` */
  readonly process: string
  /** 16 hex digits, the first half of its trace ids: no other process has it. */
  readonly boot: string
  readonly host: string
  readonly nodeVersion: string
  readonly state: ProcessState
  /**
   * How its unclean end is known: a later start on this store found it dead (`next start`), no process has its pid
   * (`pid`), or it ran on another machine and was not heard of for a minute (`silence`). `null`: it has none.
   */
  readonly knownBy: 'next start' | 'pid' | 'silence' | null
  /** ISO-8601 UTC. */
  readonly startedAt: string
  /** The last batch it wrote or the last record of it, whichever is later; ISO-8601 UTC. */
  readonly lastSeenAt: string
  /** This machine was started again after that, ISO-8601 UTC; `null`: it was not, or it was another machine. */
  readonly machineStartedAt: string | null
  /** The stall that was under way when it was last looked at. */
  readonly stall: StallRow | null
  readonly inFlight: InFlight
  /** The last five errors, newest first. */
  readonly errors: readonly ErrorRow[]
  /** The ten seconds before the last sign of life, oldest first. A second without calls is there, too. */
  readonly seconds: readonly SecondTotals[]
  /** The last second in which calls were counted; `null`: none is known. */
  readonly lastCountedAt: string | null
  /** What was not recorded of it, largest first; at most 20. */
  readonly losses: readonly Omit<LossRow, 'minute' | 'detail'>[]
  /** What happened to its recording, newest first; at most 20. */
  readonly incidents: readonly IncidentRow[]
  /** Records that are neither stored nor counted as lost yet. */
  readonly unaccounted: number
  /** Journals it left beside the store. Errors in them are stored when a program records there again. */
  readonly journals: number
  /** Other processes that ended uncleanly, newest first; at most 100. */
  readonly others: readonly { readonly process: string; readonly boot: string; readonly lastSeenAt: string }[]
  /** How many there are in all. */
  readonly otherCount: number
}

const SECONDS = 10
const ERRORS = 5
const MAX_CALLS = 1_000
const MAX_ROWS = 20
const MAX_OTHERS = 100
const US_PER_SECOND = 1_000_000

/**
 * The report of the newest process that ended uncleanly.
 *
 * @param which a pid, `script[pid]` or boot id; then of that process, however it ended
 * @returns `null` when no process ended uncleanly
 * @throws StoreQueryError when no process has that name
 */
export function readCrash(
  read: RowReader,
  path: string,
  which: string | undefined,
  nowMs: number,
): CrashReport | null {
  const processes = findProcesses(read, nowMs).sort(newestFirst)
  const unclean = processes.filter(({ state }) => state === 'ended uncleanly')
  const process = which === undefined ? unclean[0] : chosen(processes, which, path)
  if (process === undefined) return null
  const others = unclean.filter(({ processId }) => processId !== process.processId)
  const { processId } = process
  const [stall] = read.all<StallRow>(LAST_STALL_SQL, { processId })
  return {
    process: nameOf(process),
    boot: process.boot,
    host: process.host,
    nodeVersion: process.nodeVersion,
    state: process.state,
    knownBy: knownBy(process),
    startedAt: isoOf(process.startedUs / 1000),
    lastSeenAt: isoOf(process.lastSeenUs / 1000),
    machineStartedAt: machineStart(process, nowMs),
    stall: stall === undefined || stall.ended === 1 ? null : stall,
    inFlight: readInFlight(read, process),
    errors: readErrors(read, processId),
    seconds: readSeconds(read, process),
    lastCountedAt: lastCounted(read, processId),
    losses: read.all<LossRow>(LOSSES_OF_PROCESS_SQL, { processId, limit: MAX_ROWS }),
    incidents: read.all<IncidentRow>(INCIDENTS_OF_PROCESS_SQL, { processId, limit: MAX_ROWS }),
    unaccounted: process.unaccounted,
    journals: journalsOf(path).filter(file => file.includes(`.errors-${process.boot}-`)).length,
    others: others.slice(0, MAX_OTHERS).map(other => ({
      process: nameOf(other),
      boot: other.boot,
      lastSeenAt: isoOf(other.lastSeenUs / 1000),
    })),
    otherCount: others.length,
  }
}

function newestFirst(a: KnownProcess, b: KnownProcess): number {
  return b.lastSeenUs - a.lastSeenUs || b.processId - a.processId
}

/** Of several with that name the newest, and one that ended uncleanly before any other. */
function chosen(processes: readonly KnownProcess[], which: string, path: string): KnownProcess {
  const name = text('process', which)
  const matching = processes.filter(
    process => name === String(process.pid) || name === nameOf(process) || name === process.boot,
  )
  const found = matching.find(({ state }) => state === 'ended uncleanly') ?? matching[0]
  if (found !== undefined) return found
  const known = processes.slice(0, 3).map(nameOf).join(', ')
  throw new StoreQueryError(
    `No process ${name.slice(0, 100)} in ${path}. ${known === '' ? 'There is none at all.' : `The newest are ${known}.`}`,
  )
}

function nameOf({ script, pid }: KnownProcess): string {
  return `${script}[${pid}]`
}

function knownBy({ state, ending, host }: KnownProcess): CrashReport['knownBy'] {
  if (state !== 'ended uncleanly') return null
  if (ending === 'lost') return 'next start'
  return host === hostname() ? 'pid' : 'silence'
}

function machineStart({ host, lastSeenUs }: KnownProcess, nowMs: number): string | null {
  const startedMs = nowMs - uptime() * 1000
  return host === hostname() && startedMs * 1000 > lastSeenUs ? isoOf(startedMs) : null
}

function readInFlight(read: RowReader, { processId, lastSeenUs }: KnownProcess): InFlight {
  const looks = read.all<{ thread: number; lookedUs: number; open: number; listed: number }>(LOOKS_SQL, {
    processId,
    limit: MAX_CALLS,
  })
  return {
    open: looks.reduce((sum, look) => sum + look.open, 0),
    listed: looks.reduce((sum, look) => sum + look.listed, 0),
    threads: looks.map(({ thread, open, listed, lookedUs }) => ({
      thread,
      open,
      listed,
      lookedAt: isoOf(lookedUs / 1000),
      blindMs: Math.max(0, lastSeenUs - lookedUs) / 1000,
    })),
    calls: read.all<OpenCallRow & { thread: number }>(IN_FLIGHT_SQL, { processId, limit: MAX_CALLS }),
  }
}

function readErrors(read: RowReader, processId: number): ErrorRow[] {
  // Without one, finding that out along the primary key would be a walk over the errors of all processes.
  if (read.all(HAS_ERRORS_SQL, { processId }).length === 0) return []
  return read.all<ErrorRow>(errorsOfProcessSql(), { processId, limit: ERRORS })
}

function readSeconds(read: RowReader, { processId, startedUs, lastSeenUs }: KnownProcess): SecondTotals[] {
  const last = Math.floor(lastSeenUs / US_PER_SECOND)
  const first = Math.max(last - SECONDS + 1, Math.min(last, Math.floor(startedUs / US_PER_SECOND)))
  const span = { processId, first, last }
  const sums = new Map(
    read
      .all<{ second: number; calls: number; errors: number; meanMs: number | null }>(SECONDS_SQL, span)
      .map(row => [row.second, row]),
  )
  const busiest = new Map<number, { function: string; calls: number }>()
  for (const row of read.all<{ second: number; function: string; calls: number }>(SECOND_FUNCTIONS_SQL, span))
    if (!busiest.has(row.second)) busiest.set(row.second, row)
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const sum = sums.get(first + index)
    const top = busiest.get(first + index)
    return {
      at: isoOf((first + index) * 1000),
      calls: sum?.calls ?? 0,
      errors: sum?.errors ?? 0,
      mean_ms: sum?.meanMs ?? null,
      function: top?.function ?? null,
      function_calls: top?.calls ?? 0,
    }
  })
}

function lastCounted(read: RowReader, processId: number): string | null {
  const second = read.all<{ second: number | null }>(LAST_SECOND_SQL, { processId })[0]?.second ?? null
  return second === null ? null : isoOf(second * 1000)
}
