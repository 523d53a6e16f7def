import type { LatencySeries, Range } from '../../api.js'
import { type Line, TimeChart } from '../charts/time-chart.js'
import { formatCount, formatDuration } from '../data/figures.js'
import { zoom } from '../data/zoom.js'

interface SeriesOf {
  readonly range: Range
  readonly series: LatencySeries
}

/** Calls, and those that failed among them. */
export function CallsChart({ range, series }: SeriesOf) {
  return (
    <TimeChart
      title="Calls"
      range={range}
      startMs={series.startMs}
      stepMs={series.stepMs}
      format={formatCount}
      onZoom={zoom}
      lines={[
        { label: 'calls', values: series.calls, colour: '--accent-soft', kind: 'bars' },
        { label: 'errors', values: series.errors, colour: '--bad', kind: 'bars' },
      ]}
    />
  )
}

export function LatencyChart({ title, range, series }: SeriesOf & { readonly title: string }) {
  return (
    <TimeChart
      title={title}
      range={range}
      startMs={series.startMs}
      stepMs={series.stepMs}
      format={formatDuration}
      scale="log"
      onZoom={zoom}
      lines={percentileLines(series)}
    />
  )
}

/** Told apart without colour, too. */
function percentileLines(series: LatencySeries): Line[] {
  return [
    { label: 'p50', values: series.p50Ms, colour: '--accent', kind: 'line' },
    { label: 'p95', values: series.p95Ms, colour: '--accent-2', kind: 'line', dash: [6, 3] },
    { label: 'p99', values: series.p99Ms, colour: '--accent-3', kind: 'line', dash: [2, 3] },
  ]
}
