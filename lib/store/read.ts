import { DEFAULTS } from '../config/defaults.js'
import { type ErrorName, readCallsBefore } from './queries/calls-before.js'
import { type Coverage, type ProcessInfo, readCoverage, readProcesses } from './queries/coverage.js'
import { type CrashReport, readCrash } from './queries/crash.js'
import { type DiffAnswer, type DiffFilter, readDiff } from './queries/diff.js'
import { type ErrorGroup, readErrorGroups } from './queries/error-groups.js'
import {
  type Bounds,
  type CallFilter,
  type ErrorFilter,
  type ErrorGroupFilter,
  GROUP_ORDERS,
  type IncidentFilter,
  type LimitFilter,
  type LossFilter,
  type OpenCallFilter,
  type Outcome,
  oneOf,
  type RecordFilter,
  type ScopeFilter,
  type StallFilter,
  type TailOptions,
  TOTAL_ORDERS,
  type TotalFilter,
  text,
  toBounds,
  toLimit,
  toMinDurationNs,
  toSteps,
} from './queries/filter.js'
import { findCalls, findTraces } from './queries/find-traces.js'
import { type HiddenNames, readHiddenNames } from './queries/hidden.js'
import { readIncidents, readOpenCalls, readStalls } from './queries/incidents.js'
import { readNewest } from './queries/newest.js'
import { callSlices, errorSlices, type RecordedCall, type SliceRequest } from './queries/record-slices.js'
import { readSlow, type SlowCall, type Slowest } from './queries/slow.js'
import {
  type CallRow,
  type Conditions,
  type ErrorDetail,
  type ErrorRow,
  errorsOfCallSql,
  errorsSql,
  FUNCTION_EXISTS_SQL,
  type FunctionTotals,
  type IncidentRow,
  type LossRow,
  lossesSql,
  type OpenCallRow,
  type StallRow,
  TRACE_SQL,
  type TraceRow,
} from './queries/statements.js'
import { readStats, type StoreStats } from './queries/stats.js'
import { LONG_REACH, readTail, type Tail } from './queries/tail.js'
import { readTotals } from './queries/totals.js'
import { readTrends, type Trend } from './queries/trends.js'
import { readTunings, type TuningRow } from './queries/tunings.js'
import { readWhy, type WhyAnswer, type WhyFilter } from './queries/why.js'
import { StoreQueryError, StoreReadError } from './read-errors.js'
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

const OUTCOMES: readonly Outcome[] = ['ok', 'error']
const DEFAULT_TRACE_LIMIT = 10_000

/** Opens a recording: for apps in open-store.ts, where it is described, and for the programs of Callsight here. */
export function openStore(path?: string, options: OpenStoreOptions = {}): Store {
  return new Store(path ?? defaultStorePath(), options)
}

/** `CALLSIGHT_DB`, else the default path; relative to the working directory. */
export function defaultStorePath(): string {
  return process.env['CALLSIGHT_DB'] || DEFAULTS.storePath
}

let ask: <T>(store: Store, question: (read: ReadFile, nowMs: number) => T) => T
let slowestOf: (store: Store, filter: CallFilter, patienceMs: number) => Slowest

/**
 * A recording open for reading. Every method is synchronous, reads the state of that moment and holds nothing
 * open afterwards. When the recorder has started a new file at the same path, the next call reads the new one.
 *
 * All methods throw {@link StoreQueryError} when an argument is not acceptable and {@link StoreReadError} when the
 * file cannot be read or the store is closed.
 */
