import { threadId } from 'node:worker_threads'
import type { Settings } from '../config/options.js'
import { RemoteTraces } from '../monitor/remote-traces.js'
import { shareRunning } from '../monitor/running.js'
import { type Account, readAccount } from '../queue/account.js'
import { type ClockAnchor, threadOriginUs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { Journal, segmentBytes } from '../queue/journal.js'
import { journalBufferBytes } from '../queue/journal-lane.js'
import { LaneI32, LaneState } from '../queue/layout.js'
import { type NativeThread, pidSpace, startTicks } from '../queue/process-identity.js'
import { newLaneMemory, Producer } from '../queue/producer.js'
import { Capture } from '../serialize/capture.js'
import { Totals } from '../totals/totals.js'
import type { LaneHandle } from '../writer/messages.js'

/** Whose recorder a lane belongs to. */
export interface LaneOwner {
  readonly boot: string
  readonly anchor: ClockAnchor
  readonly control: Control
}

/** What every recording thread has for itself, whoever writes: its ring, its journal, its totals. */
export class RecordingLane {
  readonly handle: LaneHandle
  readonly boot: string
  readonly remoteTraces = new RemoteTraces()
  readonly producer: Producer
  readonly totals: Totals
  readonly i32: Int32Array
  readonly f64: Float64Array
  readonly #control: Control

  /** @param thread `null` when this thread owns the writer */
  constructor(settings: Settings, { boot, anchor, control }: LaneOwner, thread: NativeThread | null) {
    const { ringBytes, storePath, limits, fullErrorsPerSecond, journalMaxBytes } = settings
    const originUnixUs = threadOriginUs(anchor)
    const totals = new Totals()
    const memory = newLaneMemory(ringBytes, originUnixUs)
    shareRunning(memory, ringBytes)
    const journal = new Journal(
      storePath,
      {
        boot,
        ring: threadId,
        pid: process.pid,
        startTicks: startTicks('self'),
        pidSpace: pidSpace(),
        originUnixUs,
      },
      site => totals.name(site),
      journalBufferBytes(limits.bytes, limits.stackLength),
      undefined,
      segmentBytes(journalMaxBytes),
    )
    this.producer = new Producer({
      memory,
      ringBytes,
      control: control.memory,
      journal,
      totals,
      capture: new Capture(limits),
      groupBytes: limits.bytes,
      fullErrorsPerSecond,
      journalMaxBytes,
      remoteIds: trace => this.remoteTraces.ids(trace),
    })
    this.boot = boot
    this.handle = { ring: threadId, memory, ringBytes, totals: totals.memory, storePath, thread }
    this.totals = totals
    this.i32 = new Int32Array(memory)
    this.f64 = new Float64Array(memory)
    this.#control = control
  }

  /** What the writer does with this lane, one of `LaneState`. */
  get state(): number {
    return Atomics.load(this.i32, LaneI32.STATE)
  }

  /** The writer has left, and what was in the ring is in the journal. */
  ringIsSaved(): void {
    Atomics.store(this.i32, LaneI32.STATE, LaneState.saved)
  }

  get account(): Account {
    return readAccount(this.f64, this.#control.f64)
  }
}
