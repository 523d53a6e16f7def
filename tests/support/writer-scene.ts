/** A recording thread and the writer's loop, without threads: a test decides when each of them does something. */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { type ClockAnchor, takeAnchor } from '../../lib/queue/clock.js'
import type { Control } from '../../lib/queue/control.js'
import { Journal } from '../../lib/queue/journal.js'
import { journalBufferBytes } from '../../lib/queue/journal-lane.js'
import { LaneI32 } from '../../lib/queue/layout.js'
import type { ProducedSite } from '../../lib/queue/produced-site.js'
import { newLaneMemory, Producer } from '../../lib/queue/producer.js'
import { Capture } from '../../lib/serialize/capture.js'
import { Redaction } from '../../lib/serialize/redaction.js'
import { Totals } from '../../lib/totals/totals.js'
import { Drain } from '../../lib/writer/drain.js'
import type { DrainTask, LaneHandle, WriterMessage, WriterSettings } from '../../lib/writer/messages.js'

export const BOOT = '0123456789abcdef'
export const RING_BYTES = 64 * 1024
const { limits } = DEFAULTS

export interface ThreadOptions {
  readonly storePath: string
  readonly control: Control
  readonly ring?: number
  /** As the system knows it. Default: the thread that owns the writer. */
  readonly native?: LaneHandle['thread']
  readonly ringBytes?: number
  readonly functionName?: string
  readonly originUnixUs?: number
}

export function recordingThread(options: ThreadOptions) {
  const { storePath, control, ring = 0, native = null, ringBytes = RING_BYTES, functionName = 'f' } = options
  const { originUnixUs = Date.now() * 1000 } = options
  const memory = newLaneMemory(ringBytes, originUnixUs)
  const totals = new Totals(2)
  const journal = new Journal(
    storePath,
    { boot: BOOT, ring, pid: process.pid, startTicks: 0, originUnixUs },
    site => totals.name(site),
    journalBufferBytes(limits.bytes, limits.stackLength),
  )
  const producer = new Producer({
    memory,
    ringBytes,
    control: control.memory,
    journal,
    totals,
    capture: new Capture(limits),
    groupBytes: limits.bytes,
    remoteIds: () => null,
    fullErrorsPerSecond: 1e9,
  })
  const site: ProducedSite = {
    id: totals.register(functionName),
    captureArgs: true,
    captureResult: true,
    redaction: Redaction.compile({}),
    costly: new Set(),
  }
  let made = 0
  // 10 µs apart: of records of the same moment the store can tell 2,048 apart at once, the others one by one.
  const facts = () => ({ startMs: ++made / 100, durationMs: 1, call: made, trace: made, parent: 0, flags: 0 })
  const i32 = new Int32Array(memory)
  const handle: LaneHandle = { ring, memory, ringBytes, totals: totals.memory, storePath, thread: native }
  return {
    handle,
    i32,
    f64: new Float64Array(memory),
    producer,
    site,
    call: () => producer.recordCall(site, facts(), 1, -1, null, [made], null),
    fail: () =>
      producer.recordError(site, facts(), -1, null, [made], new Error(`number ${made} is refused`), 1),
    state: () => Atomics.load(i32, LaneI32.STATE),
  }
}

export interface WriterOptions {
  readonly storePath: string
  readonly control: Control
  readonly lanes?: readonly LaneHandle[]
  readonly boot?: string
  readonly anchor?: ClockAnchor
  readonly settings?: Partial<WriterSettings>
}

/** What a writer is started with: the defaults, and no pause between two looks. */
export function writerTask(options: WriterOptions, inbox: MessagePort): DrainTask {
  const { storePath, control, lanes = [], boot = BOOT, anchor = takeAnchor(), settings } = options
  const { retentionMs, maxBytes, sweepIntervalMs, breaker, stallThresholdMs } = DEFAULTS
  return {
    control: control.memory,
    lanes,
    shelved: [],
    inbox,
    boot,
    anchor,
    process: { pid: process.pid, script: '', host: '', nodeVersion: '', version: '', startTicks: 0 },
    settings: {
      storePath,
      retentionMs,
      maxBytes,
      sweepIntervalMs,
      drainIntervalMs: 1,
      breaker,
      stallThresholdMs,
      ...settings,
    },
  }
}

/** Runs the writer's loop until it is told to stop. */
export function runWriter(
  options: WriterOptions & {
    /** Where lanes that come later are announced. */
    readonly inbox?: MessagePort
    readonly post?: (message: WriterMessage) => void
  },
): void {
  const { port1, port2 } = new MessageChannel()
  const { control, inbox = port2, post = () => {} } = options
  try {
    new Drain(writerTask(options, inbox), control, post).run()
  } finally {
    port1.close()
  }
}
