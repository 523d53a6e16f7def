import { statSync } from 'node:fs'
import type { JournalHeader } from '../queue/journal-format.js'
import { isAlive, lifeOf, startedUnixUs } from '../queue/process-identity.js'
import { type Database, prepared } from '../store/driver.js'
import type { Found } from './leftover.js'

/** Start times of processes are counted in hundredths of a second, from a moment that is known to the second. */
const CLOCK_SLACK_US = 1_500_000
/** Between creating a journal and writing its header lie microseconds, unless the disk stalls. */
const HEADER_GRACE_MS = 60_000
/**
 * A process of which no pid tells anything counts as dead when it was silent for this long: its journal has not grown,
 * and its writer, which says so twice a minute, has not said that it lives. Should it live all the same, it misses its
 * journal within a second and begins another one; what is in the one that was taken over is stored.
 */
const SILENT_IS_DEAD_MS = 300_000

/** A process as its row tells of it. */
export interface ProcessSeen {
  readonly pid: number
  readonly host: string
  readonly lastSeenUs: number
}

/** `unknown`: no pid tells anything about it, and it has not been silent for long. */
export type ProcessLife = 'alive' | 'dead' | 'unknown'

/** Whether the processes live that journals and accounts in the store belong to. When in doubt, they do. */
export class ProcessLives {
  readonly #db: Database
  readonly #host: string

  /** @param host name of this machine */
  constructor(db: Database, host: string) {
    this.#db = db
    this.#host = host
  }

  ofJournal(header: JournalHeader | null, { path, name }: Found, nowUs: number): ProcessLife {
    const sql = 'SELECT pid, host, last_seen_us AS lastSeenUs FROM processes WHERE boot = ?'
    const owner = prepared(this.#db, sql).get(name.boot) as ProcessSeen | undefined
    if (header === null) {
      if (owner !== undefined) return this.of(owner, nowUs)
      // One that is young may be that of a process of which nothing is known yet.
      return isOld(path) ? 'dead' : 'alive'
    }
    const life = lifeOf(header)
    if (life !== 'elsewhere') return life
    const grownMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY
    const seenMs = (owner?.lastSeenUs ?? Number.NEGATIVE_INFINITY) / 1_000
    return isLongAgo(Math.max(grownMs, seenMs), nowUs) ? 'dead' : 'unknown'
  }

  of({ pid, host, lastSeenUs }: ProcessSeen, nowUs: number): ProcessLife {
    if (host === this.#host) return isRunning(pid, lastSeenUs) ? 'alive' : 'dead'
    return isLongAgo(lastSeenUs / 1_000, nowUs) ? 'dead' : 'unknown'
  }
}

/** Whether the process that had this pid when it was seen last is still running. */
function isRunning(pid: number, lastSeenUs: number): boolean {
  if (pid === 0) return false
  // A pid that somebody else has by now (in a container it is always the same one) began after that.
  const startedUs = startedUnixUs(pid)
  const reused = startedUs !== null && startedUs > lastSeenUs + CLOCK_SLACK_US
  return !reused && isAlive(pid, 0)
}

function isLongAgo(unixMs: number, nowUs: number): boolean {
  return nowUs / 1_000 - unixMs > SILENT_IS_DEAD_MS
}

function isOld(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found !== undefined && Math.abs(Date.now() - found.mtimeMs) > HEADER_GRACE_MS
}
