import { visible, wrap } from '../wording/text.js'
import type { Screen, Style } from './screen.js'

const MAX_LINES = 10

/** Text broken between words where the terminal would break it anywhere; in a pipe it stays one line. */
export function paragraph(screen: Screen, text: string, style: Style | null = null): string {
  const lines =
    screen.isTerminal && screen.width !== null
      ? wrap(visible(text), screen.width, MAX_LINES)
      : [visible(text)]
  return lines.map(line => `${screen.style(style, line)}\n`).join('')
}

/** `name  text`, with the lines of a long text below one another. */
export function field(
  screen: Screen,
  name: string,
  text: string,
  nameWidth: number,
  style: Style = 'dim',
): string {
  const room = screen.isTerminal && screen.width !== null ? screen.width - nameWidth : null
  // A terminal that is hardly wider than the names gets the text below them.
  if (room !== null && room < nameWidth) return `${screen.style(style, name)}\n${paragraph(screen, text)}`
  const lines = room === null ? [visible(text)] : wrap(visible(text), room, MAX_LINES)
  const label = (index: number) => (index === 0 ? name : '').padEnd(nameWidth)
  return lines.map((line, index) => `${screen.style(style, label(index))}${line}\n`).join('')
}
