import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { SessionAnswer } from '../api.js'
import { connection } from './data/ask.js'
import { linkTo, usePlace } from './data/place.js'
import { chosenRange } from './data/range.js'
import { type Scope, ScopeProvider } from './data/scope.js'
import { useFollowed } from './data/store.js'
import { useAnswer } from './data/use-answer.js'
import { Guard } from './parts/guard.js'
import { Notice } from './parts/notice.js'
import { View } from './parts/page.js'
import { useKeys } from './shell/keys.js'
import { PageFoot } from './shell/page-foot.js'
import { PageHead } from './shell/page-head.js'
import { Calls } from './views/calls.js'
import { ErrorView } from './views/error.js'
import { ErrorGroupView, Errors } from './views/errors.js'
import { FunctionView } from './views/function.js'
import { Overview } from './views/overview.js'
import { Recorder } from './views/recorder.js'
import { Tail } from './views/tail.js'
import { TraceView } from './views/trace.js'

const SESSION_EVERY_MS = 5_000
const REFRESH_EVERY_MS = 3_000

export function App() {
  const session = useAnswer('/api/session', {}, SESSION_EVERY_MS)
  const state = useFollowed(connection)
  useKeys()
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      {session.data === null ? (
        <main id="content" class="alone" tabIndex={-1}>
          <Unanswered
            state={state}
            failure={session.failure?.kind === 'failed' ? session.failure.message : null}
          />
        </main>
      ) : (
        <Answering session={session.data} state={state} />
      )}
    </>
  )
}

function Unanswered({
  state,
  failure,
}: {
  readonly state: typeof connection.value
  readonly failure: string | null
}) {
  if (state === 'refused') {
    return (
      <View title="Locked">
        <p>This page opens with the token it was started with. Open the address that was printed again.</p>
        <p class="quiet">
          <code>callsight ui</code> prints a new one each time it starts.
        </p>
      </View>
    )
  }
  if (state === 'gone') {
    return (
      <View title="Nobody answers">
        <p>The dashboard has ended. Start it again and open the address it prints.</p>
      </View>
    )
  }
  return failure === null ? <p class="loading">Opening the recording…</p> : <Notice title={failure} />
}

function Answering({
  session,
  state,
}: {
  readonly session: SessionAnswer
  readonly state: typeof connection.value
}) {
  const place = usePlace()
  const chosen = useMemo(() => chosenRange(place.query), [place])
  const isPaused = place.query.get('paused') === '1'
  const isMoving = session.isLive && chosen.kind === 'last'
  const scope = useMemo<Scope>(
    () => ({ session, chosen, refreshMs: isMoving && !isPaused ? REFRESH_EVERY_MS : null }),
    [session, chosen, isMoving, isPaused],
  )
  return (
    <ScopeProvider value={scope}>
      <PageHead path={place.path} isPaused={isPaused} isMoving={isMoving} />
      {(state === 'gone' || state === 'refused') && (
        <p class="trouble" role="alert">
          {state === 'gone'
            ? 'The dashboard does not answer any more. What you see is what it last said.'
            : 'The dashboard was started anew. Open the address it printed.'}
        </p>
      )}
      <Content path={place.path} />
      <PageFoot session={session} />
    </ScopeProvider>
  )
}

/** The view of a path. Another view takes the focus to its heading, as a page that is loaded would. */
function Content({ path }: { readonly path: string }) {
  const content = useRef<HTMLElement>(null)
  const shown = useRef(path)
  useEffect(() => {
    if (shown.current === path) return
    shown.current = path
    content.current?.querySelector('h1')?.focus({ preventScroll: true })
  }, [path])
  return (
    <main id="content" ref={content} tabIndex={-1}>
      <Guard key={path}>
        <ViewOf path={path} />
      </Guard>
    </main>
  )
}

function ViewOf({ path }: { readonly path: string }) {
  const [view = '', id] = path.split('/').slice(1).map(decoded)
  switch (view) {
    case '':
      return <Overview />
    case 'function':
      return <FunctionView />
    case 'errors':
      return id === undefined || id === '' ? <Errors /> : <ErrorGroupView key={id} fingerprint={id} />
    case 'error':
      return <ErrorView key={id} call={id ?? ''} />
    case 'trace':
      return <TraceView key={id} id={id ?? ''} />
    case 'calls':
      return <Calls />
    case 'tail':
      return <Tail />
    case 'recorder':
      return <Recorder />
    default:
      return (
        <View title="No such page">
          <p>
            <a href={linkTo('/')}>To the overview</a>
          </p>
        </View>
      )
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
