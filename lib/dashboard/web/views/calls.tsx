import { linkHere, usePlace } from '../data/place.js'
import { useScoped } from '../data/scope.js'
import { CallTable } from '../parts/call-table.js'
import { Choice, Filter, patternOf } from '../parts/filter.js'
import { beyond, NotShown } from '../parts/not-shown.js'
import { Answer, Notice } from '../parts/notice.js'
import { View } from '../parts/page.js'

export const OUTCOMES = [
  ['', 'all'],
  ['ok', 'ok'],
  ['error', 'errors'],
] as const

const LIMITS = [100, 500, 2_000] as const

export function Calls() {
  const { query } = usePlace()
  const limit = LIMITS.find(candidate => `${candidate}` === query.get('limit')) ?? LIMITS[0]
  const more = LIMITS.find(candidate => candidate > limit)
  const answer = useScoped('/api/calls', {
    function: patternOf(query.get('function')),
    outcome: query.get('outcome'),
    min_duration: query.get('min_duration'),
    limit: `${limit}`,
  })
  return (
    <View title="Calls">
      <div class="filters">
        <Filter name="function" label="Filter by function" placeholder="Orders.*" />
        <Choice name="outcome" label="Ended" options={OUTCOMES} />
        <Filter name="min_duration" label="At least" placeholder="250ms" />
      </div>
      <Answer of={answer}>
        {({ calls, coverage }) => (
          <>
            {calls.length === 0 ? (
              <Notice title="No recorded call matches">
                <a href={linkHere({ range: 'all', from: null, to: null, outcome: null, min_duration: null })}>
                  Look through the whole recording
                </a>
              </Notice>
            ) : (
              <CallTable caption="Recorded calls" rows={calls} />
            )}
            {calls.length >= limit && more !== undefined && (
              <p>
                <a href={linkHere({ limit: `${more}` })}>Show {more.toLocaleString('en-US')}</a>
              </p>
            )}
            <NotShown coverage={coverage} kind="calls" more={beyond(calls.length, limit)} />
          </>
        )}
      </Answer>
    </View>
  )
}
