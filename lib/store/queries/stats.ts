import { Lane } from '../../queue/layout.js'
import { ISO } from '../incident-sql.js'
import type { ReadFile, RowReader } from '../read-file.js'
import { DROPS_OF, ID_SALT_BITS } from '../record-sql.js'
import { findProcesses, type KnownProcess, type ProcessState, seenLastFirst } from './coverage.js'
import { fileSizes } from './recorder.js'
import { type RecorderFigures, readFigures } from './recorder-figures.js'

/** The account of one lane, over all processes: produced = stored + dropped + waiting. */
export interface LaneStats {
  readonly produced: number
  readonly stored: number
  /** By reason. */
  readonly dropped: Readonly<Record<string, number>>
  /** In memory, in a journal, or gone with a process that nobody has taken over from yet. */
  readonly waiting: number
}

/** The recording itself: where it is, how large, what it holds and what it cost. */
export interface StoreStats {
  /** Absolute. */
  readonly path: string
  readonly storeBytes: number
  /** The write-ahead log beside it. */
  readonly walBytes: number
  /** Journals of errors beside it. */
  readonly journalBytes: number
  /** Versions of callsight that wrote it. */
  readonly versions: readonly string[]
  /** End of the oldest and of the newest record, ISO-8601 UTC; `null`: there is none. */
  readonly oldestAt: string | null
  readonly newestAt: string | null
  /** Start of the first and end of the last minute with totals, ISO-8601 UTC; `null`: there is none. */
  readonly totalsSince: string | null
  readonly totalsUntil: string | null
  readonly rows: {
    readonly calls: number
    readonly errors: number
    readonly functions: number
    readonly totals: number
    readonly stalls: number
    readonly incidents: number
  }
  readonly processes: Readonly<Record<ProcessState, number>>
  /** Part of the calls in the totals that were given a record, 0 to 1; `null`: none was counted. */
  readonly recordedShare: number | null
  readonly lanes: { readonly calls: LaneStats; readonly errors: LaneStats }
  /** What the writers last said of themselves, that of the process seen last first. */
  readonly recorders: readonly RecorderStats[]
}

export interface RecorderStats extends RecorderFigures {
  readonly process: string
}

const MAX_RECORDERS = 100

const COUNTS_SQL = `SELECT (SELECT count(*) FROM calls) AS calls, (SELECT count(*) FROM errors) AS errors,
  (SELECT count(*) FROM functions) AS functions, (SELECT count(*) FROM totals) AS totals,
  (SELECT count(*) FROM stalls) AS stalls, (SELECT count(*) FROM incidents) AS incidents`
const end = (bound: 'min' | 'max') =>
  ISO(
    `(SELECT ${bound}(id) >> ${ID_SALT_BITS} FROM (SELECT ${bound}(id) AS id FROM calls UNION ALL SELECT ${bound}(id) FROM errors))`,
  )
const SPAN_SQL = `SELECT ${end('min')} AS oldestAt, ${end('max')} AS newestAt,
  ${ISO('(SELECT min(minute) FROM totals) * 60000000')} AS totalsSince,
  ${ISO('((SELECT max(minute) FROM totals) + 1) * 60000000')} AS totalsUntil`
const VERSIONS_SQL = 'SELECT DISTINCT version FROM processes ORDER BY version LIMIT 20'
const KEPT_SQL = 'SELECT total(kept) AS kept, total(calls) AS calls FROM totals'
const LANES_SQL = 'SELECT lane, total(produced) AS produced, total(stored) AS stored FROM lanes GROUP BY lane'
const DROPPED_SQL = `SELECT l.lane AS lane, j.key AS reason, total(j.value) AS count FROM lanes l CROSS JOIN ${DROPS_OF('l')} j
  GROUP BY 1, 2 HAVING total(j.value) > 0 ORDER BY count DESC, reason`

export function readStats(read: ReadFile, nowMs: number): StoreStats {
  // One read after the other: counting the records of a large store takes a while, and must not hold its log back.
  const [rows] = read.all<StoreStats['rows']>(COUNTS_SQL, {})
  const [span] = read.all<Pick<StoreStats, 'oldestAt' | 'newestAt' | 'totalsSince' | 'totalsUntil'>>(
    SPAN_SQL,
    {},
  )
  const [kept] = read.all<{ kept: number; calls: number }>(KEPT_SQL, {})
  const known = findProcesses(read, nowMs)
  const states = known.map(({ state }) => state)
  const inState = (wanted: ProcessState) => states.filter(state => state === wanted).length
  return {
    path: read.path,
    ...fileSizes(read.path),
    versions: read.all<{ version: string }>(VERSIONS_SQL, {}).map(({ version }) => version),
    ...(span ?? { oldestAt: null, newestAt: null, totalsSince: null, totalsUntil: null }),
    rows: rows ?? { calls: 0, errors: 0, functions: 0, totals: 0, stalls: 0, incidents: 0 },
    processes: {
      writing: inState('writing'),
      ended: inState('ended'),
      'ended uncleanly': inState('ended uncleanly'),
    },
    recordedShare: kept === undefined || kept.calls === 0 ? null : kept.kept / kept.calls,
    lanes: read.snapshot(() => lanesOf(read)),
    recorders: recordersOf(read, known),
  }
}

function recordersOf(read: RowReader, known: readonly KnownProcess[]): StoreStats['recorders'] {
  const newest = [...known].sort(seenLastFirst).slice(0, MAX_RECORDERS)
  const figures = readFigures(read, newest)
  return newest.flatMap(({ processId, script, pid }) => {
    const own = figures.get(processId)
    return own === undefined ? [] : { process: `${script}[${pid}]`, ...own }
  })
}

function lanesOf(read: RowReader): StoreStats['lanes'] {
  const sums = read.all<{ lane: number; produced: number; stored: number }>(LANES_SQL, {})
  const drops = read.all<{ lane: number; reason: string; count: number }>(DROPPED_SQL, {})
  const laneStats = (lane: number): LaneStats => {
    const { produced = 0, stored = 0 } = sums.find(row => row.lane === lane) ?? {}
    const own = drops.filter(row => row.lane === lane)
    const dropped = own.reduce((sum, { count }) => sum + count, 0)
    return {
      produced,
      stored,
      dropped: Object.fromEntries(own.map(({ reason, count }) => [reason, count])),
      waiting: produced - stored - dropped,
    }
  }
  return { calls: laneStats(Lane.calls), errors: laneStats(Lane.errors) }
}