export class Store implements Disposable {
  static {
    ask = (store, question) => question(store.#open(), store.#now())
    slowestOf = (store, filter, patienceMs) => store.#slowest(filter, patienceMs)
  }

  readonly #path: string
  readonly #now: () => number
  readonly #beforeRead: (() => void) | undefined
  #file: ReadFile | null

  /** Use {@link openStore}. */
  constructor(path: string, options: ReaderOptions) {
    this.#path = path
    this.#now = options.now ?? Date.now
    this.#beforeRead = options.beforeRead
    this.#file = ReadFile.open(path, options.beforeRead)
    this.path = this.#file.path
  }

  /** Absolute path of the file. */
  readonly path: string

  /** Calls that failed, newest first. Errors are never sampled. */
  errors(filter: ErrorFilter = {}): ErrorRow[] {
    const { conditions, params } = this.#records(filter, filter.fingerprint)
    return this.#ifFunction(params, file => file.all<ErrorRow>(errorsSql(conditions), params))
  }

  /** Recorded calls, those that failed among them, newest first. */
  calls(filter: CallFilter = {}): CallRow[] {
    const outcome = oneOf('outcome', filter.outcome, OUTCOMES)
    if (outcome === 'ok' && filter.error !== undefined) return []
    const { conditions, params } = this.#records(filter)
    const bounds = toBounds(filter, this.#now())
    const leastNs = toMinDurationNs(filter.minDurationMs) ?? 0
    return this.#ifFunction(params, file =>
      readNewest(file, { conditions, params, bounds, outcome, leastNs }),
    )
  }

  /**
   * The slowest recorded calls of the span, slowest first, beside the percentiles of their functions. Calls of the default
   * sampling that took longer than `slow` are all recorded. Default limit 100 rows.
   */
  slow(filter: CallFilter = {}): SlowCall[] {
    return [...this.#slowest(filter, Number.POSITIVE_INFINITY).calls]
  }

  /**
   * Calls as they come: those that came since the last answer, with a cursor for the next. A record that comes into the
   * store more than 30 seconds after its call ended may be left out, or where 2,000 came after it in that time. Default limit 100 rows.
   */
  tail(options: TailOptions = {}): Tail {
    const outcome = oneOf('outcome', options.outcome, OUTCOMES)
    const { pattern, limit } = toBounds(options, this.#now())
    const error = options.error === undefined ? null : text('error', options.error)
    const minDurationNs = toMinDurationNs(options.minDurationMs)
    const file = this.#open()
    return file.snapshot(() =>
      readTail(file, { pattern, outcome, limit, error, minDurationNs }, options.after ?? null, LONG_REACH),
    )
  }

  /**
   * Errors by function, class and message, the group with the newest one first; each with its count, its first and last
   * moment, and a series of counts over the span. Default limit 100 groups.
   */
  errorGroups(filter: ErrorGroupFilter = {}): ErrorGroup[] {
    const order = oneOf('sort', filter.sort, GROUP_ORDERS) ?? 'newest'
    const steps = toSteps(filter.steps)
    const { conditions, params } = this.#records(filter, filter.fingerprint)
    const bounds = toBounds(filter, this.#now())
    const hasSince = filter.since !== undefined
    const hasUntil = filter.until !== undefined
    return this.#ifFunction(params, file =>
      file.snapshot(() =>
        readErrorGroups(file, { conditions, params, bounds, hasSince, hasUntil, order, steps }),
      ),
    )
  }

  /**
   * Recorded calls of the process of an error that ended before it, newest first. Default limit 100 rows. Where several
   * processes record, only the 50,000 records before it are looked at.
   *
   * @param error an error of an earlier answer; its call and trace are what it is known by
   */
  callsBefore(error: ErrorName, options: LimitFilter = {}): CallRow[] {
    const limit = toLimit(options.limit)
    const file = this.#open()
    return file.snapshot(() => readCallsBefore(file, error, limit))
  }

  /**
   * Recorded calls as {@link calls} has them, but the oldest first and, without a limit, all that the store has at the
   * first step. They come in slices, and nothing is held open between two of them: a program may go on recording, and
   * a reader may take its time. With a limit they are the newest.
   */
  callSlices(filter: CallFilter = {}): Generator<readonly RecordedCall[], void, undefined> {
    const outcome = oneOf('outcome', filter.outcome, OUTCOMES)
    return callSlices(this.#sliceRequest(filter), outcome)
  }

  /** Calls that failed, with all that is stored of them, in slices as {@link callSlices}. */
  errorSlices(filter: ErrorFilter = {}): Generator<readonly ErrorDetail[], void, undefined> {
    return errorSlices(this.#sliceRequest(filter))
  }

  /** Totals per function over every call, recorded or not; the one that took most time first. */
  top(filter: TotalFilter = {}): FunctionTotals[] {
    const order = oneOf('sort', filter.sort, TOTAL_ORDERS) ?? 'total'
    const bounds = toBounds(filter, this.#now())
    const file = this.#open()
    return file.snapshot(() => readTotals(file, bounds, order))
  }

  /**
   * How the calls of each function went over the span, and its part of all time spent: every call counted, recorded or not.
   * In no order.
   *
   * @param filter `steps`: most steps of a series, 1 to 1,000; default 24
   */
  trends(filter: ScopeFilter & { readonly steps?: number | undefined } = {}): Trend[] {
    const bounds = toBounds(filter, this.#now())
    const steps = toSteps(filter.steps)
    const file = this.#open()
    return file.snapshot(() => readTrends(file, bounds, steps))
  }

  /**
   * What separates the slow or the failed calls of a function from its other ones, as far as recorded arguments and
   * circumstances tell: conditions that hold more often for them than chance explains, with the counts behind it.
   */
  why(filter: WhyFilter): WhyAnswer {
    const file = this.#open()
    return file.snapshot(() => readWhy(file, filter, this.#now()))
  }

  /**
   * Error rate and latency of each function on two sides, such as two runs or two spans of time, and whether they
   * differ by more than chance and by enough to matter. From exact totals: every call counts, recorded or not.
   */
  diff(filter: DiffFilter): DiffAnswer {
    const file = this.#open()
    const other = filter.bDb === undefined ? file : ReadFile.open(text('bDb', filter.bDb))
    try {
      const read = () => readDiff(file, other, filter, this.#now())
      return file.snapshot(() => (other === file ? read() : other.snapshot(read)))
    } finally {
      if (other !== file) other.close()
    }
  }

  /** What is missing from the store, when and why: per minute, function and reason; newest minute first. */
  losses(filter: LossFilter = {}): LossRow[] {
    const bounds = toBounds(filter, this.#now())
    const params = { ...minutes(bounds), limit: bounds.limit }
    return this.#open().all<LossRow>(lossesSql(bounds.pattern !== null), params)
  }

  /**
   * Every recorded call of one trace in the order they started, whichever program of this store made it;
   * `parent_id` links them.
   *
   * @param id a trace id (32 hex digits) or the id of one of its calls (up to 16). A call id is unique within one
   * process only: when several processes have it, the rows of each trace follow one another, newest trace first.
   * @param options `limit`: most rows of each trace, default 10,000
   */
  trace(id: string, options: LimitFilter = {}): TraceRow[] {
    const limit = toLimit(options.limit ?? DEFAULT_TRACE_LIMIT)
    const file = this.#open()
    return findTraces(file, id).flatMap(key => file.all<TraceRow>(TRACE_SQL, { ...key, limit }))
  }

  /** The error of one call (up to 16 hex digits) with all that is stored of it, once per process that has the id. */
  error(callId: string): ErrorDetail[] {
    const file = this.#open()
    return findCalls(file, callId).flatMap(({ process, trace, call }) =>
      file.all<ErrorDetail>(errorsOfCallSql(), { process, trace, call }),
    )
  }

  /** What the store does not contain, of the whole recording or of a span of time and some functions. */
  coverage(scope: ScopeFilter = {}): Coverage {
    const nowMs = this.#now()
    const bounds = toBounds(scope, nowMs)
    const file = this.#open()
    return file.snapshot(() => readCoverage(file, bounds, nowMs))
  }

  /** Which names had their values hidden by capture, and where; never the values. */
  hiddenNames(scope: ScopeFilter = {}): HiddenNames {
    const bounds = toBounds(scope, this.#now())
    return readHiddenNames(this.#open(), bounds)
  }

  /** Times in which the event loop of a main thread did not turn, newest first. Default limit 100 rows. */
  stalls(filter: StallFilter = {}): StallRow[] {
    return readStalls(this.#open(), filter, this.#now())
  }

  /**
   * Calls that had begun and not ended when the writer last looked, of every process: of one that has ended, for good.
   * Default limit 100 rows.
   */
  openCalls(filter: OpenCallFilter = {}): OpenCallRow[] {
    return readOpenCalls(this.#open(), filter, this.#now())
  }

  /** What happened to the recording itself, newest first. Default limit 100 rows. */
  incidents(filter: IncidentFilter = {}): IncidentRow[] {
    return readIncidents(this.#open(), filter, this.#now())
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
    const file = this.#open()
    const nowMs = this.#now()
    return file.snapshot(() => readCrash(file, file.path, process, nowMs))
  }

  /** Changes of what running processes record (`callsight set`), newest first, at most 1,000. */
  tunings(): TuningRow[] {
    return readTunings(this.#open(), this.#now())
  }

  /** The recording itself: its size, span, rows, processes and account. Counting the rows of a large one takes a while. */
  stats(): StoreStats {
    return readStats(this.#open(), this.#now())
  }

  /** The programs that wrote into this store. */
  processes(): ProcessInfo[] {
    return readProcesses(this.#open(), this.#now())
  }

  /**
   * Runs one query. Integers beyond 2^53 come back as `bigint`; a repeated column name gets a number (`name_2`).
   *
   * @param options `limit`: most rows to return, default all
   */
  sql(query: string, params: SqlParams = [], options: LimitFilter = {}): SqlRow[] {
    const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : toLimit(options.limit)
    return runSql(this.#open(), query, params, limit)
  }

  /** Closes the file. Closing twice is fine. */
  close(): void {
    this.#file?.close()
    this.#file = null
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #open(): ReadFile {
    if (this.#file === null) {
      throw new StoreReadError(
        'CALLSIGHT_STORE_CLOSED',
        'The store is closed. Open it again with openStore().',
      )
    }
    if (!this.#file.isCurrent()) {
      const next = ReadFile.open(this.#path, this.#beforeRead)
      this.#file.close()
      this.#file = next
    }
    return this.#file
  }

  #sliceRequest(filter: ErrorFilter): SliceRequest {
    const { conditions, params } = this.#records(filter, filter.fingerprint)
    const { limit, sinceId, untilId, ...values } = params
    const file = this.#open()
    return {
      conditions,
      values,
      since: sinceId as bigint,
      until: untilId as bigint,
      limit: filter.limit === undefined ? null : Number(limit),
      read: () => {
        if (this.#open() === file) return file
        throw new StoreReadError(
          'CALLSIGHT_STORE_UNREADABLE',
          `${this.path} was replaced while it was being read. Run it again to read the new one.`,
        )
      },
    }
  }

  #slowest(filter: CallFilter, patienceMs: number): Slowest {
    const outcome = oneOf('outcome', filter.outcome, OUTCOMES)
    const { conditions, params } = this.#records(filter)
    const bounds = toBounds(filter, this.#now())
    return readSlow(this.#open(), { conditions, params, bounds, outcome, patienceMs })
  }

  #records(
    filter: RecordFilter,
    alike?: string,
  ): { conditions: Conditions; params: Readonly<Record<string, unknown>> } {
    const bounds = toBounds(filter, this.#now())
    const minDurationNs = toMinDurationNs(filter.minDurationMs)
    const error = filter.error === undefined ? null : text('error', filter.error)
    const fingerprint = alike === undefined ? null : text('fingerprint', alike)
    return {
      conditions: {
        pattern: bounds.pattern !== null,
        error: error !== null,
        fingerprint: fingerprint !== null,
        minDuration: minDurationNs !== null,
      },
      params: {
        sinceId: bounds.sinceId,
        untilId: bounds.untilId,
        limit: bounds.limit,
        ...(bounds.pattern === null ? {} : { pattern: bounds.pattern }),
        ...(error === null ? {} : { error }),
        ...(fingerprint === null ? {} : { fingerprint }),
        ...(minDurationNs === null ? {} : { minDurationNs }),
      },
    }
  }

  /** A name that no function has would otherwise cost a walk over every record. */
  #ifFunction<Row>(params: Readonly<Record<string, unknown>>, read: (file: ReadFile) => Row[]): Row[] {
    const file = this.#open()
    const pattern = params['pattern']
    if (pattern !== undefined && file.all(FUNCTION_EXISTS_SQL, { pattern }).length === 0) return []
    return read(file)
  }
}

function minutes(bounds: Bounds): Readonly<Record<string, unknown>> {
  const { sinceMinute, untilMinute, pattern } = bounds
  return pattern === null ? { sinceMinute, untilMinute } : { sinceMinute, untilMinute, pattern }
}

/** Several reads of one file, for answers that are no rows of one kind. No part of the public face. */
export function askStore<T>(store: Store, question: (read: ReadFile, nowMs: number) => T): T {
  return ask(store, question)
}

/**
 * As {@link Store.slow}, for somebody who waits.
 *
 * @param patienceMs milliseconds of work after which what was found so far is the answer
 */
export function slowestCalls(store: Store, filter: CallFilter, patienceMs: number): Slowest {
  return slowestOf(store, filter, patienceMs)
}
