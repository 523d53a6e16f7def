/**
 * The way of a lane from the thread that records to the writer of the process.
 *
 * A recording thread posts its lane to a BroadcastChannel that is named with the process's boot id. Two listen: the
 * writer, which looks at each tick (it never returns to its event loop), so that a blocked main thread keeps nobody
 * waiting; and the main thread, which keeps the list for a writer that is started again and hands on by a port of
 * their own what the writer may have missed while it booted. A message on a port waits until it is read; one on a
 * channel is only heard by those who listen already.
 */
import { BroadcastChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { isLaneHandle, type LaneHandle } from './messages.js'

const channelName = (boot: string): string => `callsight-lanes-${boot}`

/** Tells the writer and the main thread of a lane. */
export function announceLane(boot: string, lane: LaneHandle): void {
  const channel = new BroadcastChannel(channelName(boot))
  try {
    channel.postMessage(lane)
  } finally {
    // Left open, it would collect the lanes of all other threads, and with them their memory.
    channel.close()
  }
}

/** The main thread's ear. It keeps nothing alive. */
export class LaneListener {
  readonly #channel: BroadcastChannel
  readonly #onLane: (lane: LaneHandle) => void
  #closed = false

  constructor(boot: string, onLane: (lane: LaneHandle) => void) {
    this.#onLane = onLane
    this.#channel = new BroadcastChannel(channelName(boot))
    this.#channel.onmessage = event => this.#heard((event as { readonly data?: unknown }).data)
    unref(this.#channel)
  }

  /** Hears now what has been said and not been delivered yet. */
  receive(): void {
    if (this.#closed) return
    for (const message of messagesOf(this.#channel)) this.#heard(message)
  }

  close(): void {
    this.#closed = true
    this.#channel.close()
  }

  #heard(message: unknown): void {
    if (isLaneHandle(message)) this.#onLane(message)
  }
}

/** The writer's ear. */
export class LaneInbox {
  readonly #channel: BroadcastChannel
  readonly #port: MessagePort

  constructor(boot: string, port: MessagePort) {
    this.#port = port
    this.#channel = new BroadcastChannel(channelName(boot))
    unref(this.#channel)
  }

  /** The lanes that were announced since the last look; the same one perhaps more than once. */
  take(): LaneHandle[] {
    return [...messagesOf(this.#port), ...messagesOf(this.#channel)].filter(isLaneHandle)
  }

  close(): void {
    this.#channel.close()
    this.#port.close()
  }
}

function* messagesOf(source: MessagePort | BroadcastChannel): Generator<unknown> {
  for (;;) {
    // Works for a BroadcastChannel too; the types do not know it.
    const received = receiveMessageOnPort(source as MessagePort) as { readonly message: unknown } | undefined
    if (received === undefined) return
    yield received.message
  }
}

/** The types do not know this method of a BroadcastChannel either. */
export function unref(channel: BroadcastChannel): void {
  ;(channel as BroadcastChannel & { unref(): void }).unref()
}
