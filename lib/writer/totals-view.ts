import { DROP_REASONS, Lane } from '../queue/layout.js'
import type { StoreWriter } from '../store/insert.js'
import { BLOCK_BYTES, Block, BUCKET_COUNT, HEADER_BYTES, MAX_SLOT_I32 } from '../totals/layout.js'
import type { LaneView } from './lane.js'
import type { SecondSums } from './seconds.js'

/** Cumulative counters of one call site at one moment; 32-bit ones modulo 2^32. */
interface Counters {
  readonly calls: number
  readonly errors: number
  readonly kept: number
  readonly timed: number
  readonly durationSumMs: number
  readonly drops: readonly number[]
  readonly errorDrops: readonly number[]
  /** When this was read: what comes later has happened since. 0 = nothing was read. */
  readonly readUs: number
  readonly buckets: Readonly<Record<number, number>>
}

const ZERO: Counters = {
  calls: 0,
  errors: 0,
  kept: 0,
  timed: 0,
  durationSumMs: 0,
  drops: [],
  errorDrops: [],
  readUs: 0,
  buckets: {},
}
/** Where the drops of each lane stand. */
const DROP_BLOCKS = [
  { lane: Lane.calls, offset: Block.DROPS, of: ({ drops }: Counters) => drops },
  { lane: Lane.errors, offset: Block.ERROR_DROPS, of: ({ errorDrops }: Counters) => errorDrops ?? [] },
] as const
const US_PER_MINUTE = 60_000_000

/**
 * Reads the totals of one recording thread and adds what has changed to the minute under way. What has been added is
 * kept in the store, in the same transaction, so that a writer that was restarted goes on exactly.
 *
 * A call that ends while its block is read may be half in this snapshot and half in the next; nothing is lost.
 */
export class TotalsView {
  readonly #lane: LaneView
  readonly #u32: Uint32Array
  readonly #f64: Float64Array
  readonly #i32: Int32Array
  #reported: Counters[] = []
  /** What the store before this one was told. */
  #reportedBefore: Counters[] = []
  #pending: { site: number; counters: Counters; raisedMs: number }[] = []
  /** By site, the maximum that the last snapshot has reported and that still stands in the idle slot. */
  #reportedMaxMs = new Map<number, number>()
  /** 0 = none yet: then the file knows when the writer before this one read the counters. */
  #lastSnapshotUs = 0

  constructor(lane: LaneView) {
    this.#lane = lane
    this.#u32 = new Uint32Array(lane.totals)
    this.#f64 = new Float64Array(lane.totals)
    this.#i32 = new Int32Array(lane.totals)
  }

