import type { Separation, WhyAnswer } from '../../api.js'
import { counted, formatCount, formatDuration, formatShare } from '../data/figures.js'
import { linkTo } from '../data/place.js'
import { useScoped } from '../data/scope.js'
import { Answer } from './notice.js'
import { Section } from './page.js'
import { Captured, segment } from './text.js'

/** It reads thousands of records; what separates them does not change within seconds. */
const REFRESH_MS = 30_000

/** Which property of the arguments separates slow or failing calls from the others, with the counts behind it. */
export function Why({ name, of }: { readonly name: string; readonly of: 'slow' | 'errors' }) {
  const answer = useScoped('/api/why', { name, of }, REFRESH_MS)
  return (
    <Section title={of === 'slow' ? 'Why slow' : 'Why failing'}>
      <Answer of={answer}>{data => <Separations {...data} />}</Answer>
    </Section>
  )
}

function Separations(props: WhyAnswer) {
  const { of, separations, caveats, note, lookedAt, hits, thresholdMs, conditionsTried } = props
  const hit = of === 'slow' ? `slow (${formatDuration(thresholdMs)} and more)` : 'failed'
  return (
    <>
      <p class="quiet">
        {counted(lookedAt, 'recorded call')}, {formatCount(hits)} {hit};{' '}
        {counted(conditionsTried, 'property', 'properties')} of the arguments compared.
      </p>
      {separations.length === 0 ? (
        <p>{note ?? 'Nothing in the arguments separates them beyond chance.'}</p>
      ) : (
        <ol class="why">
          {separations.map(separation => (
            <li key={separation.condition}>
              <Condition of={of} separation={separation} />
            </li>
          ))}
        </ol>
      )}
      {caveats.map(caveat => (
        <p key={caveat} class="quiet caveat">
          {caveat}
        </p>
      ))}
    </>
  )
}

function Condition({ of, separation }: { readonly of: 'slow' | 'errors'; readonly separation: Separation }) {
  const { condition, same, with: having, without, ratio, pValue, examples } = separation
  const word = of === 'slow' ? 'slow' : 'fail'
  const href = (call: string) =>
    linkTo(
      of === 'slow' ? `/trace/${segment(call)}` : `/error/${segment(call)}`,
      of === 'slow' ? { call } : {},
    )
  return (
    <>
      <p class="code condition">
        <Captured text={condition} />
      </p>
      {same.length > 0 && (
        <p class="quiet">
          holds for the same calls, nearly: <Captured text={same.join(', ')} />
        </p>
      )}
      <p>
        <b>{formatShare(having.hits / having.calls)}</b> {word} with it,{' '}
        {formatShare(without.hits / without.calls)} without
        {ratio !== null && Number.isFinite(ratio) && (
          <>, {ratio < 10 ? ratio.toFixed(1) : Math.round(ratio)} times as often</>
        )}
      </p>
      <p class="quiet">
        {formatCount(having.hits)} of {formatCount(having.calls)} · {formatCount(without.hits)} of{' '}
        {formatCount(without.calls)} · p {pValue < 0.0001 ? '< 0.0001' : `= ${pValue.toFixed(4)}`}
        {examples.length > 0 && ' · such as '}
        {examples.map((call, i) => (
          <span key={call}>
            {i > 0 && ', '}
            <a class="code" href={href(call)}>
              …{call.slice(-6)}
            </a>
          </span>
        ))}
      </p>
    </>
  )
}
