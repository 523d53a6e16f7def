import { CurrentFile } from './current-file.js'
import { type ErrorName, readCallsBefore } from './queries/calls-before.js'
import { type Coverage, type ProcessInfo, readCoverage, readProcesses } from './queries/coverage.js'
import { type CrashReport, readCrash } from './queries/crash.js'
import { type DiffAnswer, type DiffFilter, readDiff } from './queries/diff.js'
import { type ErrorGroup, readErrorGroups } from './queries/error-groups.js'
import {
  type CallFilter,
  type ErrorFilter,
  type ErrorGroupFilter,
  type IncidentFilter,
  type LimitFilter,
  type LossFilter,
  type OpenCallFilter,
  type ScopeFilter,
  type StallFilter,
  type TailOptions,
  type TotalFilter,
  type TraceFilter,
  type TrendFilter,
  text,
  toBounds,
  toLimit,
} from './queries/filter.js'
import { type HiddenNames, readHiddenNames } from './queries/hidden.js'
import { readIncidents, readOpenCalls, readStalls } from './queries/incidents.js'
import { readLosses } from './queries/losses.js'
import { readErrors, readNewest } from './queries/newest.js'
import { callSlices, errorSlices, type RecordedCall } from './queries/record-slices.js'
import type {
  CallRow,
  ErrorDetail,
  ErrorRow,
  FunctionTotals,
  IncidentRow,
  LossRow,
  OpenCallRow,
  StallRow,
  TraceRow,
} from './queries/rows.js'
import { readSlow, type SlowCall } from './queries/slow.js'
import { readStats, type StoreStats } from './queries/stats.js'
import { LONG_REACH, readTail, type Tail } from './queries/tail.js'
import { readTop } from './queries/totals.js'
import { readErrorsOfCall, readTraces } from './queries/traces.js'
import { readTrends, type Trend } from './queries/trends.js'
import { readTunings, type TuningRow } from './queries/tunings.js'
import { readWhy, type WhyAnswer, type WhyFilter } from './queries/why.js'
import { ReadFile } from './read-file.js'
import { runSql, type SqlParams, type SqlRow } from './sql.js'

export interface OpenStoreOptions {
  /** Unix milliseconds that lengths of time such as `'10m'` count back from. Default `Date.now`. */
  readonly now?: () => number
}

/** What only programs of Callsight itself ask for. */
export interface ReaderOptions extends OpenStoreOptions {
  /** Called before each statement; what it throws ends the question. */
  readonly beforeRead?: () => void
}

let ask: <T>(store: Store, question: (read: ReadFile, nowMs: number) => T) => T

/**
 * A recording open for reading. Every method is synchronous, reads the state of that moment and holds nothing
 * open afterwards. When the recorder has started a new file at the same path, the next call reads the new one.
 *
 * All methods throw {@link StoreQueryError} when an argument is not acceptable and {@link StoreReadError} when the
 * file cannot be read or the store is closed.
 */
export class Store implements Disposable {
  static {
    ask = (store, question) => store.#ask(question)
  }

  readonly #file: CurrentFile
  readonly #now: () => number

  /** Use {@link openStore}. */
  constructor(path: string, options: ReaderOptions) {
    this.#file = new CurrentFile(path, options.beforeRead)
    this.#now = options.now ?? Date.now
    this.path = this.#file.path
  }

  /** Absolute path of the file. */
  readonly path: string

  /** Calls that failed, newest first. Errors are never sampled. */
  errors(filter: ErrorFilter = {}): ErrorRow[] {
    return this.#ask((file, nowMs) => readErrors(file, filter, nowMs))
  }

  /** Recorded calls, those that failed among them, newest first. */
  calls(filter: CallFilter = {}): CallRow[] {
    return this.#ask((file, nowMs) => readNewest(file, filter, nowMs))
  }

