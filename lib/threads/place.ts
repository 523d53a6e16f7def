import { isMainThread } from 'node:worker_threads'
import { readEnvironment } from '../config/environment.js'
import { ConfigError } from '../config/errors.js'
import { mergeOptions } from '../config/merge.js'
import type { CallsightOptions, Settings } from '../config/options.js'
import { renderValue } from '../config/render.js'
import { resolveSettings } from '../config/resolve.js'
import { onProcessEnd } from '../lifecycle/process-end.js'
import { takeAnchor } from '../queue/clock.js'
import { Control } from '../queue/control.js'
import { nativeThread } from '../queue/process-identity.js'
import { systemRandom } from '../queue/system-random.js'
import type { WriterMessage } from '../writer/messages.js'
import { LaneRegistry } from './lane-registry.js'
import { OwnWriter } from './own-writer.js'
import { bequeath, claimRing, type Inheritance, inherit, type ProcessRecorder } from './process-link.js'
import { type LaneOwner, RecordingLane } from './recording-lane.js'
import { SharedStorePath } from './shared-store-path.js'
import { SharedWriter } from './shared-writer.js'
import type { WriterEnd } from './writer-end.js'

export interface PlaceHooks {
  readonly onWriterMessage: (message: WriterMessage) => void
  /** Main thread: a worker thread records, and the writer has not been started yet. */
  readonly onWorkerWithoutWriter: () => void
}

/** The parts of a recorder that depend on which thread it is in. */
export interface Settled {
  readonly settings: Settings
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
  /** Where the store of all threads is: the main thread's from the start of the first worker on, a worker's inherited. */
  #storePath: SharedStorePath | null = null
  /** Main thread: it records there, and no worker has been started yet. */
  #settledPath: string | null = null
  #withdrawn = false
  #forbidden = false
  /** `CALLSIGHT=off`, here or, unless this thread says otherwise, on the main thread. */
  readonly off: boolean
  #writer: OwnWriter | null = null

  constructor(hooks: PlaceHooks) {
    this.#hooks = hooks
    this.#inherited = isMainThread ? null : inherit()
    const storePath = this.#inherited?.recorder?.storePath
    if (storePath !== undefined) this.#storePath = new SharedStorePath(storePath)
    const { enabled } = readEnvironment(process.env)
    this.off = enabled === false || (enabled === null && this.#inherited?.off === true)
  }

  /** Whether the writer is this thread's own. */
  get ownsWriter(): boolean {
    return this.#writer !== null
  }

  /** The options that hold here: a worker's own over those it inherits. */
  effective(options: CallsightOptions): CallsightOptions {
    if (this.#inherited === null) return this.#storePath?.isSettled ? this.#inPlace(options) : options
    const merged = this.#withPredicate(mergeOptions(this.#inherited.options, options))
    const { storePath } = readEnvironment(process.env)
    const named =
      options.store?.path !== undefined ||
      (storePath !== null && storePath !== this.#inherited.storePathInEnvironment)
    // A worker whose environment was emptied still belongs to its process.
    return named ? merged : this.#inPlace(merged)
  }

  #inPlace(options: CallsightOptions): CallsightOptions {
    return this.#storePath === null
      ? options
      : mergeOptions(options, { store: { path: this.#storePath.path } })
  }

  /**
   * Main thread: the recorder is configured anew. Workers that have been started and do not record yet go with it.
   *
   * @throws {ConfigError} when one of them records, and the store would be somewhere else
   */
  move(options: CallsightOptions): void {
    if (!isMainThread || this.#storePath === null) return
    const path = resolveEnabled(options)?.storePath
    if (path === undefined || this.#storePath.move(path)) return
    throw new ConfigError(
      `Callsight: option "store.path" must be set before the first monitored call, also of worker threads, and one ` +
        `of them records into ${renderValue(this.#storePath.path)}; call configure() before new Worker()`,
    )
  }

  /** Of these warnings, those that the main thread does not say anyhow: it starts when a worker shares its writer. */
  ownWarnings(warnings: readonly string[]): readonly string[] {
    const said = this.#inherited?.environmentWarnings ?? []
    return warnings.filter(text => !said.includes(text))
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
    bequeath(() => {
      const off = this.off || this.#forbidden
      const recorder = off ? null : this.#recorder(options())
      const { storePath, warnings } = readEnvironment(process.env)
      return {
        off,
        options: options(),
        storePathInEnvironment: storePath,
        environmentWarnings: recorder === null ? [] : warnings,
        recorder,
      }
    })
  }

  /** Main thread: no writer will ever run here. Workers that count on it keep their errors in their journals. */
  withdraw(): void {
    this.#withdrawn = true
    this.#own().control.giveUp()
    this.#others?.close()
  }

  /** As {@link withdraw}, and threads that are started later need not find out by themselves. */
  forbid(): void {
    this.#forbidden = true
    this.withdraw()
  }

  /** Builds this thread's lane and its end of the writer. */
  settle(settings: Settings): Settled {
    const recorder = this.#inherited?.recorder ?? null
    if (recorder !== null && this.#storePath?.settle(settings.storePath) && claimRing(recorder.boot)) {
      const { boot, anchor } = recorder
      const control = new Control(recorder.control)
      const lane = new RecordingLane(settings, { boot, anchor, control }, nativeThread())
      return {
        settings,
        lane,
        control,
        writer: new SharedWriter(settings, boot, lane, control, this.#hooks.onWriterMessage),
      }
    }
    return this.#settleOwn(isMainThread ? this.#whereWorkersRecord(settings) : settings)
  }

  #settleOwn(settings: Settings): Settled {
    const owner = this.#own()
    const lane = new RecordingLane(settings, owner, null)
    this.#writer = new OwnWriter(settings, lane, owner, () => this.#others, this.#hooks.onWriterMessage)
    return { settings, lane, control: owner.control, writer: this.#writer }
  }

  /** A worker may have begun to record since the settings were made. */
  #whereWorkersRecord(settings: Settings): Settings {
    if (this.#storePath === null) {
      this.#settledPath = settings.storePath
      return settings
    }
    this.#storePath.move(settings.storePath)
    const { path } = this.#storePath
    this.#storePath.settle(path)
    return { ...settings, storePath: path }
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
    const path = this.#settledPath ?? resolveEnabled(options)?.storePath ?? null
    if (path === null) return null
    this.#storePath ??= new SharedStorePath()
    this.#storePath.move(path)
    if (this.#settledPath !== null) this.#storePath.settle(path)
    const owner = this.#own()
    this.#listen(owner)
    const { boot, control, anchor } = owner
    return { boot, anchor, control: control.memory, storePath: this.#storePath.memory }
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
  return { boot: systemRandom(8).toString('hex'), anchor: takeAnchor(), control: new Control() }
}
