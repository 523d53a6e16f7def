import { type Command, Option } from 'commander'
import { surroundingsOf } from '../store/queries/calls-before.js'
import { DEFAULT_LIMIT, GROUP_ORDERS, type GroupOrder } from '../store/queries/filter.js'
import type { ErrorRow } from '../store/queries/statements.js'
import type { Store } from '../store/read.js'
import { formatDuration } from '../wording/format.js'
import { notShown, whyMissing } from '../wording/not-shown.js'
import { type ErrorInContext, renderError } from './error-detail.js'
import { groupTable, renderGroup } from './error-groups.js'
import { renderFooter } from './footer.js'
import { instantColumn } from './instant.js'
import {
  command,
  limitNote,
  type RecordOptions,
  recordsOf,
  scopeOf,
  withLimit,
  withRecords,
  withScope,
} from './options.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { TREND_STEPS } from './sparkline.js'
import { type Column, renderTable } from './table.js'
import { type Answer, listing, view } from './view.js'

interface Options extends RecordOptions {
  readonly list?: boolean
  readonly sort: GroupOrder
}

/** Narrower than this a message gets lines of its own. */
const ONE_LINE_WIDTH = 120
/** Calls shown before an error. */
const BEFORE = 10
const FINGERPRINT = /^[0-9a-f]{16}$/i

export function errorsCommand(screen: Screen, endWith: EndWith): Command {
  const target = command(
    'errors',
    'calls that failed, alike ones as one; with an id a group, or one error whole',
    [
      'errors --since 10m',
      "errors --function 'Orders.*' --error TypeError --sort count",
      'errors 8c1f0e5d9a3b7c24     # a fingerprint: the errors of this group',
      'errors 00000000000004d2     # a call: stack, cause, arguments, its trace and what came before',
      "errors --list --json --since 1h | jq '.rows[].message'",
      'errors --since 5m --fail-if-any',
    ],
  ).argument('[id]', 'fingerprint of a group, or id of a call that failed')
  withRecords(withLimit(withScope(target), 100))
    .option('--list', 'every error by itself, newest first')
    .addOption(new Option('--sort <by>', 'order of the groups').choices(GROUP_ORDERS).default('newest'))
  return view<Options>(target, screen, endWith, (store, options, [id]) => {
    if (id !== undefined) return oneGroup(store, id, options, screen) ?? oneError(store, id, options, screen)
    const isList = options.list === true
    const answer = {
      coverage: store.coverage(scopeOf(options)),
      kind: 'errors' as const,
      limit: options.limit,
      none: 'No errors.',
    }
    const filter = recordsOf(options)
    return isList
      ? listing(screen, { ...answer, rows: store.errors(filter), table: rows => errorTable(rows, screen) })
      : listing(screen, {
          ...answer,
          rows: store.errorGroups({ ...filter, sort: options.sort, steps: TREND_STEPS }),
          table: rows => groupTable(rows, screen),
        })
  })
}

/** `null`: no errors have this for their fingerprint. */
function oneGroup(store: Store, id: string, options: Options, screen: Screen): Answer | null {
  if (!FINGERPRINT.test(id)) return null
  const filter = { ...recordsOf(options), fingerprint: id.toLowerCase() }
  const [group] = store.errorGroups(filter)
  if (group === undefined) return null
  const occurrences = store.errors(filter)
  const coverage = store.coverage(scopeOf(options))
  return {
    rows: [{ ...group, occurrences }],
    coverage,
    text: () =>
      renderGroup(group, screen) +
      errorTable(occurrences, screen) +
      renderFooter(screen, notShown(coverage, 'errors', limitNote(occurrences.length, options.limit))),
  }
}

function oneError(store: Store, id: string, { limit }: Options, screen: Screen): Answer {
  const coverage = store.coverage()
  const rows = store.error(id).map(
    (error): ErrorInContext => ({
      ...error,
      ...surroundingsOf(store, error, { trace: limit ?? DEFAULT_LIMIT, before: BEFORE }),
    }),
  )
  if (rows.length === 0) {
    const missing = `No error with call id or fingerprint ${id} in ${store.path}. The call may have returned without one (try "callsight trace ${id}"). ${whyMissing(coverage, 'errors')}`
    return { rows, coverage, missing, text: () => '' }
  }
  const longest = Math.max(...rows.map(({ trace }) => trace.length))
  return {
    rows,
    coverage,
    text: () =>
      rows.map(row => renderError(row, screen)).join('\n') +
      renderFooter(screen, notShown(coverage, 'calls', limitNote(longest, limit))),
  }
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
