import { ConfigError } from '../config/errors.js'
import type { SiteSettings, TuneOptions } from '../config/options.js'
import { renderValue } from '../config/render.js'
import { overlaySite, siteOverlay } from '../config/resolve.js'
import { validateTuneOptions } from '../config/validate.js'
import { compilePattern, type NameMatcher } from './patterns.js'

/** One rule of {@link Tuning.list}. */
export interface TuningRule {
  readonly pattern: string
  readonly options: TuneOptions
  /** Time of the caller's clock from which the rule no longer holds; null = never. */
  readonly expiresAtMs: number | null
}

/** A rule that was not given by this program, in a form that can be sent to a thread. */
export interface ImposedRule {
  readonly pattern: string
  readonly options: TuneOptions
  /** As for {@link TuningRule.expiresAtMs}. */
  readonly endMs: number
}

interface CompiledRule extends TuningRule {
  readonly matches: NameMatcher
  readonly overlay: Partial<SiteSettings>
  readonly endMs: number
}

export const MAX_TUNING_RULES = 1_000

/**
 * What `tune()` changed while the program runs: rules over names of call sites, laid over the settings of each
 * site. Later rules win option by option; an expired rule gives way to what lies below it. The caller owns the
 * clock (monotonic milliseconds) and any timer.
 */
export class Tuning {
  #rules: readonly CompiledRule[] = []
  #imposed: readonly CompiledRule[] = []

  /**
   * @param forMs how long the rule holds; null = until the process ends
   * @throws {@link ConfigError} for a bad pattern, option or time, and when 1,000 rules hold already
   */
  add(pattern: string, options: TuneOptions, forMs: number | null, nowMs: number): void {
    if (forMs !== null && !(typeof forMs === 'number' && forMs > 0 && forMs < Number.POSITIVE_INFINITY)) {
      throw new ConfigError(
        `Callsight: the time a rule holds must be more than 0 ms, but is ${renderValue(forMs)}`,
      )
    }
    const rule = compiled(pattern, options, forMs === null ? null : nowMs + forMs)
    const kept = this.#rules.filter(old => nowMs < old.endMs && !hides(rule, old))
    if (kept.length >= MAX_TUNING_RULES) {
      throw new ConfigError(
        `Callsight: ${MAX_TUNING_RULES} tuning rules hold already; give rules a time ('for') or use fewer, wider patterns`,
      )
    }
    this.#rules = [...kept, rule]
  }

  /**
   * Rules from outside the program, in place of those given so before. Whoever operates it has the last word: they lie
   * over those of {@link add}. One that has no meaning is left out: they come as messages, which anybody may send.
   */
  impose(rules: readonly ImposedRule[]): void {
    this.#imposed = rules.slice(0, MAX_TUNING_RULES).flatMap(rule => {
      try {
        const { pattern, options, endMs } = rule
        return Number.isFinite(endMs) ? compiled(pattern, options, endMs) : []
      } catch {
        return []
      }
    })
  }

  /** The settings of a call site now. The same object as `base` when no rule speaks of it. */
  effective(name: string, base: SiteSettings, nowMs: number): SiteSettings {
    let settings = base
    for (const rules of [this.#rules, this.#imposed]) {
      for (const rule of rules) {
        if (nowMs < rule.endMs && rule.matches(name)) settings = overlaySite(settings, rule.overlay)
      }
    }
    return settings
  }

  /** When the next rule expires, on the caller's clock; null when none will. */
  nextExpiryMs(): number | null {
    const endMs = Math.min(
      ...[...this.#rules, ...this.#imposed].map(rule => rule.endMs),
      Number.POSITIVE_INFINITY,
    )
    return endMs === Number.POSITIVE_INFINITY ? null : endMs
  }

  /** Forgets the expired rules; true when there were any. */
  expire(nowMs: number): boolean {
    const before = this.#rules.length + this.#imposed.length
    this.#rules = this.#rules.filter(rule => nowMs < rule.endMs)
    this.#imposed = this.#imposed.filter(rule => nowMs < rule.endMs)
    return this.#rules.length + this.#imposed.length < before
  }

  /** The rules not yet forgotten, oldest first. */
  list(): readonly TuningRule[] {
    return [...this.#rules, ...this.#imposed].map(({ pattern, options, expiresAtMs }) =>
      Object.freeze({ pattern, options, expiresAtMs }),
    )
  }
}

/** @throws {@link ConfigError} for a bad pattern or option */
function compiled(pattern: string, options: TuneOptions, expiresAtMs: number | null): CompiledRule {
  const matches = compilePattern(pattern)
  const valid = validateTuneOptions(options)
  return Object.freeze({
    pattern,
    options: valid,
    expiresAtMs,
    matches,
    overlay: siteOverlay(valid),
    endMs: expiresAtMs ?? Number.POSITIVE_INFINITY,
  })
}

/** An older rule that can never show again is dropped, so that tuning the same functions over and over stays small. */
function hides(rule: CompiledRule, older: CompiledRule): boolean {
  const samePattern = rule.pattern === older.pattern && rule.endMs >= older.endMs
  return samePattern && Object.keys(older.overlay).every(key => Object.hasOwn(rule.overlay, key))
}
