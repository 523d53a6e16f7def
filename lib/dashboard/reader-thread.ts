import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Answer, FromReader, Question, ReaderTask, ToReader } from './messages.js'

/** Many times what an answer needs, and little enough that a hostile recording ends this thread, not the app. */
const HEAP_MIB = 512
/** A thread that is asked to stop comes to that at the end of its statement. */
const STOP_TIMEOUT_MS = 2_000

export class ReaderDied extends Error {}

/**
 * One thread that answers one question at a time: a piscina pool of one, spoken to through a port of ours. Neither keeps
 * the process alive, not even while a question runs, which piscina's own tasks do.
 */
export class ReaderThread {
  readonly #pool: Piscina
  readonly #port: MessagePort
  #running: { readonly id: number; resolve(answer: Answer): void; reject(error: Error): void } | null = null
  #asked = 0
  #stopped: (() => void) | null = null
  #state: 'booting' | 'ready' | 'gone' = 'booting'

  /** @param onGone called once, when the thread has died */
  constructor(url: string, task: Omit<ReaderTask, 'port'>, onGone: () => void) {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    port1.on('message', (message: FromReader) => this.#receive(message))
    // After the listener, which makes it keep the process alive.
    port1.unref()
    this.#pool = new Piscina({
      filename: url,
      minThreads: 1,
      maxThreads: 1,
      // Questions come as events: a thread that waits for tasks in Atomics.wait would never see them.
      atomics: 'disabled',
      recordTiming: false,
      // Loaders and preloads of the app are not needed in the reader.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    const died = (): void => {
      if (this.#state === 'gone') return
      this.discard()
      onGone()
    }
    // Without a listener a failed start would be an uncaught exception of the app.
    this.#pool.on('error', died)
    for (const worker of this.#pool.threads) worker.on('exit', died)
    const whole: ReaderTask = { ...task, port: port2 }
    this.#pool.run(whole, { transferList: [port2] }).catch(died)
  }

  get isIdle(): boolean {
    return this.#state !== 'gone' && this.#running === null
  }

  /** Whether it has never come to life. */
  get isBooting(): boolean {
    return this.#state === 'booting'
  }

  /** Of an idle one. Rejects with {@link ReaderDied}. */
  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const id = ++this.#asked
      this.#running = { id, resolve, reject }
      this.#post({ type: 'question', id, question })
    })
  }

  /**
   * Lets it close the file, then ends it.
   *
   * @param isAwaited the process stays alive for it, two seconds at most
   */
  async stop(isAwaited: boolean): Promise<void> {
    if (this.#state === 'gone') return
    if (isAwaited) this.#port.ref()
    const timedOut = new Promise<void>(resolve => {
      setTimeout(resolve, STOP_TIMEOUT_MS).unref()
    })
    const stopped = new Promise<void>(resolve => {
      this.#stopped = resolve
      this.#post({ type: 'stop' })
    })
    await Promise.race([stopped, timedOut])
    // A thread that is inside SQLite ends when it comes out of it.
    await Promise.race([this.discard(), timedOut])
  }

  async discard(): Promise<void> {
    this.#state = 'gone'
    this.#running?.reject(new ReaderDied('the reader thread died'))
    this.#running = null
    this.#stopped?.()
    this.#port.close()
    await this.#pool.destroy().catch(() => {})
  }

  #post(message: ToReader): void {
    this.#port.postMessage(message)
  }

  #receive(message: FromReader): void {
    switch (message.type) {
      case 'ready':
        if (this.#state === 'booting') this.#state = 'ready'
        break
      case 'stopped':
        this.#stopped?.()
        break
      case 'answer': {
        const running = this.#running
        if (running?.id !== message.id) return
        this.#running = null
        running.resolve(message.answer)
      }
    }
  }
}
