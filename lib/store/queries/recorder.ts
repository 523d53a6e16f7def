import { realpathSync, statSync } from 'node:fs'
import { Lane } from '../../queue/layout.js'
import { ISO } from '../incident-sql.js'
import { journalsOf } from '../journals.js'
import type { ReadFile, RowReader } from '../read-file.js'
import { DROPS_OF, ID_SALT_BITS, LOSSES } from '../record-sql.js'
import { findProcesses, isoOf, type KnownProcess, type ProcessState, seenLastFirst } from './coverage.js'
import type { Steps } from './range.js'
import { type BreakerName, type RecorderFigures, readFigures } from './recorder-figures.js'

/** One lane of a process over all its threads: produced = stored + dropped + waiting. */
export interface RecorderLane {
  readonly lane: 'calls' | 'errors'
  readonly produced: number
  readonly stored: number
  readonly dropped: Readonly<Record<string, number>>
  /** In memory or in the journal when the writer last wrote. */
  readonly waiting: number
}

/** One process that wrote into the recording, with the account of its records. */
export interface RecorderProcess {
  readonly process: string
  readonly host: string
  readonly state: ProcessState
  /** ISO-8601 UTC. */
  readonly startedAt: string
  readonly lastSeenAt: string
  readonly nodeVersion: string
  readonly lanes: readonly RecorderLane[]
  /**
   * State of the circuit breaker. While it is open the file cannot be told: a process that lives and has not written for
   * long is `unknown`, and so is one that says nothing of it.
   */
  readonly breaker: BreakerName | 'unknown'
  /** What its writer last said of itself; `null`: nothing, or nothing that can be. */
  readonly figures: RecorderFigures | null
}

/** What a recorder did and did not do, as its recording tells. */
export interface RecorderState {
  /** The processes seen last first. */
  readonly processes: readonly RecorderProcess[]
  /** Records that were dropped, per step of time and reason. */
  readonly drops: {
    readonly startMs: number
    readonly stepMs: number
    readonly byReason: readonly { readonly reason: string; readonly counts: readonly number[] }[]
  }
  readonly file: {
    readonly storeBytes: number
    readonly walBytes: number
    readonly journalBytes: number
  }
  /** Oldest record and total that are kept, ISO-8601 UTC; `null`: none. */
  readonly oldest: {
    readonly call: string | null
    readonly error: string | null
    readonly total: string | null
  }
}

const MAX_PROCESSES = 100
/** Twice as long as an idle recorder takes to say that it lives. */
const SILENT_AFTER_US = 60_000_000

const LANES_SQL = `SELECT process_id AS processId, lane, total(produced) AS produced, total(stored) AS stored
  FROM lanes WHERE process_id IN (SELECT value FROM json_each($processIds)) GROUP BY process_id, lane`
const DROPPED_SQL = `SELECT l.process_id AS processId, l.lane AS lane, j.key AS reason, total(j.value) AS count
  FROM lanes l CROSS JOIN ${DROPS_OF('l')} j
  WHERE l.process_id IN (SELECT value FROM json_each($processIds)) GROUP BY 1, 2, 3 HAVING total(j.value) > 0`
const DROPS_SQL = `SELECT reason, CAST((minute - $startMinute) / $stepMinutes AS INTEGER) AS step, total(count) AS count FROM (${LOSSES})
  WHERE minute >= $startMinute AND minute < $untilMinute GROUP BY 1, 2 ORDER BY reason`
/** What goes on while the store cannot be written is what holds the breaker open. */
const TROUBLED_SQL = `SELECT DISTINCT process_id AS processId FROM incidents
  WHERE ended_us IS NULL AND kind IN ('breaker_open', 'disk_full', 'memory_only', 'wal_pinned')`
const OLDEST_SQL = `SELECT (SELECT ${ISO(`(min(id) >> ${ID_SALT_BITS})`)} FROM calls) AS call,
  (SELECT ${ISO(`(min(id) >> ${ID_SALT_BITS})`)} FROM errors) AS error,
  (SELECT ${ISO('(min(minute) * 60000000)')} FROM totals) AS total`

