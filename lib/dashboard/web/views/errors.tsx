import type { ErrorGroup } from '../../api.js'
import { Sparkline } from '../charts/sparkline.js'
import { TimeChart } from '../charts/time-chart.js'
import { counted, formatCount } from '../data/figures.js'
import { linkHere, linkTo, usePlace } from '../data/place.js'
import { useScoped } from '../data/scope.js'
import { zoom } from '../data/zoom.js'
import { ErrorTable } from '../parts/call-table.js'
import { Filter, patternOf } from '../parts/filter.js'
import { beyond, NotShown } from '../parts/not-shown.js'
import { Answer, Notice } from '../parts/notice.js'
import { Figures, Section, View } from '../parts/page.js'
import { type Column, Table } from '../parts/table.js'
import { Captured, FunctionLink, Moment, segment } from '../parts/text.js'

const LIMIT = 200

export function Errors() {
  const { query } = usePlace()
  const error = query.get('error')
  const answer = useScoped('/api/errors', {
    function: patternOf(query.get('function')),
    error,
    limit: `${LIMIT}`,
  })
  return (
    <View title="Errors">
      <div class="filters">
        <Filter name="function" label="Filter by function" placeholder="Orders.*" />
        <Filter name="error" label="Class of error" placeholder="TypeError" />
      </div>
      <Answer of={answer}>
        {({ groups, coverage }) => (
          <>
            {groups.length === 0 ? (
              <Notice title="No errors in this span of time">
                <a href={linkHere({ range: 'all', from: null, to: null, function: null, error: null })}>
                  Look through the whole recording
                </a>
              </Notice>
            ) : (
              <Table
                caption="Groups of errors"
                columns={COLUMNS}
                rows={groups}
                rowKey={row => row.fingerprint}
              />
            )}
            <NotShown coverage={coverage} kind="errors" more={beyond(groups.length, LIMIT)} />
          </>
        )}
      </Answer>
    </View>
  )
}

const COLUMNS: readonly Column<ErrorGroup>[] = [
  {
    key: 'error',
    header: 'Error',
    kind: 'main',
    cell: row => (
      <a class="group" href={linkTo(`/errors/${segment(row.fingerprint)}`)}>
        <b class="bad">
          <Captured text={row.error} />
        </b>{' '}
        <Captured text={row.message.slice(0, 300)} />
      </a>
    ),
    sort: row => row.error,
  },
  {
    key: 'function',
    header: 'Function',
    cell: row => <FunctionLink name={row.function} />,
    sort: row => row.function,
    isWide: true,
  },
  {
    key: 'count',
    header: 'Count',
    kind: 'number',
    cell: row => formatCount(row.count),
    sort: row => row.count,
  },
  {
    key: 'shape',
    header: 'Over time',
    kind: 'shape',
    cell: row => (
      <Sparkline
        values={row.series.counts}
        tone="bad"
        label={`Errors over time, ${formatCount(row.series.counts.reduce((a, b) => Math.max(a, b), 0))} at most in one step`}
      />
    ),
    isWide: true,
  },
  {
    key: 'first',
    header: 'First',
    kind: 'short',
    cell: row => <Moment iso={row.firstAt} withMs={false} />,
    sort: row => row.firstAt,
    isWide: true,
  },
  {
    key: 'last',
    header: 'Last',
    kind: 'short',
    cell: row => <Moment iso={row.lastAt} withMs={false} />,
    sort: row => row.lastAt,
  },
]

export function ErrorGroupView({ fingerprint }: { readonly fingerprint: string }) {
  const answer = useScoped('/api/error-group', { fingerprint, limit: `${LIMIT}` })
  const group = answer.data?.group
  return (
    <View
      title={group === undefined ? 'Errors of one kind' : `${group.error} in ${group.function}`}
      heading={
        group === undefined ? undefined : (
          <>
            <span class="bad">
              <Captured text={group.error} />
            </span>{' '}
            in <FunctionLink name={group.function} />
          </>
        )
      }
    >
      <Answer of={answer}>
        {({ range, group, occurrences, coverage }) => (
          <>
            <p class="message">
              <Captured text={group.message} />
            </p>
            <Figures
              figures={[
                { name: 'Errors', value: formatCount(group.count), isBad: true },
                {
                  name: 'First',
                  value: new Date(group.firstAt).toLocaleTimeString('en-GB'),
                  note: group.firstAt.slice(0, 10),
                },
                {
                  name: 'Last',
                  value: new Date(group.lastAt).toLocaleTimeString('en-GB'),
                  note: group.lastAt.slice(0, 10),
                },
              ]}
            />
            <TimeChart
              title="Errors"
              range={range}
              startMs={group.series.startMs}
              stepMs={group.series.stepMs}
              format={formatCount}
              onZoom={zoom}
              lines={[{ label: 'errors', values: group.series.counts, colour: '--bad', kind: 'bars' }]}
            />
            <Section title="Occurrences" note={`${counted(occurrences.length, 'error')}, newest first`}>
              <ErrorTable caption="Occurrences" rows={occurrences} hasFunction={false} />
            </Section>
            <NotShown coverage={coverage} kind="errors" more={beyond(occurrences.length, LIMIT)} />
          </>
        )}
      </Answer>
    </View>
  )
}
