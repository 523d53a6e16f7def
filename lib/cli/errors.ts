import type { Command } from 'commander'
import type { ErrorRow } from '../store/queries/statements.js'
import type { Store } from '../store/read.js'
import { StoreQueryError } from '../store/read-errors.js'
import { renderError } from './error-detail.js'
import { formatDuration } from './format.js'
import { instantColumn } from './instant.js'
import { notShown, renderFooter } from './not-shown.js'
import {
  command,
  limitNote,
  type ScopeOptions,
  scopeOf,
  withLimit,
  withScope,
  withStore,
  writeJson,
} from './options.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'

interface Options extends ScopeOptions {
  readonly error?: string
}

/** Narrower than this a message gets lines of its own. */
const ONE_LINE_WIDTH = 120

export function errorsCommand(screen: Screen): Command {
  const target = command('errors', 'calls that failed, newest first; with a call id one error whole', [
    'errors --since 10m',
    "errors --function 'Orders.*' --error TypeError",
    'errors 00000000000004d2',
    "errors --json --since 1h | jq '.rows[].message'",
  ]).argument('[call_id]', 'show this error with its stack, arguments and the calls of its trace')
  withLimit(withScope(target), 100).option('--error <class>', 'class name of the error, such as TypeError')
  return target.action((callId: string | undefined, options: Options) =>
    withStore(options, store =>
      callId === undefined ? listErrors(store, options, screen) : showError(store, callId, options, screen),
    ),
  )
}

function listErrors(store: Store, options: Options, screen: Screen): void {
  const rows = store.errors({ ...scopeOf(options), error: options.error })
  const coverage = store.coverage(scopeOf(options))
  if (options.json) {
    writeJson(screen, { rows, coverage })
    return
  }
  screen.write(rows.length === 0 ? 'No errors.\n' : errorTable(rows, screen))
  screen.write(renderFooter(screen, notShown(coverage, 'errors', limitNote(rows.length, options.limit))))
}

export function errorTable(rows: readonly ErrorRow[], screen: Screen): string {
  const stacked = screen.width !== null && screen.width < ONE_LINE_WIDTH
  const columns: Column<ErrorRow>[] = [
    instantColumn(rows, screen),
    { header: 'CALL', value: row => row.call_id },
    { header: 'FUNCTION', value: row => row.function, style: () => 'bold', min: 20, max: 40 },
    { header: 'DURATION', value: row => formatDuration(row.duration_ms), align: 'right' },
    {
      header: stacked ? 'ERROR' : 'ERROR: MESSAGE',
      value: row => (stacked ? row.error : `${row.error}: ${row.message}`),
      style: () => 'red',
      min: 8,
    },
  ]
  return renderTable(columns, rows, screen, stacked ? { below: row => row.message } : {})
}

function showError(store: Store, callId: string, options: Options, screen: Screen): void {
  const rows = store.error(callId)
  const coverage = store.coverage()
  if (rows.length === 0) {
    throw new StoreQueryError(
      `No error with call id ${callId} in ${store.path}. It may have returned without one (try "callsight trace ${callId}") or expired.`,
    )
  }
  const traces = rows.map(row => ({ error: row, trace: store.trace(row.trace_id, { limit: options.limit }) }))
  if (options.json) {
    writeJson(screen, { rows: traces.map(({ error, trace }) => ({ ...error, trace })), coverage })
    return
  }
  for (const { error, trace } of traces) screen.write(renderError(error, trace, screen))
  const more = traces.map(({ trace }) => limitNote(trace.length, options.limit)).find(note => note !== null)
  screen.write(renderFooter(screen, notShown(coverage, 'calls', more ?? null)))
}
