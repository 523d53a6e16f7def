type ClockModule = typeof import('../../lib/queue/clock.js')

/** The clock of a writer that shares its thread with the test: its loop never returns to the event loop. */
export const clock = {
  /** `null`: it runs, and is ahead of the real one. */
  standsAtMs: null as number | null,
  aheadMs: 0,
  /** What happens when it is looked at: nothing else of the test is run while the writer is. */
  onLook: (): void => {},
}

/** For `vi.mock` of the clock of `lib`. */
export const movedClock = (real: ClockModule): ClockModule => ({
  ...real,
  monotonicMs: () => {
    clock.onLook()
    return (clock.standsAtMs ?? real.monotonicMs()) + clock.aheadMs
  },
})

type Step = readonly [isDue: () => boolean, take: () => void]

/** One step after the other, each at a look at which the one before has come true. Returns those that are left. */
export function script(...steps: Step[]): readonly Step[] {
  clock.onLook = () => {
    const [step] = steps
    if (step?.[0]() !== true) return
    steps.shift()
    step[1]()
  }
  return steps
}
