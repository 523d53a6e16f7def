import type { IncidentRow, StallRow } from '../../../store/queries/rows.js'
import { visible } from '../../../wording/text.js'
import type { Range } from '../../api.js'
import type { Mark } from '../charts/event-strip.js'
import { formatDuration } from '../data/figures.js'

/** Something that happened to the recording, or a time in which the event loop stood still. */
export interface RecordedEvent {
  readonly key: string
  readonly at: string
  /** `null`: it goes on, as far as the recording tells. */
  readonly durationMs: number | null
  readonly what: string
  readonly detail: string
  readonly function: string | null
  readonly process: string
  /** Something went wrong with the recording. */
  readonly isTrouble: boolean
}

/** Newest first. */
export function eventsOf(incidents: readonly IncidentRow[], stalls: readonly StallRow[]): RecordedEvent[] {
  const events = [
    ...incidents.map(row => ({
      at: row.at,
      durationMs: row.until === null ? null : Date.parse(row.until) - Date.parse(row.at),
      what: visible(row.kind).replaceAll('_', ' '),
      detail: row.detail,
      function: null,
      process: row.process,
      // Somebody meant it.
      isTrouble: row.kind !== 'tuned',
    })),
    ...stalls.map(row => ({
      at: row.at,
      durationMs: row.duration_ms,
      what: row.ended === 1 ? 'event loop stalled' : 'event loop stuck',
      detail: stallDetail(row),
      function: row.function,
      process: row.process,
      isTrouble: false,
    })),
  ]
  return events
    .map((event, i) => ({ ...event, key: `${event.at} ${event.process} ${i}` }))
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
}

export function marksOf(events: readonly RecordedEvent[], range: Range): Mark[] {
  return events.map(event => {
    const fromMs = Date.parse(event.at)
    return {
      key: event.key,
      fromMs,
      untilMs: event.durationMs === null ? range.untilMs : fromMs + event.durationMs,
      label: `${event.what}, ${formatDuration(event.durationMs)}`,
      tone: event.isTrouble ? 'bad' : 'accent',
    }
  })
}

function stallDetail(row: StallRow): string {
  const parts = row.share === null ? [] : [`innermost in ${Math.round(row.share * 100)} % of the looks`]
  if (row.on_cpu !== null)
    parts.push(row.on_cpu < 0.2 ? 'waiting' : `on the CPU ${Math.round(row.on_cpu * 100)} %`)
  return parts.join(', ')
}
