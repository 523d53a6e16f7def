import type { MessagePort } from 'node:worker_threads'

/** What a reader thread is started with. */
export interface ReaderTask {
  readonly path: string
  readonly version: string
  readonly port: MessagePort
}

/** A question on its way to a reader thread. */
export interface Question {
  /** Such as `/api/overview`. */
  readonly address: string
  readonly parameters: Readonly<Record<string, string>>
  /** One word; other than 0: nobody waits for the answer any more. */
  readonly ended: Int32Array
}

export type ToReader =
  | { readonly type: 'question'; readonly id: number; readonly question: Question }
  /** Close the file and answer `stopped`. */
  | { readonly type: 'stop' }

export type FromReader =
  | { readonly type: 'ready' }
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly type: 'stopped' }

/** What goes to the browser. */
export interface Answer {
  readonly status: number
  /** JSON text. */
  readonly body: Uint8Array
}

/** Failures as the page gets them. */
export function failure(status: number, code: string, message: string): Answer {
  return { status, body: Buffer.from(JSON.stringify({ error: { code, message } })) }
}
