/**
 * The way of a change from the writer to the worker threads that share it; the thread that owns the writer hears of it
 * by the writer's own messages. What is said is always all that is in force, so nothing depends on having heard the
 * time before.
 */
import { BroadcastChannel } from 'node:worker_threads'
import { unref } from './lane-channel.js'
import { isWriterMessage, type WriterMessage } from './messages.js'

const channelName = (boot: string): string => `callsight-tunings-${boot}`

/** The writer's end. */
export class TuningSpeaker {
  readonly #boot: string
  #channel: BroadcastChannel | null = null

  constructor(boot: string) {
    this.#boot = boot
  }

  say(message: WriterMessage): void {
    if (this.#channel === null) {
      this.#channel = new BroadcastChannel(channelName(this.#boot))
      unref(this.#channel)
    }
    this.#channel.postMessage(message)
  }

  close(): void {
    this.#channel?.close()
    this.#channel = null
  }
}

/** A worker thread's end; it hears when its event loop turns, and keeps nothing alive. Returns what ends it. */
export function listenForTunings(boot: string, onMessage: (message: WriterMessage) => void): () => void {
  const channel = new BroadcastChannel(channelName(boot))
  channel.onmessage = event => {
    const message = (event as { readonly data?: unknown }).data
    // Anybody in the process can post to a channel.
    if (isWriterMessage(message) && message.type === 'tunings') onMessage(message)
  }
  unref(channel)
  return () => channel.close()
}
