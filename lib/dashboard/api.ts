import type { Coverage } from '../store/queries/coverage.js'
import type {
  CallRow,
  ErrorDetail,
  ErrorRow,
  IncidentRow,
  StallRow,
  TraceRow,
} from '../store/queries/rows.js'

/**
 * What the dashboard's server answers and its page reads: one type per address under `/api/`. Every answer is JSON of
 * one moment; all are GET and change nothing.
 *
 * Query parameters of all but `/api/session`: `since` and `until` as on the command line (`10m`, UTC text) or Unix
 * milliseconds; the default is the last hour of the recording. `limit` as in `openStore()`.
 */
export interface Api {
  '/api/session': SessionAnswer
  /** `function`: a pattern such as `Orders.*`. */
  '/api/overview': OverviewAnswer
  /** `name`: one function, exactly. */
  '/api/function': FunctionAnswer
  /** `name` as above; `of`: `slow` (default) or `errors`. */
  '/api/why': WhyAnswer
  /** `function`, `error`. */
  '/api/errors': ErrorGroupsAnswer
  /** `fingerprint`. */
  '/api/error-group': ErrorGroupAnswer
  /** `call`: id of the call that failed. */
  '/api/error': ErrorAnswer
  /** `function`, `outcome`, `min_duration`. */
  '/api/calls': CallsAnswer
  /** `id`: of a trace or of one of its calls. */
  '/api/trace': TraceAnswer
  /** `after`: cursor of the last answer; none: the newest calls. `function`, `outcome`. */
  '/api/tail': TailAnswer
  '/api/health': RecorderAnswer
}

/** Refusals and failures: `{ "error": { "code", "message" } }` with a status of 400 and above. */
export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string }
}

/** The span of time an answer is about, Unix milliseconds, `sinceMs <= moment < untilMs`. */
export interface Range {
  readonly sinceMs: number
  readonly untilMs: number
}

/** Counts in equal steps of time; element `i` covers `startMs + i * stepMs` and the step that begins there. */
export interface Series {
  readonly startMs: number
  readonly stepMs: number
  readonly calls: readonly number[]
  readonly errors: readonly number[]
}

/** As {@link Series}, with the median and the 95th and 99th percentile of each step; `null` where nothing was timed. */
export interface LatencySeries extends Series {
  readonly p50Ms: readonly (number | null)[]
  readonly p95Ms: readonly (number | null)[]
  readonly p99Ms: readonly (number | null)[]
}

export interface SessionAnswer {
  readonly version: string
  /** Absolute path of the recording. */
  readonly path: string
  /** The span of time the totals of the recording cover, `null` when it has none. */
  readonly recorded: Range | null
  readonly nowMs: number
  /** Whether a program is writing into it. */
  readonly isLive: boolean
}

/** Exact sums of one function over the range, every call counted, and how they went. */
export interface FunctionOverview {
  readonly function: string
  readonly calls: number
  readonly errors: number
  /** Calls per second of the range that is covered by the recording. */
  readonly callsPerSecond: number
  /** Sum of the durations of all its calls, milliseconds. */
  readonly totalMs: number
  /** Its part of the sum of all functions, 0 to 1. Calls inside calls count twice. */
  readonly shareOfTime: number
  readonly meanMs: number | null
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
  readonly maxMs: number | null
  readonly series: Series
}

export interface OverviewAnswer {
  readonly range: Range
  /** The function that took most time first. */
  readonly functions: readonly FunctionOverview[]
  /** Of all functions that match, not only of those listed. */
  readonly total: LatencySeries
  readonly coverage: Coverage
  /** Recent incidents and stalls that touch the range, newest first, a few. */
  readonly incidents: readonly IncidentRow[]
  readonly stalls: readonly StallRow[]
}

/** Latency over time: `counts[step][row]` calls whose duration lay between `boundsMs[row]` and `boundsMs[row + 1]`. */
export interface Heatmap {
  readonly startMs: number
  readonly stepMs: number
  readonly boundsMs: readonly number[]
  readonly counts: readonly (readonly number[])[]
}

export interface FunctionAnswer {
  readonly range: Range
  readonly totals: FunctionOverview
  readonly latency: LatencySeries
  readonly heatmap: Heatmap
  /** Why recorded calls are in the store, and errors by class: `{ ok, error }` counts are exact. */
  readonly outcomes: {
    readonly ok: number
    readonly error: number
    readonly byError: readonly { readonly error: string; readonly count: number }[]
  }
  /** The slowest recorded calls of the range, slowest first. */
  readonly slowest: readonly CallRow[]
  /** The newest failed calls of the range. */
  readonly failed: readonly ErrorRow[]
  readonly coverage: Coverage
}

