import { useCallback, useId, useMemo, useRef, useState } from 'preact/hooks'
import type { Heatmap as Counts, Range } from '../../api.js'
import { clock, counted, formatDuration } from '../data/figures.js'
import { colour } from '../data/theme.js'
import { useDrawing } from './canvas.js'
import { timeLabels, timeTicks } from './time-axis.js'

const HEIGHT = 230
const LEFT = 62
const RIGHT = 8
const TOP = 8
const BOTTOM = 26

interface Props {
  readonly heatmap: Counts
  readonly range: Range
  readonly onZoom: (sinceMs: number, untilMs: number) => void
}

interface Cell {
  readonly step: number
  readonly row: number
}

/** How many calls took how long, and when: time to the right, duration upwards on a logarithmic scale. */
export function Heatmap({ heatmap, range, onZoom }: Props) {
  const { counts, boundsMs, startMs, stepMs } = heatmap
  const id = useId()
  const [cell, setCell] = useState<Cell | null>(null)
  const pressedAt = useRef<number | null>(null)
  const rows = useMemo(() => usedRows(heatmap), [heatmap])
  const most = useMemo(
    () => counts.reduce((a, step) => step.reduce((b, n) => Math.max(b, n), a), 0),
    [counts],
  )

  const draw = useCallback(
    (context: CanvasRenderingContext2D, width: number, height: number) =>
      drawHeatmap(context, width, height, { heatmap, range, rows, most, cell }),
    [heatmap, range, rows, most, cell],
  )
  const { canvas, width } = useDrawing(draw, HEIGHT)
  const spanMs = range.untilMs - range.sinceMs
  const timeAt = (x: number) =>
    range.sinceMs + (Math.min(Math.max(x - LEFT, 0), width - LEFT - RIGHT) / (width - LEFT - RIGHT)) * spanMs

  const cellAt = (event: PointerEvent): Cell | null => {
    const step = Math.floor((timeAt(event.offsetX) - startMs) / stepMs)
    const up = (HEIGHT - BOTTOM - event.offsetY) / (HEIGHT - TOP - BOTTOM)
    const row = rows.from + Math.floor(up * (rows.to - rows.from))
    return event.offsetX >= LEFT && up >= 0 && up < 1 && counts[step] !== undefined ? { step, row } : null
  }
  const move = (event: KeyboardEvent): void => {
    const [right, up] = ARROWS[event.key] ?? [0, 0]
    if (right === 0 && up === 0) return
    event.preventDefault()
    const from = cell ?? { step: counts.length - 1, row: rows.from }
    setCell({
      step: clamp(from.step + right, 0, counts.length - 1),
      row: clamp(from.row + up, rows.from, rows.to - 1),
    })
  }

  return (
    <figure class="chart">
      <figcaption>
        <h2 id={id}>Latency over time</h2>
        <p class="legend" aria-live="polite">
          {cell === null ? (
            <span class="key">
              fewer <i class="ramp" /> more calls
            </span>
          ) : (
            <CellText heatmap={heatmap} cell={cell} />
          )}
        </p>
      </figcaption>
      <div
        class="plot focusable"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys read the cells
        tabIndex={0}
        role="application"
        aria-roledescription="heatmap"
        aria-label={`Latency over time: ${describe(heatmap, rows)}. Arrow keys read single cells.`}
        onKeyDown={move}
        onBlur={() => setCell(null)}
        onPointerMove={event => setCell(cellAt(event))}
        onPointerLeave={() => setCell(null)}
        onPointerDown={event => {
          pressedAt.current = timeAt(event.offsetX)
        }}
        onPointerUp={event => {
          const from = pressedAt.current
          const to = timeAt(event.offsetX)
          pressedAt.current = null
          if (from !== null && Math.abs(to - from) > spanMs / 100)
            onZoom(Math.min(from, to), Math.max(from, to))
        }}
      >
        <canvas ref={canvas} />
      </div>
      {boundsMs.length < 2 && <p class="quiet">No call was timed in this span.</p>}
    </figure>
  )
}

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
}

function CellText({ heatmap: { counts, boundsMs, startMs, stepMs }, cell }: { heatmap: Counts; cell: Cell }) {
  const from = startMs + cell.step * stepMs
  const inStep = counts[cell.step] ?? []
  const all = inStep.reduce((sum, count) => sum + count, 0)
  return (
    <>
      <span class="key">
        <b>{counted(inStep[cell.row] ?? 0, 'call')}</b> of {counted(all, 'call')}
      </span>
      <span class="key">
        {formatDuration(boundsMs[cell.row] ?? null)} – {formatDuration(boundsMs[cell.row + 1] ?? null)}
      </span>
      <span class="key quiet">
        {clock(from)}–{clock(from + stepMs)}
      </span>
    </>
  )
}

