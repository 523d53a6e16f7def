/** As deep as the JSON functions of SQLite read. What a recorder writes has not a tenth of that. */
const MAX_DEPTH = 1_000
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING = new Set([0x5b, 0x7b])
const CLOSING = new Set([0x5d, 0x7d])

/**
 * The value of a JSON text out of a recording. A forged one that is nested 200,000 levels deep takes longer to parse
 * than all the rest of an answer, and whoever walks over its value comes to the end of the stack: it counts as no JSON.
 *
 * @throws SyntaxError
 */
export function parseRecorded(json: string): unknown {
  if (isTooDeep(json)) throw new SyntaxError(`JSON of more than ${MAX_DEPTH} levels`)
  return JSON.parse(json)
}

function isTooDeep(json: string): boolean {
  if (json.length <= MAX_DEPTH) return false
  let depth = 0
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) at = endOfText(json, at)
    else if (OPENING.has(code)) depth++
    else if (CLOSING.has(code)) depth--
    if (depth > MAX_DEPTH) return true
  }
  return false
}

/** Where the text that begins here ends. */
function endOfText(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) return at
    if (code === BACKSLASH) at++
  }
  return json.length
}
