import { ConfigError } from '../config/errors.js'
import { renderValue } from '../config/render.js'

export const PATTERN_MAX_LENGTH = 256
const ANY_RUN = '*'
const ANY_ONE = '?'

/** Whether the name of a call site fits a pattern. */
export type NameMatcher = (name: string) => boolean

/**
 * A glob over names of call sites: `*` stands for any run of characters, `?` for exactly one, everything else for
 * itself, case-sensitive. A match takes at most name × pattern steps, linear in the name as patterns are bounded:
 * a failed try never goes back to an earlier star.
 *
 * @throws {@link ConfigError} for an empty pattern, one that is no text, or one longer than 256 characters.
 */
export function compilePattern(pattern: string): NameMatcher {
  if (typeof pattern !== 'string' || pattern.length === 0 || pattern.length > PATTERN_MAX_LENGTH) {
    throw new ConfigError(
      `Callsight: a pattern must be a text of 1 to ${PATTERN_MAX_LENGTH} characters such as 'Orders.*', but is ${renderValue(pattern)}`,
    )
  }
  // Whole characters, not UTF-16 units, so that `?` stands for one of any script.
  const wanted = [...pattern.replace(/\*+/g, ANY_RUN)]
  if (!wanted.includes(ANY_RUN) && !wanted.includes(ANY_ONE)) return name => name === pattern
  return name => matches(wanted, [...name])
}

function matches(wanted: readonly string[], given: readonly string[]): boolean {
  let star = -1
  let afterRun = 0
  let want = 0
  let at = 0
  while (at < given.length) {
    if (wanted[want] === ANY_RUN) {
      star = want++
      afterRun = at
    } else if (wanted[want] === ANY_ONE || wanted[want] === given[at]) {
      want++
      at++
    } else if (star >= 0) {
      // The run of the last star takes one character more. Earlier stars took the shortest run that fits, and a
      // longer one could only leave less for what follows.
      want = star + 1
      at = ++afterRun
    } else {
      return false
    }
  }
  if (wanted[want] === ANY_RUN) want++
  return want === wanted.length
}
