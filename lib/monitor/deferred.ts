import { types } from 'node:util'
import { FrameFlag } from '../queue/layout.js'
import type { CallSite } from './call-site.js'
import { clearPending, fillPending, newPending, type PendingCall, watchIfCrowded } from './pending.js'
import type { Recording } from './recording.js'
import { Carries, CELLS_PER_CALL, Cell, deriving, NOWHERE, running } from './running.js'
import { settlePending, settlePendingThrow } from './settle.js'

const { apply } = Reflect
const { getOwnPropertyNames, getPrototypeOf } = Object
const { isPromise } = types
const promisePrototype = Promise.prototype
const promiseThen = Promise.prototype.then

/**
 * The promise the app gets in place of a plain one: derived once, with both handlers in one call, so that a
 * rejection the app does not handle is still reported as unhandled, and one it handles stays silent. `null` for what
 * is no plain promise: native, of this realm, no subclass, nothing added, so that the app cannot tell the two apart.
 */
export function defer(
  recording: Recording,
  site: CallSite,
  at: number,
  args: ArrayLike<unknown>,
  result: object,
): object | null {
  if (site.isAsyncFunction) {
    // Nobody but its caller has seen this promise yet.
    if (getPrototypeOf(result) !== promisePrototype) return null
  } else if (!isPlainPromise(result)) {
    return null
  }
  site.continues = true
  const waiting = takePendingPromise()
  const { pending } = waiting
  fillPending(pending, recording, site, at, FrameFlag.async, args)
  watchIfCrowded(pending, pending)
  if (running.cells[at * CELLS_PER_CALL + Cell.CARRIES] === Carries.found) deriving.at = at
  const derived = apply(promiseThen, result, [waiting.fulfilled, waiting.rejected]) as object
  deriving.at = NOWHERE
  return derived
}

function isPlainPromise(result: object): boolean {
  if (!isPromise(result) || getPrototypeOf(result) !== promisePrototype) return false
  return getOwnPropertyNames(result).length === 0
}

/**
 * A call that waits for a plain promise, with the handlers that end it. They are used again once the promise has
 * settled: a native promise calls one of the two, once, and shows them to nobody.
 */
class PendingPromise {
  readonly pending: PendingCall = newPending()
  next: PendingPromise | null = null

  readonly fulfilled = (value: unknown): unknown => {
    settlePending(this.pending, value)
    giveBack(this)
    return value
  }

  readonly rejected = (reason: unknown): never => {
    settlePendingThrow(this.pending, reason)
    giveBack(this)
    throw reason
  }
}

/** As many are kept as wait at a time in most programs; each takes a few hundred bytes. */
const MAX_FREE = 256
let firstFree: PendingPromise | null = null
let freeCount = 0

/** By stores alone, so that the end of the stack leaves either list or object behind. */
function takePendingPromise(): PendingPromise {
  const free = firstFree
  if (free === null) return new PendingPromise()
  firstFree = free.next
  freeCount--
  free.next = null
  return free
}

function giveBack(waiting: PendingPromise): void {
  if (freeCount === MAX_FREE || !clearPending(waiting.pending)) return
  waiting.next = firstFree
  firstFree = waiting
  freeCount++
}