  /** Whether any call has ended or been dropped since the last snapshot. */
  get changed(): boolean {
    const sites = this.#lane.siteCount
    for (let site = 0; site < sites; site++) if (this.#hasChanged(site)) return true
    return false
  }

  /**
   * Adds what has changed to the minute, and to `seconds`; part of the batch's transaction.
   *
   * @param nowUs begin of the transaction
   * @param clockUs asked when the counters have been read: until then they were counted
   */
  write(store: StoreWriter, nowUs: number, seconds: SecondSums, clockUs: () => number = () => nowUs): void {
    this.#pending = []
    const minute = Math.floor(nowUs / US_PER_MINUTE)
    const sites = this.#lane.siteCount
    for (let site = 0; site < sites; site++) {
      if (!this.#hasChanged(site)) continue
      const before = this.#reported[site] ?? this.#restore(store, site)
      const counters = this.#read(site, before, nowUs)
      const readUs = Math.max(nowUs, clockUs())
      const { maxMs, raisedMs } = this.#maxima(site)
      this.#writeSite(store, seconds, site, before, counters, minute, readUs, maxMs)
      this.#pending.push({ site, counters, raisedMs })
    }
  }

  /** The batch is committed. */
  commit(nowUs: number): void {
    const idleSlot = 1 - (this.#i32[MAX_SLOT_I32] & 1)
    // Whatever the idle slot holds has been reported by this snapshot or the one before; it is raised from now on.
    for (const site of this.#reportedMaxMs.keys()) this.#f64[this.#maxWord(site) + idleSlot] = 0
    this.#reportedMaxMs.clear()
    for (const { site, counters, raisedMs } of this.#pending) {
      this.#reported[site] = counters
      this.#f64[this.#maxWord(site) + idleSlot] = 0
      this.#reportedMaxMs.set(site, raisedMs)
    }
    this.#pending = []
    this.#lastSnapshotUs = nowUs
    this.#i32[MAX_SLOT_I32] = idleSlot
  }

  /** Another session, perhaps with another file: what was reported is asked of the file again. */
  reopen(): void {
    this.#pending = []
    for (const [site, counters] of this.#reported.entries()) {
      if (counters !== undefined) this.#reportedBefore[site] = counters
    }
    this.#reported = []
  }

  /** What was reported to a store that was replaced is not in the new one, and stays reported. */
  #restore(store: StoreWriter, site: number): Counters {
    const json = store.reported(this.#lane.processId, this.#lane.ring, site)
    const counters = json === null ? (this.#reportedBefore[site] ?? ZERO) : (JSON.parse(json) as Counters)
    this.#reported[site] = counters
    return counters
  }

  #writeSite(
    store: StoreWriter,
    seconds: SecondSums,
    site: number,
    before: Counters,
    after: Counters,
    minute: number,
    readUs: number,
    maxMs: number,
  ): void {
    const { processId, ring } = this.#lane
    const functionId = store.functionId(this.#lane.siteName(site))
    const calls = difference(after.calls, before.calls)
    const errors = difference(after.errors, before.errors)
    const kept = difference(after.kept, before.kept)
    const timed = difference(after.timed, before.timed)
    // Not for calls alone: of one that ended while the last snapshot was taken, that may have seen the call only.
    if (calls > 0 || errors > 0 || kept > 0 || timed > 0) {
      const buckets = new Map<number, number>()
      for (const [bucket, count] of Object.entries(after.buckets)) {
        const added = difference(count, before.buckets[Number(bucket)] ?? 0)
        if (added > 0) buckets.set(Number(bucket), added)
      }
      const delta = {
        calls,
        errors,
        kept,
        timed,
        // A whole number: rounded once, the same in every sum it goes into.
        durationSumNs: Math.round((after.durationSumMs - before.durationSumMs) * 1e6),
        durationMaxNs: maxMs * 1e6,
        buckets,
      }
      store.addTotals(minute, functionId, processId, delta)
      seconds.add(functionId, delta)
    }
    const sinceUs = this.#sinceUs(before)
    for (const { lane, of } of DROP_BLOCKS) {
      of(after).forEach((count, reason) => {
        const added = difference(count, of(before)[reason] ?? 0)
        const name = DROP_REASONS[reason]
        if (added === 0 || name === undefined) return
        store.addDrops(minute, functionId, processId, lane, name, added, sinceUs, Math.ceil(readUs))
      })
    }
    store.setReported(processId, ring, site, JSON.stringify(after))
  }

  #hasChanged(site: number): boolean {
    const before = this.#reported[site] ?? ZERO
    const word = this.#word(site)
    if (this.#u32[word] !== before.calls || this.#u32[word + (Block.KEPT >>> 2)] !== before.kept) return true
    if (this.#u32[word + (Block.ERRORS >>> 2)] !== before.errors) return true
    if (this.#u32[word + (Block.TIMED >>> 2)] !== before.timed) return true
    return DROP_BLOCKS.some(({ offset, of }) => {
      const drops = word + (offset >>> 2)
      return DROP_REASONS.some((_, reason) => this.#u32[drops + reason] !== (of(before)[reason] ?? 0))
    })
  }

  /** What is new since `before` has happened after this moment. */
  #sinceUs({ readUs }: Counters): number {
    if (this.#lastSnapshotUs > 0) return this.#lastSnapshotUs
    return readUs > 0 ? readUs : this.#lane.originUnixUs
  }

  #read(site: number, before: Counters, nowUs: number): Counters {
    const word = this.#word(site)
    const bucketWord = word + (Block.BUCKETS >>> 2)
    const buckets: Record<number, number> = { ...before.buckets }
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      const count = this.#u32[bucketWord + bucket]
      if (count > 0) buckets[bucket] = count
    }
    return {
      calls: this.#u32[word],
      errors: this.#u32[word + (Block.ERRORS >>> 2)],
      kept: this.#u32[word + (Block.KEPT >>> 2)],
      timed: this.#u32[word + (Block.TIMED >>> 2)],
      durationSumMs: this.#f64[(word >>> 1) + (Block.DURATION_SUM >>> 3)],
      drops: this.#readDrops(word, Block.DROPS),
      errorDrops: this.#readDrops(word, Block.ERROR_DROPS),
      readUs: nowUs,
      buckets,
    }
  }

  #readDrops(word: number, offset: number): number[] {
    return DROP_REASONS.map((_, reason) => this.#u32[word + (offset >>> 2) + reason])
  }

  /**
   * The longest call since the last snapshot. Mostly it stands in the slot being raised; a call that ended while the
   * slots were exchanged may have raised the other one, which else holds what was reported.
   */
  #maxima(site: number): { maxMs: number; raisedMs: number } {
    const slot = this.#i32[MAX_SLOT_I32] & 1
    const raisedMs = this.#f64[this.#maxWord(site) + slot]
    const idleMs = this.#f64[this.#maxWord(site) + (1 - slot)]
    return {
      maxMs: idleMs === this.#reportedMaxMs.get(site) ? raisedMs : Math.max(raisedMs, idleMs),
      raisedMs,
    }
  }

  #maxWord(site: number): number {
    return (this.#word(site) >>> 1) + (Block.DURATION_MAX >>> 3)
  }

  #word(site: number): number {
    return (HEADER_BYTES + site * BLOCK_BYTES) >>> 2
  }
}

function difference(after: number, before: number): number {
  return (after - before) >>> 0
}
