import { visibleLines } from '../wording/text.js'

/** Text that is markup already; everything else becomes text. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type HtmlValue = string | number | null | undefined | Html | readonly HtmlValue[]

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

/**
 * Markup from a template. Values are shown as text, in elements and in quoted attributes alike; what would change the
 * direction of reading or show nothing is written as an escape.
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(strings.map((text, i) => text + (i < values.length ? markup(values[i]) : '')).join(''))
}

function markup(value: HtmlValue): string {
  if (value === null || value === undefined) return ''
  if (value instanceof Html) return value.text
  if (Array.isArray(value)) return value.map(markup).join('')
  return visibleLines(String(value))
    .join('\n')
    .replace(/[&<>"'`]/g, character => ESCAPES[character] ?? '')
}
