import type { ComponentChildren } from 'preact'
import type { Answered } from '../data/use-answer.js'

/** Said instead of figures: there are none, or they could not be had. */
export function Notice({
  title,
  children,
}: {
  readonly title: string
  readonly children?: ComponentChildren
}) {
  return (
    <div class="notice">
      <p class="notice-title">{title}</p>
      {children !== undefined && <div class="quiet">{children}</div>}
    </div>
  )
}

/** Shows an answer as soon as there is one, and keeps it on the page, dimmed, while the next question is open. */
export function Answer<T>({
  of,
  children,
}: {
  readonly of: Answered<T>
  readonly children: (data: T) => ComponentChildren
}) {
  const { data, failure, isWaiting } = of
  const failed = failure?.kind === 'failed' ? failure.message : null
  if (data === null) {
    if (failed !== null) return <Failed message={failed} />
    // What refuses and what is gone is said at the head of the page.
    return <p class="loading">{failure === null ? 'Reading the recording…' : ''}</p>
  }
  return (
    <div class={isWaiting ? 'answer waiting' : 'answer'} aria-busy={isWaiting}>
      {failed !== null && <Failed message={failed} />}
      {children(data)}
    </div>
  )
}

function Failed({ message }: { readonly message: string }) {
  return (
    <div class="notice bad" role="alert">
      <p class="notice-title">This could not be read</p>
      <p>{message}</p>
    </div>
  )
}
