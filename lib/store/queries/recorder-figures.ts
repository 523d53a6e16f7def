import { BreakerStateCode } from '../../breaker/state.js'
import type { RowReader } from '../read-file.js'
import { isoOf, type KnownProcess } from './coverage.js'

export type BreakerName = 'closed' | 'open' | 'half-open'

/** What the writer of a process last said of itself. */
export interface RecorderFigures {
  /** ISO-8601 UTC. */
  readonly writtenAt: string
  readonly breaker: BreakerName
  /** Times the breaker went from closed to open, and when it last did so and was closed again; `null`: never. */
  readonly openings: number
  readonly lastOpenedAt: string | null
  readonly lastClosedAt: string | null
  /** What lay in the rings between the program's threads and the writer. */
  readonly queue: {
    /** In the rings of all threads together, of their capacity. */
    readonly usedBytes: number
    readonly capacityBytes: number
    /** Most that was ever found in the ring of one thread, and its share of that ring, 0 to 1. */
    readonly highestBytes: number
    readonly highestShare: number
  }
  readonly cost: {
    /** Processor time of the writer thread; `null`: its system does not tell. */
    readonly writerCpuMs: number | null
    /** Of the time from the recorder's start to `writtenAt`, one processor being 1. */
    readonly writerCpuShare: number | null
  }
  readonly batches: number
  /** Times retention went through the store. */
  readonly sweeps: number
  /** What the store is to hold. */
  readonly limits: {
    readonly retentionMs: number
    readonly maxBytes: number
  }
}

const FIGURES_SQL = `SELECT process_id AS processId, written_us AS writtenUs, breaker, openings, opened_us AS openedUs,
    closed_us AS closedUs, queue_bytes AS queueBytes, capacity_bytes AS capacityBytes, highest_bytes AS highestBytes,
    highest_of_bytes AS highestOfBytes, writer_cpu_ms AS writerCpuMs, batches, sweeps, retention_ms AS retentionMs,
    max_bytes AS maxBytes
  FROM recorder_states WHERE process_id IN (SELECT value FROM json_each($processIds))`

const BREAKER_NAMES: ReadonlyMap<unknown, BreakerName> = new Map([
  [BreakerStateCode.closed, 'closed'],
  [BreakerStateCode.open, 'open'],
  [BreakerStateCode.halfOpen, 'half-open'],
])

/** Anybody can write into a file: a row with a value that cannot be is none. */
export function readFigures(
  read: RowReader,
  processes: readonly KnownProcess[],
): ReadonlyMap<number, RecorderFigures> {
  const startedUs = new Map(processes.map(row => [row.processId, row.startedUs]))
  const figures = new Map<number, RecorderFigures>()
  const processIds = JSON.stringify([...startedUs.keys()])
  for (const row of read.all<Row>(FIGURES_SQL, { processIds })) {
    const found = figuresOf(row, startedUs.get(row.processId) ?? Number.NaN)
    if (found !== null) figures.set(row.processId, found)
  }
  return figures
}

/** Names of what must be a count, then of what may be missing. */
const COUNTS = [
  'writtenUs',
  'openings',
  'queueBytes',
  'capacityBytes',
  'highestBytes',
  'highestOfBytes',
  'batches',
  'sweeps',
  'retentionMs',
  'maxBytes',
] as const
const OPTIONAL_COUNTS = ['openedUs', 'closedUs', 'writerCpuMs'] as const

type Row = { readonly processId: number; readonly breaker: unknown } & {
  readonly [name in (typeof COUNTS)[number]]: number
} & { readonly [name in (typeof OPTIONAL_COUNTS)[number]]: number | null }

function figuresOf(row: Row, startedUs: number): RecorderFigures | null {
  const breaker = BREAKER_NAMES.get(row.breaker)
  if (breaker === undefined || !COUNTS.every(name => isCount(row[name]))) return null
  if (!OPTIONAL_COUNTS.every(name => row[name] === null || isCount(row[name]))) return null
  const { writerCpuMs, highestBytes, highestOfBytes } = row
  const livedMs = (row.writtenUs - startedUs) / 1000
  return {
    writtenAt: isoOf(row.writtenUs / 1000),
    breaker,
    openings: row.openings,
    lastOpenedAt: momentOf(row.openedUs),
    lastClosedAt: momentOf(row.closedUs),
    queue: {
      usedBytes: row.queueBytes,
      capacityBytes: row.capacityBytes,
      highestBytes,
      highestShare: highestOfBytes > 0 ? Math.min(1, highestBytes / highestOfBytes) : 0,
    },
    cost: {
      writerCpuMs,
      writerCpuShare: writerCpuMs !== null && livedMs > 0 ? writerCpuMs / livedMs : null,
    },
    batches: row.batches,
    sweeps: row.sweeps,
    limits: { retentionMs: row.retentionMs, maxBytes: row.maxBytes },
  }
}

const isCount = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0

const momentOf = (us: number | null): string | null => (us === null ? null : isoOf(us / 1000))
