import type { Command } from 'commander'
import type { TraceRow } from '../store/queries/statements.js'
import { notShown, whyMissing } from '../wording/not-shown.js'
import { renderFooter } from './footer.js'
import { command, limitNote, type ScopeOptions, scopeOf, withLimit, withSpan } from './options.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { renderTrace } from './trace-tree.js'
import { view } from './view.js'

interface Options extends Omit<ScopeOptions, 'function'> {
  readonly limit: number
}

export function traceCommand(screen: Screen, endWith: EndWith): Command {
  const target = command('trace', 'all recorded calls of one trace, each below the call that made it', [
    'trace 5f0c2a9be1d34477000000000000002a',
    'trace 00000000000004d2',
    'trace 00000000000004d2 --since 02:50 --until 02:55',
    'trace 00000000000004d2 --json',
  ]).argument('<id>', 'a trace id (32 hex digits) or the id of one of its calls (16)')
  withLimit(withSpan(target), 1_000)
  return view<Options>(target, screen, endWith, (store, options, [id = '']) => {
    const { limit } = options
    const span = scopeOf(options)
    const rows = store.trace(id, span)
    const coverage = store.coverage(span)
    if (rows.length === 0) {
      const missing = `Nothing of trace or call ${id} is in ${store.path}${(span.since ?? span.until) ? ' in this span of time' : ''}. ${whyMissing(coverage, 'calls')}`
      return { rows, coverage, missing, text: () => '' }
    }
    const traces = byTrace(rows)
    const longest = Math.max(...traces.map(trace => trace.length))
    return {
      rows,
      coverage,
      text: () =>
        traces.map(trace => renderTrace(trace, screen)).join('\n') +
        renderFooter(screen, notShown(coverage, 'calls', limitNote(longest, limit))),
    }
  })
}

function byTrace(rows: readonly TraceRow[]): TraceRow[][] {
  const traces = new Map<string, TraceRow[]>()
  for (const row of rows) {
    const known = traces.get(row.trace_id)
    if (known === undefined) traces.set(row.trace_id, [row])
    else known.push(row)
  }
  return [...traces.values()]
}
