import type { CaptureMode, MonitorOptions, SiteSettings } from '../config/options.js'
import type { ProducedSite } from '../queue/producer.js'
import { Sampler } from '../sampling/sampler.js'
import { Redaction } from '../serialize/redaction.js'
import type { Recording } from './recording.js'

/** How a call site gets its name: known when it is decorated, or found out at the first call from `this`. */
export type SiteName = string | ((self: unknown) => string)

/** A monitored function: its name, its settings as they are now, and what was learned about it. */
export class CallSite implements ProducedSite {
  readonly options: MonitorOptions
  readonly costly = new Set<number>()
  readonly #name: SiteName
  /** Number in the totals, -1 until the first recorded call. */
  id = -1
  /** Set together with {@link id}. */
  recording: Recording | null = null
  /** Calls that could not even be begun and are not counted yet. */
  missed = 0
  nextMissed: CallSite | null = null
  name = ''
  redaction: Redaction = NO_REDACTION
  sampler: Sampler = ALWAYS
  slowMs = Number.POSITIVE_INFINITY
  timed = true
  captureArgs: CaptureMode = true
  captureResult: CaptureMode = true
  /** Has returned a promise, or is an async function: its continuation needs the context in async storage. */
  continues: boolean

  constructor(name: SiteName, options: MonitorOptions, continues: boolean) {
    this.#name = options.name ?? name
    this.options = options
    this.continues = continues
  }

  /** Settles the name at the first call. */
  resolveName(self: unknown): string {
    if (this.name === '') {
      this.name = typeof this.#name === 'string' ? this.#name : this.#name(self)
    }
    return this.name
  }

  apply(settings: SiteSettings): void {
    this.slowMs = settings.slowMs
    this.timed = settings.timing === 'exact'
    this.captureArgs = settings.captureArgs
    this.captureResult = settings.captureResult
    if (this.sampler === ALWAYS) this.sampler = new Sampler(settings.sample, settings.maxPerSecond)
    else this.sampler.retune(settings.sample, settings.maxPerSecond)
  }
}

const NO_REDACTION = Redaction.compile({})
const ALWAYS = new Sampler(1, Number.POSITIVE_INFINITY)
