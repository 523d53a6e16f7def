import type { BreakerState } from './breaker/circuit-breaker.js'
import type { Settings } from './config/options.js'
import { type Account, emptyAccount } from './queue/account.js'
import { monotonicMs } from './queue/clock.js'
import type { Control } from './queue/control.js'
import { ControlF64, ControlI32, LaneI32 } from './queue/layout.js'
import { STORE_FAILURES, type StoreFailure } from './store/errors.js'

/** How the recorder is doing, read from memory in a few microseconds. */
export interface Health {
  /**
   * `off`: switched off; `idle`: nothing monitored was called yet; `recording`; `degraded`: recording, but the store
   * cannot be written right now (the breaker is open, or the writer is being restarted or does not come back from its
   * work); `failed`: the recorder's own code failed and it took itself out of the way; `stopped`: after `shutdown()`, in a worker thread also after that
   * of the main thread.
   */
  readonly state: 'off' | 'idle' | 'recording' | 'degraded' | 'failed' | 'stopped'
  /** Why it is `off`, `degraded` or `failed`. */
  readonly reason: string | null
  /** On the main thread the sum of all threads that share its writer, also of those that have ended. */
  readonly account: Account
  readonly writer: {
    readonly state: 'booting' | 'running' | 'stopped' | 'failed'
    /** Recording threads whose records it takes now; one that has ended is let go about a second later. */
    readonly threads: number
    /** Times the writer thread was started again. */
    readonly restarts: number
    /** Transactions committed by this process. */
    readonly batches: number
    /** Milliseconds since the last commit, `null` before the first. */
    readonly sinceCommitMs: number | null
  }
  readonly breaker: {
    readonly state: BreakerState['kind']
    readonly failures: number
    /** Milliseconds until the next attempt, 0 unless open. */
    readonly retryInMs: number
  }
  /** The ring of the calling thread. */
  readonly ring: { readonly usedBytes: number; readonly capacityBytes: number }
  /** What a failed or slow call brought with it, in the calling thread. */
  readonly hindsight: {
    /** Unsampled calls that were stored afterwards, as headers. */
    readonly promoted: number
    /** Times this was cut short, because too many had been stored in the same second. */
    readonly refused: number
  }
  /** Times the event loop of the main thread was stuck for longer than `stalls.threshold`, as far as the writer saw. */
  readonly stalls: {
    readonly count: number
    /** How long all of them were together, in milliseconds. */
    readonly totalMs: number
    /** How long it has been stuck now, 0 when it turns. Code that blocks the main thread itself can read it, too. */
    readonly currentMs: number
  }
  readonly store: { readonly path: string; readonly bytes: number; readonly walBytes: number }
}

/** The part of {@link Health} that the recorder knows and no memory says. */
export type Verdict = Pick<Health, 'state' | 'reason'>

/** What is read of a recorder that has started. */
export interface ObservedParts {
  readonly settings: Settings
  readonly control: Control
  readonly laneI32: Int32Array
  readonly hindsight: Health['hindsight']
}

const BREAKER_STATES = ['closed', 'open', 'halfOpen'] as const

const FAILURE_WORDS: Readonly<Record<StoreFailure, string>> = {
  busy: 'other connections keep it locked',
  full: 'the disk is full',
  corrupt: 'it is damaged',
  io: 'the disk refuses to read or write',
  readonly: 'it may not be written',
  data: 'it refuses a record',
  gone: 'it, or its folder, cannot be found or opened',
  pinned: 'another connection keeps a read transaction open',
  other: 'the warning says why',
}

function whyNotStored({ i32 }: Control): string {
  const failure = STORE_FAILURES[Atomics.load(i32, ControlI32.STORE_FAILURE) - 1]
  return failure === undefined ? '' : `: ${FAILURE_WORDS[failure]}`
}

/** Whether a recorder that is running can also store. */
export function degradation(control: Control): Verdict {
  if (control.over) return { state: 'stopped', reason: null }
  if (breakerState(control) !== 'closed') {
    return { state: 'degraded', reason: `the circuit breaker of the store is open${whyNotStored(control)}` }
  }
  if (control.writerState === 'failed') {
    const deaths = control.writerDeaths
    const row = deaths > 1 ? `, it has died ${deaths} times in a row` : ''
    return { state: 'degraded', reason: `the writer thread is being restarted${row}` }
  }
  if (control.stuck) {
    return { state: 'degraded', reason: 'the writer thread has not come back from its work for long' }
  }
  return { state: 'recording', reason: null }
}

export function readHealth(
  { settings, control, laneI32, hindsight: { promoted, refused } }: ObservedParts,
  verdict: Verdict,
  account: Account,
): Health {
  const { i32, f64 } = control
  const breaker = breakerState(control)
  const openForMs = monotonicMs() - f64[ControlF64.BREAKER_OPENED_AT]
  const lastCommitMs = f64[ControlF64.LAST_COMMIT_MS]
  return {
    ...verdict,
    account,
    writer: {
      state: control.writerState,
      threads: control.lanes,
      restarts: Math.max(0, i32[ControlI32.WRITER_STARTS] - 1),
      batches: f64[ControlF64.BATCHES],
      sinceCommitMs: lastCommitMs === 0 ? null : monotonicMs() - lastCommitMs,
    },
    breaker: {
      state: breaker,
      failures: i32[ControlI32.BREAKER_FAILURES],
      retryInMs: breaker === 'open' ? Math.max(0, settings.breaker.resetTimeoutMs - openForMs) : 0,
    },
    ring: {
      usedBytes: (Atomics.load(laneI32, LaneI32.TAIL) - Atomics.load(laneI32, LaneI32.HEAD)) >>> 0,
      capacityBytes: settings.ringBytes,
    },
    hindsight: { promoted, refused },
    stalls: readStalls(f64),
    store: {
      path: settings.storePath,
      bytes: f64[ControlF64.STORE_BYTES],
      walBytes: f64[ControlF64.WAL_BYTES],
    },
  }
}

/** Before the first monitored call, and when recording is off. */
export function healthWithoutParts(verdict: Verdict): Health {
  return {
    ...verdict,
    account: emptyAccount(),
    writer: { state: 'stopped', threads: 0, restarts: 0, batches: 0, sinceCommitMs: null },
    breaker: { state: 'closed', failures: 0, retryInMs: 0 },
    ring: { usedBytes: 0, capacityBytes: 0 },
    hindsight: { promoted: 0, refused: 0 },
    stalls: { count: 0, totalMs: 0, currentMs: 0 },
    store: { path: '', bytes: 0, walBytes: 0 },
  }
}

function readStalls(f64: Float64Array): Health['stalls'] {
  const sinceMs = f64[ControlF64.STALLED_SINCE_MS]
  const currentMs = sinceMs === 0 ? 0 : Math.max(0, monotonicMs() - sinceMs)
  return { count: f64[ControlF64.STALLS], totalMs: f64[ControlF64.STALLED_MS] + currentMs, currentMs }
}

function breakerState(control: Control): BreakerState['kind'] {
  return BREAKER_STATES[Atomics.load(control.i32, ControlI32.BREAKER_STATE)] ?? 'closed'
}
