import type { Duration } from '../../config/options.js'
import { StoreQueryError } from '../read-errors.js'
import { ID_SALT_SPAN } from '../schema.js'
import { MOMENT_FORMS, type Moment, parseDurationMs, parseMoment } from './moment.js'

export type { Moment }

/** A span of time and the functions it is about. */
export interface ScopeFilter {
  /** Only what ended at or after this moment. Default: the beginning of the store. */
  readonly since?: Moment | undefined
  /** Only what ended before this moment. Default: now and later. */
  readonly until?: Moment | undefined
  /** Name of the function; `*` stands for any text and `?` for one character: `'Orders.*'`. */
  readonly function?: string | undefined
}

export interface LimitFilter {
  /** Most rows to return, 1 to 1,000,000. Default 100. */
  readonly limit?: number | undefined
}

/** What can be asked of records of either kind. */
export interface RecordFilter extends ScopeFilter, LimitFilter {
  /** Class name of the thrown error, exactly: `'TypeError'`. */
  readonly error?: string | undefined
  /** Only calls that took at least this long: milliseconds, or a text such as `'250ms'`. */
  readonly minDurationMs?: Duration | undefined
}

export interface ErrorFilter extends RecordFilter {
  /** Only errors alike: 16 hex digits of an earlier answer. */
  readonly fingerprint?: string | undefined
}

export const GROUP_ORDERS = ['newest', 'count'] as const
export type GroupOrder = (typeof GROUP_ORDERS)[number]

export interface ErrorGroupFilter extends ErrorFilter {
  /** The one with the newest error first (`'newest'`, default), or the largest (`'count'`). */
  readonly sort?: GroupOrder | undefined
  /** Steps of time in which the errors of a group are counted, 1 to 1,000. Default 24. */
  readonly steps?: number | undefined
}

const OUTCOMES = ['ok', 'error'] as const
export type Outcome = (typeof OUTCOMES)[number]

export interface CallFilter extends RecordFilter {
  /** Only calls that returned (`'ok'`) or failed (`'error'`). Default both. */
  readonly outcome?: Outcome | undefined
}

/** Of the calls of a trace those that ended in a span of time. */
export type TraceFilter = Pick<ScopeFilter, 'since' | 'until'> & LimitFilter

/** Calls that came into the store since an earlier look. */
export interface TailOptions
  extends Pick<CallFilter, 'since' | 'function' | 'outcome' | 'error' | 'minDurationMs' | 'limit'> {
  /** The `cursor` of the last answer. Default: the newest calls. */
  readonly after?: string | undefined
}

export const TOTAL_ORDERS = ['total', 'calls', 'errors', 'mean', 'max'] as const
export type TotalOrder = (typeof TOTAL_ORDERS)[number]

/** Totals are kept per minute: the span is widened to whole minutes. */
export interface TotalFilter extends ScopeFilter, LimitFilter {
  /** Largest first by: all time spent (`'total'`, default), calls, errors, mean or longest duration. */
  readonly sort?: TotalOrder | undefined
}

export interface TrendFilter extends ScopeFilter {
  /** Most steps of a series, 1 to 1,000. Default 24. */
  readonly steps?: number | undefined
}

export type LossFilter = ScopeFilter & LimitFilter

export interface ProcessFilter {
  /** A process: its pid (`'4711'`), `'script[pid]'`, or its boot id, the first 16 digits of its trace ids. */
  readonly process?: string | undefined
}

/** Stalls that touch the span; of a function: those that had it on the stack. */
export interface StallFilter extends ScopeFilter, LimitFilter, ProcessFilter {}

export interface OpenCallFilter extends LimitFilter, ProcessFilter {
  /** Name of the function; `*` stands for any text and `?` for one character: `'Orders.*'`. */
  readonly function?: string | undefined
}

/** Incidents that touch the span. */
export interface IncidentFilter extends LimitFilter, ProcessFilter {
  /** Default: the beginning of the store. */
  readonly since?: Moment | undefined
  /** Default: now and later. */
  readonly until?: Moment | undefined
  /** Kind of incident, exactly: `'breaker_open'`. */
  readonly kind?: string | undefined
}

/** A filter as the statements take it. Ids are bounds of the primary key, `sinceId <= id < untilId`. */
export interface Bounds {
  readonly sinceId: bigint
  readonly untilId: bigint
  /** Unix microseconds, `sinceUs <= moment < untilUs`. */
  readonly sinceUs: number
  readonly untilUs: number
  readonly sinceMinute: number
  readonly untilMinute: number
  /** SQLite GLOB pattern. */
  readonly pattern: string | null
  readonly limit: number
}