  /**
   * The slowest recorded calls of the span, slowest first, beside the percentiles of their functions. Calls of the default
   * sampling that took longer than `slow` are all recorded. Default limit 100 rows.
   */
  slow(filter: CallFilter = {}): SlowCall[] {
    return this.#ask((file, nowMs) => [...readSlow(file, filter, nowMs, Number.POSITIVE_INFINITY).calls])
  }

  /**
   * Calls as they come: those that came since the last answer, with a cursor for the next. A record that comes into the
   * store more than 30 seconds after its call ended may be left out, or where 2,000 came after it in that time. Default limit 100 rows.
   */
  tail(options: TailOptions = {}): Tail {
    return this.#snapshot((file, nowMs) => readTail(file, options, nowMs, LONG_REACH))
  }

  /**
   * Errors by function, class and message, the group with the newest one first; each with its count, its first and last
   * moment, and a series of counts over the span. Default limit 100 groups.
   */
  errorGroups(filter: ErrorGroupFilter = {}): ErrorGroup[] {
    return this.#snapshot((file, nowMs) => readErrorGroups(file, filter, nowMs))
  }

  /**
   * Recorded calls of the process of an error that ended before it, newest first. Default limit 100 rows. Where several
   * processes record, only the 50,000 records before it are looked at.
   *
   * @param error an error of an earlier answer; its call and trace are what it is known by
   */
  callsBefore(error: ErrorName, options: LimitFilter = {}): CallRow[] {
    return this.#snapshot(file => readCallsBefore(file, error, toLimit(options.limit)))
  }

  /**
   * Recorded calls as {@link calls} has them, but the oldest first and, without a limit, all that the store has at the
   * first step. They come in slices, and nothing is held open between two of them: a program may go on recording, and
   * a reader may take its time. With a limit they are the newest.
   */
  callSlices(filter: CallFilter = {}): Generator<readonly RecordedCall[], void, undefined> {
    return callSlices(this.#file.pinned(), filter, this.#now())
  }

  /** Calls that failed, with all that is stored of them, in slices as {@link callSlices}. */
  errorSlices(filter: ErrorFilter = {}): Generator<readonly ErrorDetail[], void, undefined> {
    return errorSlices(this.#file.pinned(), filter, this.#now())
  }

  /** Totals per function over every call, recorded or not; the one that took most time first. */
  top(filter: TotalFilter = {}): FunctionTotals[] {
    return this.#snapshot((file, nowMs) => readTop(file, filter, nowMs))
  }

  /**
   * How the calls of each function went over the span, and its part of all time spent: every call counted, recorded or not.
   * In no order.
   */
  trends(filter: TrendFilter = {}): Trend[] {
    return this.#snapshot((file, nowMs) => readTrends(file, filter, nowMs))
  }

  /**
   * What separates the slow or the failed calls of a function from its other ones, as far as recorded arguments and
   * circumstances tell: conditions that hold more often for them than chance explains, with the counts behind it.
   */
  why(filter: WhyFilter): WhyAnswer {
    return this.#snapshot((file, nowMs) => readWhy(file, filter, nowMs))
  }

  /**
   * Error rate and latency of each function on two sides, such as two runs or two spans of time, and whether they
   * differ by more than chance and by enough to matter. From exact totals: every call counts, recorded or not.
   */
  diff(filter: DiffFilter): DiffAnswer {
    return this.#snapshot((file, nowMs) => {
      const other = filter.bDb === undefined ? file : ReadFile.open(text('bDb', filter.bDb))
      try {
        const read = () => readDiff(file, other, filter, nowMs)
        return other === file ? read() : other.snapshot(read)
      } finally {
        if (other !== file) other.close()
      }
    })
  }

  /** What is missing from the store, when and why: per minute, function and reason; newest minute first. */
  losses(filter: LossFilter = {}): LossRow[] {
    return this.#ask((file, nowMs) => readLosses(file, filter, nowMs))
  }

