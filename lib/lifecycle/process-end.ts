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

/**
 * Listens for the end of the process; returns what takes the listeners away again. Hooks that are added while the
 * `exit` event runs are called too.
 */
export function onProcessEnd(hooks: ProcessEndHooks, signals: boolean): () => void {
  return sharedEnd().add(hooks, signals)
}

// All copies of this module in a thread share one listener for each event: a test runner that loads it afresh for each
// file must not pile them up, and two copies must not take each other for listeners of the app. Other versions find
// it too, so what it can do stays as it is under this name.
const SHARED = Symbol.for('callsight.process-end.1')

function sharedEnd(): ProcessEnd {
  const holder = process as { [SHARED]?: ProcessEnd }
  if (holder[SHARED] === undefined) {
    Object.defineProperty(process, SHARED, { value: new ProcessEnd(), configurable: true })
  }
  return holder[SHARED] as ProcessEnd
}

class ProcessEnd {
  readonly #hooks = new Set<ProcessEndHooks>()
  readonly #wantSignals = new Set<ProcessEndHooks>()
  readonly #ended = new WeakSet<ProcessEndHooks>()
  readonly #onSignal = SIGNALS.map(signal => [signal, () => this.#signalled(signal)] as const)
  readonly #onExit = (): void => this.#end()

  add(hooks: ProcessEndHooks, signals: boolean): () => void {
    if (this.#hooks.size === 0) process.on('exit', this.#onExit)
    this.#hooks.add(hooks)
    if (signals) this.#listenForSignals(hooks)
    return () => this.#remove(hooks)
  }

  #listenForSignals(hooks: ProcessEndHooks): void {
    if (this.#wantSignals.size === 0) {
      // First in the row: a listener of the app that listens once would be gone before we count.
      for (const [signal, handler] of this.#onSignal) process.prependListener(signal, handler)
    }
    this.#wantSignals.add(hooks)
  }

  #remove(hooks: ProcessEndHooks): void {
    if (this.#hooks.delete(hooks) && this.#hooks.size === 0) process.removeListener('exit', this.#onExit)
    if (this.#wantSignals.delete(hooks) && this.#wantSignals.size === 0) {
      for (const [signal, handler] of this.#onSignal) process.removeListener(signal, handler)
    }
  }

  #end(): void {
    for (const hooks of this.#hooks) {
      if (this.#ended.has(hooks)) continue
      this.#ended.add(hooks)
      hooks.end()
      // Not before: a second signal would end the process in the middle of it.
      this.#remove(hooks)
    }
  }

  #signalled(signal: PoliteSignal): void {
    // The kernel keeps a signal without a handler from the first process of a container: the app would go on.
    if (process.listenerCount(signal) > 1 || process.pid === 1) {
      for (const hooks of this.#wantSignals) hooks.hint()
      return
    }
    this.#end()
    // Without a listener the signal ends the process as if we had never been there: exit code 128 + n.
    process.kill(process.pid, signal)
  }
}
