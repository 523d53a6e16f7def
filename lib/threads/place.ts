import { randomBytes } from 'node:crypto'
import { isMainThread } from 'node:worker_threads'
import { readEnvironment } from '../config/environment.js'
import { mergeOptions } from '../config/merge.js'
import type { CallsightOptions, Settings } from '../config/options.js'
import { resolveSettings } from '../config/resolve.js'
import { onProcessEnd } from '../lifecycle/process-end.js'
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
  #owner: LaneOwner | null = null
  /** Main thread: the lanes of workers, from the start of the first worker on. */
  #others: LaneRegistry | null = null
  /** Main thread: what all threads of the process write to, once that is settled. */
  #storePath: string | null = null
  #withdrawn = false
  /** `CALLSIGHT=off`, here or, unless this thread says otherwise, on the main thread. */
  readonly off: boolean
  #writer: OwnWriter | null = null

  constructor(hooks: PlaceHooks) {
    this.#hooks = hooks
    this.#inherited = isMainThread ? null : inherit()
    const { enabled } = readEnvironment(process.env)
    this.off = enabled === false || (enabled === null && this.#inherited?.off === true)
  }

  /** Whether the writer is this thread's own. */
  get ownsWriter(): boolean {
    return this.#writer !== null
  }

  /** The options that hold here: a worker's own over those it inherits. */
  effective(options: CallsightOptions): CallsightOptions {
    if (this.#inherited === null) return options
    const merged = this.#withPredicate(mergeOptions(this.#inherited.options, options))
    const { recorder } = this.#inherited
    const named = merged.store?.path !== undefined || readEnvironment(process.env).storePath !== null
    // A worker whose environment was emptied still belongs to its process.
    return named || recorder === null ? merged : mergeOptions(merged, { store: { path: recorder.storePath } })
  }

  /** What the main thread would be asked about cannot be judged here without a predicate of this thread: it is hidden. */
  #withPredicate(options: CallsightOptions): CallsightOptions {
    if (this.#inherited?.hasPredicate !== true || options.redact?.when !== undefined) return options
    this.#hooks.onWriterMessage({
      type: 'warning',
      code: 'CALLSIGHT_NO_PREDICATE',
      text:
        'The function redact.when of the main thread cannot be given to this worker thread, so every value under a ' +
        'key is hidden in what it records. Call configure({ redact: { when } }) in the worker too.',
    })
    return mergeOptions(options, { redact: { when: () => true } })
  }

  /** Main thread: workers started from now on inherit what holds then. */
  publish(options: () => CallsightOptions): void {
    if (!isMainThread) return
    bequeath(() => ({ off: this.off, options: options(), recorder: this.#recorder(options()) }))
  }

  /** Main thread: no writer will ever run here. Workers that count on it keep their errors in their journals. */
  withdraw(): void {
    this.#withdrawn = true
    this.#own().control.giveUp()
    this.#others?.close()
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
    const owner = this.#own()
    const lane = new RecordingLane(settings, owner, null)
    this.#storePath = settings.storePath
    this.#writer = new OwnWriter(settings, lane, owner, () => this.#others, this.#hooks.onWriterMessage)
    return { lane, control: owner.control, writer: this.#writer }
  }

  #own(): LaneOwner {
    this.#owner ??= newOwner()
    return this.#owner
  }

  /** A worker is being started: from now on it may announce its lane. */
  #listen({ boot, control }: LaneOwner): void {
    if (this.#others !== null || this.#withdrawn) return
    const others = new LaneRegistry(boot, control, lane => {
      if (this.#writer === null) this.#hooks.onWorkerWithoutWriter()
      else this.#writer.take(lane)
    })
    this.#others = others
    // The program may end before its event loop has delivered what a worker announced. The recorder that is started
    // then is told of the end as well.
    onProcessEnd({ end: () => others.receive(), hint: () => {} }, false)
  }

  #recorder(options: CallsightOptions): ProcessRecorder | null {
    if (this.off) return null
    const storePath = this.#storePath ?? resolveEnabled(options)?.storePath ?? null
    if (storePath === null) return null
    const owner = this.#own()
    this.#listen(owner)
    const { boot, control, anchor } = owner
    return { boot, anchor, control: control.memory, storePath }
  }
}

/** `null` when recording is off, or the settings cannot be told: the first call will say why. */
function resolveEnabled(options: CallsightOptions): Settings | null {
  try {
    const { settings } = resolveSettings(options)
    return settings.enabled ? settings : null
  } catch {
    return null
  }
}

function newOwner(): LaneOwner {
  // 16 hex digits that no other recorder start has; the app may have replaced `Math.random` by something it can repeat.
  return { boot: randomBytes(8).toString('hex'), anchor: takeAnchor(), control: new Control() }
}
