import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { formatLength, formatSpan } from '../data/figures.js'
import { go, linkHere } from '../data/place.js'
import { DEFAULT_PRESET, PRESETS, type Preset, spanParameters } from '../data/range.js'
import { useScope } from '../data/scope.js'

const NAMES: readonly Preset[] = [...(Object.keys(PRESETS) as (keyof typeof PRESETS)[]), 'all']
const DAY_MS = 86_400_000

export function RangePicker() {
  const { chosen, session } = useScope()
  const isSpan = chosen.kind === 'span'
  return (
    <div class="range">
      <nav class="segments" aria-label="Span of time">
        {NAMES.map(name => (
          <a
            key={name}
            href={linkHere({ range: name === DEFAULT_PRESET ? null : name, from: null, to: null })}
            aria-current={chosen.kind === 'last' && chosen.preset === name ? 'true' : undefined}
            aria-label={name === 'all' ? 'all, the whole recording' : `last ${name}`}
          >
            {name}
          </a>
        ))}
      </nav>
      <Popup
        label={isSpan ? formatSpan(chosen.sinceMs, chosen.untilMs, session.nowMs) : 'Custom'}
        isOn={isSpan}
      />
      {isSpan && (
        <a
          class="button round"
          href={linkHere({ from: null, to: null })}
          aria-label="Leave this span of time"
        >
          ×
        </a>
      )}
    </div>
  )
}

function Popup({ label, isOn }: { readonly label: string; readonly isOn: boolean }) {
  const [isOpen, setOpen] = useState(false)
  const box = useRef<HTMLDivElement>(null)
  const id = useId()

  useEffect(() => {
    if (!isOpen) return
    const pressed = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape') return
      setOpen(false)
      box.current?.querySelector('button')?.focus()
    }
    const outside = (event: Event): void => {
      if (event.target instanceof Node && box.current?.contains(event.target) === false) setOpen(false)
    }
    document.addEventListener('keydown', pressed)
    document.addEventListener('pointerdown', outside)
    return () => {
      document.removeEventListener('keydown', pressed)
      document.removeEventListener('pointerdown', outside)
    }
  }, [isOpen])

  return (
    <div class="popup" ref={box}>
      <button
        type="button"
        class={isOn ? 'button on' : 'button'}
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setOpen(!isOpen)}
      >
        {label}
      </button>
      <div id={id} class="popup-body" hidden={!isOpen}>
        {isOpen && <SpanForm onDone={() => setOpen(false)} />}
      </div>
    </div>
  )
}

function SpanForm({ onDone }: { readonly onDone: () => void }) {
  const { chosen, session } = useScope()
  const { recorded, nowMs } = session
  const untilMs =
    chosen.kind === 'span' ? chosen.untilMs : session.isLive ? nowMs : (recorded?.untilMs ?? nowMs)
  const [from, setFrom] = useState(
    local(
      chosen.kind === 'span' ? chosen.sinceMs : Math.max(untilMs - PRESETS['15m'], recorded?.sinceMs ?? 0),
    ),
  )
  const [to, setTo] = useState(local(untilMs))
  const fromMs = new Date(from).getTime()
  const toMs = new Date(to).getTime()
  const isUsable = fromMs < toMs
  const id = useId()
  return (
    <form
      onSubmit={event => {
        event.preventDefault()
        if (!isUsable) return
        go(linkHere(spanParameters(fromMs, toMs)))
        onDone()
      }}
    >
      <label htmlFor={`${id}-from`}>From</label>
      <input
        id={`${id}-from`}
        type="datetime-local"
        step="1"
        value={from}
        onInput={event => setFrom(event.currentTarget.value)}
      />
      <label htmlFor={`${id}-to`}>To</label>
      <input
        id={`${id}-to`}
        type="datetime-local"
        step="1"
        value={to}
        onInput={event => setTo(event.currentTarget.value)}
      />
      <button type="submit" class="button on" disabled={!isUsable}>
        {isUsable ? `Show ${formatLength(toMs - fromMs)}` : 'The end is before the beginning'}
      </button>
      {recorded !== null && (
        <p class="quiet">
          Recorded: {formatSpan(recorded.sinceMs, recorded.untilMs, nowMs)}
          {recorded.untilMs - recorded.sinceMs > DAY_MS
            ? ''
            : ` (${formatLength(recorded.untilMs - recorded.sinceMs)})`}
        </p>
      )}
    </form>
  )
}

/** What an input for date and time takes: the time where the reader is, to the second. */
function local(ms: number): string {
  const date = new Date(ms)
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}
