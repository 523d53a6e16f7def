import { createRequire } from 'node:module'
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import type { Piscina } from 'piscina'
import { nowMs } from '../queue/clock.js'
import type { Control } from '../queue/control.js'
import { ControlI32 } from '../queue/layout.js'
import { type DrainTask, isWriterMessage, type LaneHandle, type WriterMessage } from './messages.js'

/** Waits before the writer is started again after its 1st, 2nd, … death in a row. */
const RESTART_BACK_OFF_MS = [100, 1_000, 10_000, 30_000]
/** A writer that lived this long starts the row again. */
const HEALTHY_AFTER_MS = 60_000
/** A start that has not come to life by then has failed; piscina would let its task wait for ever. */
const BOOT_TIMEOUT_MS = 15_000

const require = createRequire(import.meta.url)

/**
 * Keeps one writer thread running: a piscina pool of one, started again after its death with growing pauses. It
 * never terminates a writer that may be inside SQLite, and never keeps the process alive.
 */
export class WriterSupervisor {
  readonly #task: Omit<DrainTask, 'lanes' | 'inbox'>
  readonly #lanes: () => readonly LaneHandle[]
  readonly #control: Control
  readonly #onMessage: (message: WriterMessage) => void
  #pool: Piscina | null = null
  #port: MessagePort | null = null
  #restart: NodeJS.Timeout | null = null
  #watchdog: NodeJS.Timeout | null = null
  #startedMs = 0
  #deaths = 0
  #closed = false

  /** @param lanes the lanes a writer that is started now has to know */
  constructor(
    task: Omit<DrainTask, 'lanes' | 'inbox'>,
    lanes: () => readonly LaneHandle[],
    control: Control,
    onMessage: (message: WriterMessage) => void,
  ) {
    this.#task = task
    this.#lanes = lanes
    this.#control = control
    this.#onMessage = onMessage
  }

  /** Starts the thread; its task is posted before this returns, so it runs even if the app never yields. */
  start(): void {
    this.#restart = null
    this.#startedMs = nowMs()
    this.#control.i32[ControlI32.WRITER_STARTS]++
    this.#control.setWriterState('booting')
    try {
      this.#pool = this.#newPool()
    } catch (error) {
      this.#died(error)
      return
    }
    const pool = this.#pool
    const worker = pool.threads[0]
    if (worker === undefined) {
      this.#died(new Error('no thread was started'))
      return
    }
    this.#follow(pool, worker)
    const { port1, port2 } = new MessageChannel()
    port1.unref()
    this.#port = port1
    const task: DrainTask = { ...this.#task, lanes: this.#lanes(), inbox: port2 }
    pool.run(task, { transferList: [port2] }).catch((error: unknown) => this.#diedIn(pool, error))
    this.#watchdog = setTimeout(() => {
      if (this.#control.writerState === 'booting') this.#diedIn(pool, new Error('the thread did not start'))
    }, BOOT_TIMEOUT_MS).unref()
  }

  /** Tells the running writer, also one that is still booting, of a lane. */
  send(lane: LaneHandle): void {
    this.#port?.postMessage(lane)
  }

  /** A writer that waits for its restart is started now: somebody waits for it. */
  startNow(): void {
    if (this.#restart === null) return
    clearTimeout(this.#restart)
    this.start()
  }

  /** Frees the thread. Only after it has stopped, or when the process ends anyway. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimers()
    const pool = this.#pool
    this.#pool = null
    this.#closePort()
    if (pool !== null && this.#control.writerState === 'stopped') await pool.destroy()
  }

  /** No more restarts: the process is about to end. */
  abandon(): void {
    this.#closed = true
    this.#cancelTimers()
  }

  #newPool(): Piscina {
    // Loaded here, synchronously and only when recording starts: 14 ms that a program without calls never pays.
    const piscina = require('piscina') as typeof import('piscina')
    return new piscina.Piscina({
      filename: new URL('./thread.js', import.meta.url).href,
      minThreads: 1,
      maxThreads: 1,
      // Tasks are events: a thread that waits for one in Atomics.wait would never run what the last one scheduled.
      atomics: 'disabled',
      // Loaders and preloads of the app are not needed in the writer, and would slow its start.
      execArgv: [],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
  }

  #follow(pool: Piscina, worker: Worker): void {
    pool.on('message', (message: unknown) => {
      if (isWriterMessage(message)) this.#onMessage(message)
    })
    // Without a listener a failed start would be an uncaught exception of the app.
    pool.on('error', (error: unknown) => this.#diedIn(pool, error))
    worker.on('exit', code => this.#diedIn(pool, new Error(`the thread ended with code ${code}`)))
  }

  #diedIn(pool: Piscina, error: unknown): void {
    // One death is reported by up to three events.
    if (pool !== this.#pool || this.#closed) return
    this.#pool = null
    // Piscina has replaced the dead thread by an idle one, which holds no store.
    pool.destroy().catch(() => {})
    this.#died(error)
  }

  #died(error: unknown): void {
    this.#cancelTimers()
    this.#closePort()
    this.#control.setWriterState('failed')
    if (nowMs() - this.#startedMs > HEALTHY_AFTER_MS) this.#deaths = 0
    const waitMs = RESTART_BACK_OFF_MS[Math.min(this.#deaths, RESTART_BACK_OFF_MS.length - 1)]
    this.#deaths++
    const reason = error instanceof Error ? error.message : String(error)
    if (this.#deaths === 1) {
      this.#onMessage({
        type: 'warning',
        code: 'CALLSIGHT_WRITER_DIED',
        text: `The writer thread died (${reason}). It is started again; errors are kept in the journal meanwhile.`,
      })
    }
    this.#restart = setTimeout(() => this.start(), waitMs).unref()
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
