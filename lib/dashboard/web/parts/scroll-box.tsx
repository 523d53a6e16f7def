import type { ComponentChildren } from 'preact'

interface Props {
  readonly label: string
  readonly isLow?: boolean
  readonly children: ComponentChildren
}

/** Content that may be wider than the page: it scrolls by itself, by keyboard too. */
export function ScrollBox({ label, isLow = false, children }: Props) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of fields it is not
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <div class={isLow ? 'scroll low' : 'scroll'} role="group" tabIndex={0} aria-label={label}>
      {children}
    </div>
  )
}
