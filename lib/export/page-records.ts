import type { CallRow, ErrorDetail, ErrorRow } from '../store/queries/statements.js'
import type { Store } from '../store/read.js'
import { formatCount, formatDuration } from '../wording/format.js'
import { argumentsText } from '../wording/shape.js'
import { type Html, html } from './html.js'
import { clipped, type PageColumn, type Section, table, tableSection } from './page-parts.js'

const MOST_FUNCTIONS = 40
const MOST_GROUPS = 40
const MOST_ERRORS = 25
const MOST_SLOW = 25
const STACK_LENGTH = 4_000
const VALUE_LENGTH = 1_000
const CELL_LENGTH = 200

export function errorSections(store: Store): Section[] {
  const errors = store.errors({ limit: MOST_ERRORS })
  const heading = () => (errors.length === 0 ? html`` : html`<h2>Newest errors</h2>\n`)
  return [() => groups(store), heading, ...errors.map(error => () => oneError(store, error))]
}

function groups(store: Store): Html {
  const rows = store.errorGroups({ sort: 'count', limit: MOST_GROUPS })
  if (rows.length === 0) return html`<h2>Errors</h2>\n<p class="soft">None is recorded here.</p>\n`
  return tableSection('Errors by kind', rows, [
    { header: 'Count', cell: row => formatCount(row.count), kind: 'number' },
    { header: 'Function', cell: row => row.function, kind: 'code' },
    {
      header: 'Error',
      cell: row => html`<span class="bad">${row.error}</span> ${clipped(row.message, CELL_LENGTH)}`,
    },
    { header: 'First', cell: row => row.firstAt, kind: 'tight' },
    { header: 'Last', cell: row => row.lastAt, kind: 'tight' },
    { header: 'Fingerprint', cell: row => row.fingerprint, kind: 'code tight' },
  ])
}

function oneError(store: Store, error: ErrorRow): Html {
  const { process, trace_id } = error
  const detail = store.error(error.call_id).find(row => row.process === process && row.trace_id === trace_id)
  const { details = null }: Partial<ErrorDetail> = detail ?? {}
  const values: readonly (readonly [string, string])[] = [
    ['arguments', clipped(argumentsText(error), VALUE_LENGTH)],
    ['cause and fields', clipped(details, VALUE_LENGTH)],
  ]
  return html`<section>
<h3><span class="bad">${error.error}</span> in <span class="code">${error.function}</span></h3>
<p>${clipped(error.message, VALUE_LENGTH)}</p>
<p class="soft">${error.at} · after ${formatDuration(error.duration_ms)} · ${process} · call ${error.call_id} · trace ${trace_id}</p>
${error.stack === null ? '' : html`<pre>${clipped(error.stack, STACK_LENGTH)}</pre>\n`}
${values.filter(([, value]) => value !== '').map(([name, value]) => html`<p><span class="soft">${name}</span> <span class="code">${value}</span></p>\n`)}
</section>
`
}

export function callSections(store: Store): Section[] {
  return [
    () =>
      tableSection('Functions, every call counted', store.top({ limit: MOST_FUNCTIONS }), [
        { header: 'Function', cell: row => row.function, kind: 'code' },
        { header: 'Calls', cell: row => formatCount(row.calls), kind: 'number' },
        { header: 'Failed', cell: row => formatCount(row.errors), kind: 'number' },
        { header: 'Mean', cell: row => formatDuration(row.mean_ms), kind: 'number' },
        { header: 'p50', cell: row => formatDuration(row.p50_ms), kind: 'number' },
        { header: 'p95', cell: row => formatDuration(row.p95_ms), kind: 'number' },
        { header: 'p99', cell: row => formatDuration(row.p99_ms), kind: 'number' },
        { header: 'Longest', cell: row => formatDuration(row.max_ms), kind: 'number' },
      ]),
    () => {
      const rows = store.slow({ limit: MOST_SLOW })
      if (rows.length === 0) return html``
      return html`<h2>Slowest recorded calls</h2>\n${table('Slowest recorded calls', rows, SLOW_COLUMNS, failed)}`
    },
  ]
}

const failed = (row: CallRow): boolean => row.outcome === 'error'

const SLOW_COLUMNS: readonly PageColumn<CallRow>[] = [
  { header: 'Duration', cell: row => formatDuration(row.duration_ms), kind: 'number' },
  { header: 'Function', cell: row => row.function, kind: 'code' },
  { header: 'Ended', cell: row => row.at, kind: 'tight' },
  { header: 'End', cell: row => row.outcome },
  { header: 'Arguments', cell: row => clipped(argumentsText(row), CELL_LENGTH), kind: 'code' },
  { header: 'Result', cell: row => clipped(row.result, CELL_LENGTH), kind: 'code' },
  { header: 'Call', cell: row => row.call_id, kind: 'code tight' },
]
