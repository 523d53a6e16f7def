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
  /** `(unknown)`: not known any more whose records they were; `(all)`: those of every function. */
  readonly function: string
  /** Why a record was dropped, or `store_set_aside`, `store_gone`, `journal_set_aside`. */
  readonly reason: string
  /** `null`: nobody knows how many. */
  readonly count: number | null
  /** The span of time in which they were lost, ISO-8601 UTC. */
  readonly first_at: string
  readonly last_at: string
  /** Of a file that was set aside or is gone: its path, or what has become of it. */
  readonly detail: string | null
}

/** Row of the view `open_calls`: a call that had begun and not ended when the writer last looked at its thread. */
export interface OpenCallRow {
  /** The moment of that look, ISO-8601 UTC. */
  readonly seen_at: string | null
  readonly function: string
  /** ISO-8601 UTC; of a call that was not timed the latest moment at which it can have begun. */
  readonly started_at: string
  /** Milliseconds from `started_at` to `seen_at`. */
  readonly age_ms: number | null
  readonly timed: 0 | 1
  /** Place on the stack of its thread, 0 outermost; `null`: it had returned a promise or a generator. */
  readonly depth: number | null
  /** JSON text. */
  readonly args: string | null
  /** As in {@link ErrorRow}, and so are those that follow. */
  readonly shape: string | null
  readonly trace_id: string
  readonly parent_id: string | null
  readonly call_id: string
  readonly process: string
  /** `null` while the process has not ended, as far as the store says; `lost`: a later start found it dead. */
  readonly process_ended: 'clean' | 'lost' | null
}

/** Row of the view `recent_stalls`: a time in which the event loop of a main thread did not turn. */
export interface StallRow {
  /** The last sign of life of the loop, ISO-8601 UTC. */
  readonly at: string
  /** Milliseconds until the loop turned again, or until the last look that found it stuck. */
  readonly duration_ms: number
  /** 1: it turned again. 0: it is stuck, or the process ended so. */
  readonly ended: 0 | 1
  /** The monitored function that most looks found innermost on the stack; `null`: there was none. */
  readonly function: string | null
  /** Looks that found it innermost, 0 to 1 of all. */
  readonly share: number | null
  /** Looks that found the thread running, 0 to 1 of all; near 0 it waited. `null`: this system does not tell. */
  readonly on_cpu: number | null
  /**
   * JSON text, the stack from the outside in:
   * `[{"function":…,"looks":…,"innermost":…,"calls":…,"args":…,"shape":…}]`.
   */
  readonly calls: string
  /** `script[pid]` */
  readonly process: string
}

/** Row of the view `recent_incidents`: something that happened to the recording itself. */
export interface IncidentRow {
  /** ISO-8601 UTC. */
  readonly at: string
  /** `null`: it goes on, or the process ended so. */
  readonly until: string | null
  /** Such as `store_set_aside`, `breaker_open`, `disk_full`. */
  readonly kind: string
  readonly detail: string
  readonly process: string
}
