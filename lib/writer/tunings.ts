import type { TuneOptions } from '../config/options.js'
import { tuneOptionsFromJson, tuneOptionsToJson } from '../config/tune-json.js'
import { monotonicMs } from '../queue/clock.js'
import { compilePattern } from '../sampling/patterns.js'
import type { ImposedRule } from '../sampling/tuning.js'
import { isProcess, MAX_TUNINGS, type StoredTuning } from '../store/tunings.js'
import type { Incidents } from './incidents.js'

/** What of its surroundings it needs to know. */
export interface TuningsOptions {
  readonly process: { readonly pid: number; readonly script: string; readonly boot: string }
  /** No change holds longer, whatever its row says. */
  readonly retentionMs: number
  readonly incidents: Incidents
  /** Tells every thread of the process all rules that are in force. */
  readonly tell: (rules: readonly ImposedRule[]) => void
  /** A writer before this one may have told them something. */
  readonly isHeir: boolean
  /** The clock of whoever wrote the rows. Default `Date.now`. */
  readonly wallMs?: () => number
  /** Default: the process-wide clock. */
  readonly nowMs?: () => number
}

interface Known {
  /** `null`: not for this process, over before it was seen, or without a meaning. */
  readonly rule: ImposedRule | null
  readonly detail: string
  readonly endUs: number
}

const UNIT_MS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

/**
 * What the open store asks this process to change. Each look is given the rows of that moment: of a row that is new the
 * remaining time is read once by the wall clock, which its author read too, and from then on the monotonic clock counts.
 * What changes is told to all threads, and is an incident as long as it holds.
 */
export class Tunings {
  readonly #options: Required<TuningsOptions>
  #file = ''
  #known = new Map<string, Known>()
  #rules: readonly ImposedRule[] = []
  /** What the threads were told; `null`: nobody knows. */
  #told: string | null

  constructor(options: TuningsOptions) {
    this.#options = { wallMs: Date.now, nowMs: monotonicMs, ...options }
    this.#told = options.isHeir ? null : ''
  }

  /** @param nowUs for what is written of it */
  look(file: string, rows: readonly StoredTuning[], nowUs: number): void {
    if (file !== this.#file) this.#forget()
    this.#file = file
    this.#take(rows, nowUs)
    const nowMs = this.#options.nowMs()
    const inForce = [...this.#known]
      .filter(([, { rule }]) => rule !== null && nowMs < rule.endMs)
      .slice(-MAX_TUNINGS)
    this.#note(
      inForce.map(([, known]) => known),
      nowUs,
    )
    const wanted = inForce.map(([key]) => key).join()
    this.#rules = inForce.flatMap(([, { rule }]) => rule ?? [])
    if (wanted === this.#told) return
    this.#told = wanted
    this.#options.tell(this.#rules)
  }

  /** A thread has come that was told nothing. */
  repeat(): void {
    if (this.#rules.length > 0) this.#options.tell(this.#rules)
  }

  /** Another file may have other changes under the same numbers. */
  #forget(): void {
    this.#known.clear()
    if (this.#rules.length > 0) this.#told = null
  }

  #take(rows: readonly StoredTuning[], nowUs: number): void {
    const known = new Map<string, Known>()
    const refused: string[] = []
    for (const row of rows) {
      const key = `${row.id} ${row.expiresUs}`
      const entry = this.#known.get(key) ?? this.#read(row, nowUs, refused)
      known.set(key, entry)
    }
    this.#known = known
    if (refused.length === 0) return
    const others = refused.length > 1 ? ` (and ${refused.length - 1} more)` : ''
    this.#options.incidents.note('tuning_refused', `${refused[0]}${others}`, nowUs, nowUs)
  }

  #read(row: StoredTuning, nowUs: number, refused: string[]): Known {
    const { id, process, createdUs, expiresUs } = row
    const remainingMs = Math.min(expiresUs - this.#options.wallMs() * 1_000, expiresUs - createdUs) / 1_000
    const isOurs = process === null || isProcess(process, this.#options.process)
    const nothing = { rule: null, detail: '', endUs: 0 }
    // Written so that what is no number is over.
    if (!isOurs || !(remainingMs > 0)) return nothing
    try {
      const options = optionsOf(row)
      const forMs = Math.min(remainingMs, this.#options.retentionMs)
      const pattern = String(row.pattern)
      return {
        rule: { pattern, options, endMs: this.#options.nowMs() + forMs },
        detail: `#${id} ${pattern} ${tuneOptionsToJson(options)} for ${lengthOf((expiresUs - createdUs) / 1_000)}, by ${row.createdBy}`,
        endUs: nowUs + Math.floor(forMs * 1_000),
      }
    } catch (error) {
      refused.push(`#${id}: ${error instanceof Error ? error.message : String(error)}`)
      return nothing
    }
  }

  #note(inForce: readonly Known[], nowUs: number): void {
    const { incidents } = this.#options
    const ends = new Map([...this.#known.values()].map(({ detail, endUs }) => [detail, endUs]))
    const details = new Set(inForce.map(({ detail }) => detail))
    for (const detail of incidents.openDetails('tuned')) {
      // One of a writer before this one, perhaps, of which nothing else is known.
      if (!details.has(detail)) incidents.end('tuned', Math.min(nowUs, ends.get(detail) ?? nowUs), detail)
    }
    for (const detail of details) incidents.begin('tuned', detail, nowUs)
  }
}

/** @throws {ConfigError} for what `tune()` would not take */
function optionsOf({ pattern, options }: StoredTuning): TuneOptions {
  compilePattern(pattern ?? '')
  return tuneOptionsFromJson(options)
}

function lengthOf(ms: number): string {
  for (const [unit, length] of UNIT_MS) if (ms >= length && ms % length === 0) return `${ms / length}${unit}`
  return `${ms}ms`
}
