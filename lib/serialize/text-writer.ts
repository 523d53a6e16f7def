import type { Limits } from '../config/options.js'
import { charCodeAt, indexOf, min, stringSlice } from './intrinsics.js'
import { KeyTrait, type KnownKey } from './known-keys.js'
import { TRACE_BEGINS } from './known-traces.js'
import { type Cut, PROTO_KEY, REST_KEY, Cut as Reason, SCRUBBED, SILENT, Word } from './markers.js'
import { MARKER_TEXT_UNITS, MsgpackWriter } from './msgpack-writer.js'
import { Redaction } from './redaction.js'
import {
  fillScratch,
  LOOKAHEAD_UNITS,
  MAX_READ_UNITS,
  SHORT_UNITS,
  screen,
  screenUnits,
  Trait,
} from './secret-screen.js'
import { hasAsciiSeparator } from './secret-separators.js'

/** Per call site, mutable memory of the walk. */
export interface CaptureSite {
  /** Positions (argument index; -1 = result) that proved too expensive: recorded by type only from now on. */
  readonly costly: Set<number>
  /** Extra redaction of this site, compiled once. */
  readonly redaction: Redaction
}

/** A string that does not fit any more is cut rather than left out when at least this much room is left. */
const MIN_STRING_ROOM = 64
export const NO_SITE: CaptureSite = { costly: new Set(), redaction: Redaction.compile({}) }

/** Writes text of the application: bounded, without its secrets, searched before a byte of it is written. */
export class TextWriter extends MsgpackWriter {
  readonly limits: Limits
  site: CaptureSite = NO_SITE

  constructor(limits: Limits) {
    super()
    this.limits = limits
  }

  /** A marker with text of the application in it: searched for secrets like any text; where it is shortened, `…`. */
  label(reason: Cut | number, text: string): boolean {
    const keep = wholeUnits(text, min(text.length, MARKER_TEXT_UNITS))
    const scrubbed = this.#scrubbed(text, keep)
    const clean = scrubbed === null ? stringSlice(text, 0, keep) : scrubbed.text
    const flags = scrubbed === null ? 0 : SCRUBBED
    const isWhole = keep === text.length && clean.length <= MARKER_TEXT_UNITS
    if (isWhole) return this.marker(reason | flags, 0, clean)
    const shown = stringSlice(clean, 0, wholeUnits(clean, min(clean.length, MARKER_TEXT_UNITS - 1)))
    const why = reason === Reason.none ? Reason.string | SILENT : reason
    return this.marker(why | flags, 0, shown + REST_KEY)
  }

  /** A string of at most `maxUnits`, without the secrets in it. */
  text(text: string, maxUnits: number): boolean {
    const length = text.length
    if (length < SHORT_UNITS && length <= maxUnits) {
      const traits = withoutSeparators(screenUnits(text, length), length)
      return (traits === 0 && this.shortAscii(length)) || this.#oddText(text, traits, length, length)
    }
    if (length > MAX_READ_UNITS) return this.marker(Reason.string | SILENT, 0, `string ${length}`)
    const window = length <= maxUnits ? length : min(length, maxUnits + LOOKAHEAD_UNITS)
    const traits = withoutSeparators(screen(text, window), window)
    if (traits === 0) {
      if (length <= maxUnits) {
        if (this.longAscii(length)) return true
      } else if (this.cutAscii(maxUnits, length - maxUnits)) return true
    }
    return this.#oddText(text, traits, min(length, maxUnits), window)
  }

  /** {@link text} of a stack. Most of its lines were seen before. */
  stack(text: string, maxUnits: number): boolean {
    const length = text.length
    const traceAt = length <= maxUnits ? indexOf(text, TRACE_BEGINS) : -1
    const isPlain = traceAt >= 0 && this.site.redaction.isPlainStack(text, traceAt)
    // Once more, for the names in it may have left their bytes there.
    if (isPlain && fillScratch(text, length) && this.longAscii(length)) return true
    return this.text(text, maxUnits)
  }

