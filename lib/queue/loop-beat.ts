import { clearInterval, setInterval } from 'node:timers'
import { monotonicMs } from './clock.js'
import { LaneF64 } from './layout.js'

// Taken before the app can put fake timers in their place, as tests do; those stand still while the loop turns.
const realSetInterval = setInterval
const realClearInterval = clearInterval
/** How the fake timers of most test frameworks can be told that were there before us. */
const isFake = Object.hasOwn(setInterval, 'clock')
/** Where a timer of Node stands in the list of those that run out at the same time; an imitation is in no list. */
const LIST_LINK = '_idlePrev'

const LONGEST_MS = 100
const BEATS_PER_THRESHOLD = 4

/** How often an event loop that counts as stuck after `thresholdMs` has to say that it turns. */
export function beatIntervalMs(thresholdMs: number): number {
  return Math.min(LONGEST_MS, thresholdMs / BEATS_PER_THRESHOLD)
}

/**
 * Says in the lane memory again and again that the event loop of this thread turns, from now on. It keeps nothing alive.
 *
 * @param onBeat runs at each beat, when no code of the app is on the stack
 * @returns what ends it
 */
export function beat(f64: Float64Array, thresholdMs: number, onBeat: () => void): () => void {
  if (!Number.isFinite(thresholdMs) || isFake) return () => {}
  const timer = realSetInterval(() => {
    f64[LaneF64.LOOP_BEAT_MS] = monotonicMs()
    onBeat()
  }, beatIntervalMs(thresholdMs)).unref()
  if (!(LIST_LINK in timer)) {
    realClearInterval(timer)
    return () => {}
  }
  f64[LaneF64.LOOP_BEAT_MS] = monotonicMs()
  return () => {
    realClearInterval(timer)
    f64[LaneF64.LOOP_BEAT_MS] = 0
  }
}
