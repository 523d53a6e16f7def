import { DROP_REASONS, DROP_WORDS_PER_LANE, Drop, Lane, LaneF64, LaneI32 } from '../queue/layout.js'
import { RingConsumer } from '../queue/ring.js'
import { BLOCK_BYTES, Block, HEADER_BYTES, SITE_COUNT_I32 } from '../totals/layout.js'
import type { JournalDelta } from './journal-tail.js'
import type { LaneHandle } from './messages.js'
import { BadFrameError, type RecordOrigin } from './record-sink.js'

/** Reasons only the writer gives. After a restart they come from the store, the others from shared memory. */
export const WRITER_REASONS: readonly number[] = [Drop.poison, Drop.writerLost]

/** What a batch changes in the counters of one lane; applied only after its COMMIT. */
export interface LaneDelta {
  consumed: number
  replayed: number
  stored: number
  poison: number
  /** Records that nobody can store any more, because their thread is gone or the process ends. */
  lost: number
  /** Highest sequence number dealt with. */
  seq: number
  /** Of `stored` and `poison`, what came from the journal. */
  journalStored: number
  journalPoison: number
}

/** One recording thread, as the writer sees it: its ring, its counters, its directory of call sites. */
export class LaneView implements RecordOrigin {
  readonly ring: number
  readonly ringBytes: number
  readonly consumer: RingConsumer
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly f64: Float64Array
  readonly i32: Int32Array
  readonly #sites: Int32Array
  readonly #siteBytes: Buffer
  readonly #names: string[] = []
  readonly totals: SharedArrayBuffer
  processId = 0
  /** Sequence number up to which the store has this ring's calls. */
  storedSeq = 0
  /** Highest sequence number of an error the store has; one below it may still wait in the ring. */
  storedErrorSeq = 0

  constructor(handle: Pick<LaneHandle, 'ring' | 'memory' | 'ringBytes' | 'totals'>) {
    this.ring = handle.ring
    this.ringBytes = handle.ringBytes
    this.consumer = new RingConsumer(handle.memory, handle.ringBytes)
    this.bytes = new Uint8Array(handle.memory)
    this.view = new DataView(handle.memory)
    this.f64 = new Float64Array(handle.memory)
    this.i32 = new Int32Array(handle.memory)
    this.totals = handle.totals
    this.#sites = new Int32Array(handle.totals)
    this.#siteBytes = Buffer.from(handle.totals)
  }

  /** What this writer does with the lane, one of `LaneState`. */
  get state(): number {
    return Atomics.load(this.i32, LaneI32.STATE)
  }

  set state(state: number) {
    Atomics.store(this.i32, LaneI32.STATE, state)
  }

  /** Whether any record waits. */
  get pending(): boolean {
    return (
      this.consumer.pendingBytes > 0 ||
      this.f64[LaneF64.ERRORS_JOURNALED] > this.f64[LaneF64.ERRORS_REPLAYED] ||
      this.f64[LaneF64.CALLS_JOURNALED] > this.f64[LaneF64.CALLS_REPLAYED]
    )
  }

  get originUnixUs(): number {
    return this.f64[LaneF64.ORIGIN_UNIX_US]
  }

  get siteCount(): number {
    // A site is complete once it is counted.
    return Atomics.load(this.#sites, SITE_COUNT_I32)
  }

  siteName(site: number): string {
    const known = this.#names[site]
    if (known !== undefined) return known
    if (site >= this.siteCount) throw new BadFrameError(`there is no call site ${site}`)
    const base = HEADER_BYTES + site * BLOCK_BYTES
    const bytes = this.#siteBytes.readUInt16LE(base + Block.NAME_BYTES)
    const name = this.#siteBytes.toString('utf8', base + Block.NAME, base + Block.NAME + bytes)
    this.#names[site] = name
    return name
  }

  /** Takes the counters over that an earlier writer thread committed. */
  restore(lane: Lane, stored: number, dropped: Readonly<Record<string, number>>): void {
    this.f64[lane === Lane.calls ? LaneF64.CALLS_STORED : LaneF64.ERRORS_STORED] = stored
    for (const reason of WRITER_REASONS) {
      this.f64[LaneF64.WRITER_DROPS + lane * DROP_WORDS_PER_LANE + reason] =
        dropped[DROP_REASONS[reason]] ?? 0
    }
  }

  /** Makes a committed batch visible in the shared counters. */
  apply(lane: Lane, delta: LaneDelta): void {
    const calls = lane === Lane.calls
    this.f64[calls ? LaneF64.CALLS_STORED : LaneF64.ERRORS_STORED] += delta.stored
    this.f64[LaneF64.WRITER_DROPS + lane * DROP_WORDS_PER_LANE + Drop.poison] += delta.poison
    this.f64[LaneF64.WRITER_DROPS + lane * DROP_WORDS_PER_LANE + Drop.writerLost] += delta.lost
    this.f64[calls ? LaneF64.CALLS_CONSUMED : LaneF64.ERRORS_CONSUMED] += delta.consumed
    this.f64[calls ? LaneF64.CALLS_REPLAYED : LaneF64.ERRORS_REPLAYED] += delta.replayed
    if (calls) this.storedSeq = Math.max(this.storedSeq, delta.seq)
    else this.storedErrorSeq = Math.max(this.storedErrorSeq, delta.seq)
  }

  /** Takes back what is known of errors that went to a store nobody can find; the journal gives them again. */
  forget({ replayed, stored, poison }: JournalDelta): void {
    this.f64[LaneF64.ERRORS_REPLAYED] -= replayed
    this.f64[LaneF64.ERRORS_STORED] -= stored
    this.f64[LaneF64.WRITER_DROPS + Lane.errors * DROP_WORDS_PER_LANE + Drop.poison] -= poison
  }

  /** Drops of one lane by reason, with what the batch under way adds. */
  dropped(lane: Lane, { poison, lost }: LaneDelta): Record<string, number> {
    const all: Record<string, number> = {}
    DROP_REASONS.forEach((reason, index) => {
      const word = lane * DROP_WORDS_PER_LANE + index
      const count =
        this.f64[LaneF64.PRODUCER_DROPS + word] +
        this.f64[LaneF64.WRITER_DROPS + word] +
        (index === Drop.poison ? poison : 0) +
        (index === Drop.writerLost ? lost : 0)
      if (count > 0) all[reason] = count
    })
    return all
  }
}

export function emptyDelta(): LaneDelta {
  return {
    consumed: 0,
    replayed: 0,
    stored: 0,
    poison: 0,
    lost: 0,
    seq: 0,
    journalStored: 0,
    journalPoison: 0,
  }
}
