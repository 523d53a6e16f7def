import { addressSpaceShortage } from '../lifecycle/address-space.js'
import { type Answer, failure, type Question, type ReaderTask } from './messages.js'
import { ReaderDied, ReaderThread } from './reader-thread.js'

export interface QuestionLimits {
  /** From the moment a question is asked. */
  readonly deadlineMs: number
  readonly threads: number
  /** Different questions that wait for a thread. */
  readonly waiting: number
  /** Threads that have had nothing to do for so long are ended. */
  readonly idleMs: number
}

/** A question that is under way, and everybody who asked it. */
interface Pending {
  readonly question: Question
  readonly answer: Promise<Answer>
  readonly settle: (answer: Answer) => void
  askers: number
}

const BUSY = failure(503, 'CALLSIGHT_DASHBOARD_BUSY', 'Too many questions at once. Try again in a moment.')
const SLOW = failure(
  503,
  'CALLSIGHT_DASHBOARD_SLOW',
  'This took too long. Choose a shorter span of time, or a function.',
)
const DIED = failure(
  503,
  'CALLSIGHT_DASHBOARD_READER',
  'The reader of the recording ended on this question. Choose a shorter span of time or a smaller limit.',
)
const NO_READER = failure(
  503,
  'CALLSIGHT_DASHBOARD_READER',
  'The system gives no thread to read with. Try again when it has more memory.',
)
const LEFT = failure(503, 'CALLSIGHT_DASHBOARD_ENDED', 'Nobody waited for the answer.')
const CLOSED = failure(503, 'CALLSIGHT_DASHBOARD_CLOSED', 'The dashboard is closed.')

/**
 * Hands questions to reader threads. Who asks what is being answered already gets that answer; a question for which
 * nobody waits any more is dropped, or ended between two statements when it is running.
 */
export class Questions {
  readonly #url: string
  readonly #task: Omit<ReaderTask, 'port'>
  readonly #limits: QuestionLimits
  readonly #pending = new Map<string, Pending>()
  readonly #waiting: Pending[] = []
  readonly #readers = new Set<ReaderThread>()
  #idleTimer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(url: string, task: Omit<ReaderTask, 'port'>, limits: QuestionLimits) {
    this.#url = url
    this.#task = task
    this.#limits = limits
  }

  /** Never rejects. @param signal whoever asked has left */
  async ask(
    address: string,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Answer> {
    if (this.#isClosed) return CLOSED
    if (signal.aborted) return LEFT
    const key = JSON.stringify([address, ...Object.entries(parameters).sort(byName)])
    const pending = this.#pending.get(key) ?? this.#add(key, address, parameters)
    if (pending === null) return BUSY
    pending.askers++
    const leave = (): void => {
      if (--pending.askers === 0) pending.settle(LEFT)
    }
    signal.addEventListener('abort', leave, { once: true })
    try {
      return await pending.answer
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer)
    for (const pending of [...this.#pending.values()]) pending.settle(CLOSED)
    await Promise.all([...this.#readers].map(reader => reader.stop(true)))
    this.#readers.clear()
  }

  #add(key: string, address: string, parameters: Readonly<Record<string, string>>): Pending | null {
    if (this.#waiting.length >= this.#limits.waiting) return null
    const question = { address, parameters, ended: new Int32Array(new SharedArrayBuffer(4)) }
    let resolve: (answer: Answer) => void = () => {}
    const answer = new Promise<Answer>(settled => {
      resolve = settled
    })
    const deadline = setTimeout(() => this.#expire(pending), this.#limits.deadlineMs).unref()
    const pending: Pending = {
      question,
      answer,
      askers: 0,
      settle: given => {
        clearTimeout(deadline)
        // Whatever thread is at it stops before its next statement.
        Atomics.store(question.ended, 0, 1)
        if (this.#pending.get(key) === pending) this.#pending.delete(key)
        const place = this.#waiting.indexOf(pending)
        if (place >= 0) this.#waiting.splice(place, 1)
        resolve(given)
      },
    }
    this.#pending.set(key, pending)
    this.#waiting.push(pending)
    this.#distribute()
    return pending
  }

  /** A thread that has not even started by then never will: piscina would let its task wait for ever. */
  #expire(pending: Pending): void {
    pending.settle(SLOW)
    for (const reader of this.#readers) if (reader.isBooting) this.#discard(reader)
  }

  #discard(reader: ReaderThread): void {
    this.#readers.delete(reader)
    void reader.discard()
  }

  #distribute(): void {
    for (let pending = this.#waiting[0]; pending !== undefined; pending = this.#waiting[0]) {
      const reader = this.#idleReader()
      if (reader === null) return
      this.#waiting.shift()
      if (reader === 'none') pending.settle(NO_READER)
      else void this.#give(reader, pending)
    }
    this.#endIdleLater()
  }

  /** `null`: all are busy. `'none'`: the system gives no thread. */
  #idleReader(): ReaderThread | null | 'none' {
    for (const reader of this.#readers) if (reader.isIdle) return reader
    if (this.#isClosed || this.#readers.size >= this.#limits.threads) return null
    // Without the room for a thread V8 would end the whole process.
    if (addressSpaceShortage() !== null) return 'none'
    try {
      const reader: ReaderThread = new ReaderThread(this.#url, this.#task, () => this.#readers.delete(reader))
      this.#readers.add(reader)
      return reader
    } catch {
      return 'none'
    }
  }

  async #give(reader: ReaderThread, pending: Pending): Promise<void> {
    try {
      pending.settle(await reader.ask(pending.question))
    } catch (error) {
      if (!(error instanceof ReaderDied)) throw error
      pending.settle(DIED)
    }
    this.#distribute()
  }

  #endIdleLater(): void {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer)
    this.#idleTimer = setTimeout(() => {
      for (const reader of [...this.#readers].filter(({ isIdle }) => isIdle)) {
        this.#readers.delete(reader)
        void reader.stop(false)
      }
    }, this.#limits.idleMs).unref()
  }
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1
}
