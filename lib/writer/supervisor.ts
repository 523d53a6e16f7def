import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { addressSpaceShortage } from '../lifecycle/address-space.js'
import { monotonicMs, nowMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlF64, ControlI32 } from '../queue/layout.js'
import { type DrainTask, isWriterMessage, type LaneHandle, type WriterMessage } from './messages.js'

/** Waits before the writer is started again after its 1st, 2nd, … death in a row. */
const RESTART_BACK_OFF_MS = [100, 1_000, 10_000, 30_000]
/** A writer that lived this long starts the row again. */
const HEALTHY_AFTER_MS = 60_000
/** One that dies whenever it has lived that long is not spoken of each time. */
const WARNING_PAUSE_MS = 600_000
/** Somebody who flushes again and again starts a writer that cannot live at most this often. */
const WANTED_START_PAUSE_MS = 1_000
/** Looks, a second apart, at which a running writer may stand where it stood at the last one. */
const STUCK_AFTER_LOOKS = 10
/** Two looks that are closer together count as one: an app that fakes its timers may let a minute pass in one step. */
const LOOK_AT_LEAST_MS = 500
/**
 * Heap of the writer thread: many times what it needs (20 MiB under full load), and little enough that a leak in it
 * ends this thread, not the app. Rings and files are no part of the heap.
 */
const WRITER_HEAP_MIB = 512
/** Its garbage is short-lived: without a limit V8 enlarges the young part in steps, for nothing. */
const WRITER_YOUNG_MIB = 12
/** A start that has not come to life by then has failed. */
const BOOT_TIMEOUT_MS = 15_000

/**
 * Keeps one writer thread running, started again after its death with growing pauses. It never keeps the process alive.
 *
 * A writer that is stuck is reported and left alone. It is inside SQLite, or inside a call of the system that nothing
 * can interrupt: to terminate it would wait for that call as well, could make a COMMIT that fails look like one that
 * succeeded, and a second writer beside it would store twice what the first one brings to its end after all. Meanwhile
 * errors go to the journal, and the end of the program does not wait for it.
 */
export class WriterSupervisor {
  readonly #task: Omit<DrainTask, 'lanes' | 'shelved' | 'inbox'>
  readonly #lanes: () => Pick<DrainTask, 'lanes' | 'shelved'>
  readonly #control: Control
  readonly #onMessage: (message: WriterMessage) => void
  #worker: Worker | null = null
  #port: MessagePort | null = null
  #restart: NodeJS.Timeout | null = null
  #restartDueMs = 0
  #watchdog: NodeJS.Timeout | null = null
  #startedMs = 0
  #deaths = 0
  #warnedMs = Number.NEGATIVE_INFINITY
  /** Where the writer stood at the last look, and how many looks found it there. */
  #progress = 0
  #looksWithoutProgress = 0
  #lookedMs = Number.NEGATIVE_INFINITY
  #warnedStuck = false
  #closed = false

  /** @param lanes the lanes a writer that is started now has to know */
  constructor(
    task: Omit<DrainTask, 'lanes' | 'shelved' | 'inbox'>,
    lanes: () => Pick<DrainTask, 'lanes' | 'shelved'>,
    control: Control,
    onMessage: (message: WriterMessage) => void,
  ) {
    this.#task = task
    this.#lanes = lanes
    this.#control = control
    this.#onMessage = onMessage
  }

