import type { Store } from '../store/read.js'
import { formatCount, formatDuration } from '../wording/format.js'
import { argumentsText } from '../wording/shape.js'
import { clipped, percent, type Section, tableSection } from './page-parts.js'

const MOST_ROWS = 40
const CELL_LENGTH = 200

/** What the programs were, what they were stuck in, and what is missing of them. */
export function recorderSections(store: Store): Section[] {
  const limit = MOST_ROWS
  return [
    () =>
      tableSection('Stalls of the event loop', store.stalls({ limit }), [
        { header: 'Began', cell: row => row.at, kind: 'tight' },
        { header: 'Lasted', cell: row => formatDuration(row.duration_ms), kind: 'number' },
        { header: 'End', cell: row => (row.ended === 1 ? 'it went on' : 'not seen') },
        { header: 'Mostly in', cell: row => row.function ?? '(no monitored function)', kind: 'code' },
        { header: 'Share', cell: row => (row.share === null ? '-' : percent(row.share)), kind: 'number' },
        { header: 'On CPU', cell: row => (row.on_cpu === null ? '-' : percent(row.on_cpu)), kind: 'number' },
        { header: 'Process', cell: row => row.process },
      ]),
    () =>
      tableSection('Calls that had begun and not ended', store.openCalls({ limit }), [
        { header: 'Began', cell: row => row.started_at, kind: 'tight' },
        { header: 'Age', cell: row => formatDuration(row.age_ms), kind: 'number' },
        { header: 'Function', cell: row => row.function, kind: 'code' },
        { header: 'Arguments', cell: row => clipped(argumentsText(row), CELL_LENGTH), kind: 'code' },
        { header: 'Process', cell: row => row.process },
        { header: 'Trace', cell: row => row.trace_id, kind: 'code tight' },
      ]),
    () =>
      tableSection('Records that were lost', store.losses({ limit }), [
        { header: 'From', cell: row => row.first_at, kind: 'tight' },
        { header: 'Until', cell: row => row.last_at, kind: 'tight' },
        {
          header: 'Records',
          cell: row => (row.count === null ? 'unknown' : formatCount(row.count)),
          kind: 'number',
        },
        { header: 'Reason', cell: row => row.reason },
        { header: 'Function', cell: row => row.function, kind: 'code' },
        { header: 'Detail', cell: row => row.detail ?? '' },
      ]),
    () =>
      tableSection('What happened to the recording', store.incidents({ limit }), [
        { header: 'From', cell: row => row.at, kind: 'tight' },
        { header: 'Until', cell: row => row.until ?? 'open', kind: 'tight' },
        { header: 'What', cell: row => row.kind, kind: 'tight' },
        { header: 'Detail', cell: row => clipped(row.detail, CELL_LENGTH * 4) },
      ]),
    () =>
      tableSection('Programs', store.processes().slice(-MOST_ROWS), [
        { header: 'Process', cell: row => `${row.script}[${row.pid}]` },
        { header: 'Host', cell: row => row.host },
        { header: 'State', cell: row => row.state, kind: 'tight' },
        { header: 'Started', cell: row => row.startedAt, kind: 'tight' },
        { header: 'Last seen', cell: row => row.lastSeenAt, kind: 'tight' },
        { header: 'Unaccounted', cell: row => formatCount(row.unaccounted), kind: 'number' },
      ]),
  ]
}
