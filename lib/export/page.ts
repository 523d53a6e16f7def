import { createHash } from 'node:crypto'
import type { Store } from '../store/read.js'
import { counted, formatBytes, formatCount } from '../wording/format.js'
import { notShown } from '../wording/not-shown.js'
import { type Html, html, Html as Markup } from './html.js'
import { percent, type Section } from './page-parts.js'
import { recorderSections } from './page-recorder.js'
import { callSections, errorSections } from './page-records.js'
import { PAGE_STYLE } from './page-style.js'
import { traceSections } from './page-traces.js'

export interface PageOptions {
  readonly version: string
  /** What the bundle is and what it leaves out. */
  readonly about: string
  /** Name of the recording beside the page. */
  readonly recording: string
  /** Traces that were asked for. */
  readonly traceIds: readonly string[]
  /** Most bytes of the page. */
  readonly maxBytes: number
}

/**
 * A page that shows a recording to somebody who has nothing but a browser: no script, no network, and what was captured
 * only ever as text.
 */
export function page(store: Store, options: PageOptions): string {
  const style = createHash('sha256').update(PAGE_STYLE).digest('base64')
  const policy = `default-src 'none'; style-src 'sha256-${style}'; base-uri 'none'; form-action 'none'`
  const head = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Incident: ${options.recording}</title>
<style>${new Markup(PAGE_STYLE)}</style>
</head>
<body>
<main>
`
  const parts = [head.text, summary(store, options).text]
  let bytes = Buffer.byteLength(parts.join(''))
  let leftOut = 0
  const sections: Section[] = [
    ...errorSections(store),
    ...callSections(store),
    ...recorderSections(store),
    ...traceSections(store, options.traceIds),
  ]
  for (const section of sections) {
    const { text } = section()
    const size = Buffer.byteLength(text)
    if (bytes + size > options.maxBytes) leftOut++
    else {
      parts.push(text)
      bytes += size
    }
  }
  if (leftOut > 0) {
    const rest = `${counted(leftOut, 'part')} of this page left out: it may have ${formatBytes(options.maxBytes)}.`
    parts.push(html`<p class="note">${rest} Everything is in ${options.recording}.</p>\n`.text)
  }
  return `${parts.join('')}</main>\n</body>\n</html>\n`
}

function summary(store: Store, { about, recording, version }: PageOptions): Html {
  const coverage = store.coverage()
  const { calls, errors } = coverage
  const [span] = store.sql(`SELECT min(at) AS first, max(at) AS last, count(*) AS records FROM recent_calls`)
  const facts: [string, string][] = [
    ['Calls in that time', formatCount(calls)],
    [
      'of these failed',
      calls === 0 ? formatCount(errors) : `${formatCount(errors)} (${percent(errors / calls)})`,
    ],
    ['Records here', formatCount(Number(span?.['records'] ?? 0))],
    ['First', toSecond(span?.['first'])],
    ['Last', toSecond(span?.['last'])],
  ]
  return html`<h1>Incident report</h1>
<p class="soft">Made by callsight ${version} from a recording. Everything shown, and more, is in <span class="code">${recording}</span>
beside this page: <span class="code">callsight errors --db ${recording}</span></p>
<p class="note">${about}</p>
<p class="note">${notShown(coverage, 'calls')}</p>
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
`
}

function toSecond(at: unknown): string {
  return typeof at === 'string' ? `${at.slice(0, 19).replace('T', ' ')} UTC` : '-'
}
