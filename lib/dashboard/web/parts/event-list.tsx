import { formatDuration } from '../data/figures.js'
import type { RecordedEvent } from './events.js'
import { Captured, FunctionLink, Moment } from './text.js'

const SHOWN = 8

export function EventList({ events }: { readonly events: readonly RecordedEvent[] }) {
  return (
    <>
      <ul class="events">
        {events.slice(0, SHOWN).map(event => (
          <li key={event.key}>
            <Moment iso={event.at} withMs={false} />
            <span class={event.isTrouble ? 'what bad' : 'what'}>{event.what}</span>
            <span class="number">
              {event.durationMs === null ? 'goes on' : formatDuration(event.durationMs)}
            </span>
            {event.function !== null && <FunctionLink name={event.function} />}
            <span class="quiet">
              <Captured text={event.detail} />
            </span>
          </li>
        ))}
      </ul>
      {events.length > SHOWN && <p class="quiet">and {events.length - SHOWN} before these</p>}
    </>
  )
}
