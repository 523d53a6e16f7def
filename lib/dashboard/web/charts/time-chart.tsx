import { useEffect, useId, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import type { Range } from '../../api.js'
import { clock, formatSpan } from '../data/figures.js'
import { useFollowed } from '../data/store.js'
import { colour, theme } from '../data/theme.js'
import { ScrollBox } from '../parts/scroll-box.js'
import { timeLabels, timeTicks } from './time-axis.js'
import 'uplot/dist/uPlot.min.css'

export interface Line {
  readonly label: string
  readonly values: readonly (number | null)[]
  /** A custom property. */
  readonly colour: string
  readonly kind: 'bars' | 'line'
  readonly dash?: readonly number[]
}

/** What a linear axis counts is whole: no half call. */
const COUNT_STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map(step => step * 10 ** power)).flat()

export interface TimeChartProps {
  readonly title: string
  readonly range: Range
  readonly startMs: number
  readonly stepMs: number
  readonly lines: readonly Line[]
  readonly format: (value: number) => string
  readonly scale?: 'linear' | 'log'
  readonly onZoom: (sinceMs: number, untilMs: number) => void
}

const HEIGHT = 180

/** Values over time: a chart, the figures under the pointer, and the same as text and table. */
export function TimeChart(props: TimeChartProps) {
  const { title, lines, format, range } = props
  const id = useId()
  const [at, setAt] = useState<number | null>(null)
  const box = useCanvas(props, setAt)
  const step = at === null || at >= (lines[0]?.values.length ?? 0) ? null : at
  return (
    <figure class="chart">
      <figcaption>
        <h2 id={id}>{title}</h2>
        <p class="legend">
          {lines.map(line => (
            <span key={line.label} class="key">
              <i class={`swatch ${line.kind}`} style={{ '--swatch': `var(${line.colour})` }} />
              {line.label}
              {step !== null && <b>{valueText(line.values[step], format)}</b>}
            </span>
          ))}
          {step !== null && (
            <span class="key quiet">
              {clock(props.startMs + step * props.stepMs)}–{clock(props.startMs + (step + 1) * props.stepMs)}
            </span>
          )}
        </p>
      </figcaption>
      <div class="plot" ref={box} role="img" aria-label={`${title}: ${describe(props)}`} />
      <DataTable {...props} />
      <p class="sr">{formatSpan(range.sinceMs, range.untilMs, range.untilMs)}</p>
    </figure>
  )
}

