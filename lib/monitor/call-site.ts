import type { CaptureMode, MonitorOptions, SiteSettings } from '../config/options.js'
import type { ProducedSite } from '../queue/produced-site.js'
import { Sampler } from '../sampling/sampler.js'
import { Redaction } from '../serialize/redaction.js'
import type { Recording } from './recording.js'

/** A name found from the `this` of a call. */
export interface FoundName {
  readonly name: string
  /** `false`: the class is not in it, because `this` did not tell. */
  readonly isWhole: boolean
}

/** How a call site gets its name: known when it is decorated, or found out at the first call from `this`. */
export type SiteName = string | ((self: unknown) => FoundName)

/** A method that was called so often without a `this` that tells its class keeps the name it has. */
const MAX_NAMELESS_CALLS = 16

/** A monitored function: its name, its settings as they are now, and what was learned about it. */
export class CallSite implements ProducedSite {
  readonly options: MonitorOptions
  readonly costly = new Set<number>()
  readonly #name: SiteName
  /** Number in the totals, -1 until the first recorded call. */
  id = -1
  /** Whether name and number are settled; until then every call looks whether it knows the name better. */
  isAttached = false
  #namelessCalls = 0
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
  /** It is one async function: each call gives a new native promise, which none but its caller knows. */
  isAsyncFunction = false

  constructor(name: SiteName, options: MonitorOptions, continues: boolean) {
    this.#name = options.name ?? name
    this.options = options
    this.continues = continues
  }

  /** Finds the name from the `this` of a call; `false`: a later call may know it better. */
  resolveName(self: unknown): boolean {
    if (typeof this.#name === 'string') {
      this.name = this.#name
      return true
    }
    const { name, isWhole } = this.#name(self)
    this.name = name
    return isWhole || ++this.#namelessCalls >= MAX_NAMELESS_CALLS
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
