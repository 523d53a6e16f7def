/**
 * Captured text can hold anything: sequences that move the cursor, change the title or paste into the shell,
 * characters that reverse the reading direction, or that show nothing at all. None of it reaches a terminal raw.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u2065\ufff0-\ufff8\u{e0000}-\u{e0fff}]/gu
/** The same in JSON text, where control characters below U+0020 are escaped already. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u2065\ufff0-\ufff8\u{e0000}-\u{e0fff}]/gu
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
const ASCII = /^[\x20-\x7e]*$/
const ZERO_WIDTH = /^[\p{Mn}\p{Me}]$/u
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u
const EMOJI_SELECTOR = '\ufe0f'

/** One line of text with everything that is not plainly visible written as an escape. */
export function visible(text: string): string {
  if (ASCII.test(text)) return text
  return text.replace(UNSAFE, character => NAMED[character] ?? escapeOf(character))
}

/** As {@link visible}, keeping line ends. */
export function visibleLines(text: string): string[] {
  return text.split(/\r?\n/).map(visible)
}

/** JSON text that means the same and is safe to print. */
export function visibleJson(json: string): string {
  if (ASCII.test(json)) return json
  return json.replace(UNSAFE_IN_JSON, character =>
    Array.from({ length: character.length }, (_, i) => `\\u${hex(character.charCodeAt(i), 4)}`).join(''),
  )
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return code <= 0xff ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}

/** Columns of a terminal that {@link visible} text takes; where terminals differ, the wider answer. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

function characterWidth(character: string): number {
  if (character === EMOJI_SELECTOR) return 1
  if (ZERO_WIDTH.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** The text in at most `width` columns; a cut one ends in `…`. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  return width < 1 ? '' : `${take(text, width - 1)}…`
}

export function pad(text: string, width: number, align: 'left' | 'right'): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'right' ? blanks + text : text + blanks
}

/** Lines of at most `width` columns, broken at blanks where possible; what does not fit in `maxLines` is cut. */
export function wrap(text: string, width: number, maxLines: number): string[] {
  const lines: string[] = []
  let rest = text
  while (lines.length < maxLines - 1 && displayWidth(rest) > width) {
    const piece = take(rest, width)
    if (piece === '') break
    const blank = piece.lastIndexOf(' ')
    const line = rest[piece.length] === ' ' || blank < piece.length / 2 ? piece : piece.slice(0, blank)
    lines.push(line.trimEnd())
    rest = rest.slice(line.length).trimStart()
  }
  lines.push(truncate(rest, width))
  return lines
}

function take(text: string, width: number): string {
  if (ASCII.test(text)) return text.slice(0, width)
  let taken = ''
  let used = 0
  for (const character of text) {
    used += characterWidth(character)
    if (used > width) break
    taken += character
  }
  return taken
}
