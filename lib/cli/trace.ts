import type { Command } from 'commander'
import type { TraceRow } from '../store/queries/statements.js'
import { StoreQueryError } from '../store/read-errors.js'
import { notShown, renderFooter } from './not-shown.js'
import { type CommonOptions, command, limitNote, withLimit, withStore, writeJson } from './options.js'
import type { Screen } from './screen.js'
import { renderTrace } from './trace-tree.js'

interface Options extends CommonOptions {
  readonly limit: number
}

export function traceCommand(screen: Screen): Command {
  const target = command('trace', 'all recorded calls of one trace, each below the call that made it', [
    'trace 5f0c2a9be1d34477000000000000002a',
    'trace 00000000000004d2',
    'trace 00000000000004d2 --json',
  ]).argument('<id>', 'a trace id (32 hex digits) or the id of one of its calls (16)')
  withLimit(target, 1_000)
  return target.action((id: string, options: Options) =>
    withStore(options, store => {
      const rows = store.trace(id, { limit: options.limit })
      const coverage = store.coverage()
      if (rows.length === 0) {
        throw new StoreQueryError(
          `Nothing of trace or call ${id} is in ${store.path}. It may have expired or been sampled out.`,
        )
      }
      if (options.json) return writeJson(screen, { rows, coverage })
      const traces = byTrace(rows)
      screen.write(traces.map(trace => renderTrace(trace, screen)).join('\n'))
      const longest = Math.max(...traces.map(trace => trace.length))
      screen.write(renderFooter(screen, notShown(coverage, 'calls', limitNote(longest, options.limit))))
    }),
  )
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