  #oddText(text: string, traits: number, keep: number, window: number): boolean {
    let shown = text
    let units = wholeUnits(text, keep)
    let covered = units
    let redactions = 0
    if ((traits & ~Trait.wide) !== 0) {
      const source = window === text.length ? text : stringSlice(text, 0, window)
      const scrubbed = this.site.redaction.scrub(source, traits, units, window < text.length)
      if (scrubbed !== null) {
        shown = scrubbed.text
        units = shown.length
        covered = scrubbed.coveredUnits
        redactions = scrubbed.redactions
      }
    }
    const rest = text.length - covered
    if (redactions === 0 && rest === 0 && this.#whole(text, traits, units)) return true
    if (
      (redactions > 0 || rest > 0) &&
      this.editedString(shown, units, redactions, rest > 0 ? Reason.string : 0, rest)
    ) {
      return true
    }
    const room = this.limit - this.at
    if (room < MIN_STRING_ROOM) return false
    const fitting = wholeUnits(shown, min(units, ((room - 16) / 3) | 0))
    return this.editedString(shown, fitting, redactions, Reason.bytes, rest + units - fitting)
  }

  /** A text without a secret in it. What was asked about it may have left another in the scratch memory. */
  #whole(text: string, traits: number, units: number): boolean {
    const isLongAscii = (traits & Trait.wide) === 0 && units >= SHORT_UNITS
    return isLongAscii && fillScratch(text, units) ? this.longAscii(units) : this.string(text, units)
  }

  key(known: KnownKey): boolean {
    if (this.readyKey(known)) return true
    return (known.traits & KeyTrait.clean) !== 0 ? this.ascii(known.key) : this.#oddKey(known.key)
  }

  #oddKey(key: string): boolean {
    if (key === '__proto__') return this.ascii(PROTO_KEY)
    const keep = min(key.length, this.limits.stringLength)
    const cut = this.#scrubbed(key, keep)
    const text = cut === null ? stringSlice(key, 0, wholeUnits(key, keep)) : cut.text
    const rest = key.length - (cut === null ? text.length : cut.coveredUnits)
    const shown = rest > 0 ? `${text}${REST_KEY}[${rest} more: string]` : text
    return cut === null ? this.string(shown, shown.length) : this.wideString(shown)
  }

  #scrubbed(text: string, keep: number): ReturnType<Redaction['scrub']> {
    const window = min(text.length, keep + LOOKAHEAD_UNITS)
    const traits = screen(text, window)
    if ((traits & ~Trait.wide) === 0) return null
    return this.site.redaction.scrub(stringSlice(text, 0, window), traits, keep, window < text.length)
  }

  isSecretKey(key: string): boolean {
    return (this.site.redaction.keyTraits(key) & KeyTrait.secret) !== 0
  }

  /** A value that must not be shown; that there is none may be. */
  hidden(value: unknown): boolean {
    return value === undefined
      ? this.word(Word.undefined)
      : value === null
        ? this.nil()
        : this.word(Word.redacted)
  }

  isSecretText(value: unknown): boolean {
    return typeof value === 'string' && this.site.redaction.isSecretName(value)
  }
}

/** Times, addresses and the like have a `:` at which no assignment can stand. The screened text is in the scratch memory. */
function withoutSeparators(traits: number, units: number): number {
  return traits === Trait.assignment && !hasAsciiSeparator(units) ? 0 : traits
}

/** `units`, or one less where that would split a surrogate pair. */
function wholeUnits(text: string, units: number): number {
  if (units === 0 || units >= text.length) return units
  const isHigh = (charCodeAt(text, units - 1) & 0xfc00) === 0xd800
  return isHigh && (charCodeAt(text, units) & 0xfc00) === 0xdc00 ? units - 1 : units
}
