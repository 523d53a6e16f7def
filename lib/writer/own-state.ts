import { monotonicMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlF64, ControlI32 } from '../queue/layout.js'
import { type NativeThread, nativeThread, threadCpuMs } from '../queue/process-identity.js'
import type { RecorderStateRow } from '../store/insert-state.js'
import type { LaneView } from './lane.js'
import type { WriterSettings } from './messages.js'

/** How often it is written, unless something has changed that readers must not take for what it was. */
const INTERVAL_MS = 1_000

/**
 * What the writer says of itself: its breaker, how full it finds the rings, what processor time it takes. Counted in the
 * control block, where it survives the writer thread.
 */
export class OwnState {
  readonly #control: Control
  readonly #settings: Pick<WriterSettings, 'retentionMs' | 'maxBytes'>
  readonly #thread: NativeThread
  /** Of the writer threads before this one. */
  readonly #cpuBeforeMs: number
  #writtenMs = Number.NEGATIVE_INFINITY
  #written: RecorderStateRow | null = null
  #staged: RecorderStateRow | null = null

  constructor(
    control: Control,
    settings: Pick<WriterSettings, 'retentionMs' | 'maxBytes'>,
    thread = nativeThread(),
  ) {
    this.#control = control
    this.#settings = settings
    this.#thread = thread
    this.#cpuBeforeMs = control.f64[ControlF64.WRITER_CPU_MS]
  }

  /** What was written is in another file, or not the last word. */
  forget(): void {
    this.#written = null
  }

  /** Before a batch: how full the ring of this thread is. */
  look({ consumer, ringBytes }: LaneView): void {
    const { f64 } = this.#control
    const bytes = Math.min(consumer.pendingBytes, ringBytes)
    const highestOf = f64[ControlF64.HIGHEST_OF_BYTES]
    if (highestOf > 0 && bytes / ringBytes <= f64[ControlF64.HIGHEST_BYTES] / highestOf) return
    f64[ControlF64.HIGHEST_BYTES] = bytes
    f64[ControlF64.HIGHEST_OF_BYTES] = ringBytes
  }

  /** At the end of a batch: what to write of it, `null` when nothing is due. */
  stage(lanes: Iterable<LaneView>, nowUs: number, withTotals: boolean): RecorderStateRow | null {
    this.#staged = null
    let queueBytes = 0
    let capacityBytes = 0
    for (const { consumer, ringBytes } of lanes) {
      queueBytes += consumer.unreadBytes
      capacityBytes += ringBytes
    }
    const breaker = this.#control.i32[ControlI32.BREAKER_STATE]
    if (!this.#isDue(breaker, queueBytes, withTotals)) return null
    const { f64 } = this.#control
    this.#staged = {
      writtenUs: Math.floor(nowUs),
      breaker,
      openings: f64[ControlF64.BREAKER_OPENINGS],
      openedUs: momentOf(f64[ControlF64.BREAKER_OPENED_US]),
      closedUs: momentOf(f64[ControlF64.BREAKER_CLOSED_US]),
      queueBytes,
      capacityBytes,
      highestBytes: f64[ControlF64.HIGHEST_BYTES],
      highestOfBytes: f64[ControlF64.HIGHEST_OF_BYTES],
      writerCpuMs: this.#cpuMs(),
      // This one included, if it is committed.
      batches: f64[ControlF64.BATCHES] + 1,
      sweeps: f64[ControlF64.SWEEPS],
      retentionMs: Math.round(this.#settings.retentionMs),
      maxBytes: this.#settings.maxBytes,
    }
    return this.#staged
  }

  /** The batch is committed. */
  commit(): void {
    if (this.#staged === null) return
    this.#written = this.#staged
    this.#writtenMs = monotonicMs()
    this.#staged = null
  }

  #isDue(breaker: number, queueBytes: number, withTotals: boolean): boolean {
    if (this.#written === null || breaker !== this.#written.breaker) return true
    if (monotonicMs() >= this.#writtenMs + INTERVAL_MS) return true
    // The last batch for now: a queue that is empty must not stay in the file as one that is not.
    return withTotals && queueBytes === 0 && this.#written.queueBytes > 0
  }

  #cpuMs(): number | null {
    const ownMs = threadCpuMs(this.#thread)
    if (ownMs === null) return null
    this.#control.f64[ControlF64.WRITER_CPU_MS] = this.#cpuBeforeMs + ownMs
    return this.#cpuBeforeMs + ownMs
  }
}

const momentOf = (us: number): number | null => (us > 0 ? Math.floor(us) : null)
