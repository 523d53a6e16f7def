/**
 * The ends of a process at which code of ours can run: the `exit` event (loop ran dry, `process.exit`, uncaught
 * error, unhandled rejection), and the two signals that ask politely.
 */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const
type PoliteSignal = (typeof SIGNALS)[number]

export interface ProcessEndHooks {
  /** Stores what can be stored, blocking for a bounded time. Called once. */
  readonly end: () => void
  /** The app handles the signal itself; it may end soon. */
  readonly hint: () => void
}

/** Listens for the end of the process; returns what takes all listeners away again. */
export function onProcessEnd(hooks: ProcessEndHooks, signals: boolean): () => void {
  process.once('exit', hooks.end)
  const handlers = signals ? SIGNALS.map(signal => [signal, listenFor(signal, hooks)] as const) : []
  return () => {
    process.removeListener('exit', hooks.end)
    for (const [signal, handler] of handlers) process.removeListener(signal, handler)
  }
}

function listenFor(signal: PoliteSignal, hooks: ProcessEndHooks): () => void {
  const handler = (): void => {
    // The kernel keeps a signal without a handler from the first process of a container: the app would go on.
    if (process.listenerCount(signal) > 1 || process.pid === 1) {
      hooks.hint()
      return
    }
    hooks.end()
    process.removeListener('exit', hooks.end)
    process.removeListener(signal, handler)
    // Without a listener the signal ends the process as if we had never been there: exit code 128 + n.
    process.kill(process.pid, signal)
  }
  // First in the row: a listener of the app that listens once would be gone before we count.
  process.prependListener(signal, handler)
  return handler
}
