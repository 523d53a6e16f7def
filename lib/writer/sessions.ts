import type { AnchoredClock } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import type { StoreFailure } from '../store/errors.js'
import { setAside } from '../store/set-aside.js'
import type { Lanes } from './lanes.js'
import type { DrainTask } from './messages.js'
import type { OwnState } from './own-state.js'
import { Session } from './session.js'
import type { Shelved } from './shelving.js'
import type { StallWatch } from './stall-watch.js'
import type { Troubles } from './troubles.js'

interface SessionsParts {
  readonly task: DrainTask
  readonly control: Control
  readonly clock: AnchoredClock
  readonly lanes: Lanes
  readonly troubles: Troubles
  readonly stalls: StallWatch
  readonly shelved: Shelved
  readonly state: OwnState
}

/**
 * The sessions of a writer, one after the other. One is opened when it is needed, and ended when its file is damaged,
 * gone, or cannot be written; then it is decided which errors the next one stores once more.
 */
export class Sessions {
  readonly #parts: SessionsParts
  #current: Session | null = null
  /** The first session looks more closely at what others have left. */
  #thorough = true
  /** The files of the session were seen in their places then. */
  #inPlaceUs = 0

  constructor(parts: SessionsParts) {
    this.#parts = parts
  }

  /** The open one, if there is one. */
  get current(): Session | null {
    return this.#current
  }

  /** The open one; opened when it is not. */
  open(): Session {
    if (this.#current !== null) return this.#current
    const { task, control, clock, lanes, troubles, stalls, shelved, state } = this.#parts
    const thorough = this.#thorough
    this.#thorough = false
    this.#current = new Session(task, control, lanes, clock, {
      incidents: troubles.incidents,
      stalls,
      shelved,
      state,
      thorough,
      onSetAside: path => troubles.setAside(path),
    })
    this.#inPlaceUs = clock.nowUs()
    return this.#current
  }

  /** Whether the store is where its path says; if it is not, the session ends, and the next one sends errors again. */
  confirm(session: Session): boolean {
    const { lost } = session
    if (lost !== null) {
      this.close()
      return false
    }
    this.#inPlaceUs = this.#parts.clock.nowUs()
    for (const { journal } of this.#parts.lanes) journal.confirm()
    return true
  }

  /** Does what can be done about a batch that failed; `false`: nothing. */
  mend(failure: StoreFailure): boolean {
    switch (failure) {
      case 'full':
        return this.#makeRoom()
      case 'corrupt':
        this.#setAsideDamaged()
        return true
      case 'gone':
        this.close()
        return true
      default:
        return false
    }
  }

  /** The same about housekeeping that failed: a session that is not merely kept waiting ends. */
  leave(failure: StoreFailure): void {
    if (failure === 'busy' || failure === 'pinned') return
    try {
      if (failure === 'corrupt') this.#setAsideDamaged()
      else if (failure === 'full') this.#parts.troubles.diskFull()
    } catch {
      // Not even renamed: the next batch finds the damage too.
    }
    this.close()
  }

  /** @param damaged what it has stored is not to be relied on */
  close(damaged = false): void {
    const session = this.#current
    this.#current = null
    if (session === null) return
    try {
      const { lost } = session
      if (lost !== null) this.#parts.troubles.gone(lost, this.#inPlaceUs)
      const sound = !damaged && lost === null
      for (const { lane, journal } of this.#parts.lanes) {
        if (sound) journal.confirm()
        else lane.forget(journal.resend())
      }
    } catch {
      // The folder cannot be looked into; that is no reason to send anything twice.
    }
    try {
      session.end()
    } catch {
      // The connection is given up either way.
    }
  }

  /** On a full disk: what is due goes now. Even that needs room, which the reserve gives. */
  #makeRoom(): boolean {
    const given = this.#parts.troubles.diskFull()
    try {
      this.open().sweepNow()
    } catch (error) {
      if (!given) throw error
    }
    return true
  }

  /** What the open store says of itself cannot be: it is moved away, and the next session starts a new one. */
  #setAsideDamaged(): void {
    const session = this.#current
    if (session === null) return
    const { file, lost } = session
    this.close(true)
    // With its log under another name gone, the database itself may be sound: opened again, it says so.
    if (lost !== null) return
    const moved = setAside(this.#parts.task.settings.storePath, file)
    if (moved !== null) this.#parts.troubles.setAside(moved)
  }
}
