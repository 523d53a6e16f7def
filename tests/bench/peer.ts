import type { Body } from './measure.js'

/** A tool set up and ready. */
export interface Peer {
  readonly body: Body
  /** Waits until what has been recorded has left the thread of the app. */
  readonly settle: () => Promise<unknown>
  /** Fails when something was dropped. */
  readonly finish: () => Promise<unknown>
  /** Monitored calls in one run of the body. */
  readonly callsPerBody?: number
  readonly detail: string
}
