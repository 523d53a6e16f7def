import { go, linkHere, linkTo } from '../data/place.js'
import { useFollowed } from '../data/store.js'
import { theme, toggleTheme } from '../data/theme.js'
import { RangePicker } from './range-picker.js'

const VIEWS = [
  ['/', 'Overview'],
  ['/errors', 'Errors'],
  ['/calls', 'Calls'],
  ['/tail', 'Tail'],
  ['/recorder', 'Recorder'],
] as const

/** Views that are about one moment, or about now. */
const WITHOUT_RANGE = /^\/(?:error|trace|tail)(?:\/|$)/

interface Props {
  readonly path: string
  readonly isPaused: boolean
  readonly isMoving: boolean
}

export function PageHead({ path, isPaused, isMoving }: Props) {
  const look = useFollowed(theme)
  const hasRange = !WITHOUT_RANGE.test(path)
  return (
    <header class="head">
      <a class="brand" href={linkTo('/')} aria-label="Callsight, overview">
        <svg width="20" height="20" viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="6.6" />
          <path d="M2.8 8.5h2.8L7.2 5l2 6 1.3-2.5h2.7" />
        </svg>
        Callsight
      </a>
      <nav aria-label="Views" class="views">
        {VIEWS.map(([href, name]) => (
          <a key={href} href={linkTo(href)} aria-current={isIn(path, href) ? 'page' : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <div class="tools">
        {hasRange && <RangePicker />}
        {hasRange && isMoving && (
          <button
            type="button"
            class={isPaused ? 'button live' : 'button live on'}
            aria-pressed={!isPaused}
            onClick={() => go(linkHere({ paused: isPaused ? null : '1' }), 'replace')}
          >
            <i aria-hidden="true" />
            Live
          </button>
        )}
        <button
          type="button"
          class="button round"
          aria-label={look === 'dark' ? 'Light colours' : 'Dark colours'}
          onClick={toggleTheme}
        >
          <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
            <circle cx="8" cy="8" r="5.5" />
            <path class="filled" d="M8 2.5a5.5 5.5 0 0 1 0 11z" />
          </svg>
        </button>
      </div>
    </header>
  )
}

function isIn(path: string, view: string): boolean {
  if (view === '/') return path === '/' || path === '/function'
  if (view === '/errors') return /^\/errors?(?:\/|$)/.test(path)
  if (view === '/calls') return path === '/calls' || path.startsWith('/trace/')
  return path === view
}
