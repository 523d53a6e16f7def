import { charCodeAt, indexOf, stringSlice } from './intrinsics.js'
import { isNameUnit, type NameJudge, unitAt } from './secret-name-in-text.js'
import type { Spans } from './secret-spans.js'

const COLON = 58
const GREATER = 62

/**
 * Marks what stands between `<password …>` and its closing tag; returns the index to go on from. A type such as
 * `Promise<Token>` and a placeholder such as `<token>` have no closing tag.
 */
export function markElement(
  text: string,
  at: number,
  truncated: boolean,
  names: NameJudge,
  spans: Spans,
): number {
  if (at > 0 && isNameUnit(charCodeAt(text, at - 1))) return at
  let end = at + 1
  let start = end
  while (isNameUnit(unitAt(text, end)) || unitAt(text, end) === COLON || unitAt(text, end) === 46) {
    if (charCodeAt(text, end) === COLON) start = end + 1
    end++
  }
  if (end - start < 3 || !names.isSecretName(stringSlice(text, start, end))) return at
  const opened = indexOf(text, '>', end)
  if (opened < 0 || charCodeAt(text, opened - 1) === 47) return at
  const found = indexOf(text, `</${stringSlice(text, at + 1, end)}`, opened)
  if (found < 0 && !truncated) return at
  const close = found < 0 ? text.length : found
  if (close > opened + 1) spans.add(opened + 1, close)
  return charCodeAt(text, end) === GREATER ? close - 1 : at
}
