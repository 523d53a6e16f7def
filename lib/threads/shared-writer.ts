import type { Settings } from '../config/options.js'
import type { Account } from '../queue/account.js'
import { nowMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { LaneI32, LaneState } from '../queue/layout.js'
import { announceLane } from '../writer/lane-channel.js'
import type { WriterMessage } from '../writer/messages.js'
import { listenForTunings } from '../writer/tuning-channel.js'
import type { RecordingLane } from './recording-lane.js'
import { poll, type WriterEnd } from './writer-end.js'

/**
 * A worker thread's end of the writer that the main thread owns. The thread hands over its lane, and from then on
 * needs nobody: the writer drains it while the thread works, is blocked, or has been terminated.
 */
export class SharedWriter implements WriterEnd {
  readonly #settings: Settings
  readonly #boot: string
  readonly #lane: RecordingLane
  readonly #control: Control
  readonly #onMessage: (message: WriterMessage) => void
  #stopListening = (): void => {}
  #left = false

  constructor(
    settings: Settings,
    boot: string,
    lane: RecordingLane,
    control: Control,
    onMessage: (message: WriterMessage) => void,
  ) {
    this.#settings = settings
    this.#boot = boot
    this.#lane = lane
    this.#control = control
    this.#onMessage = onMessage
  }

  get account(): Account {
    return this.#lane.account
  }

  start(): void {
    // The main thread has shut down before this thread began.
    if (this.#control.over) {
      this.#leave()
      return
    }
    // Before the writer knows this lane, and says what is in force.
    this.#stopListening = listenForTunings(this.#boot, this.#onMessage)
    this.#announce()
  }

  tend(): void {
    Atomics.add(this.#lane.i32, LaneI32.HEARTBEAT, 1)
    if (this.#control.over) this.#leave()
    else this.#announce()
    this.#lane.producer.tend()
  }

  async flush(timeoutMs: number): Promise<void> {
    const startedMs = nowMs()
    this.#lane.producer.retryHeld()
    this.#announce()
    // Before the writer knows this lane, it may confirm any flush.
    await poll(() => this.#lane.state === LaneState.adopted || this.#control.over, timeoutMs)
    const ticket = this.#control.requestFlush()
    const leftMs = timeoutMs - (nowMs() - startedMs)
    await poll(() => this.#control.flushReached(ticket) || this.#control.over, leftMs)
  }

  /** Ends recording in this thread only; its errors still go to the journal. */
  async shutdown(timeoutMs: number): Promise<boolean> {
    this.#lane.producer.route = 'errors-only'
    await this.flush(timeoutMs)
    if (this.#control.over) this.#leave()
    // The writer has to be told when this thread ends.
    return true
  }

  /**
   * The thread ends. Its memory and its journal stay with the writer, so nothing has to be waited for, unless the
   * writer is stopping and may have looked for the last time.
   */
  end(): void {
    this.#stopListening()
    this.#lane.producer.retryHeld()
    this.#announce()
    Atomics.store(this.#lane.i32, LaneI32.ENDED, 1)
    // After this everything the thread has recorded is published: a stop that is requested later covers it.
    if (this.#control.stopRequested !== null) this.#control.waitForEnd(this.#settings.exitTimeoutMs)
    if (this.#control.over) {
      this.#leave()
      this.#lane.producer.endJournal()
    }
  }

  #announce(): void {
    const { state, handle } = this.#lane
    if (state === LaneState.waiting || state === LaneState.resting) announceLane(this.#boot, handle)
  }

  /** The writer has stopped: what it has neither stored nor counted goes to the journal, for the next start. */
  #leave(): void {
    if (this.#left) return
    this.#left = true
    this.#stopListening()
    this.#lane.producer.route = 'errors-only'
    if (this.#lane.state === LaneState.closed) return
    this.#lane.producer.saveRing()
    this.#lane.ringIsSaved()
  }
}