  /** Starts the thread; it has its task before this returns, so it runs even if the app never yields. */
  start(): void {
    this.#restart = null
    this.#startedMs = nowMs()
    this.#looksWithoutProgress = 0
    this.#control.i32[ControlI32.WRITER_STARTS]++
    this.#control.setWriterState('booting')
    const { port1, port2 } = new MessageChannel()
    port1.unref()
    this.#port = port1
    try {
      // Asked before the first one too, by the recorder. The app has grown since: V8 would end the whole process.
      const shortage = this.#deaths === 0 ? null : addressSpaceShortage()
      if (shortage !== null) throw new Error(shortage)
      this.#worker = this.#newThread({ ...this.#task, ...this.#lanes(), inbox: port2 })
    } catch (error) {
      this.#died(error)
      return
    }
    const worker = this.#worker
    this.#watchdog = setTimeout(() => {
      if (this.#control.writerState === 'booting') this.#diedIn(worker, new Error('the thread did not start'))
    }, BOOT_TIMEOUT_MS).unref()
  }

  /** Tells the running writer, also one that is still booting, of a lane. */
  send(lane: LaneHandle): void {
    this.#port?.postMessage(lane)
  }

  /** A writer that waits for its restart is started now: the program is about to end. */
  startNow(): void {
    this.#startWithin(0)
  }

  /** As {@link startNow} for somebody who waits for the writer, and may do so again and again. */
  startSoon(): void {
    this.#startWithin(Math.max(0, WANTED_START_PAUSE_MS - (nowMs() - this.#startedMs)))
  }

  #startWithin(waitMs: number): void {
    if (this.#restart === null || this.#restartDueMs <= nowMs() + waitMs) return
    clearTimeout(this.#restart)
    if (waitMs === 0) this.start()
    else this.#startIn(waitMs)
  }

  #startIn(waitMs: number): void {
    this.#restartDueMs = nowMs() + waitMs
    this.#restart = setTimeout(() => this.start(), waitMs).unref()
  }

  /** Once a second: whether the running writer still gets on. A main thread that was blocked has looked once. */
  watch(): void {
    const now = monotonicMs()
    if (now - this.#lookedMs < LOOK_AT_LEAST_MS) return
    this.#lookedMs = now
    const { i32, f64 } = this.#control
    const progress = this.#control.heartbeat + f64[ControlF64.BATCHES]
    const stands = this.#control.writerState === 'running' && progress === this.#progress
    this.#progress = progress
    this.#looksWithoutProgress = stands ? this.#looksWithoutProgress + 1 : 0
    const patience = STUCK_AFTER_LOOKS + (2 * this.#task.settings.drainIntervalMs) / 1_000
    const stuck = this.#looksWithoutProgress >= patience
    Atomics.store(i32, ControlI32.WRITER_STUCK, stuck ? 1 : 0)
    if (!stuck) this.#warnedStuck = false
    else if (!this.#warnedStuck) this.#warnOfStuckWriter()
  }

  #warnOfStuckWriter(): void {
    this.#warnedStuck = true
    this.#onMessage({
      type: 'warning',
      code: 'CALLSIGHT_WRITER_STUCK',
      text:
        `The writer thread has not come back from its work for ${this.#looksWithoutProgress} s; a disk that does ` +
        'not answer does that. Errors are kept in the journal beside the store, and it goes on by itself.',
    })
  }

  /** Frees the thread. Only after it has stopped, or when the process ends anyway. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimers()
    const worker = this.#worker
    this.#worker = null
    this.#closePort()
    if (worker !== null && this.#control.writerState === 'stopped') await worker.terminate()
  }

  /** No more restarts: the process is about to end. */
  abandon(): void {
    this.#closed = true
    this.#cancelTimers()
  }

  #newThread(task: DrainTask): Worker {
    const worker = new Worker(new URL('../writer/thread.js', import.meta.url), {
      workerData: task,
      transferList: [task.inbox],
      // Loaders and preloads of the app are not needed in the writer, and would slow its start.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: WRITER_HEAP_MIB, maxYoungGenerationSizeMb: WRITER_YOUNG_MIB },
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    worker.on('message', (message: unknown) => {
      if (isWriterMessage(message)) this.#onMessage(message)
    })
    // Without a listener a failed start would be an uncaught exception of the app.
    worker.on('error', (error: unknown) => this.#diedIn(worker, error))
    worker.on('exit', code => this.#diedIn(worker, new Error(`the thread ended with code ${code}`)))
    worker.unref()
    return worker
  }

  #diedIn(worker: Worker, error: unknown): void {
    // One death is reported by up to three events.
    if (worker !== this.#worker || this.#closed) return
    this.#worker = null
    worker.terminate().catch(() => {})
    this.#died(error)
  }

  #died(error: unknown): void {
    this.#cancelTimers()
    this.#closePort()
    this.#control.setWriterState('failed')
    const diedMs = nowMs()
    if (diedMs - this.#startedMs > HEALTHY_AFTER_MS) this.#deaths = 0
    const waitMs = RESTART_BACK_OFF_MS[Math.min(this.#deaths, RESTART_BACK_OFF_MS.length - 1)] ?? 0
    this.#deaths++
    this.#control.i32[ControlI32.WRITER_DEATHS] = this.#deaths
    if (this.#deaths === 1 && diedMs - this.#warnedMs > WARNING_PAUSE_MS) this.#warnOfDeath(error)
    this.#startIn(waitMs)
  }

  #warnOfDeath(error: unknown): void {
    this.#warnedMs = nowMs()
    // What follows in the message of a missing module is a list of files.
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n', 1)
    this.#onMessage({
      type: 'warning',
      code: 'CALLSIGHT_WRITER_DIED',
      text: `The writer thread died (${reason}). It is started again; errors are kept in the journal meanwhile.`,
    })
  }

  #closePort(): void {
    this.#port?.close()
    this.#port = null
  }

  #cancelTimers(): void {
    if (this.#restart !== null) clearTimeout(this.#restart)
    if (this.#watchdog !== null) clearTimeout(this.#watchdog)
    this.#restart = null
    this.#watchdog = null
  }
}
