import type { FunctionOverview, OverviewAnswer } from '../../api.js'
import { EventStrip } from '../charts/event-strip.js'
import { Sparkline } from '../charts/sparkline.js'
import { counted, formatCount, formatDuration, formatRate, formatShare } from '../data/figures.js'
import { linkHere, linkTo, usePlace } from '../data/place.js'
import { useScoped } from '../data/scope.js'
import { EventList } from '../parts/event-list.js'
import { eventsOf, marksOf } from '../parts/events.js'
import { Filter, patternOf } from '../parts/filter.js'
import { beyond, NotShown } from '../parts/not-shown.js'
import { Answer, Notice } from '../parts/notice.js'
import { type Figure, Figures, Section, View } from '../parts/page.js'
import { CallsChart, LatencyChart } from '../parts/series-charts.js'
import { type Column, Table } from '../parts/table.js'
import { FunctionLink } from '../parts/text.js'

const LIMIT = 500

export function Overview() {
  const { query } = usePlace()
  const filter = query.get('function')
  const overview = useScoped('/api/overview', { function: patternOf(filter), limit: `${LIMIT}` })
  return (
    <View title="Overview">
      <Answer of={overview}>{data => <OverviewContent {...data} filter={filter} />}</Answer>
    </View>
  )
}

function OverviewContent({
  filter,
  range,
  functions,
  total,
  coverage,
  incidents,
  stalls,
}: OverviewAnswer & { readonly filter: string | null }) {
  const events = eventsOf(incidents, stalls)
  return (
    <>
      <Figures figures={figuresOf(functions, total)} />
      <div class="charts">
        <CallsChart range={range} series={total} />
        <LatencyChart title="Latency" range={range} series={total} />
      </div>
      {events.length > 0 && (
        <Section title="Incidents and stalls" note={counted(events.length, 'event')}>
          <EventStrip range={range} marks={marksOf(events, range)} />
          <EventList events={events} />
        </Section>
      )}
      <Section
        title="Functions"
        note={`${counted(functions.length, 'function')}, every call counted, recorded or not`}
      >
        <Filter name="function" label="Filter functions by name" placeholder="Orders.*" />
        {functions.length === 0 ? (
          <NoFunctions filter={filter} />
        ) : (
          <Table caption="Functions" columns={COLUMNS} rows={functions} rowKey={row => row.function} />
        )}
      </Section>
      <NotShown coverage={coverage} kind="totals" more={beyond(functions.length, LIMIT)} />
    </>
  )
}

function NoFunctions({ filter }: { readonly filter: string | null }) {
  if (filter !== null)
    return (
      <Notice title={`No function matches ${filter}`}>
        In this span of time; small letters are not capital ones.
      </Notice>
    )
  return (
    <Notice title="No calls in this span of time">
      <a href={linkHere({ range: 'all', from: null, to: null })}>Show the whole recording</a>
    </Notice>
  )
}

function figuresOf(functions: readonly FunctionOverview[], total: OverviewAnswer['total']): Figure[] {
  const calls = total.calls.reduce((sum, count) => sum + count, 0)
  const errors = total.errors.reduce((sum, count) => sum + count, 0)
  const perSecond = functions.reduce((sum, row) => sum + row.callsPerSecond, 0)
  const slowest = functions.reduce<FunctionOverview | null>(
    (most, row) => ((row.p99Ms ?? 0) > (most?.p99Ms ?? 0) ? row : most),
    null,
  )
  return [
    { name: 'Calls', value: formatCount(calls), note: formatRate(perSecond) },
    {
      name: 'Errors',
      value: formatCount(errors),
      note: calls === 0 ? '' : `${formatShare(errors / calls)} of calls`,
      isBad: errors > 0,
    },
    { name: 'Slowest p99', value: formatDuration(slowest?.p99Ms ?? null), note: slowest?.function ?? '' },
    {
      name: 'Time in calls',
      value: formatDuration(functions.reduce((sum, row) => sum + row.totalMs, 0)),
      note: counted(functions.length, 'function'),
    },
  ]
}

const COLUMNS: readonly Column<FunctionOverview>[] = [
  {
    key: 'name',
    header: 'Function',
    cell: row => <FunctionLink name={row.function} />,
    sort: row => row.function,
  },
  {
    key: 'calls',
    header: 'Calls',
    kind: 'number',
    cell: row => formatCount(row.calls),
    sort: row => row.calls,
  },
  {
    key: 'rate',
    header: 'Rate',
    kind: 'number',
    cell: row => formatRate(row.callsPerSecond),
    sort: row => row.callsPerSecond,
    isWide: true,
  },
  {
    key: 'errors',
    header: 'Errors',
    kind: 'number',
    cell: row =>
      row.errors === 0 ? (
        <span class="quiet">0</span>
      ) : (
        <a class="bad" href={linkTo('/errors', { function: row.function })}>
          {formatCount(row.errors)}
          <small> {formatShare(row.errors / row.calls)}</small>
        </a>
      ),
    sort: row => (row.calls === 0 ? 0 : row.errors / row.calls),
  },
  {
    key: 'p50',
    header: 'p50',
    kind: 'number',
    cell: row => formatDuration(row.p50Ms),
    sort: row => row.p50Ms,
    isWide: true,
  },
  {
    key: 'p95',
    header: 'p95',
    kind: 'number',
    cell: row => formatDuration(row.p95Ms),
    sort: row => row.p95Ms,
    isWide: true,
  },
  {
    key: 'p99',
    header: 'p99',
    kind: 'number',
    cell: row => formatDuration(row.p99Ms),
    sort: row => row.p99Ms,
  },
  {
    key: 'time',
    header: 'Share of time',
    kind: 'number',
    cell: row => (
      <span class="share">
        <i style={{ '--share': row.shareOfTime }} />
        {formatShare(row.shareOfTime)}
      </span>
    ),
    sort: row => row.totalMs,
    isWide: true,
  },
  {
    key: 'shape',
    header: 'Over time',
    kind: 'shape',
    cell: row => (
      <Sparkline
        values={row.series.calls}
        errors={row.series.errors}
        label={`Calls over time, ${formatCount(row.series.calls.reduce((a, b) => Math.max(a, b), 0))} at most in one step`}
      />
    ),
    isWide: true,
  },
]
