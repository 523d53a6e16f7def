import { visible } from '../../../wording/text.js'
import type { RecorderAnswer, RecorderFigures, RecorderProcess } from '../../api.js'
import { EventStrip } from '../charts/event-strip.js'
import { TimeChart } from '../charts/time-chart.js'
import { counted, formatBytes, formatCount, formatDuration, formatShare } from '../data/figures.js'
import { useScoped } from '../data/scope.js'
import { zoom } from '../data/zoom.js'
import { EventList } from '../parts/event-list.js'
import { eventsOf, marksOf } from '../parts/events.js'
import { Facts } from '../parts/facts.js'
import { NotShown } from '../parts/not-shown.js'
import { Answer, Notice } from '../parts/notice.js'
import { type Figure, Figures, Section, View } from '../parts/page.js'
import { Captured, Moment } from '../parts/text.js'

export function Recorder() {
  const answer = useScoped('/api/health')
  return (
    <View title="Recorder">
      <Answer of={answer}>{data => <RecorderContent {...data} />}</Answer>
    </View>
  )
}

function RecorderContent({ range, processes, drops, file, oldest, incidents, coverage }: RecorderAnswer) {
  const writing = processes.filter(process => process.state === 'writing').length
  const dropped = drops.byReason.reduce((sum, row) => sum + row.counts.reduce((a, b) => a + b, 0), 0)
  const events = eventsOf(incidents, [])
  return (
    <>
      <Figures
        figures={[
          { name: 'Processes', value: formatCount(processes.length), note: `${writing} writing` },
          { name: 'Dropped', value: formatCount(dropped), note: 'in this span', isBad: dropped > 0 },
          breakerFigure(processes),
          ...queueFigure(processes),
          { name: 'Store', value: formatBytes(file.storeBytes), note: `WAL ${formatBytes(file.walBytes)}` },
          { name: 'Journals', value: formatBytes(file.journalBytes), note: 'a second copy of errors' },
        ]}
      />
      {drops.byReason.length > 0 && (
        <TimeChart
          title="Dropped records"
          range={range}
          startMs={drops.startMs}
          stepMs={drops.stepMs}
          format={formatCount}
          onZoom={zoom}
          lines={drops.byReason.map((row, i) => ({
            label: visible(row.reason),
            values: row.counts,
            colour: DROP_COLOURS[i % DROP_COLOURS.length]!,
            kind: drops.byReason.length === 1 ? ('bars' as const) : ('line' as const),
          }))}
        />
      )}
      <Section
        title="Where every record went"
        note="produced = stored + dropped + waiting, per process and lane"
      >
        {processes.length === 0 ? (
          <Notice title="No process has written into this recording" />
        ) : (
          <ul class="processes">
            {processes.map(process => (
              <li key={`${process.process} ${process.startedAt}`}>
                <Process process={process} />
              </li>
            ))}
          </ul>
        )}
      </Section>
      <Section title="Incidents" note="what happened to the recording itself">
        {events.length === 0 ? (
          <p class="quiet">None in this span.</p>
        ) : (
          <>
            <EventStrip range={range} marks={marksOf(events, range)} />
            <EventList events={events} />
          </>
        )}
      </Section>
      <Section title="What is kept">
        <Facts
          facts={[
            ...limitFacts(processes),
            [
              'Oldest call',
              oldest.call === null ? 'none' : <Moment key="call" iso={oldest.call} withMs={false} />,
            ],
            [
              'Oldest error',
              oldest.error === null ? 'none' : <Moment key="error" iso={oldest.error} withMs={false} />,
            ],
            [
              'Oldest total',
              oldest.total === null ? 'none' : <Moment key="total" iso={oldest.total} withMs={false} />,
            ],
          ]}
        />
      </Section>
      <NotShown coverage={coverage} kind="calls" />
    </>
  )
}

/** What the worst of the processes that run says; of those that have ended how often it was open. */
function breakerFigure(processes: readonly RecorderProcess[]): Figure {
  const name = 'Circuit breaker'
  const writing = processes.filter(({ state }) => state === 'writing')
  const openings = processes.reduce((sum, { figures }) => sum + (figures?.openings ?? 0), 0)
  const opened = openings === 0 ? '' : `opened ${counted(openings, 'time')} so far`
  for (const state of ['open', 'half-open', 'unknown'] as const) {
    const found = writing.filter(({ breaker }) => breaker === state).length
    if (found > 0)
      return { name, value: state, note: counted(found, 'process', 'processes'), isBad: state !== 'unknown' }
  }
  if (writing.length === 0) return { name, value: '-', note: opened || 'no process writes' }
  return { name, value: 'closed', note: opened || 'the store takes records' }
}

