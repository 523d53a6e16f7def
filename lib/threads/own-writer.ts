import { basename } from 'node:path'
import type { Settings } from '../config/options.js'
import type { Account } from '../queue/account.js'
import { nowMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { hostName, startTicks } from '../queue/process-identity.js'
import type { DrainTask, LaneHandle, WriterMessage } from '../writer/messages.js'
import { rescueRings } from '../writer/ring-rescue.js'
import { WriterSupervisor } from '../writer/supervisor.js'
import type { LaneRegistry } from './lane-registry.js'
import { OWN_VERSION } from './own-version.js'
import { withoutHeir } from './process-link.js'
import type { LaneOwner, RecordingLane } from './recording-lane.js'
import { poll, type WriterEnd } from './writer-end.js'

/** A writer that dies while it is being stopped is started again this often before the rest goes to the journal. */
const SHUTDOWN_REVIVALS = 2
/** A writer that has been stuck for long is given this time to come back at the end. */
const STUCK_EXIT_MS = 100
/** Of the time of the end, what is kept for saving the rings of other threads, should the writer not answer. */
const RESCUE_MS = 250

/**
 * The writer of the thread that owns it: the main thread, whose writer stores what all threads of the process record,
 * or a worker thread that has none to share.
 */
export class OwnWriter implements WriterEnd {
  readonly #settings: Settings
  readonly #lane: RecordingLane
  readonly #control: Control
  readonly #supervisor: WriterSupervisor
  readonly #others: () => LaneRegistry | null
  readonly #boot: string
  #isShutDown = false
  /** The newest request for a flush at the last look. */
  #lastTicket = 0

  /** @param others lanes of other threads, `null` as long as no other thread shares this writer */
  constructor(
    settings: Settings,
    lane: RecordingLane,
    { boot, anchor, control }: LaneOwner,
    others: () => LaneRegistry | null,
    onMessage: (message: WriterMessage) => void,
  ) {
    this.#settings = settings
    this.#lane = lane
    this.#control = control
    this.#others = others
    this.#boot = boot
    const { storePath, retentionMs, maxBytes, sweepIntervalMs, drainIntervalMs, breaker, stallThresholdMs } =
      settings
    const task: Omit<DrainTask, 'lanes' | 'shelved' | 'inbox'> = {
      control: control.memory,
      boot,
      anchor,
      process: {
        pid: process.pid,
        script: basename(String(process.argv[1] ?? 'node')),
        host: hostName(),
        nodeVersion: process.version,
        version: OWN_VERSION,
        startTicks: startTicks('self'),
      },
      settings: {
        storePath,
        retentionMs,
        maxBytes,
        sweepIntervalMs,
        drainIntervalMs,
        breaker,
        stallThresholdMs,
      },
    }
    const lanes = (): Pick<DrainTask, 'lanes' | 'shelved'> => ({
      lanes: [lane.handle, ...(others()?.handles ?? [])],
      shelved: others()?.shelved ?? [],
    })
    this.#supervisor = new WriterSupervisor(task, lanes, control, onMessage)
  }

  get account(): Account {
    return this.#others()?.account(this.#lane) ?? this.#lane.account
  }

  start(): void {
    withoutHeir(() => this.#supervisor.start())
  }

  /** Another thread has announced its lane. */
  take(lane: LaneHandle): void {
    this.#supervisor.send(lane)
  }

  tend(): void {
    this.#lane.producer.tend()
    this.#others()?.tend()
    this.#supervisor.watch()
    const ticket = this.#control.flushRequested
    // Another thread waits for a writer that is dead, and only this thread can start it. Once for each request: a
    // writer that cannot start is not started again and again.
    if (ticket !== this.#lastTicket && !this.#control.flushReached(ticket)) this.#supervisor.startSoon()
    this.#lastTicket = ticket
  }

  async flush(timeoutMs: number): Promise<void> {
    this.#lane.producer.retryHeld()
    this.#others()?.receive()
    const ticket = this.#control.requestFlush()
    this.#supervisor.startSoon()
    await poll(() => this.#control.flushReached(ticket) || this.#control.over, timeoutMs)
  }

  async shutdown(timeoutMs: number): Promise<boolean> {
    const { producer } = this.#lane
    producer.retryHeld()
    producer.route = 'errors-only'
    this.#others()?.receive()
    this.#control.requestStop('shutdown')
    let revivals = SHUTDOWN_REVIVALS
    await poll(
      () => {
        const state = this.#control.writerState
        if (state === 'failed' && revivals-- > 0) this.#supervisor.startNow()
        return this.#control.writerState === 'stopped' || this.#control.writerState === 'failed'
      },
      Math.max(this.#settings.exitTimeoutMs, timeoutMs),
    )
    this.#saveUnstored()
    this.#supervisor.abandon()
    producer.endJournal()
    this.#isShutDown = true
    await this.#supervisor.close()
    // The threads that go on save their rings when they notice; those that are terminated before that do not.
    return (this.#others()?.unsaved ?? []).length > 0
  }

  end(): void {
    const { exitTimeoutMs } = this.#settings
    const startedMs = nowMs()
    if (!this.#isShutDown) this.#stop()
    const leftMs = exitTimeoutMs - (nowMs() - startedMs)
    rescueRings(this.#boot, this.#others()?.unsaved ?? [], Math.max(RESCUE_MS, leftMs))
  }

  #stop(): void {
    const { producer } = this.#lane
    this.#supervisor.abandon()
    producer.retryHeld()
    this.#others()?.receive()
    this.#control.requestStop('processEnd')
    const rescueMs = (this.#others()?.unsaved ?? []).length > 0 ? RESCUE_MS : 0
    const waitMs = Math.max(0, this.#settings.exitTimeoutMs - rescueMs)
    this.#control.waitForEnd(this.#control.stuck ? Math.min(waitMs, STUCK_EXIT_MS) : waitMs)
    this.#saveUnstored()
    producer.route = 'journal'
    producer.endJournal()
  }

  /** What the writer did not confirm goes to the journal, and the writer, should it wake up, leaves it alone. */
  #saveUnstored(): void {
    if (this.#control.writerState === 'stopped') return
    this.#control.giveUp()
    this.#lane.producer.saveRing()
  }
}
