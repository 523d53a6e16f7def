import type { Control } from '../queue/control.js'
import type { Producer } from '../queue/producer.js'
import type { Totals } from '../totals/totals.js'
import type { CallSite } from './call-site.js'
import { contain } from './keep.js'
import type { RemoteTraces } from './remote-traces.js'

/** What a wrapper needs while recording is on. The recorder builds it at the first monitored call. */
export interface Recording {
  /** 16 hex digits, the first half of the trace ids of this process. */
  readonly boot: string
  readonly producer: Producer
  readonly totals: Totals
  readonly control: Control
  readonly remoteTraces: RemoteTraces
  /** The last call id given out. */
  lastCall: number
  /** Gives a call site its number and its settings. */
  attach(site: CallSite): void
  /** The recorder's own code failed: turn recording off, warn once, let the app go on. */
  fail(error: unknown): void
}

interface Live {
  /** Functions are not even wrapped: `CALLSIGHT=off`. */
  off: boolean
  /** `null`: not started, or off. */
  recording: Recording | null
  /** Starts the recorder at the first monitored call; returns `null` when recording is off. */
  start: () => Recording | null
}

/** The one switch every wrapper looks at. */
export const live: Live = { off: false, recording: null, start: () => null }

export function monitoringOff(): boolean {
  return live.off
}

let isAttaching = false

/**
 * The first call of a call site: its name and its number. `false` when that failed; the call then passes through.
 * Whatever is monitored and called in here, such as a `JSON.stringify` the app has wrapped, is the recorder's own doing.
 */
export function attach(recording: Recording, site: CallSite, self: unknown): boolean {
  const { producer } = recording
  if (isAttaching) return false
  const wasBusy = producer.busy
  isAttaching = true
  producer.busy = true
  try {
    const isSettled = site.resolveName(self)
    recording.attach(site)
    site.recording = recording
    site.isAttached = isSettled
    return true
  } catch (error) {
    contain(recording, error)
    return false
  } finally {
    producer.busy = wasBusy
    isAttaching = false
  }
}