/** How full the rings of the processes that run are; where none does, how full they ever were. */
function queueFigure(processes: readonly RecorderProcess[]): Figure[] {
  const known = processes.flatMap(({ figures, state }) =>
    figures === null ? [] : [{ isWriting: state === 'writing', ...figures.queue }],
  )
  if (known.length === 0) return []
  const writing = known.filter(({ isWriting }) => isWriting)
  const used = writing.reduce((sum, { usedBytes }) => sum + usedBytes, 0)
  const capacity = writing.reduce((sum, { capacityBytes }) => sum + capacityBytes, 0)
  const highest = Math.max(...known.map(({ highestShare }) => highestShare))
  return [
    {
      name: 'Queue fill',
      value: formatShare(capacity === 0 ? highest : used / capacity),
      note: capacity === 0 ? 'at its highest' : `highest ${formatShare(highest)}`,
    },
  ]
}

/** The window that the process seen last was told to keep. */
function limitFacts(processes: readonly RecorderProcess[]): [string, string][] {
  const limits = processes.find(({ figures }) => figures !== null)?.figures?.limits
  if (limits === undefined) return []
  return [
    ['Retention', formatDuration(limits.retentionMs)],
    ['Size limit', formatBytes(limits.maxBytes)],
  ]
}

const DROP_COLOURS = ['--bad', '--accent-3', '--accent', '--muted']

function Process({ process }: { readonly process: RecorderProcess }) {
  return (
    <>
      <h3>
        <Captured text={process.process} />{' '}
        <span class={process.state === 'ended uncleanly' ? 'state bad' : 'state'}>{process.state}</span>
        {process.state === 'writing' && process.breaker !== 'closed' && (
          <span class={process.breaker === 'unknown' ? 'state' : 'state bad'}>breaker {process.breaker}</span>
        )}
      </h3>
      <p class="quiet">
        <Moment iso={process.startedAt} withMs={false} /> – <Moment iso={process.lastSeenAt} withMs={false} />{' '}
        · Node <Captured text={process.nodeVersion} /> · <Captured text={process.host} />
      </p>
      {process.lanes.map(lane => (
        <Equation key={lane.lane} {...lane} />
      ))}
      {process.figures !== null && <OwnFigures {...process.figures} />}
    </>
  )
}

/** What the writer said of itself. */
function OwnFigures({
  breaker,
  openings,
  lastOpenedAt,
  lastClosedAt,
  queue,
  cost,
  writtenAt,
}: RecorderFigures) {
  const { writerCpuMs, writerCpuShare } = cost
  return (
    <Facts
      facts={[
        [
          'Breaker',
          openings === 0 || lastOpenedAt === null ? (
            `${breaker}, never opened`
          ) : (
            <>
              {breaker}, opened {counted(openings, 'time')}, last <Moment iso={lastOpenedAt} withMs={false} />
              {lastClosedAt !== null && lastClosedAt >= lastOpenedAt && (
                <>
                  {' '}
                  – <Moment iso={lastClosedAt} withMs={false} />
                </>
              )}
            </>
          ),
        ],
        [
          'Queue',
          `${formatBytes(queue.usedBytes)} of ${formatBytes(queue.capacityBytes)}, at most ${formatShare(queue.highestShare)} of a thread’s`,
        ],
        [
          'CPU of the writer thread',
          writerCpuMs === null
            ? 'not known'
            : `${formatDuration(writerCpuMs)}${writerCpuShare === null ? '' : `, ${formatShare(writerCpuShare)} of one processor`}`,
        ],
        ['As of', <Moment key="written" iso={writtenAt} withMs={false} />],
      ]}
    />
  )
}

/** The account of a lane, and whether it adds up. */
function Equation({ lane, produced, stored, dropped, waiting }: RecorderProcess['lanes'][number]) {
  const lost = Object.entries(dropped).filter(([, count]) => count > 0)
  const sum = lost.reduce((total, [, count]) => total + count, 0)
  const rest = produced - stored - sum - waiting
  return (
    <p class="equation">
      <span class="lane">{lane}</span>
      <span>
        <b>{formatCount(produced)}</b> produced
      </span>
      <span>
        = <b>{formatCount(stored)}</b> stored
      </span>
      <span class={sum > 0 ? 'bad' : undefined}>
        + <b>{formatCount(sum)}</b> dropped
        {lost.length > 0 && (
          <small>
            {' '}
            ({lost.map(([reason, count]) => `${visible(reason)} ${formatCount(count)}`).join(', ')})
          </small>
        )}
      </span>
      <span>
        + <b>{formatCount(waiting)}</b> waiting
      </span>
      {rest !== 0 && (
        <span class="bad">
          + <b>{formatCount(rest)}</b> not accounted for
        </span>
      )}
    </p>
  )
}
