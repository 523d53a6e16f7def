import { formatCount } from '../wording/format.js'
import { type Html, html } from './html.js'

/** A part of a page that is made when its turn comes; one for which there is no room is left out. */
export type Section = () => Html

export function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`
}

/** Text of a bounded length. */
export function clipped(text: string | null, most: number): string {
  if (text === null) return ''
  return text.length <= most
    ? text
    : `${text.slice(0, most)} … (${formatCount(text.length - most)} more characters)`
}

export interface PageColumn<Row> {
  readonly header: string
  readonly cell: (row: Row) => string | Html
  readonly kind?: 'number' | 'code' | 'code tight' | 'code tree' | 'soft' | 'tight'
}

/** A heading and a table under it; nothing when it would be empty. */
export function tableSection<Row>(
  title: string,
  rows: readonly Row[],
  columns: readonly PageColumn<Row>[],
  isBad: (row: Row) => boolean = () => false,
): Html {
  if (rows.length === 0) return html``
  return html`<h2>${title}</h2>\n${table(title, rows, columns, isBad)}`
}

export function table<Row>(
  title: string,
  rows: readonly Row[],
  columns: readonly PageColumn<Row>[],
  isBad: (row: Row) => boolean = () => false,
): Html {
  const head = columns.map(
    ({ header, kind }) => html`<th scope="col" class="${kind === 'number' ? 'number' : ''}">${header}</th>`,
  )
  const body = rows.map(
    row =>
      html`<tr class="${isBad(row) ? 'bad' : ''}">${columns.map(({ cell, kind }) => html`<td class="${kind}">${cell(row)}</td>`)}</tr>\n`,
  )
  return html`<div class="scroll" role="region" aria-label="${title}" tabindex="0"><table>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody>
</table></div>
`
}
