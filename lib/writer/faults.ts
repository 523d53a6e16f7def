import { ControlI32 } from '../queue/layout.js'

/** Faults the tests ask for through the control block, one at a time; 0 = none. A fault happens once. */
export const Fault = { throwInDrain: 1, exitAfterCommit: 2, exitInTransaction: 3 } as const

/** Ends or breaks the writer thread here when a test has asked for exactly this. */
export function faultPoint(control: Int32Array, fault: number): void {
  if (Atomics.compareExchange(control, ControlI32.FAULT, fault, 0) !== fault) return
  if (fault === Fault.throwInDrain) throw new Error('fault wanted by a test')
  // Ends this thread only, at once, without closing the store.
  process.exit(1)
}
