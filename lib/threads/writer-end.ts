import type { Account } from '../queue/account.js'
import { nowMs } from '../queue/clock.js'

/** What a recording thread has of the writer, its own or that of the process. */
export interface WriterEnd {
  start(): void
  /** About once a second, while the event loop turns. */
  tend(): void
  /** Waits, without blocking, until everything recorded before is stored, or the time is over. */
  flush(timeoutMs: number): Promise<void>
  /**
   * Ends recording in this thread, and in the whole process when the writer is its own.
   *
   * @returns whether {@link end} is still wanted when the thread ends
   */
  shutdown(timeoutMs: number): Promise<boolean>
  /** The thread ends: stores what can be stored, blocking for a bounded time. */
  end(): void
  /** The account of all threads whose writer this is; of this thread alone when the writer is another's. */
  readonly account: Account
}

const POLL_MS = 2

/** Waits without blocking until `done`, or for `timeoutMs`; keeps the process alive meanwhile. */
export function poll(done: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadlineMs = nowMs() + timeoutMs
  return new Promise(resolve => {
    const look = (): void => {
      if (done()) resolve(true)
      else if (nowMs() >= deadlineMs) resolve(false)
      else setTimeout(look, POLL_MS)
    }
    look()
  })
}
