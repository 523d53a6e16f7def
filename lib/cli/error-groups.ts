import type { ErrorGroup } from '../store/queries/error-groups.js'
import { counted, formatCount, formatDuration } from '../wording/format.js'
import { instantOf, namedInstantHeader } from './instant.js'
import { field, paragraph } from './paragraph.js'
import type { Screen } from './screen.js'
import { sparkline } from './sparkline.js'
import { type Column, renderTable } from './table.js'

/** Narrower than this a message gets lines of its own. */
const ONE_LINE_WIDTH = 140
const NAME_WIDTH = 13

export function groupTable(rows: readonly ErrorGroup[], screen: Screen): string {
  const stacked = screen.width !== null && screen.width < ONE_LINE_WIDTH
  const moments = rows.map(row => ({ at: row.lastAt }))
  const columns: Column<ErrorGroup>[] = [
    { header: 'COUNT', value: row => formatCount(row.count), align: 'right', style: () => 'red' },
    {
      header: 'FIRST',
      value: row => instantOf(row.firstAt, moments, screen) ?? 'unknown',
      style: () => 'dim',
      optional: 3,
    },
    {
      header: namedInstantHeader('LAST', moments, screen),
      value: row => instantOf(row.lastAt, moments, screen) ?? 'unknown',
      style: () => 'dim',
      optional: 1,
    },
    {
      header: 'TREND',
      value: row => sparkline(row.series.counts, screen),
      style: () => 'yellow',
      optional: 2,
    },
    { header: 'FINGERPRINT', value: row => row.fingerprint },
    { header: 'FUNCTION', value: row => row.function, style: () => 'bold', min: 12, max: 40 },
    {
      header: stacked ? 'ERROR' : 'ERROR: MESSAGE',
      value: row => (stacked ? row.error : `${row.error}: ${row.message}`),
      style: () => 'red',
      min: 11,
    },
  ]
  return renderTable(columns, rows, screen, stacked ? { below: row => row.message } : {})
}

/** One group, as the head of a list of its errors. */
export function renderGroup(group: ErrorGroup, screen: Screen): string {
  const row = (name: string, text: string) => field(screen, name, text, NAME_WIDTH)
  const { counts, stepMs } = group.series
  return [
    paragraph(screen, `${group.error}: ${group.message}`, 'red'),
    '\n',
    row('function', group.function),
    row('alike', `${counted(group.count, 'error')}, fingerprint ${group.fingerprint}`),
    row('first', group.firstAt),
    row('last', `${group.lastAt}, whole: callsight errors ${group.lastCallId}`),
    row('over time', `|${sparkline(counts, screen)}|  ${formatDuration(stepMs)} each`),
    '\n',
  ].join('')
}