export const DEFAULT_LIMIT = 100
export const MAX_LIMIT = 1_000_000
const DEFAULT_STEPS = 24
const MAX_STEPS = 1_000
const MAX_ID = 2n ** 63n - 1n
/** A file that was tampered with may have records from before 1970: without a span they are part of the answer. */
const MIN_ID = -(2n ** 63n)
/** The last moment that a key of a record can have. */
export const LAST_MS = Number(MAX_ID / BigInt(ID_SALT_SPAN) / 1000n)
const LAST_MINUTE = Math.floor(LAST_MS / 60_000)

/** @throws StoreQueryError when a value of the filter is not acceptable. */
export function toBounds(filter: ScopeFilter & LimitFilter, nowMs: number): Bounds {
  const sinceMs = filter.since === undefined ? 0 : momentMs('since', filter.since, nowMs)
  const untilMs = filter.until === undefined ? null : momentMs('until', filter.until, nowMs)
  return {
    sinceId: filter.since === undefined ? MIN_ID : idAt(sinceMs),
    untilId: untilMs === null ? MAX_ID : idAt(untilMs),
    sinceUs: Math.round(sinceMs * 1000),
    untilUs: untilMs === null ? LAST_MS * 1000 : Math.round(untilMs * 1000),
    sinceMinute: Math.floor(sinceMs / 60_000),
    untilMinute: untilMs === null ? LAST_MINUTE : Math.ceil(untilMs / 60_000),
    pattern: filter.function === undefined ? null : toGlob(text('function', filter.function)),
    limit: toLimit(filter.limit),
  }
}

/** Smallest key of a record that ends at this moment. */
function idAt(unixMs: number): bigint {
  return BigInt(Math.round(unixMs * 1000)) * BigInt(ID_SALT_SPAN)
}

function momentMs(name: string, value: Moment, nowMs: number): number {
  const ms = parseMoment(value, nowMs)
  if (!Number.isFinite(ms)) {
    throw new StoreQueryError(`${name} ${shown(value)} is not a time. Use ${MOMENT_FORMS}.`)
  }
  return Math.min(Math.max(ms, 0), LAST_MS)
}

/** Least duration in nanoseconds, or `null` for none. */
export function toMinDurationNs(value: Duration | undefined): number | null {
  if (value === undefined) return null
  const ms = parseDurationMs(value)
  if (ms === null) {
    throw new StoreQueryError(
      `minimum duration ${shown(value)} is not a length of time. Use milliseconds or a text such as 250ms or 1.5s.`,
    )
  }
  return ms * 1e6
}

export function toLimit(limit: number | undefined): number {
  if (limit === undefined) return DEFAULT_LIMIT
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit
  throw new StoreQueryError(`limit ${shown(limit)} is not a whole number from 1 to 1,000,000.`)
}

export function toSteps(steps: number | undefined): number {
  if (steps === undefined) return DEFAULT_STEPS
  if (Number.isInteger(steps) && steps >= 1 && steps <= MAX_STEPS) return steps
  throw new StoreQueryError(`steps ${shown(steps)} is not a whole number from 1 to 1,000.`)
}

/** `null`: both. */
export function toOutcome({ outcome }: { readonly outcome?: Outcome | undefined }): Outcome | null {
  return oneOf('outcome', outcome, OUTCOMES)
}

export function oneOf<T extends string>(name: string, value: T | undefined, allowed: readonly T[]): T | null {
  if (value === undefined) return null
  if (allowed.includes(value)) return value
  throw new StoreQueryError(`${name} ${shown(value)} is not one of ${allowed.join(', ')}.`)
}

export function text(name: string, value: unknown): string {
  // A longer pattern than SQLite takes would be an SQL error; no name is anywhere near it.
  if (typeof value === 'string' && value !== '' && value.length <= 1_000) return value
  throw new StoreQueryError(`${name} ${shown(value)} is not a text of 1 to 1,000 characters.`)
}

/** Only `*` and `?` are special in our patterns; SQLite would read `[` as the start of a character class. */
function toGlob(pattern: string): string {
  return pattern.replaceAll('[', '[[]')
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  return value instanceof Date || typeof value !== 'object' ? String(value) : 'of that type'
}