interface Rows {
  readonly from: number
  readonly to: number
}

/** Rows that hold calls, with one of air on each side. */
function usedRows({ counts, boundsMs }: Counts): Rows {
  const last = boundsMs.length - 1
  let from = last
  let to = 0
  for (const step of counts) {
    step.forEach((count, row) => {
      if (count === 0) return
      from = Math.min(from, row)
      to = Math.max(to, row + 1)
    })
  }
  return from >= to
    ? { from: 0, to: Math.max(1, last) }
    : { from: Math.max(0, from - 1), to: Math.min(last, to + 1) }
}

function describe({ counts, boundsMs }: Counts, rows: Rows): string {
  const all = counts.reduce((sum, step) => step.reduce((a, b) => a + b, sum), 0)
  if (all === 0) return 'no calls'
  return `${counted(all, 'call')} between ${formatDuration(boundsMs[rows.from] ?? null)} and ${formatDuration(boundsMs[rows.to] ?? null)}`
}

interface Picture {
  readonly heatmap: Counts
  readonly range: Range
  readonly rows: Rows
  readonly most: number
  readonly cell: Cell | null
}

function drawHeatmap(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  picture: Picture,
): void {
  const { heatmap, range, rows, most, cell } = picture
  const { counts, boundsMs, startMs, stepMs } = heatmap
  const plotWidth = width - LEFT - RIGHT
  const plotHeight = height - TOP - BOTTOM
  const x = (ms: number) => LEFT + ((ms - range.sinceMs) / (range.untilMs - range.sinceMs)) * plotWidth
  const y = (row: number) => TOP + plotHeight - ((row - rows.from) / (rows.to - rows.from)) * plotHeight

  context.font = `11px ${getComputedStyle(document.body).fontFamily}`
  context.fillStyle = colour('--muted')
  context.strokeStyle = colour('--grid')
  drawScales(context, { x, y, width, height, range, rows, boundsMs })

  context.save()
  context.beginPath()
  context.rect(LEFT, TOP, plotWidth, plotHeight)
  context.clip()
  context.fillStyle = colour('--accent')
  counts.forEach((step, i) => {
    const left = x(startMs + i * stepMs)
    const wide = Math.max(1, x(startMs + (i + 1) * stepMs) - left - (plotWidth / counts.length > 4 ? 1 : 0))
    step.forEach((count, row) => {
      if (count === 0) return
      // Logarithmic: one slow call among a million is still seen.
      context.globalAlpha = 0.18 + 0.82 * (Math.log1p(count) / Math.log1p(most))
      context.fillRect(left, y(row + 1), wide, Math.max(1, y(row) - y(row + 1) - 0.5))
    })
  })
  context.globalAlpha = 1
  if (cell !== null) {
    context.strokeStyle = colour('--ink')
    context.lineWidth = 1.5
    const left = x(startMs + cell.step * stepMs)
    context.strokeRect(
      left,
      y(cell.row + 1),
      Math.max(3, x(startMs + (cell.step + 1) * stepMs) - left),
      y(cell.row) - y(cell.row + 1),
    )
  }
  context.restore()
}

interface Scales {
  readonly x: (ms: number) => number
  readonly y: (row: number) => number
  readonly width: number
  readonly height: number
  readonly range: Range
  readonly rows: Rows
  readonly boundsMs: readonly number[]
}

function drawScales(context: CanvasRenderingContext2D, scales: Scales): void {
  const { x, y, width, height, range, rows, boundsMs } = scales
  const line = (fromX: number, fromY: number, toX: number, toY: number) => {
    context.beginPath()
    context.moveTo(fromX, fromY)
    context.lineTo(toX, toY)
    context.stroke()
  }
  context.textBaseline = 'middle'
  context.textAlign = 'right'
  let lastY = Number.POSITIVE_INFINITY
  for (let row = rows.from; row <= rows.to; row++) {
    const bound = boundsMs[row]
    if (bound === undefined || lastY - y(row) < 30) continue
    lastY = y(row)
    line(LEFT, Math.round(lastY) + 0.5, width - RIGHT, Math.round(lastY) + 0.5)
    context.fillText(formatDuration(bound), LEFT - 8, lastY)
  }
  context.textAlign = 'center'
  context.textBaseline = 'alphabetic'
  const ticks = timeTicks(range.sinceMs, range.untilMs, width / 90)
  timeLabels(ticks).forEach((label, i) => {
    const at = x(ticks[i] ?? 0)
    line(Math.round(at) + 0.5, height - BOTTOM, Math.round(at) + 0.5, height - BOTTOM + 4)
    context.fillText(label, at, height - 8)
  })
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}
