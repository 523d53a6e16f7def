import type { Command } from 'commander'
import { codeOf } from '../store/errors.js'
import type { Coverage } from '../store/queries/coverage.js'
import { openStore } from '../store/read.js'
import { StoreQueryError } from '../store/read-errors.js'
import { notShown } from '../wording/not-shown.js'
import {
  type Check,
  checkBinding,
  checkIntegrity,
  checkJournals,
  checkModes,
  checkNode,
  checkProcesses,
  checkWal,
} from './checks.js'
import { renderFooter } from './footer.js'
import { command, type ScopeOptions, storePath, withScope, writeJson } from './options.js'
import { field } from './paragraph.js'
import type { EndWith, ExitCode } from './program.js'
import type { Screen, Style } from './screen.js'
import { showSecrets } from './secrets.js'

/** Of the longest status, with its gap. */
const STATUS_WIDTH = 6
const STYLES: Readonly<Record<Check['status'], Style>> = { ok: 'green', warn: 'yellow', fail: 'red' }

interface Options extends ScopeOptions {
  readonly secrets?: boolean
}

interface Findings {
  readonly checks: readonly Check[]
  readonly coverage: Coverage | null
  readonly exitCode: ExitCode
}

export function doctorCommand(screen: Screen, endWith: EndWith): Command {
  const target = command('doctor', 'checks this installation and the recording', [
    'doctor',
    'doctor --db /var/lib/shop/calls.db',
    'doctor --json',
    "doctor --secrets --since 1h --function 'Orders.*'",
  ])
  withScope(target).option('--secrets', 'instead: which names had their values hidden where, without values')
  return target.action((options: Options) => {
    if (options.secrets) return showSecrets(options, screen, endWith)
    if (options.since !== undefined || options.until !== undefined || options.function !== undefined)
      throw new StoreQueryError('--since, --until and --function belong to doctor --secrets.')
    const { checks, coverage, exitCode } = examine(storePath(options), screen)
    endWith(exitCode)
    if (options.json) return writeJson(screen, { rows: checks, coverage })
    screen.write(renderChecks(checks, screen))
    if (coverage !== null) screen.write(renderFooter(screen, notShown(coverage, 'calls')))
  })
}

/** What is to be done stands in the finding: it is broken into lines, never cut. */
function renderChecks(checks: readonly Check[], screen: Screen): string {
  const nameWidth = Math.max(...checks.map(({ check }) => check.length))
  return checks
    .map(({ status, check, message }) => {
      const label = `${status.padEnd(STATUS_WIDTH)}${check.padEnd(nameWidth)}  `
      return field(screen, label, message, label.length, STYLES[status])
    })
    .join('')
}

function examine(path: string, screen: Screen): Findings {
  const checks = [checkNode(), checkBinding()]
  // Loading a binding that crashes would end this process, too.
  if (checks.some(check => check.status === 'fail')) return { checks, coverage: null, exitCode: 1 }
  try {
    const store = openStore(path)
    try {
      screen.working(`Checking ${store.path} for damage`)
      const integrity = checkIntegrity(store.path)
      screen.working(null)
      checks.push(
        { status: 'ok', check: 'store', message: `${store.path} is readable` },
        integrity,
        checkWal(store.path),
        checkModes(store.path),
        ...checkProcesses(store),
        checkJournals(store.path, store),
      )
      const coverage = store.coverage()
      return { checks, coverage, exitCode: checks.every(check => check.status === 'ok') ? 0 : 1 }
    } finally {
      store.close()
    }
  } catch (error) {
    const code = codeOf(error)
    if (!code.startsWith('CALLSIGHT_')) throw error
    checks.push({ status: 'fail', check: 'store', message: (error as Error).message })
    return { checks, coverage: null, exitCode: code === 'CALLSIGHT_STORE_DAMAGED' ? 1 : 2 }
  }
}
