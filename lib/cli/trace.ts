import type { Command } from 'commander'
import type { TraceRow } from '../store/queries/statements.js'
import { notShown } from '../wording/not-shown.js'
import { renderFooter } from './footer.js'
import { type CommonOptions, command, limitNote, withLimit } from './options.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { renderTrace } from './trace-tree.js'
import { view } from './view.js'

interface Options extends CommonOptions {
  readonly limit: number
}

export function traceCommand(screen: Screen, endWith: EndWith): Command {
  const target = command('trace', 'all recorded calls of one trace, each below the call that made it', [
    'trace 5f0c2a9be1d34477000000000000002a',
    'trace 00000000000004d2',
    'trace 00000000000004d2 --json',
  ]).argument('<id>', 'a trace id (32 hex digits) or the id of one of its calls (16)')
  withLimit(target, 1_000)
  return view<Options>(target, screen, endWith, (store, { limit }, [id = '']) => {
    const rows = store.trace(id, { limit })
    const coverage = store.coverage()
    if (rows.length === 0) {
      const missing = `Nothing of trace or call ${id} is in ${store.path}. It may have expired or been sampled out.`
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
