import { stringSlice } from './intrinsics.js'
import { REDACTED_TEXT } from './markers.js'
import { markAssignments } from './secret-assignments.js'
import { markCards } from './secret-cards.js'
import type { NameJudge } from './secret-name-in-text.js'
import { markFlags, markPhrases } from './secret-phrases.js'
import { fillScratch, Trait } from './secret-screen.js'
import { allSeparators, asciiSeparators } from './secret-separators.js'
import { Spans } from './secret-spans.js'
import { markTokens } from './secret-tokens.js'

export interface Scrubbed {
  readonly text: string
  readonly redactions: number
  /** How many units of the original the text stands for. */
  readonly coveredUnits: number
}

const spans = new Spans()

/**
 * Takes the secrets out of the first `keep` units of `text`; what follows in `text` is only looked at.
 * `truncated`: the original goes on behind `text`. Returns `null` when there is nothing to take out.
 */
export function scrub(
  text: string,
  traits: number,
  keep: number,
  truncated: boolean,
  names: NameJudge,
): Scrubbed | null {
  spans.clear()
  if ((traits & Trait.assignment) !== 0) {
    // Filled here: whoever calls may have screened another text since.
    const found = fillScratch(text, text.length) ? asciiSeparators(text.length) : allSeparators(text)
    if (found > 0) markAssignments(text, found, truncated, names, spans)
  }
  if ((traits & Trait.token) !== 0) {
    markTokens(text, spans)
    markFlags(text, names, spans)
    markPhrases(text, names, spans)
  }
  if ((traits & Trait.digits) !== 0) markCards(text, spans)
  if (spans.count === 0) return null
  spans.sort(text.length)
  let clean = ''
  let at = 0
  let redactions = 0
  for (let i = 0; i < spans.count && at < keep; i++) {
    const start = spans.start(i)
    if (start >= keep) break
    if (spans.end(i) <= at) continue
    clean += start > at ? stringSlice(text, at, start) + REDACTED_TEXT : redactions === 0 ? REDACTED_TEXT : ''
    redactions++
    at = spans.end(i)
  }
  if (redactions === 0) return null
  if (at < keep) {
    clean += stringSlice(text, at, keep)
    at = keep
  }
  return { text: clean, redactions, coveredUnits: at }
}
