import type { Command } from 'commander'
import type { Coverage } from '../store/queries/coverage.js'
import { counted } from '../wording/format.js'
import { renderCrash } from './crash-report.js'
import { type CommonOptions, command } from './options.js'
import { paragraph } from './paragraph.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { view } from './view.js'

interface Options extends CommonOptions {
  readonly process?: string
}

export function crashCommand(screen: Screen, endWith: EndWith): Command {
  const target = command('crash', 'how the last process that died ended, and what it was doing', [
    'crash',
    'crash --process 4711',
    "crash --process 'app.ts[4711]' --json",
    'crash --fail-if-any',
  ]).option('--process <name>', 'this one, however it ended: its pid, script[pid] or boot id')
  return view<Options>(target, screen, endWith, (store, options) => {
    const report = store.crash(options.process)
    const coverage = store.coverage()
    return {
      rows: report === null ? [] : [report],
      coverage,
      text: () => (report === null ? nobodyDied(coverage, screen) : renderCrash(report, Date.now(), screen)),
    }
  })
}

function nobodyDied(coverage: Coverage, screen: Screen): string {
  const { writing, ended } = coverage.processes
  const open =
    coverage.neverEnded === 0
      ? ''
      : paragraph(
          screen,
          `${counted(coverage.neverEnded, 'call')} of processes that ended cleanly had begun and never ended: see callsight sql 'select * from open_calls'`,
          'yellow',
        )
  return (
    paragraph(
      screen,
      `No process ended uncleanly: ${counted(ended, 'process', 'processes')} ended cleanly, ${writing} ${writing === 1 ? 'is' : 'are'} running.`,
    ) +
    open +
    paragraph(
      screen,
      'An uncaught error or process.exit is a clean end for the recorder: see callsight errors.',
      'dim',
    )
  )
}
