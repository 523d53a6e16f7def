import type { Range } from '../../api.js'

export interface Mark {
  readonly key: string
  readonly fromMs: number
  readonly untilMs: number
  readonly label: string
  readonly tone: 'accent' | 'bad'
}

/** Marks on the time of the charts above; the list below it says the same in words. */
export function EventStrip({ range, marks }: { readonly range: Range; readonly marks: readonly Mark[] }) {
  const share = (ms: number) =>
    (Math.min(Math.max(ms, range.sinceMs), range.untilMs) - range.sinceMs) / (range.untilMs - range.sinceMs)
  return (
    <div class="strip" aria-hidden="true">
      {marks.map(mark => (
        <i
          key={mark.key}
          class={mark.tone}
          title={mark.label}
          style={{
            left: `${share(mark.fromMs) * 100}%`,
            width: `${(share(mark.untilMs) - share(mark.fromMs)) * 100}%`,
          }}
        />
      ))}
    </div>
  )
}
