import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { visible } from '../../../wording/text.js'

interface Props {
  readonly title: string
  /** Stands for the title where that is more than text. */
  readonly heading?: ComponentChildren
  readonly children: ComponentChildren
}

/** A view: its heading, its name in the browser's tab, its content. */
export function View({ title, heading, children }: Props) {
  useEffect(() => {
    document.title = `${visible(title)} · Callsight`
  }, [title])
  return (
    <>
      <h1 tabIndex={-1}>{heading ?? title}</h1>
      {children}
    </>
  )
}

/** A part of a view with a heading of its own. */
export function Section({
  title,
  note,
  children,
}: {
  readonly title: string
  readonly note?: ComponentChildren
  readonly children: ComponentChildren
}) {
  return (
    <section class="part" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {note !== undefined && <p class="quiet">{note}</p>}
      </header>
      {children}
    </section>
  )
}

export interface Figure {
  readonly name: string
  readonly value: string
  readonly note?: string
  readonly isBad?: boolean
}

export function Figures({ figures }: { readonly figures: readonly Figure[] }) {
  return (
    <dl class="figures">
      {figures.map(({ name, value, note, isBad }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class={isBad ? 'bad' : undefined}>
            {value}
            {note !== undefined && <small>{visible(note)}</small>}
          </dd>
        </div>
      ))}
    </dl>
  )
}
