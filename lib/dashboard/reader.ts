import type { MessagePort } from 'node:worker_threads'
import { codeOf } from '../store/errors.js'
import { Store } from '../store/read.js'
import { StoreNotFoundError, StoreQueryError } from '../store/read-errors.js'
import { answerTo, NotFound } from './answers.js'
import {
  type Answer,
  type FromReader,
  failure,
  type Question,
  type ReaderTask,
  type ToReader,
} from './messages.js'
import { Parameters } from './parameters.js'

/** Nobody waits for the answer any more. */
class Ended extends Error {}

/**
 * Entry of a reader thread, called by piscina with its one task. It answers at once and then listens at the port: while
 * a task is running, piscina keeps the process alive.
 */
export default function start({ path, version, port }: ReaderTask): 'listening' {
  const reader = new Reader(path, version)
  const post = (message: FromReader, transfer: ArrayBuffer[] = []): void =>
    port.postMessage(message, transfer)
  port.on('message', (message: ToReader) => {
    if (message.type === 'stop') {
      reader.close()
      post({ type: 'stopped' })
      stopListening(port)
      return
    }
    const answer = reader.answer(message.question)
    post({ type: 'answer', id: message.id, answer }, [answer.body.buffer as ArrayBuffer])
  })
  post({ type: 'ready' })
  return 'listening'
}

function stopListening(port: MessagePort): void {
  // What was posted last has to leave first.
  setImmediate(() => port.close())
}

/** One store, opened by the first question; each question is answered before the next one is looked at. */
class Reader {
  readonly #path: string
  readonly #version: string
  #store: Store | null = null
  #ended: Int32Array | null = null

  constructor(path: string, version: string) {
    this.#path = path
    this.#version = version
  }

  answer(question: Question): Answer {
    this.#ended = question.ended
    try {
      this.#goOn()
      const { address, parameters } = question
      const body = answerTo(this.#open(), address, new Parameters(parameters), this.#version)
      return { status: 200, body: ownBytes(JSON.stringify(body)) }
    } catch (error) {
      const { status, body } = failureOf(error)
      return { status, body: ownBytes(body) }
    } finally {
      this.#ended = null
    }
  }

  close(): void {
    this.#store?.close()
    this.#store = null
  }

  #open(): Store {
    this.#store ??= new Store(this.#path, { beforeRead: () => this.#goOn() })
    return this.#store
  }

  /** SQLite cannot be interrupted, so a question is made of short statements and looks here before each of them. */
  #goOn(): void {
    if (this.#ended !== null && Atomics.load(this.#ended, 0) !== 0) throw new Ended()
  }
}

/** Bytes in memory of their own, which can change threads without a copy. */
function ownBytes(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : Uint8Array.from(content)
}

function failureOf(error: unknown): Answer {
  if (error instanceof Ended)
    return failure(503, 'CALLSIGHT_DASHBOARD_ENDED', 'Nobody waited for the answer.')
  if (error instanceof NotFound) return failure(404, 'CALLSIGHT_NOT_FOUND', error.message)
  if (error instanceof StoreQueryError) return failure(400, error.code, error.message)
  if (error instanceof StoreNotFoundError) return failure(404, error.code, error.message)
  const code = codeOf(error)
  if (error instanceof Error && code.startsWith('CALLSIGHT_')) return failure(500, code, error.message)
  // What else it says may name files of this machine.
  return failure(500, 'CALLSIGHT_DASHBOARD', 'This question could not be answered.')
}
