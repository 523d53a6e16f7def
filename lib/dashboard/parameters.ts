import type { Duration } from '../config/options.js'
import { type Moment, type Outcome, oneOf, text, toLimit } from '../store/queries/filter.js'
import { StoreQueryError } from '../store/read-errors.js'

/** More rows than this no page shows, and an answer has to fit into memory. */
const MAX_ROWS = 1_000
const UNIX_MS = /^\d{1,15}(?:\.\d{1,3})?$/
const OUTCOMES: readonly Outcome[] = ['ok', 'error']

/** The part of an address behind the question mark. */
export class Parameters {
  readonly #values: Readonly<Record<string, string>>

  constructor(values: Readonly<Record<string, string>>) {
    this.#values = values
  }

  /** `undefined`: not given, or empty, as a form leaves it. */
  optional(name: string): string | undefined {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined
    return value === '' || value === undefined ? undefined : text(name, value)
  }

  required(name: string): string {
    const value = this.optional(name)
    if (value === undefined) throw new StoreQueryError(`${name} is missing. Add it to the address.`)
    return value
  }

  /** A moment as on the command line, or Unix milliseconds. */
  moment(name: 'since' | 'until'): Moment | undefined {
    const value = this.optional(name)
    return value !== undefined && UNIX_MS.test(value) ? new Date(Number(value)) : value
  }

  limit(fallback: number, most = MAX_ROWS): number {
    const value = this.optional('limit')
    if (value === undefined) return fallback
    const limit = toLimit(/^\d{1,7}$/.test(value) ? Number(value) : Number.NaN)
    if (limit > most) throw new StoreQueryError(`limit ${limit} is more than ${most}. Take less.`)
    return limit
  }

  outcome(): Outcome | undefined {
    return oneOf('outcome', this.optional('outcome') as Outcome | undefined, OUTCOMES) ?? undefined
  }

  minDuration(): Duration | undefined {
    const value = this.optional('min_duration')
    return value !== undefined && /^\d+(?:\.\d+)?$/.test(value)
      ? Number(value)
      : (value as Duration | undefined)
  }
}
