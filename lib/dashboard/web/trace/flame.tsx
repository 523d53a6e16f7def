import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { TraceRow } from '../../../store/queries/rows.js'
import { visible } from '../../../wording/text.js'
import { useDrawing } from '../charts/canvas.js'
import { formatDuration } from '../data/figures.js'
import { colour } from '../data/theme.js'
import { flameRows, layOut, type Span, type TraceLayout } from './layout.js'

const ROW = 22
const TOP = 22
const MAX_ROWS = 400

interface Props {
  readonly rows: readonly TraceRow[]
  readonly selected: string | null
  readonly onSelect: (row: TraceRow) => void
}

interface Window {
  readonly fromMs: number
  readonly toMs: number
}

/** Calls stacked below the calls that made them, as wide as they took. Drawn, so that ten thousand stay quick. */
export function Flame({ rows, selected, onSelect }: Props) {
  const layout = useMemo(() => layOut(rows), [rows])
  const places = useMemo(() => flameRows(layout.spans), [layout])
  const [seen, setSeen] = useState<Window | null>(null)
  const [hovered, setHovered] = useState<{
    readonly span: Span
    readonly x: number
    readonly y: number
  } | null>(null)
  const { spans } = layout
  const current = spans.find(span => span.row.call_id === selected) ?? spans[0]
  const depth = Math.min(MAX_ROWS, places.reduce((most, row) => Math.max(most, row), 0) + 1)
  const height = TOP + depth * ROW + 4
  const window_ = seen ?? { fromMs: layout.startMs, toMs: layout.endMs }
  const isWhole = seen === null

  useEffect(() => setSeen(null), [layout])
  const draw = useCallback(
    (context: CanvasRenderingContext2D, width: number) =>
      drawFlame(context, width, { layout, places, window_, current }),
    [layout, places, window_.fromMs, window_.toMs, current],
  )
  const { canvas, width } = useDrawing(draw, height)
  const spanAt = (event: PointerEvent | MouseEvent): Span | null => {
    const row = Math.floor((event.offsetY - TOP) / ROW)
    const perPixel = (window_.toMs - window_.fromMs) / width
    const ms = window_.fromMs + event.offsetX * perPixel
    return (
      spans.find(
        span => places[span.index] === row && ms >= span.startMs - perPixel && ms <= span.endMs + perPixel,
      ) ?? null
    )
  }
  const box = useRef<HTMLDivElement>(null)
  const zoomTo = (span: Span): void => {
    const air = Math.max((span.endMs - span.startMs) * 0.02, 1e-6)
    setSeen({ fromMs: span.startMs - air, toMs: span.endMs + air })
  }
  const move = (event: KeyboardEvent): void => {
    if (current === undefined) return
    if (event.key === 'Escape' && !isWhole) {
      event.preventDefault()
      setSeen(null)
      return
    }
    if (event.key === 'Enter') {
      event.preventDefault()
      zoomTo(current)
      return
    }
    const target = flameTarget(event.key, spans, current)
    if (target === undefined) return
    event.preventDefault()
    onSelect(target.row)
  }

  return (
    <div class="flame-box">
      <p class="legend">
        {isWhole ? (
          <span class="quiet">
            Double click or Enter: only this call. Arrow keys: to the calls around it.
          </span>
        ) : (
          <button type="button" class="link" onClick={() => setSeen(null)}>
            Show the whole trace
          </button>
        )}
      </p>
      <div
        ref={box}
        class="flame focusable"
        role="application"
        aria-roledescription="flame view"
        aria-label={`Flame view of ${spans.length} calls. ${current === undefined ? '' : spanText(current)}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys go from call to call
        tabIndex={0}
        onKeyDown={move}
        onPointerMove={event => {
          const span = spanAt(event)
          setHovered(span === null ? null : { span, x: event.offsetX, y: event.offsetY })
        }}
        onPointerLeave={() => setHovered(null)}
        onClick={event => {
          const span = spanAt(event)
          if (span !== null) onSelect(span.row)
        }}
        onDblClick={event => {
          const span = spanAt(event)
          if (span !== null) zoomTo(span)
        }}
      >
        <canvas ref={canvas} />
        {hovered !== null && (
          <div
            class="tip"
            style={{
              left: `${Math.min(hovered.x + 12, Math.max(0, width - 260))}px`,
              top: `${hovered.y + 14}px`,
            }}
          >
            <b class="code">{visible(hovered.span.row.function)}</b>{' '}
            {formatDuration(hovered.span.row.duration_ms)}
            {hovered.span.row.error !== null && <span class="bad"> {visible(hovered.span.row.error)}</span>}
          </div>
        )}
      </div>
    </div>
  )
}

function spanText({ row }: Span): string {
  return `${visible(row.function)}, ${formatDuration(row.duration_ms)}${row.error === null ? '' : `, failed: ${visible(row.error)}`}`
}

function flameTarget(key: string, spans: readonly Span[], current: Span): Span | undefined {
  const siblings = () => spans.filter(span => span.parent === current.parent)
  switch (key) {
    case 'ArrowUp':
      return spans[current.parent]
    case 'ArrowDown':
      return current.end > current.index + 1 ? spans[current.index + 1] : undefined
    case 'ArrowRight':
      return siblings().find(span => span.index > current.index)
    case 'ArrowLeft':
      return siblings().findLast(span => span.index < current.index)
    default:
      return undefined
  }
}

interface Picture {
  readonly layout: TraceLayout
  readonly places: readonly number[]
  readonly window_: Window
  readonly current: Span | undefined
}

function drawFlame(
  context: CanvasRenderingContext2D,
  width: number,
  { layout, places, window_, current }: Picture,
): void {
  const { fromMs, toMs } = window_
  const scale = width / (toMs - fromMs)
  const [ok, bad, paper, ink, muted] = ['--accent-soft', '--bad', '--surface', '--ink', '--muted'].map(
    colour,
  ) as [string, string, string, string, string]
  const family = getComputedStyle(document.body).fontFamily
  context.font = `11px ${family}`
  context.textBaseline = 'middle'
  context.fillStyle = muted
  for (let i = 0; i <= 4; i++) {
    context.textAlign = i === 0 ? 'left' : i === 4 ? 'right' : 'center'
    const ms = fromMs + ((toMs - fromMs) * i) / 4 - layout.startMs
    context.fillText(formatDuration(Math.max(0, ms)), (width * i) / 4, TOP / 2)
  }
  context.textAlign = 'left'
  /** Right end of what is drawn in each row: spans narrower than a pixel are not drawn over and over. */
  const drawnTo: number[] = []
  for (const span of layout.spans) {
    if (span.endMs < fromMs || span.startMs > toMs) continue
    const row = places[span.index] ?? 0
    const left = Math.max(0, (span.startMs - fromMs) * scale)
    const right = Math.min(width, (span.endMs - fromMs) * scale)
    const isTiny = right - left < 1
    if (isTiny && span !== current && right < (drawnTo[row] ?? -1) && span.row.outcome !== 'error') continue
    drawnTo[row] = Math.max(drawnTo[row] ?? 0, left + 1)
    const top = TOP + row * ROW
    const failed = span.row.outcome === 'error'
    context.globalAlpha = span.row.recorded === 'hindsight' ? 0.55 : 1
    context.fillStyle = failed ? bad : ok
    context.fillRect(left, top, Math.max(1, right - left - (isTiny ? 0 : 1)), ROW - 2)
    context.globalAlpha = 1
    if (right - left > 28) {
      context.fillStyle = failed ? paper : ink
      context.save()
      context.beginPath()
      context.rect(left, top, right - left - 6, ROW)
      context.clip()
      context.fillText(visible(span.row.function), left + 5, top + ROW / 2 - 0.5)
      context.restore()
    }
    if (span === current) {
      context.strokeStyle = ink
      context.lineWidth = 2
      context.strokeRect(left + 1, top + 1, Math.max(2, right - left - 3), ROW - 4)
    }
  }
}
