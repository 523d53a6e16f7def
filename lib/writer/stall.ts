import type { StoreWriter } from '../store/insert.js'
import type { StallRows } from '../store/insert-stalls.js'
import type { OpenCall } from './open-calls.js'

/** Calls remembered of one stall; of more, those that were on the stack least often are forgotten. */
export const MAX_CALLS = 64

/** Whose stall it is: names of its call sites, and its clock. */
export interface StalledLane {
  readonly ring: number
  readonly originUnixUs: number
  siteName(site: number): string
}

interface SeenCall {
  readonly found: OpenCall
  readonly depth: number
  readonly startedUs: number
  looks: number
  innerLooks: number
}

/** One time when an event loop did not turn, and what was seen on the stack meanwhile. */
export class Stall {
  readonly sinceMs: number
  readonly startedUs: number
  readonly #lane: StalledLane
  readonly #calls = new Map<number, SeenCall>()
  #removed = new Set<number>()
  #looks = 0
  #onCpu: number | null = 0
  #seenUs: number
  #endedUs: number | null = null
  /** Whether the file does not know all of it. */
  isDirty = true

  /** @param sinceMs monotonic milliseconds of the last sign of life */
  constructor(lane: StalledLane, sinceMs: number, nowMs: number, nowUs: number) {
    this.#lane = lane
    this.sinceMs = sinceMs
    this.startedUs = Math.round(nowUs - (nowMs - sinceMs) * 1000)
    this.#seenUs = nowUs
  }

  get hasEnded(): boolean {
    return this.#endedUs !== null
  }

  /** Whether a call of the stack was seen before. */
  knows(call: number): boolean {
    return this.#calls.has(call)
  }

  /**
   * The loop was found stuck.
   *
   * @param stack calls on the stack, outermost first
   * @param onCpu whether the thread was running; `null`: the system does not tell
   */
  look(stack: readonly OpenCall[], onCpu: boolean | null, nowUs: number): void {
    this.#looks++
    this.#seenUs = nowUs
    this.#onCpu = onCpu === null || this.#onCpu === null ? null : this.#onCpu + (onCpu ? 1 : 0)
    this.isDirty = true
    const now = new Set(stack.map(({ call }) => call))
    const innermost = stack.at(-1)?.call
    for (const found of stack) {
      const seen = this.#calls.get(found.call) ?? this.#add(found, now, nowUs)
      if (seen === null) continue
      seen.looks++
      if (found.call === innermost) seen.innerLooks++
    }
  }

  #add(found: OpenCall, now: ReadonlySet<number>, nowUs: number): SeenCall | null {
    if (this.#calls.size >= MAX_CALLS && !this.#forgetOne(now)) return null
    const { startMs, depth } = found
    const startedUs = startMs < 0 ? nowUs : this.#lane.originUnixUs + startMs * 1000
    const seen = { found, depth: depth ?? 0, startedUs: Math.round(startedUs), looks: 0, innerLooks: 0 }
    this.#calls.set(found.call, seen)
    return seen
  }

  #forgetOne(now: ReadonlySet<number>): boolean {
    let least: number | null = null
    let leastLooks = Number.POSITIVE_INFINITY
    for (const [call, { looks }] of this.#calls) {
      if (now.has(call) || looks >= leastLooks) continue
      least = call
      leastLooks = looks
    }
    if (least === null) return false
    this.#calls.delete(least)
    this.#removed.add(least)
    return true
  }

  /** The loop turns again; or nothing more can be known of it. */
  end(endedUs: number = this.#seenUs): void {
    this.#endedUs = Math.max(this.#seenUs, Math.round(endedUs))
    this.isDirty = true
  }

  /** Part of the batch's transaction. */
  write(store: StoreWriter, rows: StallRows): void {
    const stallId = rows.put({
      ring: this.#lane.ring,
      startedUs: this.startedUs,
      seenUs: Math.round(this.#seenUs),
      endedUs: this.#endedUs,
      looks: this.#looks,
      onCpu: this.#onCpu,
    })
    for (const call of this.#removed) rows.removeCall(stallId, call)
    for (const { found, depth, startedUs, looks, innerLooks } of this.#calls.values()) {
      rows.putCall(stallId, {
        call: found.call,
        functionId: store.functionId(this.#lane.siteName(found.site)),
        depth,
        startedUs,
        timed: found.startMs >= 0,
        trace: found.trace,
        looks,
        innerLooks,
        shape: found.shape,
        args: found.args,
      })
    }
  }

  /** The file knows all of it. */
  written(): void {
    this.isDirty = false
    this.#removed = new Set()
  }
}
