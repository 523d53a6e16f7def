import { useEffect, useRef, useState } from 'preact/hooks'
import type { CallRow } from '../../../store/queries/rows.js'
import { ask, type Failure } from '../data/ask.js'
import { counted } from '../data/figures.js'
import { go, linkHere, usePlace } from '../data/place.js'
import { CallTable } from '../parts/call-table.js'
import { Choice, Filter, patternOf } from '../parts/filter.js'
import { Notice } from '../parts/notice.js'
import { View } from '../parts/page.js'
import { OUTCOMES } from './calls.js'

const EVERY_MS = 1_000
/** Rows kept on the page; older ones make room. */
const KEPT = 300
const LIMIT = 100

interface Tailed {
  readonly calls: readonly CallRow[]
  readonly skipped: number
  readonly failure: Failure | null
}

const NOTHING: Tailed = { calls: [], skipped: 0, failure: null }

export function Tail() {
  const { query } = usePlace()
  const isPaused = query.get('paused') === '1'
  const tailed = useTail(patternOf(query.get('function')), query.get('outcome'), isPaused)
  return (
    <View title="Tail">
      <div class="filters">
        <Filter name="function" label="Filter by function" placeholder="Orders.*" />
        <Choice name="outcome" label="Ended" options={OUTCOMES} />
        <button
          type="button"
          class="button"
          aria-pressed={isPaused}
          onClick={() => go(linkHere({ paused: isPaused ? null : '1' }), 'replace')}
        >
          {isPaused ? 'Go on' : 'Pause'}
        </button>
      </div>
      {tailed.failure?.kind === 'failed' && <Notice title={tailed.failure.message} />}
      {tailed.calls.length === 0 ? (
        <Notice title={isPaused ? 'Paused' : 'Waiting for calls'}>
          Every call that is recorded shows here as it ends, newest first.
        </Notice>
      ) : (
        <div class="tail">
          <CallTable caption="Newest calls" rows={tailed.calls} />
        </div>
      )}
      <p class={tailed.skipped > 0 ? 'coverage partial' : 'coverage'}>
        {tailed.skipped > 0
          ? `Not shown: ${counted(tailed.skipped, 'call')} that came too fast to list · `
          : ''}
        {tailed.skipped > 0 ? 'c' : 'C'}alls sampled out have no record and cannot show here
      </p>
    </View>
  )
}

/** The newest calls, asked for from where the last answer ended, while the page is seen. */
function useTail(pattern: string | null, outcome: string | null, isPaused: boolean): Tailed {
  const [tailed, setTailed] = useState(NOTHING)
  const cursor = useRef<string | null>(null)
  const key = JSON.stringify({
    ...(pattern === null ? {} : { function: pattern }),
    ...(outcome === null ? {} : { outcome }),
  })

  useEffect(() => {
    cursor.current = null
    setTailed(NOTHING)
  }, [key])

  useEffect(() => {
    if (isPaused) return
    const abort = new AbortController()
    let timer: number | undefined
    const once = async (): Promise<void> => {
      const parameters = {
        ...(JSON.parse(key) as Record<string, string>),
        limit: `${LIMIT}`,
        ...(cursor.current === null ? {} : { after: cursor.current }),
      }
      const reply = document.hidden ? null : await ask('/api/tail', parameters, abort.signal)
      if (reply !== null && 'failure' in reply) setTailed(before => ({ ...before, failure: reply.failure }))
      else if (reply !== null) {
        const { calls, skipped } = reply.data
        const isFirst = cursor.current === null
        cursor.current = reply.data.cursor
        setTailed(before => ({
          calls: [...calls, ...before.calls].slice(0, KEPT),
          skipped: before.skipped + (isFirst ? 0 : skipped),
          failure: null,
        }))
      }
      timer = window.setTimeout(start, EVERY_MS)
    }
    const start = (): void => {
      once().catch((error: unknown) => {
        if (!abort.signal.aborted) throw error
      })
    }
    start()
    return () => {
      abort.abort()
      window.clearTimeout(timer)
    }
  }, [key, isPaused])
  return tailed
}
