import type { LatencySeries } from '../../api.js'
import type { Line } from '../charts/time-chart.js'

/** Percentiles as lines; told apart without colour, too. */
export function latencyLines(series: LatencySeries): Line[] {
  return [
    { label: 'p50', values: series.p50Ms, colour: '--accent', kind: 'line' },
    { label: 'p95', values: series.p95Ms, colour: '--accent-2', kind: 'line', dash: [6, 3] },
    { label: 'p99', values: series.p99Ms, colour: '--accent-3', kind: 'line', dash: [2, 3] },
  ]
}