export function readRecorder(read: ReadFile, steps: Steps, nowMs: number): RecorderState {
  return {
    ...read.snapshot(() => ({
      processes: readProcesses(read, nowMs),
      drops: readDrops(read, steps),
      oldest: read.all<RecorderState['oldest']>(OLDEST_SQL, {})[0] ?? {
        call: null,
        error: null,
        total: null,
      },
    })),
    file: fileSizes(read.path),
  }
}

function readProcesses(read: RowReader, nowMs: number): RecorderProcess[] {
  const known = findProcesses(read, nowMs).sort(seenLastFirst).slice(0, MAX_PROCESSES)
  const params = { processIds: JSON.stringify(known.map(({ processId }) => processId)) }
  const lanes = read.all<LaneSums>(LANES_SQL, params)
  const dropped = read.all<LaneDrops>(DROPPED_SQL, params)
  const troubled = new Set(read.all<{ processId: number }>(TROUBLED_SQL, {}).map(row => row.processId))
  const figures = readFigures(read, known)
  return known.map(row => ({
    process: `${row.script}[${row.pid}]`,
    host: row.host,
    state: row.state,
    startedAt: isoOf(row.startedUs / 1000),
    lastSeenAt: isoOf(row.lastSeenUs / 1000),
    nodeVersion: row.nodeVersion,
    lanes: lanes.filter(({ processId }) => processId === row.processId).map(sums => laneOf(sums, dropped)),
    breaker: breakerOf(row, troubled.has(row.processId), figures.get(row.processId), nowMs),
    figures: figures.get(row.processId) ?? null,
  }))
}

interface LaneSums {
  readonly processId: number
  readonly lane: number
  readonly produced: number
  readonly stored: number
}

interface LaneDrops {
  readonly processId: number
  readonly lane: number
  readonly reason: string
  readonly count: number
}

function laneOf({ processId, lane, produced, stored }: LaneSums, drops: readonly LaneDrops[]): RecorderLane {
  const own = drops.filter(drop => drop.processId === processId && drop.lane === lane)
  const dropped = own.reduce((sum, { count }) => sum + count, 0)
  return {
    lane: lane === Lane.errors ? 'errors' : 'calls',
    produced,
    stored,
    dropped: Object.fromEntries(own.map(({ reason, count }) => [reason, count])),
    waiting: produced - stored - dropped,
  }
}

function breakerOf(
  { state, lastSeenUs }: KnownProcess,
  isTroubled: boolean,
  figures: RecorderFigures | undefined,
  nowMs: number,
): RecorderProcess['breaker'] {
  if (state !== 'writing') return figures?.breaker ?? 'unknown'
  if (isTroubled) return 'open'
  if (nowMs * 1000 - lastSeenUs > SILENT_AFTER_US) return 'unknown'
  return figures?.breaker ?? 'unknown'
}

function readDrops(read: RowReader, steps: Steps): RecorderState['drops'] {
  const { startMs, stepMs, startMinute, stepMinutes, count } = steps
  const span = { startMinute, stepMinutes, untilMinute: startMinute + count * stepMinutes }
  const byReason = new Map<string, number[]>()
  for (const row of read.all<{ reason: string; step: number; count: number }>(DROPS_SQL, span)) {
    const counts = byReason.get(row.reason) ?? new Array<number>(count).fill(0)
    byReason.set(row.reason, counts)
    counts[row.step] = row.count
  }
  return { startMs, stepMs, byReason: [...byReason].map(([reason, counts]) => ({ reason, counts })) }
}

/** Looked up, not opened: closing a descriptor of a store would cancel the locks this process holds on it. */
export function fileSizes(path: string): RecorderState['file'] {
  const real = realpathSync(path)
  const bytes = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0
  return {
    storeBytes: bytes(real),
    walBytes: bytes(`${real}-wal`),
    journalBytes: journalsOf(real).reduce((sum, file) => sum + bytes(file), 0),
  }
}
