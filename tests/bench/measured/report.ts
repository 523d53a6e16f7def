/** The answers of a measured program, which go to the program of the benchmark that started it. */
export type Answer<T> =
  | { readonly kind: 'result'; readonly result: T }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }

/** What is to be compared with is not installed. */
export class MissingPeer extends Error {
  override readonly name = 'MissingPeer'
}

function send<T>(answer: Answer<T>): Promise<void> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined) {
      process.stdout.write(`${JSON.stringify(answer)}\n`, () => resolve())
    } else {
      process.send(answer, undefined, {}, error => (error === null ? resolve() : reject(error)))
    }
  })
}

/** Answers once with what `body` gives. */
export async function report<T>(body: () => Promise<T>): Promise<void> {
  try {
    await send({ kind: 'result', result: await body() })
  } catch (error) {
    if (error instanceof MissingPeer) await send({ kind: 'skipped', reason: error.message })
    else {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
      await send({ kind: 'failed', reason })
    }
  }
  process.disconnect?.()
}

/** Answers once, and then every command with what `reply` gives; ends when the other side lets go. */
export async function serve<C, T>(first: () => Promise<T>, reply: (command: C) => Promise<unknown>) {
  const failed = (error: unknown) => {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const kind = error instanceof MissingPeer ? 'skipped' : 'failed'
    return send({ kind, reason: error instanceof MissingPeer ? error.message : reason })
  }
  try {
    const result = await first()
    process.on('message', command => {
      reply(command as C).then(result => send({ kind: 'result', result }), failed)
    })
    process.once('disconnect', () => process.exit())
    await send({ kind: 'result', result })
  } catch (error) {
    await failed(error)
    process.exit(1)
  }
}