/** One property of the arguments that separates the slow or failing calls from the others. */
export interface Separation {
  /** Such as `args[0].symbol = "XAUUSD"`, `args[1]: array of 1,000 items and more`. */
  readonly condition: string
  /** Recorded calls, weighted by how many each stands for: those with the condition and those without. */
  readonly with: { readonly calls: number; readonly hits: number }
  readonly without: { readonly calls: number; readonly hits: number }
  /** Share of hits with the condition divided by the share without; `null`: none without. */
  readonly ratio: number | null
  /** Probability of a difference at least as large by chance, after correction for the number of conditions tried. */
  readonly pValue: number
  /** A few call ids that fit, to open. */
  readonly examples: readonly string[]
}

export interface WhyAnswer {
  readonly range: Range
  readonly function: string
  readonly of: 'slow' | 'errors'
  /** Calls of at least this duration count as slow; `null` for errors. */
  readonly thresholdMs: number | null
  /** Recorded calls that were looked at, and how many of them were slow or failed. */
  readonly lookedAt: number
  readonly hits: number
  readonly conditionsTried: number
  /** Strongest first; empty when nothing separates them beyond chance. */
  readonly separations: readonly Separation[]
  /** Why there is no answer, in one sentence; `null` when there is one. */
  readonly note: string | null
}

/** Errors of one function and class whose messages differ in numbers only. */
export interface ErrorGroup {
  readonly fingerprint: string
  readonly function: string
  readonly error: string
  /** Message of the newest one. */
  readonly message: string
  readonly count: number
  /** ISO-8601 UTC, within the range. */
  readonly firstAt: string
  readonly lastAt: string
  /** Id of the call of the newest one. */
  readonly lastCallId: string
  /** Errors in equal steps of time over the range. */
  readonly series: { readonly startMs: number; readonly stepMs: number; readonly counts: readonly number[] }
}

export interface ErrorGroupsAnswer {
  readonly range: Range
  /** The one with the newest error first. */
  readonly groups: readonly ErrorGroup[]
  readonly coverage: Coverage
}

export interface ErrorGroupAnswer {
  readonly range: Range
  readonly group: ErrorGroup
  /** Newest first. */
  readonly occurrences: readonly ErrorRow[]
  readonly coverage: Coverage
}

export interface ErrorAnswer {
  readonly error: ErrorDetail
  /** The calls of its trace, in the order they began. */
  readonly trace: readonly TraceRow[]
  /** Recorded calls of the same process that ended before it, newest first. */
  readonly before: readonly CallRow[]
  /** Of the whole recording. */
  readonly coverage: Coverage
}

export interface CallsAnswer {
  readonly range: Range
  readonly calls: readonly CallRow[]
  readonly coverage: Coverage
}

export interface TraceAnswer {
  /** In the order they began; several traces when the id of a call is that of several processes. */
  readonly calls: readonly TraceRow[]
  /** Of the whole recording. */
  readonly coverage: Coverage
}

export interface TailAnswer {
  /** Newest first. */
  readonly calls: readonly CallRow[]
  /** To be given as `after` next time. */
  readonly cursor: string
  /** Calls that came since and are not listed, because of the limit. */
  readonly skipped: number
}

/** What the recorder did and did not do, as the recording itself tells. */
export interface RecorderAnswer {
  readonly range: Range
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
  readonly incidents: readonly IncidentRow[]
  readonly coverage: Coverage
}

/** One process that wrote into the recording, with the account of its records: produced = stored + dropped + waiting. */
export interface RecorderProcess {
  readonly process: string
  readonly host: string
  readonly state: 'writing' | 'ended' | 'ended uncleanly'
  /** ISO-8601 UTC. */
  readonly startedAt: string
  readonly lastSeenAt: string
  readonly nodeVersion: string
  readonly lanes: readonly {
    readonly lane: 'calls' | 'errors'
    readonly produced: number
    readonly stored: number
    readonly dropped: Readonly<Record<string, number>>
    /** In memory or in the journal when the writer last wrote. */
    readonly waiting: number
  }[]
  /** State of the circuit breaker, as far as the incidents of the process tell. */
  readonly breaker: 'closed' | 'open'
}
