import { visible } from '../../../wording/text.js'
import { clock, day, isSameDay } from '../data/figures.js'
import { linkTo } from '../data/place.js'

/** Captured text, on one line; what would not show, or would turn the line around, is written out. */
export function Captured({ text }: { readonly text: string }) {
  return <bdi class="captured">{visible(text)}</bdi>
}

/** Time of day where the reader is; the whole moment, in UTC, on demand. */
export function Moment({ iso, withMs = true }: { readonly iso: string; readonly withMs?: boolean }) {
  const ms = Date.parse(iso)
  if (Number.isNaN(ms)) return <span class="moment">unknown</span>
  const nowMs = Date.now()
  return (
    <time class="moment" dateTime={iso} title={iso}>
      {isSameDay(ms, nowMs) ? '' : `${day(ms, nowMs)} `}
      {clock(ms, withMs)}
    </time>
  )
}

/** A part of an address: captured text in it stays one part. */
export const segment = (text: string): string => encodeURIComponent(text)

export function FunctionLink({ name }: { readonly name: string }) {
  return (
    <a class="code name" href={linkTo('/function', { name })} title={visible(name)}>
      {visible(name)}
    </a>
  )
}

export function TraceLink({ id, children }: { readonly id: string; readonly children?: string }) {
  return (
    <a class="code" href={linkTo(`/trace/${segment(id)}`)}>
      {children ?? id}
    </a>
  )
}

/** Where a call is told of at length: a failed one among the errors, any other in its trace. */
export function callHref(call: {
  readonly call_id: string
  readonly outcome: string
  readonly trace_id: string
}): string {
  return call.outcome === 'error'
    ? linkTo(`/error/${segment(call.call_id)}`)
    : linkTo(`/trace/${segment(call.trace_id)}`, { call: call.call_id })
}
