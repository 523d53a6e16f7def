import { visible } from '../../../wording/text.js'
import type { FunctionAnswer } from '../../api.js'
import { Heatmap } from '../charts/heatmap.js'
import { formatCount, formatDuration, formatRate, formatShare } from '../data/figures.js'
import { linkTo, usePlace } from '../data/place.js'
import { useScoped } from '../data/scope.js'
import { zoom } from '../data/zoom.js'
import { CallTable, ErrorTable } from '../parts/call-table.js'
import { NotShown } from '../parts/not-shown.js'
import { Answer, Notice } from '../parts/notice.js'
import { Figures, Section, View } from '../parts/page.js'
import { CallsChart, LatencyChart } from '../parts/series-charts.js'
import { Captured } from '../parts/text.js'
import { Why } from '../parts/why.js'

export function FunctionView() {
  const name = usePlace().query.get('name') ?? ''
  return (
    <View
      title={name === '' ? 'Function' : visible(name)}
      heading={<span class="code">{visible(name)}</span>}
    >
      {name === '' ? (
        <Notice title="No function is named">
          <a href={linkTo('/')}>Choose one in the overview</a>
        </Notice>
      ) : (
        <OneFunction key={name} name={name} />
      )}
    </View>
  )
}

function OneFunction({ name }: { readonly name: string }) {
  const answer = useScoped('/api/function', { name })
  return <Answer of={answer}>{data => <FunctionContent name={name} {...data} />}</Answer>
}

function FunctionContent(props: FunctionAnswer & { readonly name: string }) {
  const { name, range, totals, latency, heatmap, outcomes, slowest, failed, coverage } = props
  return (
    <>
      <Figures
        figures={[
          { name: 'Calls', value: formatCount(totals.calls), note: formatRate(totals.callsPerSecond) },
          {
            name: 'Errors',
            value: formatCount(totals.errors),
            note: totals.calls === 0 ? '' : `${formatShare(totals.errors / totals.calls)} of calls`,
            isBad: totals.errors > 0,
          },
          { name: 'p50', value: formatDuration(totals.p50Ms), note: `mean ${formatDuration(totals.meanMs)}` },
          { name: 'p99', value: formatDuration(totals.p99Ms), note: `p95 ${formatDuration(totals.p95Ms)}` },
          {
            name: 'Longest',
            value: formatDuration(totals.maxMs),
            note: `${formatShare(totals.shareOfTime)} of all time`,
          },
        ]}
      />
      <Heatmap heatmap={heatmap} range={range} onZoom={zoom} />
      <div class="charts">
        <LatencyChart title="Percentiles" range={range} series={latency} />
        <CallsChart range={range} series={latency} />
      </div>
      <div class="columns">
        <Why name={name} of="slow" />
        {outcomes.error > 0 && <Why name={name} of="errors" />}
        <Outcomes outcomes={outcomes} />
      </div>
      <Section title="Slowest calls" note="of those recorded in this span">
        {slowest.length === 0 ? (
          <Notice title="No call of it is recorded in this span" />
        ) : (
          <CallTable caption="Slowest calls" rows={slowest} hasFunction={false} />
        )}
      </Section>
      {failed.length > 0 && (
        <Section title="Failed calls" note={<a href={linkTo('/errors', { function: name })}>in groups</a>}>
          <ErrorTable caption="Failed calls" rows={failed} hasFunction={false} />
        </Section>
      )}
      <NotShown coverage={coverage} kind="calls" />
    </>
  )
}

function Outcomes({ outcomes: { ok, error, byError } }: { readonly outcomes: FunctionAnswer['outcomes'] }) {
  const all = ok + error
  if (all === 0) return null
  const rows = [
    { name: 'returned', count: ok, isBad: false },
    ...byError.map(row => ({ name: row.error, count: row.count, isBad: true })),
  ]
  return (
    <Section title="How calls ended">
      <ul class="mix">
        {rows.map(row => (
          <li key={`${row.isBad} ${row.name}`}>
            <span class={row.isBad ? 'bad' : undefined}>
              <Captured text={row.name} />
            </span>
            <i class={row.isBad ? 'bad' : ''} style={{ '--share': row.count / all }} />
            <span class="number">{formatCount(row.count)}</span>
            <span class="number quiet">{formatShare(row.count / all)}</span>
          </li>
        ))}
      </ul>
    </Section>
  )
}
