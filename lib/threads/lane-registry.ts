import { type Account, addAccounts, isClosed, readAccount, readProcessAccount } from '../queue/account.js'
import type { Control } from '../queue/control.js'
import { LaneI32, LaneState } from '../queue/layout.js'
import { isThreadGone } from '../queue/process-identity.js'
import { LaneListener } from '../writer/lane-channel.js'
import type { LaneHandle } from '../writer/messages.js'
import { MAX_WAITING_THREADS, type ShelvedLane, shelve } from '../writer/shelving.js'

/** Shelved in one look: each copies a ring, which may be full, and the app waits. */
const SHELVED_AT_A_TIME = 4

interface KnownLane {
  readonly handle: LaneHandle
  readonly i32: Int32Array
  readonly f64: Float64Array
}

const stateOf = ({ i32 }: KnownLane): number => Atomics.load(i32, LaneI32.STATE)

/**
 * The main thread's list of the lanes of worker threads: for a writer that has to be started again, and for
 * `health()`. A lane that the writer has closed is forgotten; its counters stand in the control block.
 */
export class LaneRegistry {
  readonly #boot: string
  readonly #control: Control
  readonly #lanes = new Map<number, KnownLane>()
  /** Accounts of lanes that rest: their memory is let go, and comes again with them should their threads wake up. */
  readonly #resting = new Map<number, Account>()
  /** What ended while no writer lived, and no writer has taken over yet. */
  #shelved: ShelvedLane[] = []
  readonly #listener: LaneListener
  readonly #onNew: (lane: LaneHandle) => void

  /** @param onNew hears of every announcement of a lane that no writer drains */
  constructor(boot: string, control: Control, onNew: (lane: LaneHandle) => void) {
    this.#boot = boot
    this.#control = control
    this.#onNew = onNew
    this.#listener = new LaneListener(boot, handle => this.#add(handle))
  }

  /** The lanes a writer that is started now has to drain. */
  get handles(): readonly LaneHandle[] {
    this.#listener.receive()
    this.#forgetClosed()
    return [...this.#lanes.values()].map(({ handle }) => handle)
  }

  /** Journals that a writer that is started now has to take over. */
  get shelved(): readonly ShelvedLane[] {
    this.#shelved = this.#shelved.filter(({ taken }) => Atomics.load(taken, 0) === 0)
    return this.#shelved
  }

  /** Lanes of threads that may have something in their rings which nobody has dealt with. */
  get unsaved(): readonly LaneHandle[] {
    return this.handles.filter(({ ring }) => {
      const lane = this.#lanes.get(ring)
      return lane !== undefined && stateOf(lane) !== LaneState.saved
    })
  }

  /** Hears what is on its way. */
  receive(): void {
    this.#listener.receive()
  }

  tend(): void {
    this.#listener.receive()
    this.#forgetClosed()
    // No writer lives that could touch a lane meanwhile: this thread is the one that starts them.
    if (this.#control.writerState === 'failed' && this.#lanes.size > MAX_WAITING_THREADS) this.#shelve()
  }

  #shelve(): void {
    // A lane that the writer was about to close when it died is not closed by the closing of another one.
    for (const lane of this.#lanes.values()) isClosed(this.#control, lane)
    const ended = this.handles.filter(({ thread }) => thread !== null && isThreadGone(thread))
    this.#shelved.push(...shelve(this.#boot, this.#control, ended, SHELVED_AT_A_TIME).values())
    this.#forgetClosed()
  }

  close(): void {
    this.#listener.close()
  }

  /** The account of the process: of `own`, of the known threads, and of those that are gone. */
  account(own: { readonly i32: Int32Array; readonly f64: Float64Array }): Account {
    this.#listener.receive()
    this.#forgetClosed()
    let sum = readProcessAccount(this.#control, [own, ...this.#lanes.values()])
    for (const account of this.#resting.values()) sum = addAccounts(sum, account)
    return sum
  }

  #add(handle: LaneHandle): void {
    const lane = {
      handle,
      i32: new Int32Array(handle.memory),
      f64: new Float64Array(handle.memory),
    }
    if (stateOf(lane) === LaneState.closed) return
    this.#lanes.set(handle.ring, lane)
    this.#resting.delete(handle.ring)
    if (stateOf(lane) !== LaneState.adopted) this.#onNew(handle)
  }

  #forgetClosed(): void {
    for (const [ring, lane] of this.#lanes) {
      const state = stateOf(lane)
      if (state === LaneState.closed || state === LaneState.resting) this.#lanes.delete(ring)
      if (state === LaneState.resting) this.#resting.set(ring, readAccount(lane.f64, this.#control.f64))
    }
  }
}
