import { ControlI32, LaneI32 } from './layout.js'

/** What the journals of the process may still take: `short`, from half of the limit on, is for headers only. */
export type JournalRoom = 'free' | 'short' | 'none'

const KIB = 1024

/**
 * The limit on the journals of all threads of a process together. Each thread says in its lane how much of the disk
 * its journal takes, and adds what has changed to the sum of all; when its lane is closed, the writer takes it off.
 */
export class JournalBudget {
  readonly #control: Int32Array
  readonly #lane: Int32Array
  readonly #maxKib: number

  constructor(control: SharedArrayBuffer, memory: SharedArrayBuffer, maxBytes: number) {
    this.#control = new Int32Array(control)
    this.#lane = new Int32Array(memory)
    this.#maxKib = Math.floor(maxBytes / KIB)
    Atomics.store(this.#control, ControlI32.JOURNAL_MAX_KIB, Math.min(2 ** 31 - 1, this.#maxKib))
  }

  /** This thread's journal takes so much now. */
  report(bytes: number): void {
    const kib = Math.ceil(bytes / KIB)
    const added = kib - this.#lane[LaneI32.JOURNAL_KIB]
    if (added === 0) return
    this.#lane[LaneI32.JOURNAL_KIB] = kib
    // Several threads add to it, each its own part.
    Atomics.add(this.#control, ControlI32.JOURNAL_KIB, added)
  }

  get room(): JournalRoom {
    const kib = Atomics.load(this.#control, ControlI32.JOURNAL_KIB)
    if (kib >= this.#maxKib) return 'none'
    return kib >= this.#maxKib / 2 ? 'short' : 'free'
  }
}

/** Whether the journals of the process have reached their limit; asked by those who save the rings of other threads. */
export function journalsAreFull(control: Int32Array): boolean {
  return Atomics.load(control, ControlI32.JOURNAL_KIB) >= Atomics.load(control, ControlI32.JOURNAL_MAX_KIB)
}
