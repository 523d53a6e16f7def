import type { Outcome } from './filter.js'

/** Row of the view `recent_errors`: a call that failed. */
export interface ErrorRow {
  /** The moment the call ended, ISO-8601 UTC with milliseconds. */
  readonly at: string
  readonly function: string
  /** Class name of what was thrown. */
  readonly error: string
  readonly message: string
  readonly duration_ms: number
  /** JSON text. */
  readonly args: string | null
  readonly stack: string | null
  /** 32 hex digits; of a trace that came from outside the id it came with. */
  readonly trace_id: string
  /** 16 hex digits, unique within one process. */
  readonly call_id: string
  /** `script[pid]` */
  readonly process: string
  /** JSON text: type and size of each argument, `[["array",500],"number"]`. */
  readonly shape: string | null
  /** The call that made this one; of the first calls of a trace that came from outside, the span outside. */
  readonly parent_id: string | null
  /** 16 hex digits, equal for errors of one function and class whose messages differ in numbers only. */
  readonly fingerprint: string
  /** JSON text: what capture left out and why, `{"items":1,"redacted":2}`. */
  readonly cuts: string | null
}

/** An error with everything that is stored of it. */
export interface ErrorDetail extends ErrorRow {
  /** JSON text: cause, aggregated errors, own fields. */
  readonly details: string | null
}

/**
 * Why a call is in the store: it was chosen by sampling, was slow, failed, or was not chosen and is here because
 * another call of its trace failed or was slow. Of the last kind the arguments are not available and the weight is 0.
 */
export type Recorded = 'sampled' | 'slow' | 'error' | 'hindsight'

/** Row of the view `recent_calls`. */
export interface CallRow {
  /** The moment the call ended, ISO-8601 UTC with milliseconds. */
  readonly at: string
  readonly function: string
  readonly outcome: Outcome
  readonly duration_ms: number
  /** JSON text. */
  readonly args: string | null
  /** JSON text; `null` for a call that failed. */
  readonly result: string | null
  /** 1 / probability that this record was kept: sums of weights estimate the number of calls. 0: kept in hindsight. */
  readonly weight: number
  /** As in {@link ErrorRow}, and so are those that follow. */
  readonly trace_id: string
  readonly parent_id: string | null
  readonly call_id: string
  readonly process: string
  readonly shape: string | null
  readonly recorded: Recorded
  readonly cuts: string | null
}

/** A call of one trace. */
export interface TraceRow extends CallRow {
  /** Start in Unix microseconds. */
  readonly start_us: number
  readonly error: string | null
  readonly message: string | null
}

/** Row of the view `function_totals`: every call, recorded or not. */
export interface FunctionTotals {
  readonly function: string
  readonly calls: number
  readonly errors: number
  readonly mean_ms: number | null
  /** Percentiles are exact to the latency bucket, at most 12.5 % wide. */
  readonly p50_ms: number | null
  readonly p95_ms: number | null
  readonly p99_ms: number | null
  readonly max_ms: number | null
}

/** Row of the view `losses`: records that are not in the store. */
export interface LossRow {
  /** ISO-8601 UTC. */
  readonly minute: string
  readonly function: string
  readonly reason: string
  readonly count: number
}
