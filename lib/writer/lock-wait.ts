import { statSync } from 'node:fs'
import { monotonicMs } from '../queue/clock.js'

/** A store that other connections keep locked is tried for this long; then that counts as one failure. */
const LIMIT_MS = 1_000
/** The same while they write: the store works, and the next one to write may be this process. */
const LIMIT_AMONG_WRITERS_MS = 10_000
/** The end of the program does not wait for other connections longer than this; the journal keeps the rest. */
const LIMIT_AT_STOP_MS = 250
/** After a lock was waited for, batches leave room for others in between for this long. */
const SHARED_FOR_MS = 1_000

/**
 * How long a lock is waited for. SQLite's locks are not fair: among many processes that write without a pause, one can
 * come too late for seconds. That is no failure of the store, and must not open the breaker; a connection that holds the
 * lock and writes nothing is one.
 */
export class LockWait {
  readonly #logPath: string
  #startedMs = 0
  #progressMs = 0
  #log = ''
  #lastMs = Number.NEGATIVE_INFINITY
  #stopSeenMs = Number.POSITIVE_INFINITY

  constructor(storePath: string) {
    this.#logPath = `${storePath}-wal`
  }

  /** The first attempt is made. */
  begin(): void {
    this.#startedMs = monotonicMs()
    this.#progressMs = this.#startedMs
    this.#log = this.#look()
  }

  /**
   * An attempt has met a lock; whether another one is worth it.
   *
   * @param stopping the program ends, and waits for this
   */
  mayGoOn(stopping: boolean): boolean {
    const nowMs = monotonicMs()
    this.#lastMs = nowMs
    const log = this.#look()
    if (log !== this.#log) this.#progressMs = nowMs
    this.#log = log
    if (stopping) {
      this.#stopSeenMs = Math.min(this.#stopSeenMs, nowMs)
      return nowMs - this.#stopSeenMs < LIMIT_AT_STOP_MS
    }
    return nowMs - this.#progressMs < LIMIT_MS && nowMs - this.#startedMs < LIMIT_AMONG_WRITERS_MS
  }

  /** Whether others want the lock that this process would take again at once. */
  get isShared(): boolean {
    return monotonicMs() - this.#lastMs < SHARED_FOR_MS
  }

  /** The log grows, or is begun anew, with every transaction of anybody. */
  #look(): string {
    try {
      const { ino, size, mtimeNs } = statSync(this.#logPath, { bigint: true })
      return `${ino} ${size} ${mtimeNs}`
    } catch {
      return 'none'
    }
  }
}
