import { type AnchoredClock, monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import type { CommonClock } from '../store/common-clock.js'
import { classify } from '../store/errors.js'
import type { Retention } from '../store/retention.js'
import type { WriteAheadLog } from '../store/write-ahead-log.js'

const SWEEP_ROWS = 4_000
/** So that retention catches up with a program that goes on recording. */
const SWEPT_PER_STORED = 1.5
/** On a full disk: deleting 1,000 rows writes 90 KiB to the log, and that has to fit into what the reserve gave. */
const CRAMPED_SWEEP_ROWS = 2_000
/** As many such slices as fit into this time. */
const EMERGENCY_MS = 500

interface SweeperParts {
  readonly retention: Retention
  readonly log: WriteAheadLog
  readonly control: Control
  readonly clock: AnchoredClock
  readonly commonClock: CommonClock
}

/** Asks retention for slices: how many, and of how many rows, beside a program that goes on recording. */
export class Sweeper {
  readonly #parts: SweeperParts
  /** Retention has begun, and has more to do. */
  #sweeping = false
  /** Records of the batches since the last slice, while it has more to do. */
  #stored = 0

  constructor(parts: SweeperParts) {
    this.#parts = parts
  }

  /** A batch is committed. */
  stored(records: number): void {
    this.#stored += records
  }

  /**
   * As many slices as delete more than was stored since the last ones: a flood must not fill the disk
   * faster than it is emptied. The first one is alone, since what came in the whole interval before would take seconds,
   * in which the rings run over. `true` when there is more to do.
   */
  sweep(): boolean {
    const due = this.#sweeping ? this.#stored * SWEPT_PER_STORED : 0
    this.#sweeping = false
    this.#stored = 0
    this.#parts.log.requireRoom()
    let more = true
    for (let rows = 0; more && rows <= due; rows += SWEEP_ROWS) more = this.#sweepSlice(SWEEP_ROWS, false)
    this.#sweeping = more
    return more
  }

  /** On a full disk, with what room the reserve gave: everything goes that is due. */
  sweepNow(): void {
    const deadlineMs = monotonicMs() + EMERGENCY_MS
    while (monotonicMs() < deadlineMs) {
      try {
        if (!this.#sweepSlice(CRAMPED_SWEEP_ROWS, true)) return
      } catch (error) {
        // What was deleted so far may have made the database small enough to take its log in.
        if (classify(error) !== 'full' || !this.#parts.retention.size.emptyLog()) throw error
      }
    }
  }

  #sweepSlice(rows: number, cramped: boolean): boolean {
    const { retention, control, clock, commonClock } = this.#parts
    const now = commonClock.earliestUs(clock.nowUs(), monotonicMs())
    const { more, expired } = retention.sweepSlice(now, rows, cramped)
    control.addExpired(expired)
    return more
  }
}
