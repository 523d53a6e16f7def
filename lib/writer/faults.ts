import { ControlI32 } from '../queue/layout.js'

/**
 * Faults the tests ask for through the control block, one at a time; 0 = none. A fault happens once. `wait` holds
 * the writer up until the test writes the word again, `spin` for ever.
 */
export const Fault = {
  throwInDrain: 1,
  exitAfterCommit: 2,
  exitInTransaction: 3,
  outOfMemory: 4,
  wait: 5,
  spin: 6,
  exitInClosing: 7,
  exitBetweenTicks: 8,
} as const

export const FAULTS_IN_TRANSACTION = [
  Fault.throwInDrain,
  Fault.exitInTransaction,
  Fault.outOfMemory,
  Fault.wait,
  Fault.spin,
] as const

/** Ends or breaks the writer thread here when a test has asked for exactly this. */
export function faultPoint(control: Int32Array, fault: number): void {
  if (Atomics.compareExchange(control, ControlI32.FAULT, fault, 0) !== fault) return
  if (fault === Fault.throwInDrain) throw new Error('fault wanted by a test')
  if (fault === Fault.outOfMemory) exhaustMemory()
  // Ends this thread only, at once, without closing the store.
  else if (fault !== Fault.wait && fault !== Fault.spin) process.exit(1)
  else if (fault === Fault.wait) Atomics.wait(control, ControlI32.FAULT, 0)
  else for (;;);
}

function exhaustMemory(): void {
  const hoard: unknown[] = []
  for (;;) hoard.push(new Array(100_000).fill(hoard))
}
