import { visible } from '../../../wording/text.js'
import type { ErrorAnswer } from '../../api.js'
import { counted, formatDuration } from '../data/figures.js'
import { linkTo } from '../data/place.js'
import { useAnswer } from '../data/use-answer.js'
import { CallTable } from '../parts/call-table.js'
import { CapturedCall } from '../parts/captured-call.js'
import { CauseChain } from '../parts/cause-chain.js'
import { Facts } from '../parts/facts.js'
import { NotShown } from '../parts/not-shown.js'
import { Answer } from '../parts/notice.js'
import { Section, View } from '../parts/page.js'
import { Stack } from '../parts/stack.js'
import { Captured, FunctionLink, Moment, segment, TraceLink } from '../parts/text.js'
import { Waterfall } from '../trace/waterfall.js'

export function ErrorView({ call }: { readonly call: string }) {
  const answer = useAnswer('/api/error', { call })
  const error = answer.data?.error
  return (
    <View
      title={error === undefined ? `Error ${call}` : `${visible(error.error)} in ${visible(error.function)}`}
      heading={
        error && (
          <span class="bad">
            <Captured text={error.error} />
          </span>
        )
      }
    >
      <Answer of={answer}>{data => <ErrorContent {...data} />}</Answer>
    </View>
  )
}

function ErrorContent({ error, trace, before, coverage }: ErrorAnswer) {
  return (
    <>
      <p class="message">
        <Captured text={error.message} />
      </p>
      <Facts
        facts={[
          ['Function', <FunctionLink key="function" name={error.function} />],
          ['At', <Moment key="at" iso={error.at} />],
          ['After', formatDuration(error.duration_ms)],
          ['Process', <Captured key="process" text={error.process} />],
          ['Trace', <TraceLink key="trace" id={error.trace_id} />],
          [
            'Call',
            <span key="call" class="code">
              {error.call_id}
            </span>,
          ],
          [
            'Alike',
            <a key="alike" class="code" href={linkTo(`/errors/${segment(error.fingerprint)}`)}>
              {error.fingerprint}
            </a>,
          ],
        ]}
      />
      <div class="columns">
        <Section title="Stack">
          {error.stack === null ? <p class="quiet">None recorded.</p> : <Stack text={error.stack} />}
          {error.details !== null && <CauseChain details={error.details} />}
        </Section>
        <Section title="What it was called with">
          <CapturedCall {...error} />
        </Section>
      </div>
      <Section title="Its trace" note={counted(trace.length, 'recorded call')}>
        <Waterfall rows={trace} selected={error.call_id} />
      </Section>
      <Section title="Before it" note="other recorded calls of the same process">
        {before.length === 0 ? (
          <p class="quiet">None is recorded.</p>
        ) : (
          <CallTable caption="Calls before it" rows={before} />
        )}
      </Section>
      <NotShown coverage={coverage} kind="calls" />
    </>
  )
}
