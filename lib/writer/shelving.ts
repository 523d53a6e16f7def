import { closeLane, readLane, settleJournal } from '../queue/account.js'
import type { Control } from '../queue/control.js'
import { journalsAreFull } from '../queue/journal-budget.js'
import { ControlI32, DROP_WORDS_PER_LANE, Drop, Lane, LaneF64, LaneI32 } from '../queue/layout.js'
import { LaneView } from './lane.js'
import type { LaneHandle } from './messages.js'
import { rescueRing } from './ring-rescue.js'

/**
 * Threads that have ended and whose records nobody can store now are kept in memory up to this many: each may hold a
 * full ring, 8 MiB by default.
 */
export const MAX_WAITING_THREADS = 16
const KIB = 1024
const CALLS_LEFT_OUT = LaneF64.WRITER_DROPS + Lane.calls * DROP_WORDS_PER_LANE + Drop.breakerOpen

/** What is left of a thread whose memory was let go: the journal of this ring. */
export interface ShelvedLane {
  readonly ring: number
  /** Records in its journal, by lane. */
  readonly inJournal: readonly [calls: number, errors: number]
  /** What the process counts for it against the limit of its journals. */
  readonly kib: number
  /** A word that is 1 when it is taken over; a writer that is started later sees it too. */
  readonly taken: Int32Array
}

/**
 * Lets go of the memory of threads that have ended while the store cannot be written: what was in their rings goes to
 * their journals, which are taken over when the store works again, or by the next start of the program. As long as the
 * journals are at their limit that is errors only; calls are counted as `breaker_open`.
 *
 * @param ended oldest first; of these the last {@link MAX_WAITING_THREADS} are kept
 * @param limit how many are shelved at most
 * @returns those that are shelved; none while the disk refuses the journals as well
 */
export function shelve(
  boot: string,
  control: Control,
  ended: readonly LaneHandle[],
  limit = Number.POSITIVE_INFINITY,
): Map<LaneHandle, ShelvedLane> {
  const shelved = new Map<LaneHandle, ShelvedLane>()
  for (const handle of ended.slice(0, -MAX_WAITING_THREADS)) {
    if (shelved.size >= limit) break
    const full = journalsAreFull(control.i32)
    const { complete, bytes, callsLeftOut } = rescueRing(boot, handle, Number.POSITIVE_INFINITY, full)
    if (!complete) break
    const lane = new LaneView(handle)
    lane.f64[LaneF64.CALLS_CONSUMED] += callsLeftOut
    lane.f64[CALLS_LEFT_OUT] += callsLeftOut
    const ringKib = Math.ceil(bytes / KIB)
    Atomics.add(control.i32, ControlI32.JOURNAL_KIB, ringKib)
    shelved.set(handle, {
      ring: handle.ring,
      inJournal: [waiting(lane, Lane.calls), waiting(lane, Lane.errors)],
      kib: Atomics.load(lane.i32, LaneI32.JOURNAL_KIB) + ringKib,
      taken: new Int32Array(new SharedArrayBuffer(4)),
    })
    closeLane(control, lane, 'in journal')
  }
  return shelved
}

function waiting({ f64 }: LaneView, which: Lane): number {
  const account = readLane(f64, which)
  return account.inRing + account.inJournal
}

interface Progress {
  stored: number
  poison: number
}

/** The shelved lanes of a process, and how far the writer has taken their journals over. */
export class Shelved {
  readonly #control: Control
  readonly #lanes = new Map<number, { readonly lane: ShelvedLane; readonly progress: readonly Progress[] }>()

  constructor(control: Control, lanes: readonly ShelvedLane[] = []) {
    this.#control = control
    for (const lane of lanes) this.add(lane)
  }

  add(lane: ShelvedLane): void {
    if (Atomics.load(lane.taken, 0) === 1) return
    const none = (): Progress => ({ stored: 0, poison: 0 })
    this.#lanes.set(lane.ring, { lane, progress: [none(), none()] })
  }

  get isEmpty(): boolean {
    return this.#lanes.size === 0
  }

  get rings(): readonly number[] {
    return [...this.#lanes.keys()]
  }

  /** A step of taking over is committed. */
  count(ring: number, which: Lane, { stored, poison }: Readonly<Progress>): void {
    const progress = this.#lanes.get(ring)?.progress[which]
    if (progress === undefined) return
    progress.stored += stored
    progress.poison += poison
  }

  /** The journals of this ring are gone; what did not come out of them never will. */
  settle(ring: number): void {
    const found = this.#lanes.get(ring)
    if (found === undefined) return
    const { lane, progress } = found
    this.#lanes.delete(ring)
    Atomics.store(lane.taken, 0, 1)
    const taken = ([Lane.calls, Lane.errors] as const).map(which => {
      const stored = Math.min(lane.inJournal[which], progress[which]?.stored ?? 0)
      const poison = Math.min(lane.inJournal[which] - stored, progress[which]?.poison ?? 0)
      return { stored, poison, lost: lane.inJournal[which] - stored - poison }
    })
    const [calls, errors] = taken
    if (calls !== undefined && errors !== undefined)
      settleJournal(this.#control, { [Lane.calls]: calls, [Lane.errors]: errors }, lane.kib)
  }
}
