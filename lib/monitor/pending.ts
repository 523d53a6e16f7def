import type { CallSite } from './call-site.js'
import type { Recording } from './recording.js'
import { CELLS_PER_CALL, Cell, running } from './running.js'

/** A call that goes on after it has returned: what its record will need. */
export interface PendingCall {
  readonly recording: Recording
  readonly site: CallSite
  /** 0 = not sampled. */
  readonly weight: number
  /** Milliseconds; `< 0`: not timed. */
  readonly startMs: number
  readonly call: number
  readonly trace: number
  /** 0 = none. */
  readonly parent: number
  readonly flags: number
  /** Arguments captured before the call; `null`: they are read from `args` when the call turns out to be worth a record. */
  readonly held: Uint8Array | null
  readonly args: ArrayLike<unknown>
}

/** The call at this depth as one that goes on after it has returned. */
export function pendingCall(
  recording: Recording,
  site: CallSite,
  at: number,
  flags: number,
  args: ArrayLike<unknown>,
): PendingCall {
  const { cells } = running
  const cell = at * CELLS_PER_CALL
  const mark = cells[cell + Cell.MARK]
  return {
    recording,
    site,
    weight: cells[cell + Cell.WEIGHT],
    startMs: cells[cell + Cell.START],
    call: cells[cell + Cell.CALL],
    trace: cells[cell + Cell.TRACE],
    parent: cells[cell + Cell.PARENT],
    flags,
    held: mark === -1 ? null : recording.producer.scratch.hold(mark),
    args,
  }
}
