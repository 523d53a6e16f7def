import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { TraceRow } from '../../../store/queries/rows.js'
import { visible } from '../../../wording/text.js'
import { formatDuration } from '../data/figures.js'
import { layOut, type Span, unfolded } from './layout.js'

const ROW = 26
/** Rows beyond the seen ones that are in the page, so that scrolling shows no gaps. */
const MARGIN = 12
const MAX_SEEN = 24
/** Deeper calls keep this indentation. */
const MAX_INDENT = 14

interface Props {
  readonly rows: readonly TraceRow[]
  /** Id of a call. */
  readonly selected: string | null
  readonly onSelect?: (row: TraceRow) => void
}

/** Calls one below the other, each on the time it took. Of a long trace only the rows in sight are in the page. */
export function Waterfall({ rows, selected, onSelect }: Props) {
  const layout = useMemo(() => layOut(rows), [rows])
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set())
  const [current, setCurrent] = useState(0)
  const [top, setTop] = useState(0)
  const box = useRef<HTMLDivElement>(null)
  const id = useId()
  const { spans } = layout
  const shown = useMemo(() => unfolded(spans, folded), [spans, folded])
  const height = Math.min(shown.length, MAX_SEEN) * ROW

  useEffect(() => {
    const index = spans.findIndex(span => span.row.call_id === selected)
    if (index !== -1) setCurrent(index)
  }, [selected, spans])
  useLayoutEffect(() => {
    const node = box.current
    const place = shown.findIndex(span => span.index === current) * ROW
    if (node === null || place < 0) return
    if (place < node.scrollTop) node.scrollTop = place
    else if (place + ROW > node.scrollTop + node.clientHeight)
      node.scrollTop = place + ROW - node.clientHeight
  }, [current, shown])

  const choose = (span: Span | undefined): void => {
    if (span === undefined) return
    setCurrent(span.index)
    onSelect?.(span.row)
  }
  const fold = (span: Span, isFolded: boolean): void => {
    const next = new Set(folded)
    if (isFolded) next.add(span.index)
    else next.delete(span.index)
    setFolded(next)
  }
  const move = (event: KeyboardEvent): void => {
    const at = shown.findIndex(span => span.index === current)
    const span = shown[at]
    if (span === undefined) return
    const target = keyTarget(event.key, { shown, spans, at, span, isFolded: folded.has(span.index) })
    if (target === null) return
    event.preventDefault()
    if (target === 'fold') fold(span, true)
    else if (target === 'unfold') fold(span, false)
    else choose(target)
  }

  const from = Math.max(0, Math.floor(top / ROW) - MARGIN)
  const inSight = shown.slice(from, from + MAX_SEEN + 2 * MARGIN)
  return (
    <div
      ref={box}
      class="waterfall"
      role="tree"
      aria-label="Calls of the trace, each below the one that made it"
      tabIndex={0}
      aria-activedescendant={`${id}-${current}`}
      style={{ height: `${height}px` }}
      onScroll={event => setTop(event.currentTarget.scrollTop)}
      onKeyDown={move}
    >
      <div role="presentation" class="waterfall-all" style={{ height: `${shown.length * ROW}px` }}>
        {inSight.map((span, i) => (
          <WaterfallRow
            key={span.index}
            id={`${id}-${span.index}`}
            span={span}
            top={(from + i) * ROW}
            startMs={layout.startMs}
            spanMs={layout.endMs - layout.startMs}
            isCurrent={span.index === current}
            isFolded={folded.has(span.index)}
            onChoose={() => choose(span)}
            onFold={() => fold(span, !folded.has(span.index))}
          />
        ))}
      </div>
    </div>
  )
}

interface Moving {
  readonly shown: readonly Span[]
  readonly spans: readonly Span[]
  readonly at: number
  readonly span: Span
  readonly isFolded: boolean
}

/** The keys of a tree: up and down, to the sides to fold and to go to the call above. */
function keyTarget(
  key: string,
  { shown, spans, at, span, isFolded }: Moving,
): Span | 'fold' | 'unfold' | null {
  const hasCalls = span.end > span.index + 1
  switch (key) {
    case 'ArrowDown':
      return shown[at + 1] ?? null
    case 'ArrowUp':
      return shown[at - 1] ?? null
    case 'PageDown':
      return shown[Math.min(at + MAX_SEEN, shown.length - 1)] ?? null
    case 'PageUp':
      return shown[Math.max(at - MAX_SEEN, 0)] ?? null
    case 'Home':
      return shown[0] ?? null
    case 'End':
      return shown.at(-1) ?? null
    case 'ArrowRight':
      if (!hasCalls) return null
      return isFolded ? 'unfold' : (shown[at + 1] ?? null)
    case 'ArrowLeft':
      if (hasCalls && !isFolded) return 'fold'
      return spans[span.parent] ?? null
    default:
      return null
  }
}

interface RowProps {
  readonly id: string
  readonly span: Span
  readonly top: number
  readonly startMs: number
  readonly spanMs: number
  readonly isCurrent: boolean
  readonly isFolded: boolean
  readonly onChoose: () => void
  readonly onFold: () => void
}

function WaterfallRow({ id, span, top, startMs, spanMs, isCurrent, isFolded, onChoose, onFold }: RowProps) {
  const { row, depth } = span
  const hasCalls = span.end > span.index + 1
  const failed = row.outcome === 'error'
  const offsetMs = span.startMs - startMs
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the tree holds the focus and names the current row
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree takes the keys
    <div
      id={id}
      role="treeitem"
      class={`span${isCurrent ? ' current' : ''}${failed ? ' failed' : ''}${row.recorded === 'hindsight' ? ' hindsight' : ''}`}
      aria-level={depth + 1}
      aria-selected={isCurrent}
      aria-expanded={hasCalls ? !isFolded : undefined}
      style={{ top: `${top}px` }}
      onClick={onChoose}
    >
      <span class="span-name" style={{ '--indent': Math.min(depth, MAX_INDENT) }}>
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the arrow keys of the tree fold */}
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the arrow keys of the tree fold */}
        <span
          class={hasCalls ? (isFolded ? 'arrow folded' : 'arrow open') : 'arrow none'}
          onClick={event => {
            if (!hasCalls) return
            event.stopPropagation()
            onFold()
          }}
        />
        <span class="code">{visible(row.function)}</span>
        {isFolded && <small class="quiet">+{span.end - span.index - 1}</small>}
      </span>
      <span class="span-time number">{formatDuration(row.duration_ms)}</span>
      <span class="sr">
        begins after {formatDuration(offsetMs)}
        {failed && `, failed: ${visible(row.error ?? '')}`}
      </span>
      <span class="span-track">
        <i
          style={{
            left: `${(offsetMs / spanMs) * 100}%`,
            width: `${Math.max(0, (row.duration_ms / spanMs) * 100)}%`,
          }}
        />
      </span>
    </div>
  )
}
