import { useMemo } from 'preact/hooks'
import type { TraceRow } from '../../../store/queries/rows.js'
import { whyMissing } from '../../../wording/not-shown.js'
import { counted, formatDuration } from '../data/figures.js'
import { go, linkHere, linkTo, usePlace } from '../data/place.js'
import { useAnswer } from '../data/use-answer.js'
import { CapturedCall } from '../parts/captured-call.js'
import { Facts } from '../parts/facts.js'
import { beyond, NotShown } from '../parts/not-shown.js'
import { Answer, Notice } from '../parts/notice.js'
import { Section, View } from '../parts/page.js'
import { Captured, FunctionLink, Moment, segment } from '../parts/text.js'
import { Flame } from '../trace/flame.js'
import { Waterfall } from '../trace/waterfall.js'

const LIMIT = 10_000

export function TraceView({ id }: { readonly id: string }) {
  const answer = useAnswer('/api/trace', { id, limit: `${LIMIT}` })
  // Half of a trace id is the id of one of its calls.
  const what = id.length === 16 ? 'Trace of call' : 'Trace'
  return (
    <View
      title={`${what} ${id}`}
      heading={
        <>
          {what} <span class="code id">{id}</span>
        </>
      }
    >
      <Answer of={answer}>
        {({ calls, coverage }) => (
          <>
            {calls.length === 0 ? (
              <Notice title="Nothing of this trace is recorded">{whyMissing(coverage, 'calls')}</Notice>
            ) : (
              byTrace(calls).map(rows => <OneTrace key={rows[0]?.trace_id} rows={rows} asked={id} />)
            )}
            <NotShown coverage={coverage} kind="calls" more={beyond(calls.length, LIMIT)} />
          </>
        )}
      </Answer>
    </View>
  )
}

function OneTrace({ rows, asked }: { readonly rows: readonly TraceRow[]; readonly asked: string }) {
  const { query } = usePlace()
  const isFlame = query.get('view') === 'flame'
  const wanted = query.get('call') ?? (asked.length === 16 ? asked : null)
  const selected = rows.find(row => row.call_id === wanted) ?? rows[0]
  const select = (row: TraceRow) => go(linkHere({ call: row.call_id }), 'replace')
  const processes = useMemo(() => new Set(rows.map(row => row.process)).size, [rows])
  const failed = rows.filter(row => row.outcome === 'error').length
  if (selected === undefined) return null
  return (
    <>
      <div class="tabs">
        <p>
          {counted(rows.length, 'recorded call')}
          {failed > 0 && <span class="bad"> · {failed} failed</span>}
          {processes > 1 && ` · ${processes} processes`} · <Moment iso={rows[0]?.at ?? ''} />
        </p>
        <nav aria-label="How to draw it" class="segments">
          <a href={linkHere({ view: null })} aria-current={isFlame ? undefined : 'true'}>
            Waterfall
          </a>
          <a href={linkHere({ view: 'flame' })} aria-current={isFlame ? 'true' : undefined}>
            Flame
          </a>
        </nav>
      </div>
      <div class="trace">
        {isFlame ? (
          <Flame rows={rows} selected={selected.call_id} onSelect={select} />
        ) : (
          <Waterfall rows={rows} selected={selected.call_id} onSelect={select} />
        )}
        <Section title="Selected call">
          <Selected row={selected} />
        </Section>
      </div>
    </>
  )
}

function Selected({ row }: { readonly row: TraceRow }) {
  return (
    <>
      <Facts
        facts={[
          ['Function', <FunctionLink key="function" name={row.function} />],
          ['Took', formatDuration(row.duration_ms)],
          ['Ended', <Moment key="at" iso={row.at} />],
          [
            'Call',
            <span key="call" class="code">
              {row.call_id}
            </span>,
          ],
          ['Process', <Captured key="process" text={row.process} />],
          ['Recorded', row.recorded],
        ]}
      />
      {row.error !== null && (
        <p>
          <a class="bad" href={linkTo(`/error/${segment(row.call_id)}`)}>
            <b>
              <Captured text={row.error} />
            </b>{' '}
            <Captured text={row.message ?? ''} />
          </a>
        </p>
      )}
      <CapturedCall {...row} />
    </>
  )
}

function byTrace(rows: readonly TraceRow[]): TraceRow[][] {
  const traces = new Map<string, TraceRow[]>()
  for (const row of rows) {
    const known = traces.get(row.trace_id)
    if (known === undefined) traces.set(row.trace_id, [row])
    else known.push(row)
  }
  return [...traces.values()]
}
