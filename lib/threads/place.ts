import { randomBytes } from 'node:crypto'
import { isMainThread } from 'node:worker_threads'
import { readEnvironment } from '../config/environment.js'
import { mergeOptions } from '../config/merge.js'
import type { CallsightOptions, Settings } from '../config/options.js'
import { resolveSettings } from '../config/resolve.js'
import { takeAnchor } from '../queue/clock.js'
import { Control } from '../queue/control.js'
import { nativeThread } from '../queue/process-identity.js'
import type { WriterMessage } from '../writer/messages.js'
import { LaneRegistry } from './lane-registry.js'
import { OwnWriter } from './own-writer.js'
import { bequeath, claimRing, type Inheritance, inherit, type ProcessRecorder } from './process-link.js'
import { type LaneOwner, RecordingLane } from './recording-lane.js'
import { SharedWriter } from './shared-writer.js'
import type { WriterEnd } from './writer-end.js'

export interface PlaceHooks {
  readonly onWriterMessage: (message: WriterMessage) => void
  /** Main thread: a worker thread records, and the writer has not been started yet. */
  readonly onWorkerWithoutWriter: () => void
  /** Main thread: that has happened while the process ends; there is no other moment for the end of the recorder. */
  readonly onEnd: () => void
}

/** The parts of a recorder that depend on which thread it is in. */
export interface Settled {
  readonly lane: RecordingLane
  readonly writer: WriterEnd
  readonly control: Control
}

/**
 * Where this thread stands in its process: on the main thread, which owns the writer and lets workers share it; in a
 * worker that shares it; or in a worker that has a writer of its own, because it was started before the main thread
 * had loaded Callsight, or names another store.
 */
export class Place {
  readonly #hooks: PlaceHooks
  readonly #inherited: Inheritance | null
  /** The main thread's own part; `null` in workers, and when recording is off. */
  readonly #home: { readonly owner: LaneOwner; readonly others: LaneRegistry } | null
  /** `CALLSIGHT=off`, here or, unless this thread says otherwise, on the main thread. */
  readonly off: boolean
  #writer: OwnWriter | null = null

  constructor(hooks: PlaceHooks) {
    this.#hooks = hooks
    this.#inherited = isMainThread ? null : inherit()
    const { enabled } = readEnvironment(process.env)
    this.off = enabled === false || (enabled === null && this.#inherited?.off === true)
    this.#home = isMainThread && !this.off ? this.#settleHome() : null
  }

  /** Whether the writer is this thread's own. */
  get ownsWriter(): boolean {
    return this.#writer !== null
  }

  /** The options that hold here: a worker's own over those it inherits. */
  effective(options: CallsightOptions): CallsightOptions {
    if (this.#inherited === null) return options
    const merged = mergeOptions(this.#inherited.options, options)
    const { recorder } = this.#inherited
    const named = merged.store?.path !== undefined || readEnvironment(process.env).storePath !== null
    // A worker whose environment was emptied still belongs to its process.
    return named || recorder === null ? merged : mergeOptions(merged, { store: { path: recorder.storePath } })
  }

  /** Main thread: workers started from now on inherit this. */
  publish(options: CallsightOptions): void {
    if (!isMainThread) return
    bequeath({ off: this.off, options, recorder: this.#recorder(options) })
  }

  /** Main thread: no writer will ever run here. Workers that count on it keep their errors in their journals. */
  withdraw(): void {
    this.#home?.owner.control.giveUp()
    this.#home?.others.close()
  }

  /** Builds this thread's lane and its end of the writer. */
  settle(settings: Settings): Settled {
    const recorder = this.#inherited?.recorder ?? null
    if (recorder !== null && recorder.storePath === settings.storePath && claimRing(recorder.boot)) {
      const { boot, anchor } = recorder
      const control = new Control(recorder.control)
      const lane = new RecordingLane(settings, { boot, anchor, control }, nativeThread())
      return { lane, control, writer: new SharedWriter(settings, boot, lane, control) }
    }
    const owner = this.#home?.owner ?? newOwner()
    const lane = new RecordingLane(settings, owner, null)
    const others = this.#home?.others ?? null
    this.#writer = new OwnWriter(settings, lane, owner, others, this.#hooks.onWriterMessage)
    return { lane, control: owner.control, writer: this.#writer }
  }

  #settleHome(): { owner: LaneOwner; others: LaneRegistry } {
    const owner = newOwner()
    const others = new LaneRegistry(owner.boot, owner.control, lane => {
      if (this.#writer === null) this.#hooks.onWorkerWithoutWriter()
      else this.#writer.take(lane)
    })
    // The program may end before its event loop has delivered what a worker announced.
    process.once('exit', () => {
      if (this.#writer !== null) return
      others.receive()
      if (this.#writer !== null) this.#hooks.onEnd()
    })
    return { owner, others }
  }

  #recorder(options: CallsightOptions): ProcessRecorder | null {
    if (this.#home === null) return null
    const { boot, control, anchor } = this.#home.owner
    try {
      const { settings } = resolveSettings(options)
      if (!settings.enabled) return null
      return { boot, anchor, control: control.memory, storePath: settings.storePath }
    } catch {
      // The working directory is gone, say: the first call will say so.
      return null
    }
  }
}

function newOwner(): LaneOwner {
  // 16 hex digits that no other recorder start has; the app may have replaced `Math.random` by something it can repeat.
  return { boot: randomBytes(8).toString('hex'), anchor: takeAnchor(), control: new Control() }
}
