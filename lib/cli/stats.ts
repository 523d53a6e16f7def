import type { Command } from 'commander'
import type { Coverage } from '../store/queries/coverage.js'
import type { LaneStats, RecorderStats, StoreStats } from '../store/queries/stats.js'
import { counted, formatBytes, formatCount, formatDuration } from '../wording/format.js'
import { notShown } from '../wording/not-shown.js'
import { renderFooter } from './footer.js'
import { type CommonOptions, command } from './options.js'
import { field } from './paragraph.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { view } from './view.js'

const NAME_WIDTH = 12
/** Programs whose recorders are described, those seen last. */
const MAX_RECORDERS = 3

export function statsCommand(screen: Screen, endWith: EndWith): Command {
  const target = command('stats', 'the recording itself: size, span, rows, processes, its account', [
    'stats',
    'stats --db /var/lib/shop/calls.db',
    "stats --json | jq '.rows[0].storeBytes'",
  ])
  return view<CommonOptions>(target, screen, endWith, store => {
    screen.working('Counting the rows')
    const stats = store.stats()
    screen.working(null)
    const coverage = store.coverage()
    return { rows: [stats], coverage, text: () => renderStats(stats, coverage, screen) }
  })
}

function renderStats(stats: StoreStats, coverage: Coverage, screen: Screen): string {
  const row = (name: string, text: string) => field(screen, name, text, NAME_WIDTH)
  const { rows, processes } = stats
  return [
    row('recording', stats.path),
    row('written by', `callsight ${stats.versions.join(', ') || 'of an unknown version'}`),
    row('size', sizeText(stats)),
    row('records', spanText(stats.oldestAt, stats.newestAt)),
    row('totals', spanText(stats.totalsSince, stats.totalsUntil)),
    row(
      'rows',
      `${counted(rows.calls, 'call')}, ${counted(rows.errors, 'error')}, ${counted(rows.functions, 'function')}, ` +
        `${counted(rows.totals, 'row')} of totals per minute, ${counted(rows.stalls, 'stall')}, ${counted(rows.incidents, 'incident')}`,
    ),
    row(
      'processes',
      `${formatCount(processes.writing)} writing, ${formatCount(processes.ended)} ended, ` +
        `${formatCount(processes['ended uncleanly'])} ended uncleanly`,
    ),
    row('sampling', samplingText(stats, coverage)),
    row('calls', laneText(stats.lanes.calls)),
    row('errors', laneText(stats.lanes.errors)),
    ...stats.recorders.slice(0, MAX_RECORDERS).map(recorder => row('recorder', recorderText(recorder))),
    renderFooter(screen, notShown(coverage, 'calls')),
  ].join('')
}

function sizeText({ storeBytes, walBytes, journalBytes, rows }: StoreStats): string {
  const records = rows.calls + rows.errors
  const each = records === 0 ? '' : `; ${formatBytes(Math.round(storeBytes / records))} a record`
  return `${formatBytes(storeBytes)}, write-ahead log ${formatBytes(walBytes)}, journals ${formatBytes(journalBytes)}${each}`
}

function spanText(since: string | null, until: string | null): string {
  if (since === null || until === null) return 'none'
  return `${since} to ${until}, ${formatDuration(Date.parse(until) - Date.parse(since))}`
}

function samplingText({ recordedShare }: StoreStats, { calls }: Coverage): string {
  if (recordedShare === null) return 'no call was counted'
  return `${percent(recordedShare)} of ${counted(calls, 'call')} were given a record`
}

function laneText({ produced, stored, dropped, waiting }: LaneStats): string {
  const reasons = Object.entries(dropped).map(([reason, count]) => `${reason} ${formatCount(count)}`)
  const sum = Object.values(dropped).reduce((total, count) => total + count, 0)
  const why = reasons.length === 0 ? '' : ` (${reasons.join(', ')})`
  return `${formatCount(produced)} produced = ${formatCount(stored)} stored + ${formatCount(sum)} dropped${why} + ${formatCount(waiting)} waiting`
}

function recorderText({ process, writtenAt, queue, cost, limits, ...recorder }: RecorderStats): string {
  const { writerCpuMs, writerCpuShare } = cost
  const share = writerCpuShare === null ? '' : ` (${percent(writerCpuShare)} of one processor)`
  const cpu = writerCpuMs === null ? 'not known' : `${formatDuration(writerCpuMs)}${share}`
  return (
    `${process} as of ${writtenAt}: breaker ${breakerText(recorder)}; ` +
    `queue ${formatBytes(queue.usedBytes)} of ${formatBytes(queue.capacityBytes)}, at most ${percent(queue.highestShare)} of a thread's; ` +
    `CPU of the writer ${cpu}; keeps ${formatDuration(limits.retentionMs)}, ${formatBytes(limits.maxBytes)}`
  )
}

function breakerText({
  breaker,
  openings,
  lastOpenedAt,
  lastClosedAt,
}: Pick<RecorderStats, 'breaker' | 'openings' | 'lastOpenedAt' | 'lastClosedAt'>): string {
  if (openings === 0 || lastOpenedAt === null) return `${breaker}, never opened`
  const closed = lastClosedAt !== null && lastClosedAt >= lastOpenedAt ? ` until ${lastClosedAt}` : ''
  return `${breaker}, opened ${counted(openings, 'time')}, last at ${lastOpenedAt}${closed}`
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 0)} %`
}
