import type { Coverage } from '../store/queries/coverage.js'
import type { ErrorGroup } from '../store/queries/error-groups.js'
import type { FunctionDetail } from '../store/queries/function-detail.js'
import type { Overview } from '../store/queries/overview.js'
import type { Range } from '../store/queries/range.js'
import type { RecorderState } from '../store/queries/recorder.js'
import type { CallRow, ErrorDetail, ErrorRow, IncidentRow, TraceRow } from '../store/queries/rows.js'
import type { Tail } from '../store/queries/tail.js'
import type { WhyAnswer } from '../store/queries/why.js'

export type { Coverage } from '../store/queries/coverage.js'
export type { ErrorGroup } from '../store/queries/error-groups.js'
export type { Heatmap } from '../store/queries/heatmap.js'
export type { FunctionOverview } from '../store/queries/overview.js'
export type { Range } from '../store/queries/range.js'
export type { RecorderLane, RecorderProcess } from '../store/queries/recorder.js'
export type { RecorderFigures } from '../store/queries/recorder-figures.js'
export type {
  CallRow,
  ErrorDetail,
  ErrorRow,
  IncidentRow,
  StallRow,
  TraceRow,
} from '../store/queries/rows.js'
export type { LatencySeries, Series } from '../store/queries/series.js'
export type { Separation, WhyAnswer } from '../store/queries/why.js'

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

export type OverviewAnswer = Overview

export interface FunctionAnswer extends Omit<FunctionDetail, 'outcomes'> {
  /** Counts of every call; errors by class as far as they are stored, the most frequent first. */
  readonly outcomes: FunctionDetail['outcomes'] & {
    readonly byError: readonly { readonly error: string; readonly count: number }[]
  }
  /** The slowest recorded calls of the range, slowest first. */
  readonly slowest: readonly CallRow[]
  /**
   * `false`: there are more recorded calls than one answer has time to look at. The minutes with the longest calls come
   * first, so a slower one is not likely.
   */
  readonly isSlowestComplete: boolean
  /** The newest failed calls of the range. */
  readonly failed: readonly ErrorRow[]
  readonly coverage: Coverage
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
  /** Recorded calls of the same process that ended before it and are not among `trace`, newest first. */
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

export type TailAnswer = Tail

/** What the recorder did and did not do, as the recording itself tells. */
export interface RecorderAnswer extends RecorderState {
  readonly range: Range
  readonly incidents: readonly IncidentRow[]
  readonly coverage: Coverage
}