  /**
   * Every recorded call of one trace in the order they started, whichever program of this store made it;
   * `parent_id` links them.
   *
   * @param id a trace id (32 hex digits) or the id of one of its calls (up to 16). A call id is unique within one
   * process only: when several processes have it, the rows of each trace follow one another, newest trace first.
   * @param options `since`, `until`: only its calls that ended then; `limit`: most rows of each trace, default 10,000
   */
  trace(id: string, options: TraceFilter = {}): TraceRow[] {
    return this.#ask((file, nowMs) => readTraces(file, id, options, nowMs))
  }

  /** The error of one call (up to 16 hex digits) with all that is stored of it, once per process that has the id. */
  error(callId: string): ErrorDetail[] {
    return this.#ask(file => readErrorsOfCall(file, callId))
  }

  /** What the store does not contain, of the whole recording or of a span of time and some functions. */
  coverage(scope: ScopeFilter = {}): Coverage {
    return this.#snapshot((file, nowMs) => readCoverage(file, toBounds(scope, nowMs), nowMs))
  }

  /** Which names had their values hidden by capture, and where; never the values. */
  hiddenNames(scope: ScopeFilter = {}): HiddenNames {
    return this.#ask((file, nowMs) => readHiddenNames(file, toBounds(scope, nowMs)))
  }

  /** Times in which the event loop of a main thread did not turn, newest first. Default limit 100 rows. */
  stalls(filter: StallFilter = {}): StallRow[] {
    return this.#ask((file, nowMs) => readStalls(file, filter, nowMs))
  }

  /**
   * Calls that had begun and not ended when the writer last looked, of every process: of one that has ended, for good.
   * Default limit 100 rows.
   */
  openCalls(filter: OpenCallFilter = {}): OpenCallRow[] {
    return this.#ask((file, nowMs) => readOpenCalls(file, filter, nowMs))
  }

  /** What happened to the recording itself, newest first. Default limit 100 rows. */
  incidents(filter: IncidentFilter = {}): IncidentRow[] {
    return this.#ask((file, nowMs) => readIncidents(file, filter, nowMs))
  }

  /**
   * What the newest process that ended uncleanly was doing when it ended. It need not have been started again: on the
   * machine it ran on a process is found dead at once, elsewhere when it has been silent for a minute.
   *
   * @param process its pid, `script[pid]` or boot id: the report of that one, however it ended
   * @returns `null` when no process ended uncleanly
   * @throws StoreQueryError when the store has no such process
   */
  crash(process?: string): CrashReport | null {
    return this.#snapshot((file, nowMs) => readCrash(file, file.path, process, nowMs))
  }

  /** Changes of what running processes record (`callsight set`), newest first, at most 1,000. */
  tunings(): TuningRow[] {
    return this.#ask(readTunings)
  }

  /** The recording itself: its size, span, rows, processes and account. Counting the rows of a large one takes a while. */
  stats(): StoreStats {
    return this.#ask(readStats)
  }

  /** The programs that wrote into this store. */
  processes(): ProcessInfo[] {
    return this.#ask(readProcesses)
  }

  /**
   * Runs one query. Integers beyond 2^53 come back as `bigint`; a repeated column name gets a number (`name_2`).
   *
   * @param options `limit`: most rows to return, default all
   */
  sql(query: string, params: SqlParams = [], options: LimitFilter = {}): SqlRow[] {
    const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : toLimit(options.limit)
    return this.#ask(file => runSql(file, query, params, limit))
  }

  /** Closes the file. Closing twice is fine. */
  close(): void {
    this.#file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #ask<T>(question: (file: ReadFile, nowMs: number) => T): T {
    return question(this.#file.get(), this.#now())
  }

  /** All statements of the answer see one state of the file. */
  #snapshot<T>(question: (file: ReadFile, nowMs: number) => T): T {
    return this.#ask((file, nowMs) => file.snapshot(() => question(file, nowMs)))
  }
}

/** Several reads of one file, for answers that are no rows of one kind. No part of the public face. */
export function askStore<T>(store: Store, question: (read: ReadFile, nowMs: number) => T): T {
  return ask(store, question)
}