function DataTable({ title, lines, format, startMs, stepMs }: TimeChartProps) {
  const [isOpen, setOpen] = useState(false)
  const rows = lines[0]?.values ?? []
  return (
    <details class="data" onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>Values</summary>
      {isOpen && (
        <ScrollBox label={`${title}, values`} isLow>
          <table>
            <thead>
              <tr>
                <th scope="col">from</th>
                {lines.map(line => (
                  <th key={line.label} scope="col" class="number">
                    {line.label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((_, i) => (
                <tr key={startMs + i * stepMs}>
                  <td>{clock(startMs + i * stepMs)}</td>
                  {lines.map(line => (
                    <td key={line.label} class="number">
                      {valueText(line.values[i], format)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollBox>
      )}
    </details>
  )
}

function valueText(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '-' : format(value)
}

function describe({ lines, format }: TimeChartProps): string {
  const parts = lines.map(({ label, values }) => {
    const known = values.filter(value => value !== null)
    if (known.length === 0) return `${label}: nothing`
    const least = known.reduce((a, b) => Math.min(a, b))
    const most = known.reduce((a, b) => Math.max(a, b))
    return `${label} between ${format(least)} and ${format(most)}`
  })
  return parts.join('; ')
}

function useCanvas(props: TimeChartProps, onCursor: (step: number | null) => void) {
  const box = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | null>(null)
  const last = useRef(props)
  const look = useFollowed(theme)
  const names = props.lines.map(line => line.label).join()
  last.current = props

  useEffect(() => {
    const node = box.current
    if (node === null) return
    const plot = new uPlot(optionsOf(node.clientWidth, last, onCursor), dataOf(last.current), node)
    chart.current = plot
    const watch = new ResizeObserver(() => {
      // Not within the notice itself: a size set there would cause the next one.
      requestAnimationFrame(() => {
        if (node.clientWidth > 0 && node.clientWidth !== plot.width)
          plot.setSize({ width: node.clientWidth, height: HEIGHT })
      })
    })
    watch.observe(node)
    return () => {
      watch.disconnect()
      plot.destroy()
      chart.current = null
    }
  }, [look, names])

  useEffect(() => {
    chart.current?.setData(dataOf(last.current))
  }, [props.lines[0]?.values, props.range.sinceMs, props.range.untilMs])
  return box
}

/** Each step stands in its middle; nothing below zero can be drawn on a logarithmic scale, nor zero itself. */
function dataOf({ lines, startMs, stepMs, scale }: TimeChartProps): uPlot.AlignedData {
  const times = (lines[0]?.values ?? []).map((_, i) => (startMs + (i + 0.5) * stepMs) / 1000)
  const usable = (value: number | null): number | null =>
    scale === 'log' && value !== null && value <= 0 ? null : value
  return [times, ...lines.map(line => line.values.map(usable))]
}

function optionsOf(
  width: number,
  last: { readonly current: TimeChartProps },
  onCursor: (step: number | null) => void,
): uPlot.Options {
  const { lines, scale } = last.current
  const isLog = scale === 'log'
  const quiet = colour('--muted')
  const grid = { stroke: colour('--grid'), width: 1 }
  const font = `11px ${getComputedStyle(document.body).fontFamily}`
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: 'time' },
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
      y: false,
    },
    scales: {
      x: {
        range: () => [last.current.range.sinceMs / 1000, last.current.range.untilMs / 1000],
      },
      y: isLog
        ? { distr: 3, range: (_, least, most) => decades(least, most) }
        : { range: (_, __, most) => [0, ceiling(most)] },
    },
    axes: [
      {
        stroke: quiet,
        grid: { show: false },
        ticks: { ...grid, size: 4 },
        font,
        size: 26,
        splits: (plot, _, min, max) =>
          timeTicks(min * 1000, max * 1000, plot.width / 90).map(ms => ms / 1000),
        values: (_, splits) => timeLabels(splits.map(s => s * 1000)),
      },
      {
        stroke: quiet,
        grid,
        ticks: { show: false },
        font,
        size: 62,
        gap: 6,
        ...(isLog
          ? { splits: (_: uPlot, __: number, min: number, max: number) => powers(min, max) }
          : { space: 36, incrs: COUNT_STEPS }),
        values: (_, splits) => splits.map(value => (value === null ? '' : last.current.format(value))),
      },
    ],
    series: [
      {},
      ...lines.map(line => ({
        label: line.label,
        stroke: colour(line.colour),
        width: line.kind === 'bars' ? 0 : 1.5,
        points: { show: false },
        ...(line.dash === undefined ? {} : { dash: [...line.dash] }),
        ...(line.kind === 'bars'
          ? { fill: colour(line.colour), paths: uPlot.paths.bars!({ size: [0.82], align: 0 }) }
          : { paths: stairs(last) }),
      })),
    ],
    hooks: {
      setCursor: [plot => onCursor(plot.cursor.idx ?? null)],
      setSelect: [
        plot => {
          const { left, width: wide } = plot.select
          if (wide < 6) return
          last.current.onZoom(plot.posToVal(left, 'x') * 1000, plot.posToVal(left + wide, 'x') * 1000)
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
        },
      ],
    },
  }
}

function ceiling(most: number | null): number {
  return most === null || most <= 0 ? 1 : most * 1.08
}

function decades(least: number | null, most: number | null): [number, number] {
  const low = least === null || least <= 0 ? 0.01 : least
  const high = most === null || most <= 0 ? 10 : most
  return [low / 1.6, Math.max(high * 1.6, low * 12)]
}

function powers(min: number, max: number): number[] {
  const ticks: number[] = []
  for (let power = Math.ceil(Math.log10(min)); power <= Math.log10(max); power++) ticks.push(10 ** power)
  return ticks
}

/** A figure of a step holds for all of it: a level as wide as the step, joined to its neighbours. */
function stairs(last: { readonly current: TimeChartProps }): uPlot.Series.PathBuilder {
  return (plot, series, from, to) => {
    const stroke = new Path2D()
    const half = last.current.stepMs / 2000
    const xs = plot.data[0]
    const ys = plot.data[series] ?? []
    let isJoined = false
    for (let i = from; i <= to; i++) {
      const value = ys[i]
      const at = xs[i]
      if (value === null || value === undefined || at === undefined) {
        isJoined = false
        continue
      }
      const y = Math.round(plot.valToPos(value, 'y', true))
      const left = plot.valToPos(at - half, 'x', true)
      if (isJoined) stroke.lineTo(left, y)
      else stroke.moveTo(left, y)
      stroke.lineTo(plot.valToPos(at + half, 'x', true), y)
      isJoined = true
    }
    return { stroke }
  }
}
