import type { RowReader } from '../read-file.js'
import { findProcesses } from './coverage.js'
import { LAST_MS, type Moment, toBounds } from './filter.js'

/** A span of time, Unix milliseconds, `sinceMs <= moment < untilMs`. */
export interface Range {
  readonly sinceMs: number
  readonly untilMs: number
}

/** What a recording covers. */
export interface Recorded {
  /** The span of time in which its totals were counted, `null` when it has none. */
  readonly range: Range | null
  /** Whether a program is writing into it. */
  readonly isLive: boolean
}

/** What is looked at unless a question names a time. */
const DEFAULT_SPAN_MS = 3_600_000
const MS_PER_MINUTE = 60_000
/** Most points of a series. */
const MAX_STEPS = 120
/** Lengths of a step in minutes that are easy to read on an axis. */
const READABLE_MINUTES = [1, 2, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440]

const RECORDED_SQL = `SELECT (SELECT min(minute) FROM totals) AS first, (SELECT max(minute) FROM totals) AS last,
  (SELECT max(last_seen_us) FROM processes) AS seenUs, (SELECT min(started_us) FROM processes) AS startedUs`

export function readRecorded(read: RowReader, nowMs: number): Recorded {
  const isLive = findProcesses(read, nowMs).some(({ state }) => state === 'writing')
  const [row] = read.all<{
    first: number | null
    last: number | null
    seenUs: number | null
    startedUs: number | null
  }>(RECORDED_SQL, {})
  if (row === undefined || row.first === null || row.last === null) return { range: null, isLive }
  const firstMs = withinTime(row.first * MS_PER_MINUTE)
  const lastMs = withinTime(row.last * MS_PER_MINUTE)
  // Of the first and the last minute so much is covered as somebody was there to count.
  const startedMs = Math.floor((row.startedUs ?? 0) / 1000)
  const sinceMs = Math.max(firstMs, Math.min(startedMs, firstMs + MS_PER_MINUTE - 1))
  const seenMs = isLive ? nowMs : Math.floor((row.seenUs ?? 0) / 1000) + 1
  const untilMs = Math.max(
    lastMs + 1,
    sinceMs + 1,
    Math.min(seenMs, lastMs + (isLive ? Number.MAX_VALUE : MS_PER_MINUTE)),
  )
  return { range: { sinceMs, untilMs }, isLive }
}

/** Of a file that was tampered with, minutes can lie beyond any date. */
function withinTime(ms: number): number {
  return Math.min(Math.max(ms, 0), LAST_MS)
}

/**
 * The span of time asked for. Without `until` it ends with the recording, or now when a program is writing; without
 * `since` it is an hour long.
 */
export function rangeOf(
  span: { readonly since?: Moment | undefined; readonly until?: Moment | undefined },
  recorded: Recorded,
  nowMs: number,
): Range {
  const { sinceUs, untilUs } = toBounds(span, nowMs)
  const endMs = recorded.isLive || recorded.range === null ? nowMs : recorded.range.untilMs
  const untilMs = span.until === undefined ? endMs : untilUs / 1000
  const sinceMs = span.since === undefined ? Math.max(0, untilMs - DEFAULT_SPAN_MS) : sinceUs / 1000
  return { sinceMs, untilMs: Math.max(sinceMs, untilMs) }
}

/** A span of time in equal steps of whole minutes. */
export interface Steps {
  readonly startMs: number
  readonly stepMs: number
  readonly count: number
  readonly startMinute: number
  readonly stepMinutes: number
  /** The whole of it, widened to whole steps. */
  readonly range: Range
}

export function stepsOf({ sinceMs, untilMs }: Range): Steps {
  const minutes = Math.max(1, Math.ceil(untilMs / MS_PER_MINUTE) - Math.floor(sinceMs / MS_PER_MINUTE))
  const stepMinutes =
    READABLE_MINUTES.find(length => minutes <= length * (MAX_STEPS - 1)) ??
    1_440 * Math.ceil(minutes / (MAX_STEPS - 1) / 1_440)
  const stepMs = stepMinutes * MS_PER_MINUTE
  const first = Math.floor(sinceMs / stepMs)
  const behind = Math.max(first + 1, Math.ceil(untilMs / stepMs))
  return {
    startMs: first * stepMs,
    stepMs,
    count: behind - first,
    startMinute: first * stepMinutes,
    stepMinutes,
    range: { sinceMs: first * stepMs, untilMs: behind * stepMs },
  }
}

/** Seconds of a span that a recording covers; at least one, so that a rate is never divided by nothing. */
export function coveredSeconds(range: Range, recorded: Recorded): number {
  if (recorded.range === null) return 1
  const sinceMs = Math.max(range.sinceMs, recorded.range.sinceMs)
  const untilMs = Math.min(range.untilMs, recorded.range.untilMs)
  return Math.max(1, (untilMs - sinceMs) / 1000)
}
