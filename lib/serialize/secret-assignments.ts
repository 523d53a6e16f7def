import { charCodeAt, stringSlice } from './intrinsics.js'
import { markEncoded } from './secret-encoded.js'
import { markElement } from './secret-markup.js'
import { isSpace, type NameJudge, nameEnd, secretNameBefore, unitAt } from './secret-name-in-text.js'
import { markListPair, TextPairs } from './secret-pairs-in-text.js'
import { separators } from './secret-separators.js'
import type { Spans } from './secret-spans.js'
import { markUserInfo } from './secret-user-info.js'
import { markValue } from './secret-value.js'

const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const COLON = 58
const EQUALS = 61
const WIDE_COLON = 0xff1a
const WIDE_EQUALS = 0xff1d
const pairs = new TextPairs()

/**
 * Marks the values of `name=value`, `name: value`, `"name":"value"` (also escaped inside another string),
 * `user[name]=value`, `<name>value</name>`, `scheme://user:pass@` and everything like them. Looks at each character a
 * bounded number of times.
 *
 * @param found how many of {@link separators} are those of this text
 * @returns whether what may follow behind the last of them is searched as if nothing stood in front of it
 */
export function markAssignments(
  text: string,
  found: number,
  truncated: boolean,
  names: NameJudge,
  spans: Spans,
): boolean {
  pairs.reset()
  for (let n = 0, from = 0; n < found; n++) {
    const at = separators[n] as number
    if (at >= from) from = markAt(text, at, truncated, names, spans) + 1
  }
  return pairs.isEmpty
}

/** Returns the last index that need not be looked at again. */
function markAt(text: string, at: number, truncated: boolean, names: NameJudge, spans: Spans): number {
  const code = charCodeAt(text, at)
  switch (code) {
    case EQUALS:
    case COLON:
    case WIDE_COLON:
    case WIDE_EQUALS:
      if (code === COLON && unitAt(text, at + 1) === 47 && unitAt(text, at + 2) === 47)
        return markUserInfo(text, at + 3, truncated, spans)
      return markAssignment(text, at, names, spans)
    case 37: // %
      return markEncoded(text, at, names, spans)
    case 44: // ,
      return markListPair(text, at, names, spans)
    case 60: // <
      pairs.reset()
      return markElement(text, at, truncated, names, spans)
    default: // { }
      pairs.reset()
      return at
  }
}

/** Returns the index to go on from: the last character of the value, or the separator. */
function markAssignment(text: string, at: number, names: NameJudge, spans: Spans): number {
  const name = secretNameBefore(text, at, names)
  let end = at
  if (name === '') end = pairs.see(text, at, names, spans)
  else {
    const indent = lineIndent(text, nameEnd(text, at) - name.length)
    if (indent >= 0) end = markBlock(text, at, indent, spans)
    if (end === at)
      end = markValue(text, at, names.isWholeLineName(name) || isLine(text, indent, name), spans)
  }
  return end > at ? end - 1 : at
}

/** Units in front of a name that begins its line, as in YAML, `.env` files and headers; -1 for any other. */
function lineIndent(text: string, nameAt: number): number {
  let start = nameAt
  const before = stringSlice(text, start < 7 ? 0 : start - 7, start)
  // A stack begins with the message of its error.
  if (before === 'Error: ') return 0
  if (before === 'export ') start -= 7
  while (start > 0 && (isSpace(charCodeAt(text, start - 1)) || charCodeAt(text, start - 1) === 45)) start--
  return start <= 0 || charCodeAt(text, start - 1) === LINE_FEED ? nameAt - start : -1
}

/** Whether an unquoted value runs to the end of the line: on a further line of a text, and in `SECRET=two words`. */
function isLine(text: string, indent: number, name: string): boolean {
  if (indent < 0) return false
  for (let i = 0; i < name.length; i++) {
    const code = charCodeAt(name, i)
    if (code >= 97 && code <= 122) return charCodeAt(text, 0) !== charCodeAt(name, 0)
  }
  return true
}

/** The deeper lines below `name:` or `name: |`, as YAML writes long values and lists. */
function markBlock(text: string, at: number, indent: number, spans: Spans): number {
  if (charCodeAt(text, at) !== COLON) return at
  let start = at + 1
  while (isSpace(unitAt(text, start))) start++
  if (unitAt(text, start) === 124 || unitAt(text, start) === 62) start++
  while (isBlockSign(unitAt(text, start))) start++
  if (unitAt(text, start) === CARRIAGE_RETURN) start++
  if (unitAt(text, start) !== LINE_FEED) return at
  let end = at
  for (let line = start + 1; line < text.length; ) {
    let first = line
    while (isSpace(unitAt(text, first))) first++
    const isItem = unitAt(text, first) === 45 && isSpace(unitAt(text, first + 1))
    let next = first
    while (next < text.length && charCodeAt(text, next) !== LINE_FEED) next++
    const isDeeper = first - line > indent || (isItem && first - line >= indent)
    // A stack follows the message `Invalid token:` just so.
    if (next > first && (!isDeeper || stringSlice(text, first, first + 3) === 'at ')) break
    if (next > first) end = next
    line = next + 1
  }
  if (end <= start + 1) return at
  spans.add(start + 1, end)
  return end
}

function isBlockSign(code: number): boolean {
  return code === 43 || code === 45 || isSpace(code) || (code >= 48 && code <= 57)
}
