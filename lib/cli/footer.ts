import { paragraph } from './paragraph.js'
import type { Screen } from './screen.js'

/** The last line of every answer, broken between words where the terminal would break it anywhere. */
export function renderFooter(screen: Screen, text: string): string {
  return paragraph(screen, text, text.startsWith('Complete') ? 'dim' : 'yellow')
}
